"""What goes on beside receiving by MQTT."""

import threading
from typing import cast

import pytest

import isems.subscriber
from isems.config import Config, parse_broker
from isems.domain.payload import Payload, Source
from isems.storage.database import Database
from isems.storage.locks import HeldLock
from isems.storage.newest import count_measurements
from isems.subscriber import Subscriber, _Watch, moment_of
from tests.published import wait_until
from tests.samples import NOON, moment

SAMPLE = b'{"batteryVoltage": 12.5, "status": "500", "timeToShutdown": 3000}'


class Held:
    """A lock that is never lost."""

    def is_held(self) -> bool:
        return True


def count(database: Database) -> int:
    with database.read() as connection:
        return count_measurements(connection)


def test_what_waits_for_our_clock_is_stored_by_the_subscriber_alone(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`flask subscribe` may be the only process: what came before the machine knew the time must not wait for another."""
    clock = moment(NOON - 90 * 86_400, is_trusted=False, uptime=100)
    monkeypatch.setattr(isems.subscriber, "read_moment", lambda **_: clock)
    monkeypatch.setattr(isems.subscriber, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(isems.subscriber, "JUDGE_SECONDS", 0)
    database = Database(sqlite_url)
    config = Config(database_url="", broker=parse_broker("127.0.0.1"))
    subscriber = Subscriber(config, database)
    came = Payload(data=SAMPLE, source=Source.MQTT, address="t", received_at=clock.now, node_hint="a")
    subscriber.write([came])
    stop, end = threading.Event(), threading.Event()
    watch = _Watch(database, "1", "broker", cast(HeldLock, Held()), lambda: moment_of(config))
    thread = threading.Thread(target=watch.run, args=(stop, end))
    thread.start()
    try:
        assert count(database) == 0
        clock = moment(NOON, uptime=400)
        wait_until(lambda: count(database) == 1)
    finally:
        stop.set()
        thread.join()
    with database.read() as connection:
        stored = connection.exec_driver_sql("SELECT measured_at FROM every_measurement").scalar()
    assert stored == NOON - 300
    database.close()
