"""A storm: nodes publish by MQTT while the subscriber is killed and the broker stopped, again and again.

What the broker acknowledged must be in the database, once. `tests/end_to_end` has a short one, `tests/soak` a long one.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import text

from isems.storage.database import Database
from tests.published import message, volts_of
from tests.services import Broker

ROOT = Path(__file__).resolve().parent.parent
#: So long nothing may happen before it is taken for the end.
SECONDS = 90
#: Longest time that the broker is away.
LONGEST_ABSENCE = 0.5

#: Node and second, and what tells a record from the node's others.
Record = tuple[str, int, int]


class Figures(NamedTuple):
    """What became of it all."""

    published: int
    acknowledged: int
    #: Records in the messages that were acknowledged, each counted once.
    records: int
    stored: int
    #: Rows beyond the first of a record.
    duplicate: int
    #: Records of acknowledged messages that are not stored as they were sent.
    missing: int
    #: Stored records that nobody sent.
    strange: int
    rejected: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._asdict().items())


class Fleet:
    """Nodes with a connection each, that publish at QoS 1 and send again what the broker has not acknowledged."""

    def __init__(self, port: int, nodes: int) -> None:
        self._acknowledged: set[tuple[int, int]] = set()
        self._numbers: dict[tuple[int, int], int] = {}
        self._clients = [self._connect(port, node) for node in range(nodes)]

    def _connect(self, port: int, node: int) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"node-{node}")
        client.on_publish = lambda _client, _data, mid, *_: self._acknowledged.add((node, mid))
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", port)
        client.loop_start()
        return client

    @property
    def published(self) -> int:
        return len(self._numbers)

    @property
    def waiting(self) -> int:
        return len(self._numbers) - len(self._acknowledged)

    def acknowledged(self) -> set[int]:
        """The numbers of the messages that the broker has promised to deliver."""
        return {self._numbers[key] for key in tuple(self._acknowledged)}

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Let each node publish its part; returns before the broker has it."""
        for topic, data in messages:
            node = self.published % len(self._clients)
            sent = self._clients[node].publish(topic, data, qos=1)
            self._numbers[(node, sent.mid)] = self.published

    def close(self) -> None:
        for client in self._clients:
            client.disconnect()
        for client in self._clients:
            client.loop_stop()


class Subscriber:
    """`flask subscribe`, and again after each kill."""

    def __init__(self, url: str, broker: Broker) -> None:
        self.log = broker.folder / "subscriber.log"
        self._environment = {
            **os.environ,
            "DATABASE_URL": url,
            "MQTT_SERVER": broker.address,
            "ISEMS_CLOCK_TRUSTED": "yes",
        }
        self._start()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self._process = subprocess.Popen(
                (sys.executable, "-m", "flask", "subscribe"), cwd=ROOT, env=self._environment, stderr=log
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def await_session(self) -> None:
        """Wait until it receives; from the first time on the broker keeps for it whatever is published."""
        deadline = time.monotonic() + SECONDS
        while b"receiving by MQTT" not in self.log.read_bytes()[self._begin :]:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it, and start another one."""
        self.kill()
        self._start()

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(SECONDS) == 0, self.log.read_text()


@dataclass
class Storm:
    """Nodes, subscriber and broker; the same seed gives the same faults in the same order, as far as a machine's can."""

    url: str
    broker: Broker
    nodes: int
    #: Messages that are published at once, when what was published before is nearly stored.
    burst: int
    seed: int
    #: Seconds before the next fault: a start takes one, so most hit a process that receives.
    longest_pause: float = 2.5
    #: Says how far it is, to whoever watches.
    tell: Callable[[str], None] = lambda sentence: None
    start: int = field(default_factory=lambda: int(time.time()) - 30 * 86_400)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.done = dict.fromkeys(FAULTS, 0)
        self.database = Database(self.url)
        self.subscriber = Subscriber(self.url, self.broker)
        self.subscriber.await_session()
        self.fleet = Fleet(self.broker.port, self.nodes)

    def close(self) -> None:
        self.fleet.close()
        self.subscriber.kill()
        self.database.close()

    def blow(self, faults: dict[str, int]) -> None:
        """Let so many of each kind of fault happen at random moments, in random order."""
        kinds = [kind for kind, count in faults.items() for _ in range(count)]
        self.random.shuffle(kinds)
        for kind in kinds:
            self.feed()
            time.sleep(self.random.uniform(0, self.longest_pause))
            FAULTS[kind](self)
            self.done[kind] += 1

    def feed(self) -> None:
        """Publish a burst when nearly everything of those before is stored."""
        if self._count_stored() >= 4 * (self.fleet.published - self.burst // 2):
            first = self.fleet.published
            self.fleet.publish(message(self.start, first + n, self.nodes) for n in range(self.burst))
        self._tell()

    def settle(self) -> Figures:
        """Wait until everything is stored or nothing happens any more, end the subscriber, and look."""
        before, deadline = (-1, -1), time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            now = self._count_stored(), self.fleet.waiting
            if not now[1] and now[0] >= len(self.records(range(self.fleet.published))):
                break
            if now != before:
                before, deadline = now, time.monotonic() + SECONDS
            time.sleep(0.2)
            self._tell()
        self.subscriber.await_session()  # the last kill may have been this moment
        self.subscriber.end()
        return self._look()

    def records(self, numbers: Iterable[int]) -> set[Record]:
        """What the messages with these numbers hold."""
        found = set()
        for number in numbers:
            node, turn = f"Balkon {number % self.nodes}", number // self.nodes
            times = (self.start + 15 * (4 * turn + record) for record in range(5))
            found.update((node, at, round(1000 * volts_of(at))) for at in times)
        return found

    def _look(self) -> Figures:
        """In the table itself: when a subscriber has ended, nothing may be left in its inbox."""
        with self.database.read() as connection:
            statement = (
                "SELECT n.name, m.measured_at, m.battery_millivolts FROM measurement m JOIN node n ON n.id = m.node_id"
            )
            rows = [(row[0], row[1], row[2]) for row in connection.execute(text(statement))]
            rejected = connection.execute(text("SELECT coalesce(sum(times), 0) FROM rejected")).scalar_one()
        stored, wanted = set(rows), self.records(self.fleet.acknowledged())
        return Figures(
            published=self.fleet.published,
            acknowledged=len(self.fleet.acknowledged()),
            records=len(wanted),
            stored=len(rows),
            duplicate=len(rows) - len({row[:2] for row in rows}),
            missing=len(wanted - stored),
            strange=len(stored - self.records(range(self.fleet.published))),
            rejected=int(rejected),
        )

    def _count_stored(self) -> int:
        with self.database.read() as connection:
            return int(connection.execute(text("SELECT count(*) FROM every_measurement")).scalar_one())

    def _tell(self) -> None:
        self.tell(f"{self.fleet.published} published, {self.fleet.waiting} not acknowledged, {self.faults}")

    @property
    def faults(self) -> str:
        """What happened, for people."""
        return ", ".join(f"{kind} {count}" for kind, count in self.done.items())

    def kill_subscriber(self) -> None:
        self.subscriber.restart()

    def stop_broker(self) -> None:
        """As a system does that is shut down: mosquitto writes to disk what it holds."""
        self.broker.stop()
        time.sleep(self.random.uniform(0, LONGEST_ABSENCE))
        self.broker.start()

    def kill_broker(self) -> None:
        """It forgets what it acknowledged since it last wrote to disk."""
        assert self.broker.process is not None
        self.broker.process.kill()
        self.broker.process.wait()
        self.broker.start()


KILLS, BROKER_STOPS, BROKER_KILLS = "kills", "broker stops", "broker kills"
FAULTS: dict[str, Callable[[Storm], None]] = {
    KILLS: Storm.kill_subscriber,
    BROKER_STOPS: Storm.stop_broker,
    BROKER_KILLS: Storm.kill_broker,
}


@contextmanager
def storm(url: str, broker: Broker, **more: object) -> Iterator[Storm]:
    """Begin one; everything that it started is gone afterwards."""
    begun = Storm(url, broker, **more)  # type: ignore[arg-type]
    try:
        yield begun
    finally:
        begun.close()
