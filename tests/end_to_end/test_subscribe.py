"""`flask subscribe` with a real broker: what the broker got is stored once, whatever is killed meanwhile."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import randrange

import pytest

from isems.storage.database import Database
from isems.storage.rejected import select_rejected
from isems.storage.replicas import CLIENT_ID
from isems.storage.states import read_state
from tests.published import line, messages, records_of, start_of, stored, wait_until
from tests.services import Broker, publish, run_mosquitto
from tests.storm import BROKER_STOPS, KILLS, storm
from tests.subscribing import FLASK, ROOT, end, running, wait_for_line


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with run_mosquitto(tmp_path) as running:
        yield running


def test_what_is_published_is_stored_and_in_the_table_at_the_end(database_url: str, broker: Broker) -> None:
    sent = messages(start_of(40), 40)
    database = Database(database_url)
    with running(database_url, broker) as process:
        wait_for_line(process, "receiving by MQTT 5")
        publish(broker.port, sent)
        wait_until(lambda: len(stored(database)) == len(records_of(sent)))
        end(process)
    assert sorted(stored(database, "measurement")) == sorted(records_of(sent))
    database.close()


def test_killed_again_and_again_with_its_broker_it_loses_nothing_and_stores_nothing_twice(
    database_url: str, broker: Broker
) -> None:
    """The predecessor lost what came while it was dead, and a quarter of a burst while it was not. `make soak` has more."""
    seed = randrange(1_000_000)
    print(f"seed {seed}")
    with storm(database_url, broker, nodes=10, burst=1500, seed=seed, longest_pause=1.5) as one:
        one.blow({KILLS: 5, BROKER_STOPS: 2})
        figures = one.settle()
    print(figures)
    assert figures.acknowledged == figures.published > 0
    assert figures.stored == figures.records
    assert (figures.duplicate, figures.missing, figures.strange, figures.rejected) == (0, 0, 0, 0)


def test_a_broker_that_is_restarted_costs_nothing(sqlite_url: str, broker: Broker) -> None:
    first, second = messages(start_of(100), 50), messages(start_of(100) - 86_400, 50)
    database = Database(sqlite_url)
    with running(sqlite_url, broker, ISEMS_COMMIT_INTERVAL="300s") as process:
        wait_for_line(process, "receiving")
        publish(broker.port, first)
        broker.stop()  # it has what was not acknowledged on its disk
        wait_for_line(process, "the connection to the broker was lost")
        broker.start()
        wait_for_line(process, "receiving")
        publish(broker.port, second)
        end(process)
    expected = records_of(first) | records_of(second)
    with running(sqlite_url, broker):  # for what the broker had not sent when the other one ended
        wait_until(lambda: len(stored(database)) >= len(expected))
    assert sorted(stored(database)) == sorted(expected)
    database.close()


def test_bad_messages_are_kept_with_their_reason_and_stop_nothing(database_url: str, broker: Broker) -> None:
    """Defects 1 to 6: each of these ended the predecessor, a retained one at every start."""
    now = int(time.time())
    bad = {
        "/isems/Dach/csvlog": [b"\xff\xfe", b"hello", b"a" * 200_000, line("Other", now).encode()],
        "/isems/Dach/data.json": [b"{", b"[1]"],
        "/isems/Dach/unknown": [b"1"],
        "isems/deep": [b"1"],
    }
    publish(broker.port, [("/isems/Dach/csvlog", b"retained garbage")], retain=True)
    database = Database(database_url)
    with running(database_url, broker) as process:
        wait_for_line(process, "receiving")
        publish(broker.port, [(topic, data) for topic, payloads in bad.items() for data in payloads])
        publish(broker.port, [("/isems/Dach/csvlog", b""), ("/isems/Dach/csvlog", line("Dach", now).encode())])
        wait_until(lambda: stored(database) == [("Dach", now)])
        end(process)
    with database.read() as connection:
        kept = {(piece.address, piece.reason) for piece in select_rejected(connection)}
    assert kept == {
        ("/isems/Dach/csvlog", "encoding"),
        ("/isems/Dach/csvlog", "no_format"),
        ("/isems/Dach/csvlog", "field_count"),
        ("/isems/Dach/csvlog", "too_long"),
        ("/isems/Dach/csvlog", "node_foreign"),
        ("/isems/Dach/data.json", "no_format"),
        ("/isems/Dach/unknown", "topic"),
        ("isems/deep", "topic"),
    }
    database.close()


def test_a_second_subscriber_waits_says_so_and_takes_over_from_a_killed_one(database_url: str, broker: Broker) -> None:
    now = int(time.time())
    database = Database(database_url)
    with running(database_url, broker) as first:
        wait_for_line(first, "receiving")
        with running(database_url, broker) as second:
            wait_for_line(second, "another process receives by MQTT")
            first.kill()
            wait_for_line(second, "receiving")
            publish(broker.port, [("/isems/Dach/csvlog", line("Dach", now).encode())])
            wait_until(lambda: stored(database) == [("Dach", now)])
            end(second)
    database.close()


def test_two_databases_on_one_broker_both_get_everything(tmp_path: Path, broker: Broker) -> None:
    now = int(time.time())
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("one", "other")]
    with running(urls[0], broker) as one, running(urls[1], broker) as other:
        for process in (one, other):
            wait_for_line(process, "receiving")
        publish(broker.port, [("/isems/Dach/csvlog", line("Dach", now).encode())])
        ids = set()
        for url in urls:
            database = Database(url)
            wait_until(lambda database=database: stored(database) == [("Dach", now)])  # type: ignore[misc]
            with database.read() as connection:
                ids.add(read_state(connection, CLIENT_ID))
            database.close()
        assert len(ids) == 2


def test_the_service_receives_polls_and_serves(sqlite_url: str, broker: Broker) -> None:
    now = int(time.time())
    with running(
        sqlite_url, broker, sys.executable, "-m", "isems", "serve", ISEMS_PORT="0", ISEMS_COMMIT_INTERVAL="0s"
    ) as process:
        assert process.stderr is not None
        address = ""
        for said in process.stderr:
            address = said.partition("serving on ")[2].strip() or address
            if "receiving by MQTT" in said:
                break
        publish(broker.port, [("/isems/Dach/csvlog", line("Dach", now).encode())])

        def is_served() -> bool:
            with urllib.request.urlopen(f"{address}/measurements/latest", timeout=10) as answer:
                return [one["nodeId"] for one in json.load(answer)["measurements"]] == ["Dach"]

        wait_until(is_served)
        end(process)


def test_without_a_broker_it_is_a_matter_of_configuration(tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'isems.db'}"}
    done = subprocess.run(
        [*FLASK, "subscribe"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (
        2,
        "Error: MQTT_SERVER is not set, expected the address of the broker\n",
    )
