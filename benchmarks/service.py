"""The running service: how fast it answers over HTTP, how much memory it takes."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.outcome import Benchmark, Round, Size
from benchmarks.samples import CADENCE, DAY, database, fill
from isems.api.predecessor import NEWEST
from isems.storage.group_writer import REST_SECONDS
from isems.storage.inbox import COLUMNS, MAX_ROWS

Measure = Callable[[], Round]
ONE_NODE = "/measurements/Node-1/latest"
EVERY_NODE = "/measurements/latest"


@dataclass
class Service:
    """`isems serve` as a process of its own."""

    process: subprocess.Popen[bytes]
    connection: HTTPConnection
    path: str

    def get(self, path: str, **headers: str) -> tuple[int, str, bytes]:
        self.connection.request("GET", path, headers=headers)
        response = self.connection.getresponse()
        return response.status, response.headers.get("ETag", ""), response.read()

    def milliseconds(self, requests: int, path: str, **headers: str) -> float:
        """The median of several requests, one after the other."""
        times = []
        for _ in range(requests):
            before = time.perf_counter()
            self.get(path, **headers)
            times.append(time.perf_counter() - before)
        return 1000 * median(times)

    def cpu_seconds(self) -> float:
        """CPU time that the process has taken so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000


@contextmanager
def service(nodes: int, days: int) -> Iterator[Service]:
    with database() as opened:
        fill(opened, nodes, days * DAY // CADENCE)
        path = opened.url.database or ""
        with serving(f"sqlite:///{path}", Path(path).parent) as (process, connection):
            yield Service(process, connection, path)


@contextmanager
def serving(url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], HTTPConnection]]:
    """`isems serve` on a database, and a connection to it."""
    port = _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "ISEMS_PORT": str(port),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "isems", "serve"],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with closing(_connect(port)) as connection:
            yield process, connection
    finally:
        process.terminate()
        process.wait(20)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _connect(port: int) -> HTTPConnection:
    deadline = time.monotonic() + 30
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return connection


def fill_inbox(path: str, nodes: int, rows: int = MAX_ROWS) -> None:
    """Let the newest rows wait in the inbox, nearly as many as it takes: then they take longest to read."""
    with closing(sqlite3.connect(path)) as bare, bare:
        if bare.execute("SELECT count(*) FROM inbox").fetchone() != (0,):
            return
        minutes = max(1, rows // nodes - 1)
        columns = ", ".join(f"m.{column}" for column in COLUMNS[2:])
        bare.execute(
            f"INSERT INTO inbox ({', '.join(COLUMNS)}) SELECT m.node_id, m.measured_at + 60 * minute.value, {columns}"
            " FROM json_each(?) minute CROSS JOIN node n CROSS JOIN measurement m ON m.node_id = n.id"
            " AND m.measured_at = (SELECT max(measured_at) FROM measurement WHERE node_id = n.id)",
            (json.dumps(list(range(1, 1 + minutes))),),
        )


@contextmanager
def start_newest_of_each(size: Size, days: int) -> Iterator[Measure]:
    with service(size.nodes, days) as running:

        def measure() -> Round:
            fill_inbox(running.path, size.nodes)
            running.get(EVERY_NODE)
            return Round(running.milliseconds(size.requests, EVERY_NODE))

        yield measure


@contextmanager
def start_flat(size: Size) -> Iterator[Measure]:
    with service(size.nodes, size.days[0]) as short, service(size.nodes, size.days[-1]) as long:

        def measure() -> Round:
            for running in (long, short):
                fill_inbox(running.path, size.nodes)
            figure = long.milliseconds(size.requests, EVERY_NODE)
            return Round(figure, short.milliseconds(size.requests, EVERY_NODE))

        yield measure


#: The twenty keys of the answer, straight from the tables.
_SELECT_AND_JOIN = (
    f"SELECT {', '.join('m.' + column for column in COLUMNS)}, c.firmware, c.latitude, c.longitude, c.isems_revision,"
    " c.rated_panel_watts FROM"
    f" (SELECT * FROM every_measurement WHERE node_id = 2 ORDER BY measured_at DESC LIMIT {NEWEST}) m"
    " CROSS JOIN configuration c ON c.id = m.configuration_id"
)


def _select_and_encode(path: str, requests: int) -> float:
    """Bare SELECT of the same rows, each a dict of as many keys, to JSON; milliseconds."""
    bare = sqlite3.connect(path)
    times = []
    for _ in range(requests):
        before = time.perf_counter()
        found = bare.execute(_SELECT_AND_JOIN)
        names = [column[0] for column in found.description]
        msgspec.json.encode({"measurements": [dict(zip(names, row, strict=True)) for row in found.fetchall()]})
        times.append(time.perf_counter() - before)
    bare.close()
    return 1000 * median(times)


@contextmanager
def start_newest_of_one(size: Size) -> Iterator[Measure]:
    with service(size.nodes, 2) as running:
        running.get(ONE_NODE)

        def measure() -> Round:
            fill_inbox(running.path, size.nodes)
            figure = running.milliseconds(size.requests, ONE_NODE)
            return Round(figure, _select_and_encode(running.path, size.requests))

        yield measure


@contextmanager
def start_not_modified(size: Size) -> Iterator[Measure]:
    with service(size.nodes, 2) as running:
        _, etag, _ = running.get(ONE_NODE)
        status, _, body = running.get(ONE_NODE, **{"If-None-Match": etag})
        if (status, body) != (304, b""):
            raise RuntimeError(f"asked again with its ETag, the service answered {status}")
        yield lambda: Round(running.milliseconds(size.requests, ONE_NODE, **{"If-None-Match": etag}))


#: How long an idle service is watched.
IDLE_SECONDS = 5


@contextmanager
def start_cpu_idle(size: Size) -> Iterator[Measure]:
    with service(size.nodes, 1) as running:
        running.get("/healthz")
        time.sleep(REST_SECONDS + 1)  # after its start it looks once whether the inbox is to be settled

        def measure() -> Round:
            before = running.cpu_seconds()
            time.sleep(IDLE_SECONDS)
            # The system counts in hundredths of a second, of which no binary fraction is exact.
            return Round(round(1000 * (running.cpu_seconds() - before) / IDLE_SECONDS, 3))

        yield measure


@contextmanager
def start_memory_idle(size: Size) -> Iterator[Measure]:
    with service(size.nodes, 1) as running:
        running.get("/healthz")
        yield lambda: Round(running.megabytes())


@contextmanager
def start_memory_after_load(size: Size) -> Iterator[Measure]:
    with service(size.nodes, 2) as running:

        def measure() -> Round:
            for _ in range(4 * size.requests):
                running.get(ONE_NODE)
                running.get(EVERY_NODE)
            return Round(running.megabytes())

        yield measure


def newest_of_each(days: int, name: str) -> Benchmark:
    return Benchmark(
        f"newest-{days}d",
        f"newest of every node over HTTP, {name} of 100 nodes",
        "ms",
        "",
        partial(start_newest_of_each, days=days),
        at_most=5,
    )


BENCHMARKS = [
    newest_of_each(1, "1 day"),
    newest_of_each(30, "30 days"),
    Benchmark(
        "newest-flat", "the same, the longest history beside the shortest", "ms", "1 day", start_flat, at_most=1.5
    ),
    Benchmark(
        "newest-1440",
        "newest 1440 of one node over HTTP, no gzip",
        "ms",
        "bare SELECT and encode",
        start_newest_of_one,
        at_most=3,
    ),
    Benchmark("not-modified", "the same, unchanged since (304)", "ms", "", start_not_modified, at_most=1),
    Benchmark("cpu-idle", "CPU time of the service, idle", "ms/s", "", start_cpu_idle, at_most=2),
    Benchmark("memory-idle", "memory of the service, idle", "MB", "", start_memory_idle, at_most=80),
    Benchmark("memory-load", "the same, after load", "MB", "", start_memory_after_load, at_most=80),
]
