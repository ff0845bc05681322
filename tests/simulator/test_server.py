"""The mesh over real sockets: each program's manners, and each fault."""

import asyncio
import gzip
import json
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from isems.errors import ConfigError
from isems.simulator import Fault, Limits, Mesh, Program, addresses, make_mesh, records, serve_mesh
from isems.simulator.pages import router_json
from isems.simulator.sessions import Timeline
from tests.simulator.grammar import pattern
from tests.simulator.instants import SUMMER, WINTER

MESH = make_mesh(12)
BASE = "127.83.77.1"
ROUTER, WEAK, BOARD, BOARD53, OLD_BOARD, AVR_BOARD = 0, 2, 3, 6, 8, 10
LOG = "/ISEMS/ffopenmppt.log"
QUICK = Limits(idle_seconds=0.2, slow_seconds=0.15, trickle_seconds=0.01, answer_seconds=0.2)


class Hand:
    """A clock that tests set."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> float:
        return float(self.at)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((BASE, 0))
        return int(probe.getsockname()[1])


async def ask(mesh: Mesh, index: int, request: str | bytes) -> bytes:
    host, _, port = mesh.addresses[index].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request if isinstance(request, bytes) else request.encode())
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close for good before the loop ends; the transport needs one turn of it."""
    writer.transport.abort()
    await asyncio.sleep(0)


async def read_pieces(reader: asyncio.StreamReader, sizes: list[int]) -> None:
    while piece := await reader.read(9999):
        sizes.append(len(piece))


def get(path: str, *headers: str) -> str:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: node", *headers, "", ""])


def split(response: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return status, dict(line.split(": ", 1) for line in lines), body


def with_mesh(
    test: Callable[[Mesh, Hand], Awaitable[None]], at: int = SUMMER, limits: Limits = QUICK, **faults: Fault
) -> None:
    """Run a test against a mesh whose clock stands at `at`; faults as ``n0=Fault.DEAD``."""

    async def run() -> None:
        clock = Hand(at)
        broken = {MESH[int(number[1:])].name: fault for number, fault in faults.items()}
        async with await serve_mesh(
            MESH, base_host=BASE, port=free_port(), clock=clock, faults=broken, limits=limits
        ) as mesh:
            await test(mesh, clock)

    asyncio.run(run())


def test_addresses_count_up_on_the_loopback_net() -> None:
    assert addresses(MESH)[:2] == ["127.83.0.1:8083", "127.83.0.2:8083"]
    assert addresses(make_mesh(300), "127.83.0.1", 80)[-1] == "127.83.1.44:80"


@pytest.mark.parametrize("host", ["10.0.0.1", "127.255.255.250", "somewhere", "::1"])
def test_a_mesh_outside_the_loopback_net_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=host):
        addresses(MESH, host)


def test_a_port_in_use_is_named() -> None:
    async def run() -> None:
        with socket.socket() as taken:
            taken.bind(("127.83.77.3", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(ConfigError, match=rf"127\.83\.77\.3:{port} for Gartenhaus-Süd"):
                await serve_mesh(MESH, base_host=BASE, port=port, clock=Hand(SUMMER))

    asyncio.run(run())


def test_a_fault_for_a_node_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="Nirgendwo"):
        asyncio.run(serve_mesh(MESH, clock=Hand(SUMMER), faults={"Nirgendwo": Fault.DEAD}))


def test_a_router_serves_its_log_with_the_headers_of_its_web_server() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        status, headers, body = split(await ask(mesh, ROUTER, get(LOG)))
        assert status == "HTTP/1.1 200 OK"
        session = Timeline(MESH[ROUTER]).session(SUMMER)
        assert session is not None
        made = [line for _, line in records(MESH[ROUTER], session.boot, SUMMER + 1)]
        lines = body.decode().split("\n")
        assert lines[-1] == ""
        assert lines[:-1] == made[len(made) - len(made) % 3660 :]
        assert headers["Content-Type"] == "text/plain"
        assert int(headers["Content-Length"]) == len(body)
        assert parsedate_to_datetime(headers["Date"]) == datetime.fromtimestamp(SUMMER, UTC)
        newest = int(lines[-2].split(";")[2])
        assert parsedate_to_datetime(headers["Last-Modified"]).timestamp() == newest

    with_mesh(test)


def test_an_unchanged_log_is_not_sent_again_and_a_grown_one_is() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        _, headers, _ = split(await ask(mesh, ROUTER, get(LOG)))
        for validator in (f"If-None-Match: {headers['ETag']}", f"If-Modified-Since: {headers['Last-Modified']}"):
            status, repeated, body = split(await ask(mesh, ROUTER, get(LOG, validator)))
            assert (status, body) == ("HTTP/1.1 304 Not Modified", b"")
            assert repeated["ETag"] == headers["ETag"]
        clock.at += 70
        for validator in (f"If-None-Match: {headers['ETag']}", f"If-Modified-Since: {headers['Last-Modified']}"):
            status, grown, body = split(await ask(mesh, ROUTER, get(LOG, validator)))
            assert status == "HTTP/1.1 200 OK"
            assert grown["ETag"] != headers["ETag"]

    with_mesh(test)


def test_a_router_knows_its_four_files_and_nothing_else() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        for path in ("/", "/csv.log", "/ISEMS/", "/isems/ffopenmppt.log", "/ISEMS/ffopenmppt.log.1"):
            status, headers, body = split(await ask(mesh, ROUTER, get(path)))
            assert status == "HTTP/1.1 404 Not Found"
            assert int(headers["Content-Length"]) == len(body)
        status, headers, body = split(await ask(mesh, ROUTER, get(LOG).replace("GET", "HEAD")))
        assert (status, body) == ("HTTP/1.1 200 OK", b"")
        assert int(headers["Content-Length"]) > 1000
        assert split(await ask(mesh, ROUTER, get(LOG).replace("GET", "POST")))[0].startswith("HTTP/1.1 405")

    with_mesh(test)


def test_a_routers_json_and_html_tell_its_newest_line() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        newest = split(await ask(mesh, ROUTER, get(LOG)))[2].decode().splitlines()[-1].split(";")
        _, headers, body = split(await ask(mesh, ROUTER, get("/ISEMS/ffopenmppt.json")))
        told = json.loads(body)
        assert headers["Content-Type"] == "application/octet-stream"
        assert (told["Node-ID"], told["Timestamp"]) == (newest[0], int(newest[2]))
        assert told["Battery voltage"] == float(newest[8])
        assert told["Status code"] == "0x" + newest[18]
        page = split(await ask(mesh, ROUTER, get("/ISEMS/ffopenmppt.html")))[2].decode()
        assert f"<b>Battery voltage: </b>{newest[8]} Volt<br><br>" in page

    with_mesh(test)


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        (
            "Elektra-Dach;1;1530316830;ATmega8_A_1;3240;0;0;0;12.808;100;100;17;11.67;14.434;18;20;52.507309;13.458635;700",
            "router.json",
        ),
        (
            "Gartenhaus-Süd;1;1544935503;ATmega8_A_1;7975;1;0;0;11.701;19;100;0;11.7;14.2;18;20;52.4731;13.4012;4A2",
            "router-low.json",
        ),
        ("OpenWrt;1;1538071210;;0;0;0;0;0;0;0;0;0;0;0;0;0;0;032", "router-silent.json"),
    ],
)
def test_the_json_of_a_line_is_byte_for_byte_what_a_real_router_wrote(line: str, sample: str) -> None:
    assert router_json(line) == Path("tests/data/simulator", sample).read_text(encoding="utf-8")


def test_the_archive_appears_at_the_rotation_and_the_log_is_missing_until_the_next_record() -> None:
    spec = MESH[ROUTER]
    session = next(s for s in Timeline(spec).season(SUMMER).sessions if s.end - s.boot > 100 * 3600)
    made = list(records(spec, session.boot, session.end))

    async def test(mesh: Mesh, clock: Hand) -> None:
        assert split(await ask(mesh, ROUTER, get(LOG + ".gz")))[0] == "HTTP/1.1 404 Not Found"
        before = split(await ask(mesh, ROUTER, get(LOG)))[2].decode().splitlines()
        clock.at = made[3659][0] + 1
        assert split(await ask(mesh, ROUTER, get(LOG)))[0] == "HTTP/1.1 404 Not Found"
        clock.at = made[3660][0] + 1
        after = split(await ask(mesh, ROUTER, get(LOG)))[2].decode().splitlines()
        _, headers, body = split(await ask(mesh, ROUTER, get(LOG + ".gz")))
        assert headers["Content-Type"] == "application/x-gzip"
        assert "Content-Encoding" not in headers
        archived = gzip.decompress(body).decode().splitlines()
        assert (len(before), len(archived), len(after)) == (3659, 3660, 1)
        assert [*archived, *after] == [line for _, line in made[:3661]]

    with_mesh(test, at=made[3658][0] + 1)


def test_a_new_board_reads_the_path_and_waits_for_the_blank_line() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        expected = [line for _, line in records(MESH[BOARD], SUMMER - 200, SUMMER + 1)][-5:]
        response = await ask(mesh, BOARD, get("/csv.log"))
        head = b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n"
        assert response == head + "\n".join(expected).encode()
        assert (await ask(mesh, BOARD, get("/csv.log/anything"))) == response
        for path in ("/csv.log?x=1", "/", "/ISEMS/ffopenmppt.log", "/nothing"):
            assert b"Independent Solar Energy Mesh" in await ask(mesh, BOARD, get(path))
        assert (await ask(mesh, BOARD, get("/reboot"))).startswith(b"HTTP/1.0 401")
        with pytest.raises(ConnectionResetError):
            await ask(mesh, BOARD, "GET /csv.log HTTP/1.1\r\nHost: node\r\n")

    with_mesh(test)


def test_an_old_board_searches_the_whole_request_for_words() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        response = await ask(mesh, OLD_BOARD, get("/ffopenmppt.log"))
        expected = [line for _, line in records(MESH[OLD_BOARD], SUMMER - 200, SUMMER + 1)][-5:]
        assert response == b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + "\n".join(expected).encode()
        assert await ask(mesh, OLD_BOARD, "no HTTP at all, but .log\n") == response
        assert (await ask(mesh, OLD_BOARD, get("/x.log", "Referer: random-roof"))).endswith(b"Encryption not enabled.")
        assert (await ask(mesh, OLD_BOARD, get("/x.log", "Cookie: help"))).endswith(b"<h1>Help</h1>")
        assert b"webkey" in await ask(mesh, OLD_BOARD, get("/reboot"))
        assert b"Independent Solar Energy Mesh" in await ask(mesh, OLD_BOARD, get("/"))

    with_mesh(test)


def test_an_avr_board_answers_csv_without_any_header() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        expected = [line for _, line in records(MESH[AVR_BOARD], SUMMER - 1000, SUMMER + 1)][-5:]
        assert await ask(mesh, AVR_BOARD, get("/csv")) == "\n".join(expected).encode()
        assert (await ask(mesh, AVR_BOARD, get("/"))).startswith(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n")

    with_mesh(test)


def test_every_node_answers_in_its_programs_grammar() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        for index, spec in enumerate(MESH):
            path = LOG if spec.program is Program.ROUTER else "/csv.log"
            response = await ask(mesh, index, get(path))
            body = response.partition(b"\r\n\r\n")[2] or response
            lines = body.decode().splitlines()
            assert lines
            assert all(pattern(spec.program.value).fullmatch(line) for line in lines)

    with_mesh(test, at=WINTER)


def test_a_node_without_power_takes_no_request_and_returns_with_an_empty_log() -> None:
    spans = Timeline(MESH[WEAK]).season(WINTER).energy.powered

    async def test(mesh: Mesh, clock: Hand) -> None:
        assert (await ask(mesh, WEAK, get(LOG))).startswith(b"HTTP/1.1 200")
        clock.at = spans[0][1] + 300
        with pytest.raises(ConnectionResetError):
            await ask(mesh, WEAK, get(LOG))
        clock.at = spans[1][0] + 1200
        assert len(split(await ask(mesh, WEAK, get(LOG)))[2].splitlines()) < 20

    with_mesh(test, at=spans[0][1] - 300)


def test_a_dead_node_refuses_and_the_others_do_not_care() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        with pytest.raises(ConnectionRefusedError):
            await ask(mesh, ROUTER, get(LOG))
        assert (await ask(mesh, 1, get(LOG))).startswith(b"HTTP/1.1 200")

    with_mesh(test, n0=Fault.DEAD)


def test_a_slow_node_answers_in_full_but_late() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert pattern("N").fullmatch((await ask(mesh, BOARD, get("/csv.log"))).decode().splitlines()[-1])
        assert loop.time() - began >= QUICK.slow_seconds

    with_mesh(test, n3=Fault.SLOW)


def test_a_trickling_node_sends_a_few_bytes_at_a_time_and_is_cut_in_the_end() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        host, _, port = mesh.addresses[ROUTER].partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(get(LOG).encode())
        sizes: list[int] = []
        with pytest.raises(ConnectionResetError):
            await read_pieces(reader, sizes)
        assert 0 < sizes[0] <= 30
        assert sum(sizes) < 2000
        await hang_up(writer)

    with_mesh(test, n0=Fault.TRICKLE)


def test_a_garbage_node_sends_bytes_that_are_no_line() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        status, _, body = split(await ask(mesh, ROUTER, get(LOG)))
        assert status == "HTTP/1.0 200 OK"
        assert len(body) == 1500
        assert not any(pattern("OW").fullmatch(line) for line in body.decode("latin-1").splitlines())
        assert (await ask(mesh, AVR_BOARD, get("/csv")))[:4] != b"HTTP"

    with_mesh(test, n0=Fault.GARBAGE, n10=Fault.GARBAGE)


def test_a_router_with_a_wrong_clock_says_so_in_its_date_header_too() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        _, headers, body = split(await ask(mesh, ROUTER, get(LOG)))
        date = parsedate_to_datetime(headers["Date"]).timestamp()
        assert date == SUMMER + 3 * 3600
        assert 0 <= date - int(body.decode().splitlines()[-1].split(";")[2]) <= 62
        _, headers, body = split(await ask(mesh, 1, get(LOG)))
        date = parsedate_to_datetime(headers["Date"]).timestamp()
        assert 1538049555 < date < 1538049555 + 8 * 86400
        assert 0 <= date - int(body.decode().splitlines()[-1].split(";")[2]) <= 62

    with_mesh(test, n0=Fault.CLOCK_AHEAD, n1=Fault.CLOCK_UNSET)


def test_an_avr_board_with_a_silent_controller_shows_its_initial_line_for_ever() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        for _ in range(2):
            assert (await ask(mesh, AVR_BOARD, get("/csv"))).decode() == "Schuppen Müggelsee;1" + ";0" * 17
            clock.at += 5000

    with_mesh(test, n10=Fault.SILENT_CONTROLLER)


def test_a_silent_connection_and_an_endless_request_are_cut() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        with pytest.raises(ConnectionResetError):
            await ask(mesh, ROUTER, b"")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await ask(mesh, ROUTER, b"GET / HTTP/1.1\r\nCookie: " + b"x" * 200_000)

    with_mesh(test)


def test_more_connections_than_a_node_serves_are_cut_and_room_comes_back() -> None:
    async def test(mesh: Mesh, clock: Hand) -> None:
        host, _, port = mesh.addresses[ROUTER].partition(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionResetError):
            await ask(mesh, ROUTER, get(LOG))
        for _, writer in held:
            await hang_up(writer)
        await asyncio.sleep(0.05)
        assert (await ask(mesh, ROUTER, get(LOG))).startswith(b"HTTP/1.1 200")

    with_mesh(test, limits=Limits(connections=2))


def test_closing_the_mesh_leaves_no_port_open_and_cuts_who_waits() -> None:
    async def run() -> None:
        mesh = await serve_mesh(MESH, base_host=BASE, port=free_port(), clock=Hand(SUMMER))
        host, _, port = mesh.addresses[ROUTER].partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await asyncio.sleep(0.05)
        await mesh.close()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await hang_up(writer)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, int(port))

    asyncio.run(run())
