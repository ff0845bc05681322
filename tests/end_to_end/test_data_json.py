"""Samples without a time, through a real broker and `flask subscribe`."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isems.storage.database import Database
from tests.end_to_end.test_subscribe import end, running, wait_for_line
from tests.published import line, stored, wait_until
from tests.services import Broker, publish, run_mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with run_mosquitto(tmp_path) as started:
        yield started


def sample(ticks: int) -> tuple[str, bytes]:
    body = {"batteryVoltage": 12.5, "status": "500", "timeToShutdown": ticks}
    return "isems/testdrive/foobar/Balkon/data.json", json.dumps(body).encode()


def test_samples_are_stored_live_and_after_an_outage_when_they_were_taken(database_url: str, broker: Broker) -> None:
    """The node sends CSV by the other factory prefix, which is what tells how long the samples waited."""
    database = Database(database_url)
    with running(database_url, broker) as process:
        wait_for_line(process, "receiving")
        publish(broker.port, [sample(3400)])
        wait_until(lambda: len(stored(database)) == 1)
        end(process)
    (_, first_at) = stored(database)[0]
    assert abs(first_at - time.time()) < 60
    publish(broker.port, [sample(3100), sample(3096), sample(3092)])  # nobody receives
    with running(database_url, broker) as process:
        wait_for_line(process, "receiving")
        now = int(time.time())
        publish(broker.port, [("/isems/Balkon/csvlog", line("Balkon", now).replace(";3600;", ";3081;").encode())])
        wait_until(lambda: len(stored(database)) == 5)
        end(process)
    assert sorted(stored(database)) == [("Balkon", at) for at in (now - 300, now - 240, now - 180, first_at, now)]
    database.close()
