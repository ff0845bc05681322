"""Lines become rows: how fast, in how many bytes."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.outcome import Benchmark, Round, Size
from benchmarks.samples import CADENCE, DAY, START, ZONE, checkpoint, cpu_seconds, database, fill, line, moment, payload
from isems.domain.payload import Payload
from isems.ingest import ingest, ingest_all, read_payload
from isems.storage.database import Database
from isems.storage.inbox import COLUMNS, LIST, settle_database
from isems.storage.sqlite_file import WAL_PAGES
from isems.storage.tally import Tally
from isems.upkeep import roll_up_all

Measure = Callable[[], Round]
#: Logs of a round of the bulk rows.
LOGS = 5


@contextmanager
def _bare(opened: Database, synchronous: str = "NORMAL") -> Iterator[sqlite3.Connection]:
    """The limit's connection, set as ours are."""
    with closing(sqlite3.connect(opened.url.database or "", isolation_level=None)) as bare:
        bare.execute(f"PRAGMA synchronous = {synchronous}")
        bare.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        yield bare


def _rows(opened: Database) -> list[tuple[object, ...]]:
    with opened.read() as connection:
        found = connection.exec_driver_sql(f"SELECT {LIST} FROM measurement ORDER BY measured_at, node_id").all()
    return [tuple(row) for row in found]


Clock = Callable[[], float]

#: As anybody would write it.
INSERT = f"INSERT INTO measurement ({LIST}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT DO NOTHING"


def _store_bare(bare: sqlite3.Connection, batches: list[list[tuple[object, ...]]], clock: Clock = cpu_seconds) -> float:
    """Bare executemany of ready tuples, a commit each; gives rows a second."""
    before = clock()
    for rows in batches:
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany(INSERT, rows)
        bare.execute("COMMIT")
    return sum(map(len, batches)) / (clock() - before)


def _store(opened: Database, payloads: list[Payload], clock: Clock = cpu_seconds) -> float:
    """Parse, judge and store, a commit each, to the very end: what was put into the inbox is sorted in too."""
    before = clock()
    stored = 0
    for one in payloads:
        stored += ingest(opened, one, moment(one.received_at)).stored
    settle_database(opened)
    return stored / (clock() - before)


def _bare_batches(payloads: list[Payload]) -> list[list[tuple[object, ...]]]:
    """The rows of these payloads, as the table holds them."""
    batches = []
    with database() as opened:
        for one in payloads:
            with opened.write() as connection:
                connection.exec_driver_sql("DELETE FROM measurement")
            ingest(opened, one, moment(one.received_at))
            batches.append(_rows(opened))
    return batches


@contextmanager
def _compare(payloads: list[Payload]) -> Iterator[Measure]:
    """Both sides begin with an empty table in each round."""
    batches = _bare_batches(payloads)

    def measure() -> Round:
        with database() as ours, database() as theirs, _bare(theirs) as bare:
            figure = _store(ours, payloads)
            limit = _store_bare(bare, batches)
        return Round(figure / 1000, limit / 1000)

    yield measure


@contextmanager
def start_bulk(size: Size) -> Iterator[Measure]:
    end = START + CADENCE * size.lines
    logs = [payload([line(f"Node-{log}", i) for i in range(size.lines)], end) for log in range(LOGS)]
    with _compare(logs) as measure:
        yield measure


@contextmanager
def start_mixed(size: Size, *, is_durable: bool, clock: Clock) -> Iterator[Measure]:
    """After a day of history, so that each of the nodes' rows is written into another page."""
    with (
        database(has_inbox=True, is_durable=is_durable) as ours,
        database() as theirs,
        _bare(theirs, "FULL" if is_durable else "NORMAL") as bare,
    ):
        for opened in (ours, theirs):
            fill(opened, size.nodes, DAY // CADENCE, START)
        minutes = count()

        def measure() -> Round:
            payloads = [mixed(size.nodes, next(minutes)) for _ in range(4 * size.commits)]
            batches = _bare_batches(payloads)
            return Round(_store(ours, payloads, clock) / 1000, _store_bare(bare, batches, clock) / 1000)

        yield measure


def mixed(nodes: int, minute: int) -> Payload:
    return payload([line(f"Node-{node}", minute) for node in range(nodes)], START + CADENCE * minute)


@contextmanager
def start_parse(size: Size) -> Iterator[Measure]:
    log = payload([line("Node-1", i) for i in range(size.lines)], START + CADENCE * size.lines)

    def measure() -> Round:
        before = cpu_seconds()
        for _ in range(LOGS):
            read_payload(log)
        parsed = cpu_seconds() - before
        before = cpu_seconds()
        for _ in range(LOGS):
            [text.split(";") for text in log.data.decode().split("\n")]
        return Round(LOGS * size.lines / parsed / 1000, LOGS * size.lines / (cpu_seconds() - before) / 1000)

    yield measure


@contextmanager
def start_bytes_at_rest(size: Size) -> Iterator[Measure]:
    """A minute of every node a commit, as it comes; the tables and free pages of an empty database are not
    the measurements'.
    """

    def measure() -> Round:
        with database(has_inbox=True) as opened:
            checkpoint(opened)
            path = Path(opened.url.database or "")
            empty = path.stat().st_size
            minutes = 20 * size.commits
            for minute in range(minutes):
                ingest(opened, mixed(size.nodes, minute), moment(START + CADENCE * minute))
            settle_database(opened)
            with _bare(opened) as bare:  # the inbox's pages are free now, for the next rows
                bare.executescript("PRAGMA incremental_vacuum")
            checkpoint(opened)
            return Round((path.stat().st_size - empty) / (minutes * size.nodes))

    yield measure


def written_bytes() -> int:
    """What this process has made the system write to disks, by the system's own account."""
    fields = dict(row.split(": ") for row in Path("/proc/self/io").read_text().splitlines())
    return int(fields["write_bytes"])


@contextmanager
def start_written(size: Size, *, interval: int) -> Iterator[Measure]:
    """A fleet that reports once a minute, each node at another second, after a day of history; what waits is stored
    each `interval` seconds. So long, six hours, that the inbox is settled four times and history rolled up once.
    """
    with database(has_inbox=True) as opened:
        fill(opened, size.nodes, DAY // CADENCE, START)
        minute = 0
        # The counts for /metrics are written once a minute: of the nodes' time, since here nobody waits for it.
        opened.tally = Tally(clock=lambda: CADENCE * minute)

        def measure() -> Round:
            nonlocal minute
            rows = 0
            before = written_bytes()
            for _ in range(9 * size.commits):
                rows += _store_minute(opened, size.nodes, minute, interval)
                minute += 1
            roll_up_all(opened, ZONE)
            checkpoint(opened)
            return Round((written_bytes() - before) / rows)

        yield measure


def _store_minute(opened: Database, nodes: int, minute: int, interval: int) -> int:
    now = START + CADENCE * minute
    messages = [payload([line(f"Node-{node}", minute)], now) for node in range(nodes)]
    commits = CADENCE // interval
    for commit in range(commits):
        ingest_all(opened, messages[commit::commits], moment(now))
    return nodes


BENCHMARKS = [
    Benchmark(
        "bulk",
        "parse, judge and store logs of 3660 lines, one a commit (CPU)",
        "k lines/s",
        "bare executemany",
        start_bulk,
        at_least=0.25,
    ),
    Benchmark(
        "mixed",
        "parse, judge and store 100 nodes a commit (CPU)",
        "k rows/s",
        "bare executemany",
        partial(start_mixed, is_durable=False, clock=cpu_seconds),
        at_least=0.7,
    ),
    Benchmark(
        "mixed-full",
        "the same, each commit safe from a power cut",
        "k rows/s",
        "bare executemany, synced",
        partial(start_mixed, is_durable=True, clock=time.perf_counter),
        at_least=0.6,
    ),
    Benchmark("parse", "parse a log of 3660 lines (CPU)", "k lines/s", "bare split", start_parse),
    Benchmark("at-rest", "bytes at rest a measurement, in order of arrival", "B", "", start_bytes_at_rest, at_most=48),
    Benchmark(
        "written-30s",
        "bytes written a measurement, roll-ups and counts included, 100 nodes a minute, a commit each 30 s",
        "B",
        "",
        partial(start_written, interval=30),
        at_most=1000,
    ),
    Benchmark("written-1s", "the same, a commit each second", "B", "", partial(start_written, interval=1)),
]
