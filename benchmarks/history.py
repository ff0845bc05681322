"""What years of history cost: asked for over HTTP, and exported. All rows share one database, since a year takes minutes."""

import csv
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread

from benchmarks.outcome import Benchmark, Round, Size
from benchmarks.samples import CADENCE, DAY, line, moment, payload
from benchmarks.service import EVERY_NODE, ONE_NODE, Service, fill_inbox, service
from isems.export import CSV, choose, read_pieces
from isems.ingest import ingest
from isems.storage.database import Database
from isems.storage.inbox import LIST

Measure = Callable[[], Round]
YEAR = 365
#: The bars are on a year of 100 nodes.
SERIES = "/api/v1/nodes/Node-1/measurements?fields=battery_volts&max_points=500&from=now-{days}d&to=now"


class _Shared:
    """One service with a history of so many days, for all rows that want it: started by the first, ended by the last."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[ExitStack, Service]] = {}
        self._users: dict[int, int] = {}

    @contextmanager
    def service(self, nodes: int, days: int) -> Iterator[Service]:
        if days not in self._running:
            stack = ExitStack()
            self._running[days] = (stack, stack.enter_context(service(nodes, days)))
        self._users[days] = self._users.get(days, 0) + 1
        try:
            yield self._running[days][1]
        finally:
            self._users[days] -= 1
            if not self._users[days]:
                self._running.pop(days)[0].close()


shared = _Shared()


@contextmanager
def start_get(size: Size, days: int, path: str) -> Iterator[Measure]:
    """An answer over HTTP, without gzip and asked anew each time."""
    with shared.service(size.nodes, days) as running:
        status, _, body = running.get(path)
        if status != 200 or not body:
            raise RuntimeError(f"{path} was answered with {status}")

        def measure() -> Round:
            fill_inbox(running.path, size.nodes)
            return Round(running.milliseconds(size.requests, path))

        yield measure


@contextmanager
def start_growth(size: Size, days: int, path: str) -> Iterator[Measure]:
    """The same question to the longest history and to a day."""
    with shared.service(size.nodes, days) as long, shared.service(size.nodes, 1) as short:

        def measure() -> Round:
            for running in (long, short):
                fill_inbox(running.path, size.nodes)
            return Round(long.milliseconds(size.requests, path), short.milliseconds(size.requests, path))

        yield measure


@contextmanager
def start_export(size: Size, days: int) -> Iterator[Measure]:
    """All records of one node as CSV, beside a bare SELECT and the standard library's writer."""
    with shared.service(size.nodes, days) as running:
        target = Path(running.path).parent / "export.csv"

        def measure() -> Round:
            rows, seconds = _export(running.path, target)
            bare_rows, bare_seconds = _select_and_write(running.path, target)
            if rows != bare_rows:
                raise RuntimeError(f"{rows} rows were exported, there are {bare_rows}")
            target.unlink()
            return Round(rows / seconds / 1000, rows / bare_seconds / 1000)

        yield measure


def _export(path: str, target: Path) -> tuple[int, float]:
    with closing(Database(f"sqlite:///{path}")) as opened, target.open("wb") as file:
        before = time.process_time()
        rows = 0
        for piece in read_pieces(opened, choose(opened, ["Node-2"], 0, 2**32), CSV):
            file.write(piece.data)
            rows += piece.rows
        return rows, time.process_time() - before


def _select_and_write(path: str, target: Path) -> tuple[int, float]:
    with closing(sqlite3.connect(path)) as bare, target.open("w", newline="") as file:
        node_id = bare.execute("SELECT id FROM node WHERE name = 'Node-2'").fetchone()[0]
        before = time.process_time()
        rows = 0
        writer = csv.writer(file)
        found = bare.execute(f"SELECT {LIST} FROM every_measurement WHERE node_id = ? ORDER BY measured_at", (node_id,))
        while some := found.fetchmany(5000):
            writer.writerows(some)
            rows += len(some)
        return rows, time.process_time() - before


#: Readers at once, and what each asks for in turn.
READERS = 50
#: What a router's log holds at most.
LOG_LINES = 3660


@contextmanager
def start_readers(size: Size) -> Iterator[Measure]:
    """Readers while logs are stored one after the other; the 99th percentile of what an answer takes."""
    with service(size.nodes, size.days[0]) as running:
        yield lambda: Round(1000 * _read_while_writing(running, 0.2 * size.requests).percentile(99))


class Load:
    """What readers saw."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.rows = 0

    def percentile(self, percent: int) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _read_while_writing(running: Service, seconds: float) -> Load:
    with closing(Database(f"sqlite:///{running.path}")) as opened:
        return read_while_writing(running.connection.port, opened, READERS, seconds)


def read_while_writing(port: int, opened: Database, readers: int, seconds: float) -> Load:
    """Let readers ask the service on this port for everything, in turn, while one writer stores logs as fast as it can.

    The database should have the node Node-1. Raises RuntimeError where any answer is not what it should be.
    """
    load, stop = Load(), Event()
    paths = [EVERY_NODE, ONE_NODE, SERIES.format(days=7), "/api/v1/nodes?limit=50", "/api/v1/status", "/metrics"]
    threads = [Thread(target=_read, args=(port, paths[i % len(paths) :] + paths, load, stop)) for i in range(readers)]
    for thread in threads:
        thread.start()
    _write(opened, load, seconds)
    stop.set()
    for thread in threads:
        thread.join()
    if load.errors:
        raise RuntimeError(f"{len(load.errors)} readers failed: {load.errors[0]}")
    return load


def _read(port: int, paths: list[str], load: Load, stop: Event) -> None:
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            while not stop.is_set():
                for path in paths:
                    before = time.perf_counter()
                    connection.request("GET", path)
                    response = connection.getresponse()
                    response.read()
                    if response.status != 200:
                        raise RuntimeError(f"{path} was answered with {response.status}")
                    load.seconds.append(time.perf_counter() - before)
    except Exception as error:  # noqa: BLE001  # told by whoever waits for the thread
        load.errors.append(repr(error))


def _write(opened: Database, load: Load, seconds: float) -> None:
    end, log = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        now = int(time.time()) - DAY
        lines = [line(f"Written-{log}", i, now - LOG_LINES * CADENCE) for i in range(LOG_LINES)]
        load.rows += ingest(opened, payload(lines, now), moment(now)).stored
        log += 1


def _of_a_year(name: str, work: str, path: str, at_most: float | None = None) -> Benchmark:
    return Benchmark(f"{name}-365d", work, "ms", "", partial(start_get, days=YEAR, path=path), at_most=at_most)


BENCHMARKS = [
    Benchmark(
        "series-30d",
        "one field of one node over HTTP, 30 days in 361 points",
        "ms",
        "",
        partial(start_get, days=30, path=SERIES.format(days=30)),
    ),
    Benchmark("readers", f"99 of 100 answers to {READERS} readers while logs are stored", "ms", "", start_readers),
]
FULL = [
    _of_a_year("newest", "newest of every node over HTTP, a year of 100 nodes", EVERY_NODE, at_most=5),
    Benchmark(
        "newest-growth",
        "the same, beside a day",
        "ms",
        "1 day",
        partial(start_growth, days=YEAR, path=EVERY_NODE),
        at_most=1.5,
    ),
    _of_a_year("newest-1440", "newest 1440 of one node over HTTP, a year of 100 nodes", ONE_NODE),
    Benchmark(
        "newest-1440-growth",
        "the same, beside a day",
        "ms",
        "1 day",
        partial(start_growth, days=YEAR, path=ONE_NODE),
        at_most=1.5,
    ),
    _of_a_year("series", "one field of one node over HTTP, a year in 366 points", SERIES.format(days=YEAR), at_most=5),
    Benchmark(
        "export-365d",
        "a year of one node as CSV (CPU)",
        "k rows/s",
        "bare SELECT and csv.writer",
        partial(start_export, days=YEAR),
    ),
]
