"""The node's HTTP dialects and everything that can go wrong on the way."""

import asyncio
import errno
import socket
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from isems.errors import ConfigError, SourceError
from isems.sources.archive import unpack_archive
from isems.sources.http_answer import Limits, NodeAnswer
from isems.sources.node_client import (
    NodeAddress,
    fetch,
    looks_like_csv,
    parse_node_url,
    request_text,
)
from tests.sources import hostile_nodes as nodes
from tests.sources.hostile_nodes import FakeNode, Handler, node_server

LINE = b"Dach;1;1538049660;ATmega8_A_1;1440;0;20.9;16.8;13.3;52;100;27;11.7;14.2;0;0;0;0;800"
CSV = b"\n".join([LINE] * 5)
LOG = "/ISEMS/ffopenmppt.log"
LIMITS = Limits()
T = TypeVar("T")
NOW = 1_700_000_000


def ask(handler: Handler, path: str = LOG, *, seconds: float = 3.0, limits: Limits = LIMITS, **more: Any) -> NodeAnswer:
    """What `handler` answers; afterwards no connection may be left open."""
    return run(handler, lambda node: fetch(node.address, path, limits=limits, deadline=in_(seconds), **more))


def run(handler: Handler, talk: Callable[[FakeNode], Coroutine[Any, Any, T]]) -> T:
    async def main() -> T:
        async with node_server(handler) as node:
            try:
                return await talk(node)
            finally:
                assert await node.is_left_alone(), "a connection was left open"

    with asyncio.Runner(loop_factory=LocalLoop) as runner:
        return runner.run(main())


class LocalLoop(asyncio.SelectorEventLoop):
    """Knows two names and asks no name server; one address has no route."""

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> Any:
        addresses = {"random-roof.mesh": ["127.0.0.1"], "two.mesh": ["127.0.0.1", "127.0.0.2"]}
        if host not in addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses[host]]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if address[0] == "127.9.9.9":
            raise OSError(errno.EHOSTUNREACH, "No route to host")
        await super().sock_connect(sock, address)


def ask_address(address: NodeAddress) -> NodeAnswer:
    with asyncio.Runner(loop_factory=LocalLoop) as runner:
        return runner.run(fetch(address, LOG, limits=LIMITS))


def in_(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def http(head: str, body: bytes = b"") -> bytes:
    return head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body


# Addresses


@pytest.mark.parametrize(
    ("text", "host", "port", "is_tls", "path"),
    [
        ("10.0.0.1", "10.0.0.1", 80, False, None),
        (" dach ", "dach", 80, False, None),
        ("dach.mesh.:8080", "dach.mesh.", 8080, False, None),
        ("dach_2-b.olsr", "dach_2-b.olsr", 80, False, None),
        ("[fd00::1]", "fd00::1", 80, False, None),
        ("[fe80::1%wlan0]:81", "fe80::1%wlan0", 81, False, None),
        ("http://dach:8080", "dach", 8080, False, None),
        ("http://dach/", "dach", 80, False, None),
        ("HTTP://dach/some/path.log", "dach", 80, False, "/some/path.log"),
        ("http://[fd00::1]:8/a?b=c", "fd00::1", 8, False, "/a?b=c"),
        ("https://dach.example/x", "dach.example", 443, True, "/x"),
    ],
)
def test_every_documented_form_of_an_address_is_read(
    text: str, host: str, port: int, is_tls: bool, path: str | None
) -> None:
    expected = NodeAddress(text=text.strip(), host=host, port=port, is_tls=is_tls, path=path)
    assert parse_node_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a b", "dach/log", "fd00::1", "[fd00::1", "[fd00::g]", "[10.0.0.1]", "dach:", "dach:0", "dach:65536",
        "dach:http", "ftp://dach", "http://", "http:///x", "300.1.1.1", "10.0.1",
        "127.0.0.01", "a..b", "-", "x" * 64, "a." * 130, "http://dach/a b", "http://dach/#x", "http://dach/\r\nX: y",
        "http://dach/ä", "dächle", "http://dach/" + "x" * 200, "dach\r\nx", "10.0.0.1,10.0.0.2", "http://dach?x", "١.1.1.1",
        "dach:٨٠",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_its_value_and_what_was_expected(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a host name") as caught:
        parse_node_url(text)
    assert repr(text.strip())[1:60].rstrip("'") in str(caught.value)


# Requests


def request(host: str = "dach", path: str = LOG, **more: Any) -> str:
    address = NodeAddress(text=host, host=host, port=more.pop("port", 80), is_tls=more.pop("is_tls", False))
    peer = more.pop("peer_ip", "10.0.0.7")
    return request_text(address, path, peer, more.get("etag"), more.get("last_modified")).decode("ascii")


def test_a_request_is_one_line_and_two_headers() -> None:
    assert request() == f"GET {LOG} HTTP/1.1\r\nHost: dach\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("host", "port", "is_tls", "expected"),
    [
        ("dach", 8080, False, "dach:8080"),
        ("dach", 443, True, "dach"),
        ("dach", 80, True, "dach:80"),
        ("fd00::1", 80, False, "[fd00::1]"),
        ("fe80::1%wlan0", 81, False, "[fe80::1]:81"),
    ],
)
def test_the_host_header_names_what_was_configured(host: str, port: int, is_tls: bool, expected: str) -> None:
    assert f"\r\nHost: {expected}\r\n" in request(host, port=port, is_tls=is_tls)


WORDS = ["random", "help", "log", "csv", "ftp", "reboot", "telnet", "shell", "mpptstart", "loadoff", "loadon"]


@pytest.mark.parametrize("word", WORDS)
def test_no_header_holds_a_word_that_the_old_board_acts_on(word: str) -> None:
    text = request(f"my{word.title()}.mesh", etag=f'"{word}"', last_modified=f"x{word.upper()}")
    headers = text.partition("\r\n")[2].lower()
    assert "host: 10.0.0.7\r\n" in headers
    assert not [found for found in WORDS if found in headers]


def test_a_name_with_a_trigger_word_gives_way_to_a_v6_peer_in_brackets() -> None:
    assert "\r\nHost: [fe80::2]:81\r\n" in request("random-roof.mesh", port=81, peer_ip="fe80::2%eth0")


def test_validators_are_sent_only_when_given() -> None:
    text = request(etag='W/"1a-2b"', last_modified="Mon, 05 Aug 2024 10:00:00 GMT")
    assert '\r\nIf-None-Match: W/"1a-2b"\r\n' in text
    assert "\r\nIf-Modified-Since: Mon, 05 Aug 2024 10:00:00 GMT\r\n" in text
    assert "If-" not in request()


@pytest.mark.parametrize("value", ["", "a\r\nX: y", "a\nb", "a\x00", "a\x7f", "ä", "x" * 129])
def test_a_validator_that_could_break_the_request_is_left_out(value: str) -> None:
    assert request(etag=value, last_modified=value) == request()


def test_the_longest_request_still_fits_into_one_segment() -> None:
    for host in ("h" * 63, "a." * 120 + "b"):
        text = request(host, "/" + "p" * 199, port=65535, peer_ip="f" * 39, etag="e" * 128, last_modified="m" * 128)
        assert len(text) < 536
        assert text.endswith("Connection: close\r\n\r\n")


@pytest.mark.parametrize("path", ["", "log", "/a b", "/a\r\nX: y", "/ä", "/" + "p" * 200, "/a#b"])
def test_a_path_that_could_break_the_request_is_refused(path: str) -> None:
    with pytest.raises(SourceError, match="cannot be asked for the path"):
        request(path=path)


# The dialects


def test_the_newest_log_of_a_router_comes_with_its_clock_and_validators() -> None:
    answer = ask(nodes.uhttpd_like({LOG: CSV}, lambda: NOW))
    assert (answer.status, answer.body, answer.date) == (200, CSV, NOW)
    assert answer.has_header
    assert answer.is_complete
    assert answer.etag
    assert answer.last_modified == "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize("validators", [("etag",), ("last_modified",), ("etag", "last_modified")])
def test_an_unchanged_log_is_a_304_without_body_until_it_changes(validators: tuple[str, ...]) -> None:
    files = {LOG: CSV}
    clock = iter(range(NOW, NOW + 10_000, 60))

    async def talk(node: FakeNode) -> list[int]:
        first = await fetch(node.address, LOG, limits=LIMITS)
        kept = {name: getattr(first, name) for name in validators}
        second = await fetch(node.address, LOG, limits=LIMITS, **kept)
        assert (second.body, second.is_complete) == (b"", True)
        files[LOG] = CSV + b"\n" + LINE
        third = await fetch(node.address, LOG, limits=LIMITS, **kept)
        return [first.status, second.status, third.status]

    assert run(nodes.uhttpd_like(files, lambda: next(clock)), talk) == [200, 304, 200]


def test_a_304_ends_at_its_header_even_if_it_tells_a_length_and_stays_open() -> None:
    answer = ask(nodes.sending(http("HTTP/1.1 304 Not Modified\nContent-Length: 430000"), is_held_open=True))
    assert (answer.status, answer.body, answer.is_complete) == (304, b"", True)


def test_a_log_that_is_just_being_rotated_is_an_ordinary_404() -> None:
    assert ask(nodes.uhttpd_like({}, lambda: NOW)).status == 404
    assert ask(nodes.not_found()).body == b"Not Found"


def test_a_500_is_an_ordinary_answer() -> None:
    assert (ask(nodes.server_error()).status, ask(nodes.server_error()).body) == (500, b"oops")


def test_the_old_board_gives_csv_for_every_path_with_log_and_a_page_else() -> None:
    for path in (LOG, "/ffopenmppt.log", "/csv.log"):
        answer = ask(nodes.board_o(CSV), path)
        assert (answer.status, answer.body, answer.is_complete, answer.date) == (200, CSV, True, None)
    assert not looks_like_csv(ask(nodes.board_o(CSV), "/").body)


def test_the_old_board_gives_csv_although_its_name_holds_a_trigger_word() -> None:
    async def talk(node: FakeNode) -> tuple[NodeAnswer, bytes]:
        address = parse_node_url(f"random-roof.mesh:{node.address.port}")
        return await fetch(address, LOG, limits=LIMITS), node.requests[0]

    answer, request = run(nodes.board_o(CSV), talk)
    assert answer.body == CSV
    assert b"\r\nHost: 127.0.0.1:" in request


def test_the_old_board_would_have_given_the_nonce_for_that_name() -> None:
    """Guards the test before this one: the fake node does act on the word."""

    async def talk(node: FakeNode) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.address.port)
        writer.write(f"GET {LOG} HTTP/1.1\r\nHost: random-roof.mesh\r\n\r\n".encode())
        raw = await reader.read()
        writer.close()
        return raw

    assert run(nodes.board_o(CSV), talk).endswith(nodes.NONCE_PAGE)


def test_a_harmless_name_is_sent_as_host() -> None:
    async def talk(node: FakeNode) -> bytes:
        await fetch(parse_node_url(f"two.mesh:{node.address.port}"), LOG, limits=LIMITS)
        return node.requests[0]

    assert b"\r\nHost: two.mesh:" in run(nodes.board_o(CSV), talk)


def test_the_new_board_gives_csv_for_its_own_path_only_and_not_with_a_query() -> None:
    assert ask(nodes.board_n(CSV), "/csv.log").body == CSV
    assert ask(nodes.board_n(CSV), "/csv.log/x").body == CSV
    for path in ("/csv.log?x", LOG, "/"):
        assert not looks_like_csv(ask(nodes.board_n(CSV), path).body)
    assert ask(nodes.board_n(CSV), "/control").status == 401


def test_the_new_board_before_its_first_cycle_is_an_empty_answer() -> None:
    answer = ask(nodes.board_n(b""), "/csv.log")
    assert (answer.status, answer.body, answer.is_complete) == (200, b"", True)


def test_a_bare_body_without_any_header_is_an_answer() -> None:
    answer = ask(nodes.board_x(CSV), "/csv.log")
    assert answer == NodeAnswer(status=200, body=CSV, has_header=False)
    assert ask(nodes.board_x(CSV), LOG).has_header


@pytest.mark.parametrize("body", [b"H", b"HTT;1", b"HTTP", b"\nHTTP/1.0 200 OK\r\n\r\n"])
def test_a_bare_body_that_starts_like_a_header_is_still_a_body(body: bytes) -> None:
    pieces = [body[n : n + 1] for n in range(len(body))]
    answer = ask(nodes.sending(*pieces))
    assert (answer.body, answer.has_header, answer.is_complete) == (body, False, True)


def test_a_request_reaches_the_node_in_one_segment() -> None:
    async def talk(node: FakeNode) -> tuple[list[int], list[bytes]]:
        await fetch(node.address, LOG, limits=LIMITS, etag="e" * 128, last_modified="m" * 100)
        return node.segment_bytes, node.requests

    sizes, requests = run(nodes.board_n(CSV), talk)
    assert sizes == [len(requests[0])]
    assert requests[0].endswith(b"\r\n\r\n")


# Header forms


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 3\n\na;bignored",
        b"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\na;b",
        b"HTTP/1.1 200 OK\r\nno colon here\r\ncontent-length:3\r\n\r\na;b",
        b"HTTP/1.0 200\r\n\r\na;b",
        b"HTTP/1.1  200 Fine, thank you\r\n\r\na;b",
        b"HTTP/1.1 200 \xff\xfe\r\nX: \x00\r\n\r\na;b",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\na;bignored",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 900\r\n\r\na;b",
        b"HTTP/1.1 200 OK\r\nContent-Length: three\r\n\r\na;b",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\na;b",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\na;b",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\na;b",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\n;b\r\n0\r\nTrailer: t\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 1\r\n\r\n 003 \n\na;b\n0\n\n".replace(b"\n\na", b"\na"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 10_000])
def test_sloppy_answers_are_read_like_tidy_ones_however_they_arrive(raw: bytes, step: int) -> None:
    if step == 1 and len(raw) > 200:
        step = 100
    answer = ask(immediately(*(raw[n : n + step] for n in range(0, len(raw), step))))
    assert (answer.status, answer.body, answer.is_complete, answer.has_header) == (200, b"a;b", True, True)


def immediately(*pieces: bytes) -> Handler:
    async def send(request: bytes) -> Any:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0)

    return Handler(send)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", NOW),
        ("Thu, 01 Jan 1970 00:00:07 GMT", 7),
        ("yesterday", None),
        ("", None),
        ("Tue, 99 Nov 99999 22:13:20 GMT", None),
        ("Tue, 14 Nov 2023 22:13:20 +9999999999", None),
        ("1" * 9000, None),
    ],
)
def test_a_date_is_read_or_ignored(date: str, expected: int | None) -> None:
    assert ask(nodes.sending(http(f"HTTP/1.1 200 OK\nDate: {date}", b"x"))).date == expected


def test_a_date_without_a_zone_is_utc_wherever_we_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        answer = ask(nodes.sending(http("HTTP/1.1 200 OK\nDate: Tue, 14 Nov 2023 22:13:20 -0000", b"x")))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert answer.date == NOW


def test_validators_that_cannot_be_sent_back_are_not_reported() -> None:
    answer = ask(nodes.sending(http(f"HTTP/1.1 200 OK\nETag: \x1b[2J\nLast-Modified: {'x' * 200}", b"x")))
    assert (answer.etag, answer.last_modified) == (None, None)


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_finished_body_does_not_wait_for_the_node_to_hang_up(is_chunked: bool) -> None:
    chunked = http("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"3\r\na;b\r\n0\r\n\r\n")
    counted = http("HTTP/1.1 200 OK\nContent-Length: 3", b"a;b")
    answer = ask(nodes.sending(chunked if is_chunked else counted, is_held_open=True))
    assert (answer.body, answer.is_complete) == (b"a;b", True)


@pytest.mark.parametrize(
    ("body", "is_csv"),
    [
        (CSV, True),
        (b"x\n" * 4 + LINE, True),
        (b"x\n" * 500 + LINE, True),
        (b";" * 17, True),
        (b";" * 16, False),
        (nodes.STATUS_PAGE, False),
        (b"", False),
    ],
)
def test_csv_is_told_by_17_semicolons_in_any_line(body: bytes, is_csv: bool) -> None:
    assert looks_like_csv(body) is is_csv


# Faults


def failure(handler: Handler, **more: Any) -> str:
    with pytest.raises(SourceError) as caught:
        ask(handler, **more)
    text = str(caught.value)
    assert text.startswith("http://127.0.0.1:"), "an operator must see which node it was"
    return text.partition(" ")[2]


@pytest.mark.parametrize("host", ["127.0.0.1", "two.mesh"])
def test_a_closed_port_is_a_refusal_also_of_a_name_with_two_addresses(host: str) -> None:
    with nodes.closed_port() as closed:
        address = NodeAddress(text="dach", host=host, port=closed.port)
        with pytest.raises(SourceError, match=f"dach refused the connection on port {closed.port}"):
            ask_address(address)


@pytest.mark.parametrize("host", ["no-such-node", "x" * 70 + ".mesh"])
def test_an_unknown_name_is_told_as_one(host: str) -> None:
    address = NodeAddress(text=host, host=host, port=80)
    with pytest.raises(SourceError, match="could not be looked up"):
        ask_address(address)


def test_an_address_without_a_route_is_told_as_one() -> None:
    with pytest.raises(SourceError, match=r"127\.9\.9\.9 cannot be reached: no route to it"):
        ask_address(parse_node_url("127.9.9.9"))


def test_plain_http_on_a_tls_port_is_told_as_one() -> None:
    async def talk(node: FakeNode) -> None:
        address = NodeAddress(text="https://dach", host="127.0.0.1", port=node.address.port, is_tls=True)
        with pytest.raises(SourceError, match="speaks no TLS"):
            await fetch(address, LOG, limits=LIMITS)

    run(nodes.replying(lambda _: http("HTTP/1.1 400 Bad Request"), is_first_segment_enough=True), talk)


def test_a_silent_node_ends_at_the_deadline() -> None:
    assert failure(nodes.silent(), seconds=0.2) == "gave no answer within 0.2 s"


def test_a_node_that_accepts_no_connection_ends_at_the_connect_limit() -> None:
    """The handshake of TLS belongs to the connection: a silent node never gets through it."""

    async def talk(node: FakeNode) -> None:
        address = NodeAddress(text="https://dach", host="127.0.0.1", port=node.address.port, is_tls=True)
        with pytest.raises(SourceError, match=r"accepted no connection within 0.1 s"):
            await fetch(address, LOG, limits=Limits(connect_seconds=0.1))
        with pytest.raises(SourceError, match=r"accepted no connection within 0.1 s"):
            await fetch(address, LOG, limits=LIMITS, deadline=in_(0.1))

    run(nodes.silent(), talk)


def test_a_deadline_in_the_past_is_no_answer_and_no_hang() -> None:
    assert "within 0 s" in failure(nodes.board_o(CSV), seconds=-1)


def test_a_trickled_header_ends_at_the_deadline() -> None:
    assert failure(nodes.trickle(b"HTTP/1.1 200 OK\r\n" * 100, 0.005), seconds=0.2).startswith("gave no answer")


def test_a_trickled_body_gives_its_part_at_the_deadline() -> None:
    answer = ask(nodes.trickle(LINE + b"\n", 0.005), seconds=0.2)
    assert not answer.is_complete
    assert answer.body
    assert LINE.startswith(answer.body)


def test_a_body_that_gets_stuck_gives_its_part_at_the_deadline() -> None:
    answer = ask(nodes.stuck_body(CSV), seconds=0.2)
    assert (answer.body, answer.is_complete, answer.status) == (CSV, False, 200)


def test_a_header_whose_body_never_comes_is_no_answer() -> None:
    assert failure(nodes.stuck_body(b""), seconds=0.1).startswith("gave no answer")


def test_a_body_shorter_than_announced_is_kept_as_incomplete() -> None:
    answer = ask(nodes.short_body(CSV))
    assert (answer.body, answer.is_complete) == (CSV, False)


@pytest.mark.parametrize("raw", [b"5\r\na;b", b"3\r\na;b\r\n", b"3\r\na;b", b"3\r\na;b\r\n0"])
def test_a_chunked_body_without_its_end_is_kept_as_incomplete(raw: bytes) -> None:
    answer = ask(nodes.sending(http("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", raw)))
    assert (answer.body, answer.is_complete) == (b"a;b", False)


@pytest.mark.parametrize("raw", [b"x\r\na;b", b"\x1b[2J\r\n", b"5" * 5000, b" " * 900 + b"\xff" * 900, b"-5\r\n"])
def test_a_chunk_size_that_is_none_is_nonsense(raw: bytes) -> None:
    text = failure(nodes.sending(http("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", raw)))
    assert text.startswith("answers with nonsense in its chunked body: '")
    assert text.isprintable()
    assert len(text) < 140


def test_a_reset_in_mid_body_keeps_what_came() -> None:
    body = CSV * 200  # more than one read
    answer = ask(nodes.reset_in_body(body))
    assert not answer.is_complete
    assert body.startswith(answer.body)
    assert len(answer.body) > len(CSV)


def test_a_reset_of_a_bare_body_is_incomplete() -> None:
    answer = ask(nodes.sending(CSV, then=nodes.NodeResetError))
    assert (answer.body, answer.is_complete, answer.has_header) == (CSV, False, False)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"])
def test_a_reset_before_the_body_is_told_as_one(head: bytes) -> None:
    handler = nodes.sending(*filter(None, [head]), then=nodes.NodeResetError)
    assert failure(handler) == "reset the connection before it answered"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
def test_a_node_that_hangs_up_without_an_answer_is_told_as_one(head: bytes) -> None:
    assert failure(nodes.sending(*filter(None, [head]))) == "closed the connection before it answered"


def test_an_empty_body_is_an_answer() -> None:
    answer = ask(nodes.empty_body())
    assert (answer.status, answer.body, answer.is_complete) == (200, b"", True)


def test_a_page_and_binary_garbage_are_answers_that_do_not_look_like_csv() -> None:
    assert ask(nodes.html_page()).body == nodes.STATUS_PAGE
    garbage = ask(nodes.garbage())
    assert not garbage.has_header
    assert not looks_like_csv(garbage.body)


def test_a_gzip_bomb_is_taken_packed_and_refused_by_the_archive() -> None:
    answer = ask(nodes.gzip_bomb(8))
    assert len(answer.body) < 20_000
    with pytest.raises(SourceError, match="unpacks to more than"):
        unpack_archive(answer.body)


def refuse_50_megabytes(body_bytes: int) -> tuple[int, int]:
    """The peak of the memory that Python held meanwhile, the fake node's included, and what the node could send."""

    async def talk(node: FakeNode) -> int:
        with pytest.raises(SourceError, match=f"sent a body larger than {body_bytes} bytes"):
            await fetch(node.address, LOG, limits=Limits(body_bytes=body_bytes))
        assert await node.is_left_alone()
        return node.sent_bytes

    tracemalloc.start()
    try:
        sent = run(nodes.endless_body(LINE + b"\n"), talk)
        return tracemalloc.get_traced_memory()[1], sent
    finally:
        tracemalloc.stop()


def test_of_50_megabytes_no_more_is_held_than_the_limit() -> None:
    (low, _), (high, sent) = refuse_50_megabytes(1_000), refuse_50_megabytes(1_000_000)
    assert high - low < 1_000_000 * 1.2
    # 64 kB for the node, as much in its transport, 16 kB and small change for the client.
    assert low < 800_000
    # The system's own buffers for a connection to oneself take some megabytes more than was read.
    assert sent < 15_000_000


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK", "", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"])
def test_the_body_limit_counts_in_every_dialect(head: str) -> None:
    body = b"64\r\n" + b"x" * 100 + b"\r\n"
    raw = (http(head) if head else b"") + body * 12
    limits = Limits(body_bytes=1000)
    assert failure(nodes.sending(raw), limits=limits) == "sent a body larger than 1000 bytes"


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    limits = Limits(body_bytes=1000)
    assert len(ask(nodes.sending(http("HTTP/1.1 200 OK", b"x" * 1000)), limits=limits).body) == 1000
    longer = nodes.sending(http("HTTP/1.1 200 OK\nContent-Length: 1000", b"x" * 5000))
    assert ask(longer, limits=limits) == NodeAnswer(status=200, body=b"x" * 1000)


def test_an_announced_body_larger_than_the_limit_is_refused_before_it_comes() -> None:
    handler = nodes.sending(http("HTTP/1.1 200 OK\nContent-Length: 50000000"), is_held_open=True)
    assert failure(handler) == "sent a body larger than 2000000 bytes"


def test_an_endless_header_is_refused() -> None:
    assert failure(nodes.endless_header()) == "sent a header larger than 16000 bytes"


def test_a_header_just_over_the_limit_is_refused_although_it_ends() -> None:
    head = http("HTTP/1.1 200 OK\nX: " + "y" * 977)  # 1001 bytes with its blank line
    assert len(head) == 1001
    assert "larger than 1000" in failure(nodes.sending(head), limits=Limits(header_bytes=1000))
    assert ask(nodes.sending(head), limits=Limits(header_bytes=1001)).status == 200


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
def test_redirects_are_refused(status: int) -> None:
    handler = nodes.sending(http(f"HTTP/1.1 {status} Elsewhere\nLocation: http://other.example/"), is_held_open=True)
    assert failure(handler) == "answers with a redirect to 'http://other.example/', which is not followed"


def test_a_redirect_is_not_followed() -> None:
    async def talk(node: FakeNode) -> list[bytes]:
        async with node_server(nodes.board_o(CSV)) as other:
            handler = nodes.redirect(f"{other.address.text}{LOG}")
            async with node_server(handler) as first:
                with pytest.raises(SourceError, match="not followed"):
                    await fetch(first.address, LOG, limits=LIMITS)
            return other.requests

    assert run(nodes.silent(), talk) == []


@pytest.mark.parametrize("status_line", ["HTTP/", "HTTP/1.1 OK", "HTTP/1.1 2000", "HTTP/1.1 99", "HTTP/1.1 102 Wait"])
def test_a_header_without_a_status_is_nonsense(status_line: str) -> None:
    assert failure(nodes.sending(http(status_line, CSV))).startswith("answers with nonsense: 'HTTP/")


def test_quotes_from_a_node_are_harmless_and_short() -> None:
    evil = "\x1b[2J\x00\x85\u00ad" + "x" * 5000
    for head in (f"HTTP/1.1 302 Found\nLocation: {evil}", f"HTTP/1.1 {evil}"):
        text = failure(nodes.sending(http(head)))
        quoted = text.partition("'")[2].rpartition("'")[0]
        assert quoted.isprintable()
        assert len(quoted) == 80
        assert r"\x1b[2J\x00" in quoted


@pytest.mark.parametrize("handler", [nodes.silent(), nodes.stuck_body(CSV)])
def test_a_cancelled_fetch_closes_its_connection_at_once(handler: Handler) -> None:
    async def talk(node: FakeNode) -> None:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await fetch(node.address, LOG, limits=LIMITS)
        assert await node.is_left_alone()
        assert time.monotonic() - started < 1

    run(handler, talk)


def test_a_hundred_slow_nodes_are_asked_side_by_side() -> None:
    async def talk(node: FakeNode) -> float:
        started = time.monotonic()
        await asyncio.gather(*(fetch(node.address, LOG, limits=LIMITS) for _ in range(100)))
        return time.monotonic() - started

    async def send(request: bytes) -> Any:
        await asyncio.sleep(0.1)
        yield CSV

    assert run(Handler(send), talk) < 2


@pytest.mark.parametrize("text", ["http://root:geheim@10.0.0.1/", "geheim@10.0.0.1", "root:geheim@10.0.0.1:80"])
def test_a_login_in_an_address_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="without user name") as refused:
        parse_node_url(text)
    assert "geheim" not in str(refused.value)
    assert "10.0.0.1" in str(refused.value)
