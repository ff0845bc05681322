"""Several collectors of one database: nodes that know who asks them while another does, and the processes."""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager

from sqlalchemy import text

from isems.storage.database import Database
from tests.end_to_end.test_serve import Running, measurements, started
from tests.services import Broker
from tests.sources.hostile_nodes import Handler, node_server

#: Lines that a node writes between two polls.
LINES = 3
#: The shortest that the settings allow.
INTERVAL = 10
SECONDS = 60


class Mesh:
    """Routers that take their time to answer, each with a log that grows by some lines at each poll."""

    def __init__(self, count: int, answer_seconds: float) -> None:
        self.addresses: list[str] = []
        self.polls = Counter[str]()
        #: The most requests that one node had at the same time.
        self.most_at_once = 0
        self.is_growing = True
        self._open = Counter[str]()
        self._logs: dict[str, list[bytes]] = {f"Dach {number}": [] for number in range(count)}
        self._seconds = answer_seconds
        self._start = int(time.time()) - 86_400

    @property
    def records(self) -> set[tuple[str, int]]:
        """Node and second of all that the nodes ever wrote."""
        return {(name, self._time_of(index)) for name, log in self._logs.items() for index in range(len(log))}

    def _time_of(self, index: int) -> int:
        return self._start + 60 * index

    def _grow(self, name: str) -> None:
        log = self._logs[name]
        for index in range(len(log), len(log) + LINES):
            values = f"ATmega8_A_1;0;0;20.5;20.1;{12 + index % 100 / 50};100;100;31;11.67;14.02;18;20;52.5;13.4;300"
            log.append(f"{name};1;{self._time_of(index)};{values}\n".encode())

    async def _answer(self, name: str, request: bytes) -> AsyncIterator[bytes]:
        if b"ffopenmppt.log " not in request:
            yield b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            return
        self.polls[name] += 1
        self._open[name] += 1
        self.most_at_once = max(self.most_at_once, self._open[name])
        try:
            await asyncio.sleep(self._seconds)
            if self.is_growing:
                self._grow(name)
            log = b"".join(self._logs[name])
            yield b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(log), log)
        finally:
            self._open[name] -= 1

    def _handler(self, name: str) -> Handler:
        return Handler(lambda request: self._answer(name, request))

    async def serve(self, is_ready: threading.Event, stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            for name in self._logs:
                node = await stack.enter_async_context(node_server(self._handler(name)))
                self.addresses.append(node.address.text)
            is_ready.set()
            await stop.wait()


@contextmanager
def running_mesh(count: int, answer_seconds: float) -> Iterator[Mesh]:
    """Nodes in a thread."""
    mesh, is_ready, stop = Mesh(count, answer_seconds), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(mesh.serve(is_ready, stop),))
    thread.start()
    try:
        assert is_ready.wait(SECONDS)
        yield mesh
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(SECONDS)
        loop.close()


class Collectors:
    """`isems serve` several times, each a replica of the MQTT subscriber too."""

    def __init__(self, url: str, broker: Broker, addresses: Sequence[str]) -> None:
        self.running: dict[str, Running] = {}
        self.environment = os.environ | {
            "DATABASE_URL": url,
            "MQTT_SERVER": broker.address,
            "ISEMS_MQTT_SHARE": "mesh",
            "ISEMS_CLOCK_TRUSTED": "yes",
            "ISEMS_ROUTER_IPS": ",".join(addresses),
            "ISEMS_POLL_INTERVAL": f"{INTERVAL}s",
            "ISEMS_POLL_DEADLINE": "3s",
            "ISEMS_PORT": "0",
        }
        self._contexts = []

    def start(self, *replicas: str) -> None:
        """Start these together, and wait until each polls and receives."""
        for replica in replicas:
            context = started("serve", **self.environment | {"ISEMS_MQTT_REPLICA": replica})
            self._contexts.append(context)
            self.running[replica] = context.__enter__()
        for replica in replicas:
            self.running[replica].wait_for("receiving by MQTT")

    def holder_of(self, replica: str) -> str:
        """The name under which it takes leases."""
        return self.running[replica].wait_for(r"polling \d+ addresses as (\S+)")[1]

    def kill(self, replica: str) -> None:
        process = self.running.pop(replica).process
        process.kill()
        process.wait()

    def end(self) -> None:
        for one in self.running.values():
            code, _ = one.end()
            assert code == 0, one.text

    def close(self) -> None:
        for context in self._contexts:
            context.__exit__(None, None, None)


@contextmanager
def running_collectors(url: str, broker: Broker, addresses: Sequence[str]) -> Iterator[Collectors]:
    collectors = Collectors(url, broker, addresses)
    try:
        yield collectors
    finally:
        collectors.close()


class Readers:
    """API processes, each asked again and again in a thread of its own."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = ports
        self.answers = Counter[int]()
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(port,)) for port in ports]

    def _read(self, port: int) -> None:
        while not self._stop.wait(0.1):
            try:
                measurements(port)
                self.answers[port] += 1
            except Exception as error:  # noqa: BLE001  # shown by the test
                self.errors.append(repr(error))

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SECONDS)


def holders(database: Database, *, is_polling: bool = False) -> Counter[str]:
    """How many addresses each collector polled last; or polls just now."""
    condition = "held_until IS NOT NULL" if is_polling else "holder IS NOT NULL"
    with database.read() as connection:
        rows = connection.execute(text(f"SELECT holder, count(*) FROM poll_target WHERE {condition} GROUP BY holder"))
        return Counter({row[0]: row[1] for row in rows})


def wait_until_gone(database: Database, holder: str) -> float:
    """Wait until all that one polled is polled by others; gives the seconds."""
    before = time.monotonic()
    while holders(database)[holder]:
        assert time.monotonic() - before < SECONDS, f"{holder} still has {holders(database)}"
        time.sleep(0.1)
    return time.monotonic() - before


def kill_while_polling(database: Database, collectors: Collectors, replica: str) -> str:
    """Kill one in the midst of a poll; gives the name that it had."""
    holder = collectors.holder_of(replica)
    deadline = time.monotonic() + SECONDS
    while not holders(database, is_polling=True)[holder]:
        assert time.monotonic() < deadline, f"{holder} polls nothing"
        time.sleep(0.01)
    collectors.kill(replica)
    return holder
