"""Rows into PostgreSQL, beside the quickest that it offers; a server of its own, on a socket in a folder of its own."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from statistics import median
from typing import Any

from sqlalchemy import Connection

from benchmarks.outcome import Benchmark, Round, Size
from benchmarks.samples import CADENCE, DAY, START, line, moment, payload
from benchmarks.storing import LOGS, Measure, mixed
from isems.domain.measurement import Measurement
from isems.ingest import ingest, read_payload
from isems.storage.database import Database
from isems.storage.inbox import LIST
from isems.storage.measurements import insert_measurements
from isems.storage.newest import select_newest_of_each
from isems.storage.partitions import Layout, make_parts, partition
from tests.services import POSTGRESQL, require_service, run_postgres

#: Times the nodes of the other rows: a busy subscriber's commits are large.
GROUP = 10
Rows = list[tuple[object, ...]]


@contextmanager
def database() -> Iterator[Database]:
    """An empty database of a server that waits for no disk."""
    with run_postgres(require_service(POSTGRESQL)) as server, server.empty_database() as url:
        opened = Database(url)
        opened.make_ready()
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def start_bulk(size: Size) -> Iterator[Measure]:
    end = START + CADENCE * size.lines
    texts = [payload([line(f"Node-{log}", i) for i in range(size.lines)], end) for log in range(LOGS)]
    logs = [read_payload(text).parsed.measurements for text in texts]
    with database() as opened:
        _store(opened, logs, end)
        batches = [_rows(opened, node_id) for node_id in range(1, LOGS + 1)]

        def measure() -> Round:
            figure = _store(opened, logs, end)
            return Round(figure / 1000, _copy(opened, batches) / 1000)

        yield measure


def _rows(opened: Database, node_id: int) -> Rows:
    statement = f"SELECT {LIST} FROM measurement WHERE node_id = %s ORDER BY measured_at"
    with opened.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement, (node_id,))]


def _empty(opened: Database) -> None:
    with opened.write() as connection:
        connection.exec_driver_sql("TRUNCATE measurement")


def _store(opened: Database, logs: Sequence[Sequence[Measurement]], now: int) -> float:
    """Store measurements as they come from a parser, a commit each log; gives rows a second."""
    _empty(opened)
    before = time.perf_counter()
    for log in logs:
        with opened.write() as connection:
            insert_measurements(connection, log, now)
    return sum(map(len, logs)) / (time.perf_counter() - before)


def _copy(opened: Database, batches: Sequence[Rows]) -> float:
    """Bare COPY of ready tuples into a temporary table, and from there; a commit each."""
    _empty(opened)
    before = time.perf_counter()
    for rows in batches:
        with opened.write() as connection:
            raw: Any = connection.connection.driver_connection
            with raw.cursor() as cursor:
                cursor.execute("CREATE TEMPORARY TABLE ready (LIKE measurement) ON COMMIT DROP")
                with cursor.copy(f"COPY ready ({LIST}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
                cursor.execute(f"INSERT INTO measurement ({LIST}) SELECT {LIST} FROM ready ON CONFLICT DO NOTHING")
    return sum(map(len, batches)) / (time.perf_counter() - before)


@contextmanager
def start_mixed(size: Size) -> Iterator[Measure]:
    """As they come live when there is much to do: a group of records of many nodes a commit."""
    with database() as opened:
        minutes = count()

        def measure() -> Round:
            payloads = [mixed(GROUP * size.nodes, next(minutes)) for _ in range(size.commits // 2)]
            before = time.perf_counter()
            stored = sum(ingest(opened, one, moment(one.received_at)).stored for one in payloads)
            return Round(stored / (time.perf_counter() - before) / 1000)

        yield measure


#: History as PostgreSQL can make it by itself, in the order in which it would have come.
_FILL = """
INSERT INTO measurement SELECT n.id, t, 1, 4000, 0, 18000, 17000, 12000, 50, 97, 2000, 14200, 768, false, NULL
FROM generate_series(%s::bigint, %s, %s) t, node n ORDER BY t
"""


@contextmanager
def start_bytes_at_rest(size: Size) -> Iterator[Measure]:
    """A day of every node: the table and its index."""
    with database() as opened:
        with opened.write() as connection:
            _insert_nodes(connection, size.nodes)

        def measure() -> Round:
            _empty(opened)
            with opened.write() as connection:
                rows = connection.exec_driver_sql(_FILL, (START, START + 20 * CADENCE * size.commits, CADENCE)).rowcount
                size_of = "SELECT pg_total_relation_size('measurement')"
                return Round(connection.exec_driver_sql(size_of).scalar_one() / rows)

        yield measure


def _insert_nodes(connection: Connection, nodes: int) -> None:
    names = [(f"Node-{number}",) for number in range(1, nodes + 1)]
    connection.exec_driver_sql("INSERT INTO node (name, first_seen_at) VALUES (%s, 0)", names)


#: A day has four records, because what counts is how many months there are.
QUARTER_OF_A_DAY = DAY // 4
MONTHS = 36


@contextmanager
def start_newest(size: Size) -> Iterator[Measure]:
    """Three years of months beside one table, in two databases of one server."""
    with (
        run_postgres(require_service(POSTGRESQL)) as server,
        server.empty_database() as url,
        server.empty_database() as other_url,
        closing(_history(url, size.nodes)) as one,
        closing(_history(other_url, size.nodes, Layout.MONTHS)) as months,
    ):
        yield lambda: Round(_newest(months, size.requests), _newest(one, size.requests))


def _history(url: str, nodes: int, layout: Layout | None = None) -> Database:
    opened = Database(url)
    first = START - MONTHS * 30 * DAY
    times = range(first, START + 1, 30 * DAY)
    with opened.write() as connection:
        # Through our own code first, which makes what it needs.
        insert_measurements(
            connection, read_payload(payload([line("Node-0", 0, t) for t in times], START)).parsed.measurements, START
        )
        _insert_nodes(connection, nodes - 1)
        if layout is not None:
            partition(connection, layout)
            make_parts(connection, range(first, START, DAY))
        connection.exec_driver_sql(_FILL, (first + 1, START, QUARTER_OF_A_DAY))
        connection.exec_driver_sql("ANALYZE")
    return opened


def _newest(opened: Database, requests: int) -> float:
    """Milliseconds for the newest of every node."""
    times = []
    with opened.read() as connection:
        for _ in range(requests):
            before = time.perf_counter()
            select_newest_of_each(connection)
            times.append(time.perf_counter() - before)
    return median(times) * 1000


BENCHMARKS = [
    Benchmark(
        "bulk-postgres",
        "store parsed logs of 3660 lines in PostgreSQL, one a commit",
        "k rows/s",
        "bare COPY and INSERT SELECT of ready tuples",
        start_bulk,
        at_least=0.6,
    ),
    Benchmark(
        "mixed-postgres", "parse, judge and store 1000 nodes a commit in PostgreSQL", "k rows/s", "", start_mixed
    ),
    Benchmark(
        "at-rest-postgres", "bytes at rest a measurement in PostgreSQL, with its index", "B", "", start_bytes_at_rest
    ),
    Benchmark(
        "newest-months",
        "newest of every node in PostgreSQL, in a table of 36 months",
        "ms",
        "one table",
        start_newest,
        at_most=2,
    ),
]
