"""The running loop: who is asked when, what is logged, and how it ends."""

import asyncio
import functools
import gzip
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from isems import collector as collector_module
from isems.api import health
from isems.api.app import create_app
from isems.collector import Collector, NodeReport, check_addresses, import_file
from isems.config import Config
from isems.domain.clock import Moment, Uptime
from isems.domain.payload import Payload, Source
from isems.errors import ConfigError, SourceError
from isems.ingest import ingest
from isems.ingest import storing as ingest_module
from isems.sources.poller import LOG_PATH
from isems.storage.database import Database
from isems.storage.newest import count_measurements
from isems.storage.poll_targets import select_targets
from isems.storage.undecided import count_bytes, insert_undecided
from tests.sources import hostile_nodes as nodes
from tests.sources.hostile_nodes import Handler, closed_port, node_server


def trusted() -> Moment:
    return Moment(int(time.time()), is_trusted=True, uptime=Uptime("boot", 1))


def line(name: str, at: int, firmware: str = "ATmega8_A_1") -> bytes:
    return b"%s;1;%d;%s;0;0;20.5;20.1;14.0;100;100;31;11.67;14.02;18;20;52.5;13.4;300\n" % (
        name.encode(),
        at,
        firmware.encode(),
    )


def log_of(name: str, count: int, ahead: int = 0) -> bytes:
    now = int(time.time()) + ahead
    return b"".join(line(name, now - 61 * age) for age in range(count, 0, -1))


def board_csv(name: str = "Board") -> bytes:
    now = int(time.time())
    return b"".join(line(name, now - 15 * age, "ESP_2.0") for age in range(5, 0, -1))


def router(files: dict[str, bytes], ahead: int = 0) -> Handler:
    return nodes.uhttpd_like(files, lambda: int(time.time()) + ahead)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


class Rhythm:
    """Sleeps for no time, remembers for how long it should have, and stops the world after some polls.

    `before_poll` is called with the number of the next poll.
    """

    def __init__(self, polls: int, before_poll: Callable[[int], None] = lambda number: None) -> None:
        self.waits: list[float] = []
        self.polls = polls
        self.before_poll = before_poll
        self.is_over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) >= self.polls:
            self.is_over.set()
            await asyncio.Event().wait()
        self.before_poll(len(self.waits))


def config_of(*addresses: str, **more: Any) -> Config:
    return Config(**{"database_url": "", "router_ips": addresses, "is_clock_trusted": True, "poll_deadline": 2, **more})


async def keep_polling(
    database: Database,
    address: str,
    polls: int,
    before_poll: Callable[[int], None] = lambda number: None,
    commit_seconds: float = 0,
    **more: Any,
) -> list[float]:
    """Poll an address so many times; the waits between."""
    rhythm = Rhythm(polls, before_poll)
    work = asyncio.ensure_future(Collector(config_of(address, **more), database, rhythm.sleep, commit_seconds).run())
    try:
        await asyncio.wait_for(rhythm.is_over.wait(), 10)
    finally:
        await stop(work)
    return rhythm.waits


async def stop(work: "asyncio.Future[None]") -> None:
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


class Node:
    """An address whose device can be exchanged while it is polled."""

    def __init__(self, current: Handler) -> None:
        self.current = current
        self.handler = Handler(self._answer, is_first_segment_enough=True)

    async def _answer(self, request: bytes) -> AsyncIterator[bytes]:
        async for piece in self.current.answer(request):
            yield piece


def go(talk: Coroutine[Any, Any, None]) -> None:
    asyncio.run(talk)


# Who is asked when


def expected(waits: list[float], *usual: float) -> bool:
    """Whether each wait is its usual one or up to a tenth shorter."""
    return len(waits) == len(usual) and all(0.9 * u <= w <= u for w, u in zip(waits, usual, strict=True))


def test_a_log_keeper_is_asked_at_the_interval_also_while_nothing_is_new(database: Database) -> None:
    async def talk() -> None:
        async with node_server(router({LOG_PATH: log_of("Dach", 20)})) as node:
            assert expected(await keep_polling(database, node.address.text, 3), 900, 900, 900)

    go(talk())


def test_a_board_keeps_its_rhythm_while_nothing_is_new_and_through_a_failure(database: Database) -> None:
    board = Node(nodes.board_n(board_csv()))

    def before_poll(number: int) -> None:
        board.current = nodes.server_error() if number == 2 else nodes.board_n(board_csv())

    async def talk() -> None:
        async with node_server(board.handler) as node:
            assert expected(await keep_polling(database, node.address.text, 4, before_poll), 60, 60, 60, 60)

    go(talk())


def test_a_router_about_to_lose_its_power_is_asked_before_though_its_log_is_unchanged(database: Database) -> None:
    now = int(time.time())
    log = log_of("Dach", 20) + line("Dach", now).replace(b"ATmega8_A_1;0;", b"ATmega8_A_1;10;")

    async def talk() -> None:
        async with node_server(router({LOG_PATH: log})) as node:
            waits = await keep_polling(database, node.address.text, 2)
            assert all(500 <= wait <= 510 for wait in waits)

    go(talk())


def test_a_rotated_log_is_asked_for_again_in_a_minute(database: Database) -> None:
    log = log_of("Dach", 20)
    files = {LOG_PATH: log}

    def rotate(number: int) -> None:
        if number == 1:
            files[f"{LOG_PATH}.gz"] = gzip.compress(files.pop(LOG_PATH))
        elif number == 3:
            files[LOG_PATH] = log_of("Dach", 1)

    async def talk() -> None:
        async with node_server(router(files)) as node:
            assert expected(await keep_polling(database, node.address.text, 4, rotate), 900, 60, 60, 900)

    go(talk())


def test_failures_are_repeated_sooner_than_the_interval(database: Database) -> None:
    async def talk() -> None:
        with closed_port() as dead:
            assert expected(await keep_polling(database, dead.text, 3), 300, 300, 300)

    go(talk())


def test_every_address_is_asked_again_and_again_and_a_silent_one_stops_none(database: Database) -> None:
    async def talk() -> None:
        async with AsyncExitStack() as stack:
            good = [
                await stack.enter_async_context(node_server(router({LOG_PATH: log_of(f"Dach {number}", 3)})))
                for number in range(3)
            ]
            bad = [await stack.enter_async_context(node_server(make())) for make in (nodes.silent, nodes.garbage)]
            config = config_of(*(node.address.text for node in [*bad, *good]), poll_interval=0.1)
            work = asyncio.ensure_future(Collector(config, database).run())
            await asyncio.sleep(1)
            await stop(work)
            # First contact asks for log and archive.
            assert all(len(node.requests) >= 5 for node in good)
            assert len(bad[1].requests) >= 5

    go(talk())
    with database.read() as connection:
        assert count_measurements(connection) == 9


def test_no_more_nodes_are_asked_at_once_than_configured(database: Database) -> None:
    most = 0

    async def talk() -> None:
        async with AsyncExitStack() as stack:
            running = []

            async def answer(request: bytes) -> AsyncIterator[bytes]:
                nonlocal most
                most = max(most, sum(node.open_connections for node in running))
                await asyncio.sleep(0.02)
                yield board_csv()

            for _ in range(9):
                running.append(await stack.enter_async_context(node_server(Handler(answer))))  # noqa: PERF401
            addresses = [node.address.text for node in running]
            await poll_once(database, config_of(*addresses, poll_concurrency=3))

    go(talk())
    assert most == 3


class CountingNode:
    """A board that takes its time, and knows who asked it while somebody else did."""

    def __init__(self) -> None:
        self.polls = self.open = self.most = 0
        self.handler = Handler(self._answer, is_first_segment_enough=True)

    async def _answer(self, request: bytes) -> AsyncIterator[bytes]:
        self.polls += 1
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0.05)
        yield board_csv()
        self.open -= 1


def test_two_collectors_never_ask_a_node_at_once_and_share_the_work(database_url: str) -> None:
    """Each for itself would have polled each node as often as both do together."""
    opened = [Database(database_url), Database(database_url)]
    node = CountingNode()
    polled = [0, 0]

    class Watched(Collector):
        async def poll(self, address: str, **how: Any) -> NodeReport:
            report = await super().poll(address, **how)
            polled[opened.index(self.database)] += report.left is None
            return report

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 100)

    async def talk() -> None:
        async with node_server(node.handler) as running:
            config = config_of(running.address.text, poll_interval=10)
            work = [asyncio.ensure_future(Watched(config, one, sleep).run()) for one in opened]
            while min(polled) < 3 and sum(polled) < 60:
                await asyncio.sleep(0.01)
            for one in work:
                await stop(one)

    go(asyncio.wait_for(talk(), 30))
    assert node.most == 1
    assert min(polled) >= 3
    for one in opened:
        one.close()


# What is logged


def test_a_failure_is_logged_when_it_begins_and_when_it_ends(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(nodes.garbage())
    devices = [
        nodes.garbage(),
        nodes.sending(b"\x00" * 77),  # the same trouble with another number
        nodes.board_n(board_csv()),
        nodes.board_n(board_csv()),
        nodes.server_error(),
        nodes.server_error(),
        nodes.no_answer_at_all(),
        nodes.board_n(board_csv()),
    ]

    def before_poll(number: int) -> None:
        node.current = devices[number]

    async def talk() -> None:
        async with node_server(node.handler) as running:
            await keep_polling(database, running.address.text, len(devices), before_poll)

    with caplog.at_level(logging.INFO, "isems.collector"):
        go(talk())
    said = [record.getMessage().partition(": ")[2].partition(":")[0] for record in caplog.records]
    assert [(r.levelname, text) for r, text in zip(caplog.records, said, strict=True)] == [
        ("WARNING", "poll failed"),
        ("INFO", "answers"),
        ("WARNING", "poll failed"),
        ("WARNING", "poll failed"),
        ("INFO", "answers"),
    ]


# How it ends


@pytest.mark.parametrize("handler", [nodes.silent(), nodes.stuck_body(b"x" * 100), nodes.trickle(b"x", 0.01)])
def test_a_stop_takes_less_than_a_second_and_leaves_nothing_behind(database: Database, handler: Handler) -> None:
    async def talk() -> None:
        async with node_server(handler) as node, node_server(router({LOG_PATH: log_of("Dach", 9)})) as other:
            config = config_of(node.address.text, other.address.text, poll_deadline=60)
            work = asyncio.ensure_future(Collector(config, database).run())
            while not node.requests:
                await asyncio.sleep(0.01)
            started = time.monotonic()
            await stop(work)
            assert time.monotonic() - started < 1
            assert await node.is_left_alone()

    go(talk())
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("isems")] == []


def test_what_was_being_stored_at_the_stop_is_stored(database: Database) -> None:
    async def talk() -> None:
        async with node_server(router({LOG_PATH: log_of("Dach", 3660)})) as node:
            begun = threading.Event()

            class Watched(Collector):
                def _store_answers(self, *what: Any) -> Any:
                    begun.set()
                    return super()._store_answers(*what)

            work = asyncio.ensure_future(Watched(config_of(node.address.text), database).run())
            while not begun.is_set():
                await asyncio.sleep(0.001)
            await stop(work)

    go(talk())
    with database.read() as connection:
        assert count_measurements(connection) == 3660


def test_with_an_inbox_everything_is_in_its_table_once_the_collector_has_ended(sqlite_url: str) -> None:
    """What a killed collector left in the inbox included."""
    collecting = Database(sqlite_url, has_inbox=True)
    ingest(collecting, payload_of(log_of("Killed", 3)), trusted())

    async def talk() -> None:
        async with node_server(router({LOG_PATH: log_of("Dach", 9)})) as node:
            await keep_polling(collecting, node.address.text, 2, commit_seconds=0.05)

    go(talk())
    with collecting.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM inbox")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM measurement")).scalar() == 12
    collecting.close()


def payload_of(log: bytes) -> Payload:
    now = int(time.time())
    return Payload(data=log, source=Source.IMPORT, address="file", received_at=now, is_live=False)


def test_long_answers_that_wait_to_be_written_together_hold_up_no_other(database: Database) -> None:
    """Few long answers are held in memory at once; when all places are taken, they are written before their time."""

    async def talk() -> None:
        async with AsyncExitStack() as stack:
            logs = [{LOG_PATH: log_of(f"Dach {number}", 250)} for number in range(8)]
            running = [await stack.enter_async_context(node_server(router(log))) for log in logs]
            config = config_of(*(node.address.text for node in running), poll_concurrency=4)
            work = asyncio.ensure_future(Collector(config, database, commit_seconds=300).run())
            deadline = time.monotonic() + 10
            while count_stored(database) < 6 * 250 and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            assert count_stored(database) >= 6 * 250  # the last may wait for company, there are places for four
            await stop(work)

    go(talk())


def count_stored(database: Database) -> int:
    with database.read() as connection:
        return count_measurements(connection)


# Trouble on our side


async def poll_once(database: Database, config: Config) -> list[NodeReport]:
    collector = Collector(config, database)
    try:
        return await collector.poll_once(lambda report: None)
    finally:
        collector.close()


def test_a_fault_of_this_program_in_one_node_does_not_reach_another(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(Collector):
        def _store_answers(self, connection: Connection, answers: Any) -> Any:
            if any(answer.payload is not None and b"Bad" in answer.payload.data for answer in answers):
                raise ZeroDivisionError("oops")
            return super()._store_answers(connection, answers)

    async def talk() -> None:
        async with AsyncExitStack() as stack:
            handlers = [nodes.board_n(board_csv("Bad"))] * 6 + [nodes.board_n(board_csv())]
            running = [await stack.enter_async_context(node_server(handler)) for handler in handlers]
            # With one slot and few places before the writer: a fault must give both back.
            config = config_of(*(node.address.text for node in running), poll_concurrency=1)
            collector = Faulty(config, database)
            reports = await asyncio.wait_for(collector.poll_once(lambda report: None), 5)
            collector.close()
            assert len([report for report in reports if "fault in this program" in (report.error or "")]) == 6
            assert sum(report.result.stored for report in reports) == 5

    go(talk())
    assert len([record for record in caplog.records if record.exc_info]) == 6


@asynccontextmanager
async def two_routers(ahead: int) -> AsyncIterator[tuple[str, str, Callable[[], int]]]:
    """Two routers whose clocks are ahead of ours; the last tells how often the second was asked."""
    first, second = ({LOG_PATH: log_of(name, 40, ahead)} for name in ("First", "Second"))
    async with node_server(router(first, ahead)) as one, node_server(router(second, ahead)) as two:
        yield one.address.text, two.address.text, lambda: len(two.requests)


def test_when_too_much_waits_for_our_clock_polling_goes_on_asking_and_drops_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    not_trusted = Moment(int(time.time()), is_trusted=False, uptime=Uptime("boot", 1))
    room = len(log_of("First", 40)) + 100

    def set_room(size: int) -> None:
        monkeypatch.setattr(ingest_module, "insert_undecided", functools.partial(insert_undecided, max_bytes=size))
        monkeypatch.setattr(health, "MAX_BYTES", size)

    monkeypatch.setattr(collector_module, "read_moment", lambda **_: not_trusted)
    set_room(room)

    async def talk() -> None:
        async with two_routers(86_400) as (first, second, asked):
            await poll_once(database, config_of(first, is_clock_trusted=False))
            reports = await poll_once(database, config_of(second, is_clock_trusted=False))
            assert "set the clock" in (reports[0].error or "")
            await keep_polling(database, second, 3, is_clock_trusted=False)
            assert asked() >= 4
            with database.read() as connection:
                assert count_bytes(connection) <= room
                assert select_targets(connection, [second])[second].last_line is None
            assert readiness(database).status_code == 503
            assert "set the clock" in readiness(database).text
            set_room(10 * room)
            await poll_once(database, config_of(second, is_clock_trusted=False))
            with database.read() as connection:
                assert count_bytes(connection) > room
            assert readiness(database).status_code == 200

    with caplog.at_level(logging.WARNING, "isems.collector"):
        go(talk())
    assert len([record for record in caplog.records if "set the clock" in record.getMessage()]) == 1


def readiness(database: Database) -> Any:
    return create_app(Config(database_url=""), database).test_client().get("/readyz")


def test_a_database_that_refuses_is_reported_and_asked_again(database: Database) -> None:
    async def talk() -> None:
        async with node_server(nodes.board_n(board_csv())) as node:
            trigger = "CREATE TRIGGER full BEFORE INSERT ON measurement BEGIN SELECT RAISE(ABORT, 'disk is full'); END"

            def repair(number: int) -> None:
                with database.write() as connection:
                    connection.execute(text("DROP TRIGGER IF EXISTS full"))

            with database.write() as connection:
                connection.execute(text(trigger))
            reports = await poll_once(database, config_of(node.address.text))
            assert "disk is full" in (reports[0].error or "")
            await keep_polling(database, node.address.text, 2, repair)
            with database.read() as connection:
                assert count_measurements(connection) == 5

    go(talk())


def test_a_failure_is_remembered_with_its_reason_until_the_node_answers(database: Database) -> None:
    node = Node(nodes.server_error())

    async def talk() -> None:
        async with node_server(node.handler) as running:
            address = running.address.text
            await poll_once(database, config_of(address))
            with database.read() as connection:
                target = select_targets(connection, [address])[address]
            assert "status 500" in (target.error or "")
            assert target.polled_at is not None
            assert target.answered_at is None
            node.current = nodes.board_n(board_csv())
            await poll_once(database, config_of(address))
            with database.read() as connection:
                target = select_targets(connection, [address])[address]
            assert target.error is None
            assert target.answered_at is not None

    go(talk())


# Addresses and files


def test_a_wrong_address_names_the_variable() -> None:
    check_addresses(["10.0.0.1", "[fe80::1%eth0]:81", "https://dach.example/log"])
    with pytest.raises(ConfigError, match=r"^ISEMS_ROUTER_IPS: '10\.0\.0' is no address"):
        check_addresses(["10.0.0.1", "10.0.0"])


def test_a_file_is_stored_and_its_counts_and_progress_add_up(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "dach.log.gz"
    path.write_bytes(gzip.compress(log_of("Dach", 30_000) + b"nonsense\n" + line("Dach", int(time.time()))))
    steps: list[int] = []
    result = import_file(database, path, trusted(), steps.append)
    assert (result.stored, result.rejected, result.duplicate) == (30_001, 1, 0)
    assert sum(steps) == path.stat().st_size
    again = import_file(database, path, trusted(), steps.append)
    assert (again.stored, again.duplicate) == (0, 30_001)


def test_of_a_cut_file_what_can_be_read_is_stored(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "dach.log.gz"
    path.write_bytes(gzip.compress(log_of("Dach", 3000))[:-500])
    with pytest.raises(SourceError, match="cannot be read"):
        import_file(database, path, trusted(), lambda read: None)
    with database.read() as connection:
        assert count_measurements(connection) > 2000
