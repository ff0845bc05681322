"""Messages by MQTT through a real broker: received, stored and acknowledged, beside what the broker's own client does."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from benchmarks.outcome import Benchmark, Round, Size
from benchmarks.samples import CADENCE, DAY, START, checkpoint, fill, folder, line
from benchmarks.storing import written_bytes
from isems.config import Config, parse_broker
from isems.domain.payload import Payload
from isems.ingest import IngestResult
from isems.sources.mqtt import RECEIVE_MAXIMUM
from isems.storage.database import Database
from isems.subscriber import Subscriber
from tests.services import MOSQUITTO_CLIENTS, Broker, publish, require_service, run_mosquitto

Measure = Callable[[], Round]
LINES = 5
SECONDS = 120
#: The broker holds all that is published at once, for two subscribers.
SETTINGS = ("allow_anonymous true", "max_queued_messages 0", "max_queued_bytes 0")


class _Counting(Subscriber):
    """Knows how much it has stored: looking into the database all the time would cost what is to be measured."""

    def __init__(self, config: Config, database: Database) -> None:
        super().__init__(config, database)
        self.stored = 0
        self._has_stored = threading.Condition()

    def write(self, payloads: Sequence[Payload]) -> list[IngestResult | Exception]:
        results = super().write(payloads)
        with self._has_stored:
            self.stored += sum(result.stored for result in results if isinstance(result, IngestResult))
            self._has_stored.notify_all()
        return results

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def await_stored(self, records: int) -> None:
        """Wait until this is what it has stored in all."""
        with self._has_stored:
            self._has_stored.wait_for(lambda: self.stored >= records, SECONDS)
        if self.stored != records:
            raise RuntimeError(f"{self.stored} of {records} records were stored")

    def receive(self, records: int) -> float:
        """Receive until so many more are stored; gives the seconds, connecting included."""
        before = time.perf_counter()
        with self.running():
            self.await_stored(self.stored + records)
            return time.perf_counter() - before


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    """As `flask subscribe` opens it."""
    database = Database(f"sqlite:///{path}/bench.db", has_inbox=True, is_durable=True)
    try:
        yield database
    finally:
        database.close()


def _subscribe(broker: Broker, database: Database, commit_interval: float = 1.0) -> _Counting:
    """Give a subscriber for which the broker keeps from now on what comes."""
    at = parse_broker(broker.address)
    config = Config(database_url="", broker=at, is_clock_trusted=True, commit_interval=commit_interval)
    subscriber = _Counting(config, database)
    with subscriber.running():
        deadline = time.monotonic() + SECONDS
        while not subscriber.stored:
            if time.monotonic() > deadline:
                raise RuntimeError("nothing is received")
            publish(broker.port, [("/isems/First/csvlog", line("First", 0).encode())])
            time.sleep(0.1)
    return subscriber


def _message(number: int, nodes: int) -> tuple[str, bytes]:
    """Each node's messages follow each other without overlap, so that what is lost would be seen."""
    node, turn = f"Node-{number % nodes}", number // nodes
    lines = [line(node, LINES * turn + record, START) for record in range(LINES)]
    return f"/isems/{node}/csvlog", "\n".join(lines).encode()


def _subscribe_bare(broker: Broker, *more: str) -> float:
    """Let the broker's own subscriber do as much as ours; gives the seconds."""
    program = require_service(MOSQUITTO_CLIENTS) / "mosquitto_sub"
    command = [str(program), "-p", str(broker.port), "-V", "mqttv5", "-q", "1", "-c", "-i", "bare", "-x", "3600"]
    command += ["-D", "connect", "receive-maximum", str(RECEIVE_MAXIMUM), "-t", "/isems/#", *more]
    before = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=SECONDS, check=True)
    return time.perf_counter() - before


@contextmanager
def start_rate(size: Size, *, nodes: int) -> Iterator[Measure]:
    """Both sides have the same backlog."""
    with folder() as path, run_mosquitto(path, *SETTINGS) as broker, _opened(path) as database:
        # The last messages fill no group: the usual second that they wait for more is not what is measured.
        subscriber = _subscribe(broker, database, commit_interval=0.05)
        _subscribe_bare(broker, "-E")  # from now on the broker keeps for it what comes
        sent = 0

        def measure() -> Round:
            nonlocal sent
            publish(broker.port, [_message(sent + number, nodes) for number in range(size.messages)])
            sent += size.messages
            seconds = subscriber.receive(LINES * size.messages)
            bare_seconds = _subscribe_bare(broker, "-C", str(size.messages))
            return Round(size.messages / seconds / 1000, size.messages / bare_seconds / 1000)

        yield measure


@contextmanager
def start_memory(size: Size) -> Iterator[Measure]:
    """`isems subscribe` as a process of its own, in front of a long backlog; once, because it takes long."""
    with folder() as path, run_mosquitto(path, *SETTINGS) as broker, _opened(path) as database:
        _subscribe(broker, database)

        @cache
        def measure() -> Round:
            each = size.backlog // 10
            for number in range(10):
                _publish_lines(broker, f"Node-{number}", each)
            return Round(_peak_megabytes(database, broker, 1 + 10 * each))

        yield measure


def _publish_lines(broker: Broker, node: str, count: int) -> None:
    """Publish messages of one line, faster than Python could."""
    program = require_service(MOSQUITTO_CLIENTS) / "mosquitto_pub"
    command = [str(program), "-p", str(broker.port), "-q", "1", "-t", f"/isems/{node}/csvlog", "-l"]
    lines = "".join(f"{line(node, number, START)}\n" for number in range(count))
    subprocess.run(command, input=lines.encode(), timeout=SECONDS, check=True)


def _peak_megabytes(database: Database, broker: Broker, records: int) -> float:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database.url.render_as_string(),
        "MQTT_SERVER": broker.address,
        "ISEMS_CLOCK_TRUSTED": "yes",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = subprocess.Popen([sys.executable, "-m", "isems", "subscribe"], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SECONDS
        while (stored := _count(database)) < records:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"{records - stored} of {records} records were not stored")
            time.sleep(0.5)
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1000
    finally:
        process.terminate()
        process.wait(SECONDS)


def _count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM every_measurement").scalar_one())


#: A board's rhythm: a record each 15 s, the newest five of them published each 65 s.
RECORD_SECONDS, PUBLISH_SECONDS = 15, 65
COMMIT_SECONDS = 30


def _newest(turn: int) -> int:
    """Which record is the newest in a board's message of this turn."""
    return PUBLISH_SECONDS * turn // RECORD_SECONDS if turn >= 0 else -1


def _board_message(number: int, nodes: int) -> tuple[str, bytes]:
    """Two of three share a record with the one before."""
    node, newest = f"Node-{number % nodes}", _newest(number // nodes)
    slower = CADENCE - RECORD_SECONDS
    lines = [line(node, one, START - slower * one) for one in range(max(0, newest - 4), newest + 1)]
    return f"/isems/{node}/csvlog", "\n".join(lines).encode()


@contextmanager
def start_written(size: Size) -> Iterator[Measure]:
    """A fleet of boards, after a day of history. What comes in 30 s is published and committed at once, the rest of the
    30 s is not waited for. So long that the inbox is full and settled once.
    """
    together = max(1, size.nodes * COMMIT_SECONDS // PUBLISH_SECONDS)
    with folder() as path, run_mosquitto(path, *SETTINGS) as broker, _opened(path) as database:
        database.make_ready()
        fill(database, size.nodes, DAY // CADENCE, START)
        subscriber = _subscribe(broker, database, commit_interval=0.05)
        sent = 0

        def measure() -> Round:
            nonlocal sent
            stored, before = subscriber.stored, written_bytes()
            for _ in range(size.groups):
                numbers = range(sent, sent + together)
                new = sum(_newest(one // size.nodes) - _newest(one // size.nodes - 1) for one in numbers)
                expected = subscriber.stored + new
                publish(broker.port, [_board_message(one, size.nodes) for one in numbers])
                subscriber.await_stored(expected)
                sent += together
            checkpoint(database)
            return Round((written_bytes() - before) / (subscriber.stored - stored))

        with subscriber.running():
            yield measure


def _rate(nodes: int) -> Benchmark:
    return Benchmark(
        f"mqtt-{nodes}",
        f"messages of 5 lines, {nodes} {'nodes' if nodes > 1 else 'node'}: received, stored, safe from a power cut, acknowledged",
        "k/s",
        "mosquitto_sub",
        partial(start_rate, nodes=nodes),
        # A ratio would judge the machine: with a faster one C gains more than Python.
        at_least=5,
        is_absolute=True,
    )


BENCHMARKS = [
    _rate(1),
    _rate(50),
    _rate(1000),
    Benchmark(
        "mqtt-memory",
        "most memory of the subscriber with 100 000 messages before it",
        "MB",
        "",
        start_memory,
        at_most=80,
    ),
    Benchmark(
        "mqtt-written",
        "bytes written a measurement by MQTT, 100 boards, a commit each 30 s",
        "B",
        "",
        start_written,
        at_most=1000,
    ),
]
