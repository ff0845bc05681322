"""From nodes that answer over real HTTP, good and hostile ones, to rows in a real database."""

import asyncio
import contextlib
import gzip
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from isems.collector import Collector, NodeReport
from isems.config import Config
from isems.domain.clock import Moment, Uptime
from isems.domain.polling import PollTarget
from isems.ingest import ingest
from isems.sources.poller import LOG_PATH, poll_node
from isems.storage.database import Database
from isems.storage.poll_leases import PollLeases, Wanted
from isems.storage.rejected import select_rejected
from tests.sources import hostile_nodes as nodes
from tests.sources.hostile_nodes import Handler, closed_port, node_server

CHECKOUT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).parents[1] / "data/openwrt"
ARCHIVE_PATH = f"{LOG_PATH}.gz"


def recorded(name: str) -> bytes:
    return gzip.decompress((RECORDED / f"{name}.log.gz").read_bytes())


def rows_of(database: Database) -> list[tuple[str, int]]:
    """Name and time of each stored row."""
    with database.read() as connection:
        found = connection.execute(
            text("SELECT n.name, m.measured_at FROM measurement m JOIN node n ON n.id = m.node_id")
        )
        return sorted((row[0], row[1]) for row in found)


def rows_in(*logs: bytes) -> list[tuple[str, int]]:
    """Name and time of each distinct record in these logs."""
    distinct = {line for log in logs for line in log.splitlines()}
    fields = [line.decode().split(";") for line in distinct]
    return sorted((name, int(at)) for name, _, at, *_ in fields)


class Router:
    """A router whose files change from poll to poll."""

    def __init__(self, database: Database, address: str, files: dict[str, bytes]) -> None:
        self.database = database
        self.address = address
        self.files = files

    def put(self, log: bytes | None, packed: bytes | None = None) -> None:
        self.files.clear()
        if log is not None:
            self.files[LOG_PATH] = log
        if packed is not None:
            self.files[ARCHIVE_PATH] = packed

    async def poll(self) -> NodeReport:
        """As a new process each time: nothing is remembered but in the database."""
        config = Config(database_url="", router_ips=(self.address,), is_clock_trusted=True, poll_deadline=10)
        collector = Collector(config, self.database)
        try:
            reports = await collector.poll_once(lambda _: None)
        finally:
            collector.close()
        return reports[0]


@contextlib.asynccontextmanager
async def router(url: str) -> AsyncIterator[Router]:
    files: dict[str, bytes] = {}
    database = Database(url)
    async with node_server(nodes.uhttpd_like(files, lambda: int(time.time()))) as node:
        yield Router(database, node.address.text, files)
    database.close()


def go(talk: Coroutine[Any, Any, None]) -> None:
    asyncio.run(talk)


# Back-fill with what a router really printed in four days

ARCHIVE = (RECORDED / "Elektra-Dach.archive.log.gz").read_bytes()


def test_a_collector_that_was_off_for_two_days_recovers_all_that_the_node_still_holds(database_url: str) -> None:
    async def talk() -> None:
        async with router(database_url) as node:
            early, archived, late = (recorded(f"Elektra-Dach.{n}") for n in ("after-2-days", "archive", "after-4-days"))
            node.put(early)
            report = await node.poll()
            assert (report.result.stored, report.result.rejected) == (2847, 0)
            node.put(late, ARCHIVE)
            report = await node.poll()
            assert (report.error, report.result.rejected) == (None, 0)
            assert report.result.stored == 3660 - 2847 + 2034
            assert report.result.duplicate == 2847
            assert rows_of(node.database) == rows_in(early, archived, late)
            assert len(rows_of(node.database)) == 5694
            report = await node.poll()
            assert report.result.records == 0

    go(talk())


def test_an_absence_just_longer_than_one_rotation_loses_nothing(sqlite_url: str) -> None:
    async def talk() -> None:
        async with router(sqlite_url) as node:
            archived, log = recorded("Elektra-Dach.archive"), recorded("Elektra-Dach.just-after-rotation")
            node.put(b"".join(archived.splitlines(keepends=True)[:10]))
            assert (await node.poll()).result.stored == 10
            node.put(log, ARCHIVE)
            assert (await node.poll()).result.stored == 3660 - 10 + 6
            assert rows_of(node.database) == rows_in(archived, log)

    go(talk())


def test_a_router_polled_through_its_rotation_is_stored_without_a_gap(sqlite_url: str) -> None:
    async def talk() -> None:
        async with router(sqlite_url) as node:
            archived = recorded("Elektra-Dach.archive").splitlines(keepends=True)
            late = recorded("Elektra-Dach.after-4-days").splitlines(keepends=True)
            for log in (archived[:3600], archived[:3655], None, late[:1], late[:16], late[:31]):
                node.put(None if log is None else b"".join(log), ARCHIVE if not log or log[0] in late else None)
                report = await node.poll()
                assert report.error is None
            assert rows_of(node.database) == rows_in(*archived, *late[:31])

    go(talk())


def test_first_contact_stores_archive_and_log(sqlite_url: str) -> None:
    async def talk() -> None:
        async with router(sqlite_url) as node:
            node.put(recorded("Elektra-Dach.after-4-days"), ARCHIVE)
            assert (await node.poll()).result.stored == 5694
            assert (await node.poll()).result.records == 0

    go(talk())


def test_what_was_stored_but_not_remembered_is_neither_lost_nor_stored_twice(database_url: str) -> None:
    async def talk() -> None:
        async with router(database_url) as node:
            log = recorded("Elektra-Dach.just-after-rotation")
            node.put(log, ARCHIVE)
            await node.poll()
            with node.database.write() as connection:
                connection.execute(text("DELETE FROM poll_target"))
            report = await node.poll()
            assert (report.result.stored, report.result.duplicate) == (0, 3666)
            assert len(rows_of(node.database)) == 3666

    go(talk())


def test_what_could_not_be_remembered_is_not_stored_either_and_comes_again(sqlite_url: str) -> None:
    async def talk() -> None:
        async with router(sqlite_url) as node:
            log = recorded("Elektra-Dach.just-after-rotation")
            node.put(log, ARCHIVE)
            trigger = "CREATE TRIGGER cut BEFORE INSERT ON poll_target BEGIN SELECT RAISE(ABORT, 'power cut'); END"
            with node.database.write() as connection:
                connection.execute(text(trigger))
            report = await node.poll()
            assert "power cut" in (report.error or "")
            assert rows_of(node.database) == []
            with node.database.write() as connection:
                connection.execute(text("DROP TRIGGER cut"))
            assert (await node.poll()).result.stored == 3666

    go(talk())


def test_a_router_with_a_wrong_clock_is_stored_once_however_the_polls_fall(sqlite_url: str) -> None:
    """Polled ten times, 0 to 62 s after its newest record, by a collector whose clock is right."""
    records = recorded("OpenWrt").splitlines(keepends=True)
    wrong_by = 40_000_000
    chance = random.Random(1)
    database = Database(sqlite_url)
    files: dict[str, bytes] = {}
    clock = 0

    async def talk() -> None:
        nonlocal clock
        async with node_server(nodes.uhttpd_like(files, lambda: clock)) as node:
            target = PollTarget(address=node.address.text)
            for count in [*sorted(chance.sample(range(20, 350), 9)), len(records)]:
                files[LOG_PATH] = b"".join(records[:count])
                clock = int(records[count - 1].split(b";")[2]) + chance.randrange(63)
                now = clock + wrong_by + chance.randrange(2)
                polled = await poll_node(target, now=lambda now=now: now, deadline_seconds=5)  # type: ignore[misc]
                target = polled.target
                assert polled.payload is not None
                ingest(database, polled.payload, Moment(now, is_trusted=True, uptime=Uptime("boot", 1)))

    go(talk())
    times = [at for _, at in rows_of(database)]
    sent = [at for _, at in rows_in(*records)]
    assert len(times) == len(sent) == len(records)
    offsets = {stored - at for stored, at in zip(times, sent, strict=True)}
    assert len(offsets) == 1
    assert abs(offsets.pop() - wrong_by) <= 2
    with database.read() as connection:
        assert select_rejected(connection) == []
    database.close()


# The commands, as cron runs them


@dataclass
class Finished:
    code: int
    out: str
    err: str
    seconds: float
    peak_megabytes: float


def run_command(command: list[str], environment: dict[str, str]) -> Finished:
    """Run to the end in a pipe; the peak is that of this process alone, seen every few milliseconds."""
    environment = {"PATH": os.environ["PATH"], "FLASK_APP": str(CHECKOUT / "app.py"), **environment}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CHECKOUT
    )
    peak = [0.0]
    watcher = threading.Thread(target=_watch_peak, args=(process, peak))
    watcher.start()
    out, err = process.communicate(timeout=60)
    watcher.join()
    return Finished(process.returncode, out.decode(), err.decode(), time.monotonic() - started, peak[0])


def _watch_peak(process: "subprocess.Popen[bytes]", peak: list[float]) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            peak[0] = max(peak[0], int(found[1]) / 1000 if found else 0)
        time.sleep(0.01)


async def update_data(sqlite_url: str, addresses: str | None, command: str = "isems", **more: str) -> Finished:
    environment = {"DATABASE_URL": sqlite_url, "ISEMS_CLOCK_TRUSTED": "yes", **more}
    if addresses is not None:
        environment["ISEMS_ROUTER_IPS"] = addresses
    return await asyncio.to_thread(run_command, [command, "update-data"], environment)


DEADLINE = 4
#: The limits on a poll of 36 nodes with the deadline of 30 s are 60 s and 160 MB: twice the deadline. Here it is
#: shorter; starting Python, storing 24 logs, and rolling up their 175 000 records after the poll are not.
START_AND_STORE_SECONDS = 14
PEAK_MEGABYTES = 160


def good_log(number: int) -> tuple[bytes, bytes]:
    """The log and the archive of one of the good nodes, 3660 lines each."""
    start = int(time.time()) - 61 * 7400
    lines = [
        b"Good-%d;1;%d;ATmega8_A_1;9000;0;20.536;20.157;14.038;100;100;31;11.67;14.02;18;20;52.507309;13.458635;300\n"
        % (number, start + 61 * index)
        for index in range(7320)
    ]
    return b"".join(lines[3660:]), b"".join(lines[:3660])


def good_router(number: int) -> Handler:
    log, archive = good_log(number)
    files = {LOG_PATH: log, ARCHIVE_PATH: gzip.compress(archive, compresslevel=1)}
    return nodes.uhttpd_like(files, lambda: int(time.time()))


def bomb_router() -> Handler:
    files = {LOG_PATH: line_of("Bomb"), ARCHIVE_PATH: nodes.packed_zeros(100)}
    return nodes.uhttpd_like(files, lambda: int(time.time()))


def line_of(name: str, at: int | None = None) -> bytes:
    return b"%s;1;%d;ATmega8_A_1;0;0;20.5;20.1;14.0;100;100;31;11.67;14.02;18;20;52.5;13.4;300\n" % (
        name.encode(),
        at or int(time.time()) - 600,
    )


def slow() -> Handler:
    async def answer(request: bytes) -> AsyncIterator[bytes]:
        await asyncio.sleep(600)
        yield b""

    return Handler(answer)


def random_lines() -> Handler:
    """As many distinct lines as are taken, each looking like a record and none being one."""
    return nodes.sending(b"".join(b"%d;x" % number + b";?" * 18 + b"\n" for number in range(19_000)))


HOSTILE = {
    "slow": slow,
    "trickling": lambda: nodes.trickle(line_of("Trickle"), 0.2),
    "garbage": nodes.garbage,
    "endless": lambda: nodes.endless_body(line_of("Endless"), 2_000_000_000),
    "endless header": nodes.endless_header,
    "bomb": bomb_router,
    "redirecting": lambda: nodes.redirect("http://127.0.0.1:1/"),
    "resetting": nodes.reset_at_once,
    "silent": nodes.silent,
    "page": nodes.html_page,
    "lines of nonsense": random_lines,
}


def test_no_hostile_node_delays_or_harms_another(sqlite_url: str) -> None:
    """Defect 22: one bad node ended the poll of all, a hanging one never let it end, a body of 50 MB took 2 GB."""

    async def talk() -> Finished:
        async with contextlib.AsyncExitStack() as stack:
            dead = stack.enter_context(closed_port())
            handlers = [make() for make in HOSTILE.values()] + [good_router(number) for number in range(24)]
            running = [await stack.enter_async_context(node_server(handler)) for handler in handlers]
            addresses = [dead.text, *(node.address.text for node in running)]
            assert len(addresses) == 36
            return await update_data(
                sqlite_url, ",".join(addresses), command="flask", ISEMS_POLL_DEADLINE=f"{DEADLINE}s"
            )

    finished = asyncio.run(talk())
    assert finished.code == 0, finished.err
    assert finished.seconds < 2 * DEADLINE + START_AND_STORE_SECONDS
    assert finished.peak_megabytes <= PEAK_MEGABYTES
    lines = finished.out.splitlines()
    assert len([line for line in lines if line.startswith("http://127.0.0.1:")]) == 36
    assert len([line for line in lines if re.search(r": Good-\d+: 7320 stored, 0 duplicate, 0 rejected$", line)]) == 24
    database = Database(sqlite_url)
    stored = [row for row in rows_of(database) if row[0].startswith("Good-")]
    assert len(stored) == 24 * 7320
    assert {name for name, _ in stored} == {f"Good-{number}" for number in range(24)}
    database.close()


def test_each_node_takes_a_line_and_nothing_in_it_steers_the_terminal(sqlite_url: str) -> None:
    """Defect 23: a blank after the comma made the second address wrong. In a pipe there is no progress bar."""

    async def talk() -> Finished:
        async with contextlib.AsyncExitStack() as stack:
            dead = stack.enter_context(closed_port())
            evil = [
                nodes.sending(line_of("Evil\x1b[2J\x07\r\u202e\u009b31m")),
                nodes.sending(line_of("Turned\u202e")),
                nodes.sending(b"HTTP/1.1 \x1b]0;title\x07\r\n\r\n"),
                nodes.redirect("http://\x1b[31m\x9b/"),
                nodes.sending(b"".join(line_of("Fine", int(time.time()) - 60 * n) for n in (3, 2, 1))),
                nodes.board_n(
                    b"".join(
                        line_of("Board", int(time.time()) - 15 * n).replace(b"ATmega8_A_1", b"ESP_2.0")
                        for n in range(5, 0, -1)
                    )
                ),
            ]
            running = [await stack.enter_async_context(node_server(handler)) for handler in evil]
            addresses = [dead.text, *(node.address.text for node in running)]
            return await update_data(sqlite_url, " , ".join(addresses) + ",")

    finished = asyncio.run(talk())
    assert finished.code == 0, finished.err
    text_out = finished.out + finished.err
    assert [c for c in text_out if not c.isprintable() and c != "\n"] == []
    assert finished.err == ""
    assert len([line for line in finished.out.splitlines() if line.startswith("http://127.0.0.1:")]) == 7
    assert "failed: refused the connection on port" in finished.out
    assert ": Fine: 3 stored, 0 duplicate, 0 rejected" in finished.out
    assert re.search(r"Board: 5 stored.*; warning: it keeps only 75 s", finished.out)
    assert len(re.findall("warning:", finished.out)) == 1


@pytest.mark.parametrize(
    ("addresses", "code", "sentence"),
    [
        (None, 2, "ISEMS_ROUTER_IPS is not set"),
        ("10.0.0.1, http://user:secret@host/", 2, "ISEMS_ROUTER_IPS: 'http://...@host/' is no address"),
        (" , ", 2, "ISEMS_ROUTER_IPS is not set"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(
    sqlite_url: str, addresses: str | None, code: int, sentence: str
) -> None:
    finished = asyncio.run(update_data(sqlite_url, addresses, command="flask"))
    assert (finished.code, finished.out) == (code, "")
    assert len(finished.err.splitlines()) == 1
    assert sentence in finished.err


def test_what_another_process_is_polling_is_left_to_it_and_is_no_failure(database_url: str) -> None:
    """`flask update-data` by cron beside `isems serve`, or on another machine."""
    database = Database(database_url)
    other = PollLeases(database, "roof-1", poll_seconds=30, interval=900)

    async def talk(*handlers: Handler) -> Finished:
        async with contextlib.AsyncExitStack() as stack:
            running = [await stack.enter_async_context(node_server(handler)) for handler in handlers]
            addresses = [node.address.text for node in running]
            await asyncio.to_thread(other.take, [Wanted(addresses[0], is_urgent=True)])
            finished = await update_data(database_url, ",".join(addresses))
            assert running[0].requests == []
            return finished

    good = nodes.sending(line_of("Good"))
    holder = "another process on this machine" if database.is_sqlite else "roof-1"
    alone = asyncio.run(talk(good))
    assert (alone.code, alone.err) == (0, "")
    assert f": left to {holder}, which is polling it now\n" in alone.out
    assert "0 of 1 nodes answered, 1 left to other collectors: nothing new" in alone.out
    both = asyncio.run(talk(good, good))
    assert both.code == 0
    assert "1 of 2 nodes answered, 1 left to other collectors: 1 stored" in both.out
    assert asyncio.run(talk(good, nodes.html_page())).code == 1
    other.close()
    database.close()


def test_no_answer_from_any_node_is_exit_code_1_and_each_is_named(sqlite_url: str) -> None:
    """Defects 2 and 22: a page or a refusal ended the poll with a traceback."""

    async def talk() -> Finished:
        with closed_port() as dead:
            async with node_server(nodes.html_page()) as page:
                return await update_data(sqlite_url, f"{dead.text},{page.address.text}")

    finished = asyncio.run(talk())
    assert finished.code == 1
    assert len(re.findall("^http://.*: failed: ", finished.out, re.MULTILINE)) == 2
    assert "0 of 2 nodes answered" in finished.out
    assert "Traceback" not in finished.out + finished.err


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        (b"", 0),
        (b"\n", 0),
        (b"hello", 0),
        (b"a;1;17680\n" + line_of("a"), 1),
        (line_of("a") + b"\n", 1),
        (b"\xff\n" + line_of("a"), 1),
        (line_of("a").replace(b";300", b";zz"), 1),
        (line_of("a").replace(b";300", b";" + b"f" * 18), 1),
        (line_of("a").replace(b";14.0;", b";abc;"), 1),
        (line_of("a").replace(b";14.0;", b";14,073;"), 1),
    ],
    # Not by the bodies, which tell the time: two processes must find the same tests.
    ids=[
        *("empty", "line end", "no line", "cut line first", "empty line last", "no UTF-8 first"),
        *("status no number", "status too long", "voltage no number", "voltage with a comma"),
    ],
)
def test_what_ended_the_old_poll_stores_every_readable_line_and_lets_the_next_node_be_polled(
    sqlite_url: str, body: bytes, stored: int
) -> None:
    """Defects 1, 2, 3, 5, 6, 7: nothing, a page, or one bad line, byte, status or voltage ended the poll of all."""

    async def talk() -> None:
        async with node_server(nodes.sending(b"HTTP/1.0 200 OK\r\n\r\n" + body)) as bad, router(sqlite_url) as good:
            good.put(line_of("good"))
            config = Config(
                database_url="", router_ips=(bad.address.text, good.address), is_clock_trusted=True, poll_concurrency=1
            )
            collector = Collector(config, good.database)
            await collector.poll_once(lambda _: None)
            collector.close()
            names = [name for name, _ in rows_of(good.database)]
            assert (names.count("a"), names.count("good")) == (stored, 1)

    go(talk())
