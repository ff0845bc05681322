"""Messages by MQTT: a backlog that a real broker holds, received, stored and acknowledged."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.outcome import Benchmark, Round, Size
from benchmarks.samples import START, folder, line
from isems.config import Config, parse_broker
from isems.storage.database import Database
from isems.subscriber import Subscriber
from tests.services import publish, run_mosquitto

LINES = 5
NODES = 50


@contextmanager
def start(size: Size) -> Iterator[Callable[[], Round]]:
    """Each node's messages follow each other without overlap, so that what is lost would be seen."""
    with folder() as path, run_mosquitto(path) as broker:
        database = Database(f"sqlite:///{path}/bench.db", has_inbox=True, is_durable=True)
        config = Config(database_url="", broker=parse_broker(broker.address), is_clock_trusted=True)
        _receive(config, database, lambda: True)  # from now on the broker keeps what comes for us
        counting = Database(f"sqlite:///{path}/bench.db")  # a reader of its own, as the dashboard is
        sent = 0

        def measure() -> Round:
            nonlocal sent
            messages = [_message(sent + number) for number in range(size.messages)]
            sent += size.messages
            publish(broker.port, messages)
            before = time.perf_counter()
            _receive(config, database, lambda: _count(counting) >= LINES * sent)
            seconds = time.perf_counter() - before
            stored = _count(counting)
            if stored != LINES * sent:
                raise RuntimeError(f"{stored} of {LINES * sent} records were stored")
            return Round(size.messages / seconds / 1000)

        yield measure
        counting.close()
        database.close()


def _message(number: int) -> tuple[str, bytes]:
    node, turn = f"Node-{number % NODES}", number // NODES
    lines = [line(node, LINES * turn + record, START) for record in range(LINES)]
    return f"/isems/{node}/csvlog", "\n".join(lines).encode()


def _receive(config: Config, database: Database, is_done: Callable[[], bool]) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Subscriber(config, database).run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 120
    while True:
        time.sleep(0.1)  # looking costs, too
        if is_done() or time.monotonic() > deadline or not thread.is_alive():
            break
    stop.set()
    thread.join()


def _count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM every_measurement").scalar_one())


BENCHMARKS = [
    Benchmark(
        "mqtt",
        "messages of 5 lines from a broker's backlog: received, stored, safe from a power cut, acknowledged",
        "k/s",
        "",
        start,
    )
]
