"""A poll of many slow nodes beside an ideal one."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from math import ceil

from benchmarks.outcome import Benchmark, Round, Size
from benchmarks.samples import database
from isems.collector import WAVE_SECONDS, Collector
from isems.config import Config
from isems.storage.database import Database

#: Where the nodes are, counting up.
FIRST_HOST = IPv4Address("127.84.0.1")


@contextmanager
def slow_nodes(count: int, seconds: float) -> Iterator[list[str]]:
    """Nodes in a process of their own, each with a loopback address; what they answer first is not delayed."""
    command = [sys.executable, "-m", "benchmarks.slow_nodes", str(FIRST_HOST), str(count), str(seconds)]
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=here) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield [f"{FIRST_HOST + number}:{port}" for number in range(count)]
        finally:
            process.terminate()


@contextmanager
def start(size: Size) -> Iterator[Callable[[], Round]]:
    with database() as opened, slow_nodes(size.polled, size.poll_seconds) as addresses:
        config = Config(
            database_url="",
            router_ips=tuple(addresses),
            is_clock_trusted=True,
            poll_concurrency=size.polled_at_once,
            poll_deadline=20,
        )
        _poll(config, opened)  # from now on each node has one thing to tell

        def measure() -> Round:
            before = time.perf_counter()
            _poll(config, opened)
            ideal = ceil(size.polled / size.polled_at_once) * size.poll_seconds
            return Round(time.perf_counter() - before, ideal)

        yield measure


def _poll(config: Config, opened: Database) -> None:
    async def poll() -> None:
        collector = Collector(config, opened, commit_seconds=WAVE_SECONDS)  # as `flask update-data` does
        try:
            reports = await collector.poll_once(lambda report: None)
        finally:
            collector.close()
        failed = [report for report in reports if report.error is not None or not report.result.stored]
        if failed:
            raise RuntimeError(f"{len(failed)} nodes were not stored, the first is {failed[0]}")

    asyncio.run(poll())


BENCHMARKS = [
    Benchmark("poll", "poll of 1000 nodes that take 0.5 s each, 400 at once", "s", "ideal", start, at_most=1.25)
]
