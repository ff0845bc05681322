"""Several subscribers of one database with a real broker: who receives what, and that nothing is lost between them."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from isems import subscriber
from isems.api.app import create_app
from isems.config import Config, parse_broker
from isems.errors import SourceError
from isems.sources import mqtt_retirement
from isems.storage.database import Database
from isems.storage.replicas import CLIENT_ID, FILTERS, select_replicas
from isems.storage.states import read_state, save_state
from isems.subscriber import Subscriber, retire
from tests.published import line, messages, records_of, start_of, stored, wait_until
from tests.services import Broker, PostgresServer, publish, run_mosquitto
from tests.subscribing import ROOT, end, running, wait_for_line

SECONDS = 60


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with run_mosquitto(tmp_path) as running_broker:
        yield running_broker


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def member(url: str, broker: Broker, replica: str, **more: str) -> Any:
    return running(url, broker, ISEMS_MQTT_SHARE="mesh", ISEMS_MQTT_REPLICA=replica, **more)


def run_retire(url: str, broker: Broker, replica: str) -> "subprocess.CompletedProcess[str]":
    environment = {"DATABASE_URL": url, "MQTT_SERVER": broker.address, "ISEMS_CLOCK_TRUSTED": "yes"}
    return subprocess.run(
        [sys.executable, "-m", "isems", "retire-replica", replica],
        cwd=ROOT,
        env={**os.environ, **environment, "ISEMS_MQTT_SHARE": "mesh"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def health(database: Database) -> dict[str, dict[str, Any]]:
    answer = create_app(Config(database_url=""), database).test_client().get("/readyz")
    assert answer.status_code == 200  # whatever the broker is at, what is stored can be served
    found: dict[str, dict[str, Any]] = answer.get_json()["sources"]["mqtt"]
    return found


@contextmanager
def subscribing(config: Config, database: Database, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Receive in a thread, from when the broker has our subscriptions."""
    stop = threading.Event()
    caplog.clear()
    with caplog.at_level("INFO"):
        thread = threading.Thread(target=Subscriber(config, database).run, args=(stop,))
        thread.start()
        try:
            wait_until(lambda: "receiving by MQTT" in caplog.text)
            yield
        finally:
            stop.set()
            thread.join(SECONDS)
            assert not thread.is_alive()


def test_a_killed_replica_loses_nothing_and_a_retired_one_leaves_all_to_the_other(
    postgresql_url: str, broker: Broker
) -> None:
    first, second, third = (messages(start_of(60) - day * 86_400, 60) for day in range(3))
    database = Database(postgresql_url)
    with member(postgresql_url, broker, "1") as one, member(postgresql_url, broker, "2") as two:
        for process in (one, two):
            wait_for_line(process, "receiving by MQTT 5 in the group mesh")
        two.kill()
        two.wait()
        publish(broker.port, first)  # half of it is dealt to the dead one
        wait_until(lambda: len(stored(database)) > 0)
        with member(postgresql_url, broker, "2") as returned:
            wait_until(lambda: len(stored(database)) >= len(records_of(first)))
            refused = run_retire(postgresql_url, broker, "2")
            assert (refused.returncode, refused.stderr) == (
                1,
                "Error: replica 2 is receiving: stop that process first\n",
            )
            returned.kill()
            returned.wait()
        publish(broker.port, second)
        done = run_retire(postgresql_url, broker, "2")
        assert (done.returncode, done.stdout.partition(" messages")[0]) == (0, "replica 2 is retired: 30"), done.stderr
        publish(broker.port, third)
        expected = records_of(first) | records_of(second) | records_of(third)
        wait_until(lambda: len(stored(database)) >= len(expected))
        end(one)
    assert sorted(stored(database)) == sorted(expected)
    with database.read() as connection:
        assert select_replicas(connection) == ["1"]
    assert list(health(database)) == ["1"]
    database.close()


def test_while_one_is_being_retired_the_broker_deals_it_nothing_more(
    sqlite_url: str, broker: Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was dealt between our last look and the end of its session would be lost."""
    database = Database(sqlite_url)
    config = Config(database_url="", broker=parse_broker(broker.address), is_clock_trusted=True, mqtt_share="mesh")
    before, meanwhile = messages(start_of(20), 20), messages(start_of(20) - 86_400, 20)

    class CleanConnection(mqtt_retirement._CleanConnection):
        def __init__(self, *arguments: Any) -> None:
            publish(broker.port, meanwhile)
            super().__init__(*arguments)

    monkeypatch.setattr(mqtt_retirement, "_CleanConnection", CleanConnection)
    second = msgspec.structs.replace(config, mqtt_replica="2")
    with subscribing(second, database, caplog):
        pass
    with subscribing(config, database, caplog):
        publish(broker.port, before)
        assert retire(config, database, "2", threading.Event()).messages == len(before) / 2
        wait_until(lambda: len(stored(database)) >= len(records_of([*before, *meanwhile])))
    database.close()


def test_a_second_process_of_one_replica_waits_and_says_how_to_share(
    database: Database, database_url: str, broker: Broker
) -> None:
    with member(database_url, broker, "2") as first:
        wait_for_line(first, "receiving")
        with member(database_url, broker, "2") as second:
            wait_for_line(
                second,
                f"another process receives by MQTT as replica 2 of the group mesh for {database.place}: waiting until "
                "it ends; to share the work, give each an ISEMS_MQTT_REPLICA of its own",
            )
            wait_until(lambda: health(database)["2"]["has_standby"])
        wait_until(lambda: health(database)["2"]["is_well"] and not health(database)["2"]["has_standby"])


def test_a_change_of_prefixes_or_group_leaves_no_old_subscription(
    sqlite_url: str, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """The session in the broker outlives us: what it once subscribed to would come for ever."""
    now = int(time.time())
    database = Database(sqlite_url)
    first = Config(database_url="", broker=parse_broker(broker.address), is_clock_trusted=True)
    second = msgspec.structs.replace(first, mqtt_prefixes=("mesh/",))
    for number, config in enumerate([first, second, msgspec.structs.replace(second, mqtt_share="a")]):
        with subscribing(config, database, caplog):
            # What was asked for before is done when the broker acknowledges this.
            publish(broker.port, [("isems/Alt/csvlog", line("Alt", now + number).encode())])
            publish(broker.port, [("mesh/Dach/csvlog", line("Dach", now + number).encode())])
            wanted = ("Dach" if number else "Alt", now + number)
            wait_until(lambda wanted=wanted: wanted in stored(database))  # type: ignore[misc]
    assert sorted(stored(database)) == [("Alt", now), ("Dach", now + 1), ("Dach", now + 2)]
    with database.read() as connection:
        rejected = connection.execute(text("SELECT count(*) FROM rejected")).scalar_one()
        assert read_state(connection, FILTERS) == ["/isems/#", "isems/#", "mesh/#", "$share/a/mesh/#"]
    assert rejected == 0  # an old subscription would bring what is under no prefix any more
    database.close()


def test_retiring_one_that_never_was_is_a_wrong_argument(sqlite_url: str, broker: Broker) -> None:
    done = run_retire(sqlite_url, broker, "attic")
    assert (done.returncode, done.stderr) == (
        2,
        "Error: the replica is 'attic', expected one that receives into this database: none does\n",
    )


def test_the_first_replica_can_be_retired_too_and_starts_anew(
    sqlite_url: str, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """Who goes back to another program, or to polling, leaves no queue behind in the broker."""
    database = Database(sqlite_url)
    config = Config(database_url="", broker=parse_broker(broker.address), is_clock_trusted=True, commit_interval=300)
    with subscribing(config, database, caplog):
        pass
    with database.read() as connection:
        before = read_state(connection, CLIENT_ID)
    sent = messages(start_of(1100), 1100)  # more than the broker sends at once
    publish(broker.port, sent)
    retired = retire(config, database, "1", threading.Event())
    assert (retired.had_session, retired.messages, retired.result.stored) == (True, 1100, len(records_of(sent)))
    assert sorted(stored(database, "measurement")) == sorted(records_of(sent))
    assert health(database) == {}
    assert not [one for one in caplog.records if one.name.startswith("isems") and one.levelno >= logging.WARNING]
    publish(broker.port, messages(start_of(20) - 864_000, 20))  # to nobody
    with subscribing(config, database, caplog):
        pass
    assert sorted(stored(database)) == sorted(records_of(sent))
    with database.write() as connection:
        assert read_state(connection, CLIENT_ID) not in (None, before)
        save_state(connection, CLIENT_ID, before)
    assert not retire(config, database, "1", threading.Event()).had_session
    database.close()


def test_a_replica_that_cannot_be_retired_now_is_kept(
    sqlite_url: str,
    tmp_path: Path,
    broker: Broker,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A session that nobody remembers would be dealt messages that nobody gets."""
    database = Database(sqlite_url)
    config = Config(database_url="", broker=parse_broker(broker.address), is_clock_trusted=True)
    with subscribing(config, database, caplog):
        pass
    interrupted = threading.Event()
    interrupted.set()
    with pytest.raises(SourceError, match="what waits in the broker still waits there"):
        retire(config, database, "1", interrupted)
    publish(broker.port, messages(start_of(1), 1))
    with monkeypatch.context() as patch:
        patch.setattr(subscriber, "ingest_all", lambda *_: [OSError("disk is full")])
        with pytest.raises(SourceError, match="what came could not be stored, the broker keeps it: disk is full"):
            retire(config, database, "1", threading.Event())
    (tmp_path / "stranger").mkdir()
    with run_mosquitto(tmp_path / "stranger") as stranger:
        other = msgspec.structs.replace(config, broker=parse_broker(stranger.address))
        with pytest.raises(SourceError, match=f"{stranger.address} has no session of replica 1, which received from"):
            retire(other, database, "1", threading.Event())
    broker.stop()
    with pytest.raises(SourceError, match="does it run, and is MQTT_SERVER right"):
        retire(config, database, "1", threading.Event())
    broker.start()
    assert retire(config, database, "1", threading.Event()).messages == 1
    database.close()


# -- the state that others are told --------------------------------------------------------------


def test_the_health_endpoint_follows_the_subscriber(
    database: Database, database_url: str, broker: Broker, tmp_path: Path
) -> None:
    with running(database_url, broker) as process:
        wait_for_line(process, "receiving")
        wait_until(lambda: "1" in health(database) and health(database)["1"]["is_well"])
        found = health(database)["1"]
        assert found == {
            "is_well": True,
            "sentence": "receiving by MQTT 5",
            "since": found["since"],
            "broker": broker.address,
            "last_message_at": None,
            "session_lost_at": None,
            "has_standby": False,
        }
        assert found["since"].endswith("Z")
        publish(broker.port, [("/isems/Dach/csvlog", line("Dach", int(time.time())).encode())])
        wait_until(lambda: health(database)["1"]["last_message_at"] is not None)
        broker.stop()
        wait_until(lambda: not health(database)["1"]["is_well"])
        assert health(database)["1"]["sentence"] in {
            "the connection to the broker was lost",
            "the broker cannot be reached (Connection refused): does it run, and is MQTT_SERVER right?",
        }
        broker.start()
        wait_until(lambda: health(database)["1"]["is_well"])
        assert health(database)["1"]["session_lost_at"] is None
        broker.stop()
        (tmp_path / "mosquitto.db").unlink()  # as one does that is not told to keep any
        broker.start()
        wait_until(lambda: health(database)["1"]["session_lost_at"] is not None)
        process.kill()
        process.wait()
    dead = health(database)["1"]
    assert (dead["is_well"], dead["since"], dead["sentence"]) == (
        False,
        None,
        "not running: its process ended without a word",
    )
    assert dead["last_message_at"] is not None
    with running(database_url, broker) as process:
        wait_for_line(process, "receiving")
        end(process)
    ended = health(database)["1"]
    assert (ended["is_well"], ended["sentence"]) == (False, "not running: it was stopped")
    assert ended["since"] is not None
    assert ended["session_lost_at"] == dead["session_lost_at"]


def test_a_lock_whose_connection_is_cut_is_noticed_and_got_back(
    postgres_server: PostgresServer, postgresql_url: str, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """Else two processes would take the session from each other for ever."""
    database = Database(postgresql_url, is_durable=True)
    cutter = Database(postgresql_url)
    config = Config(database_url="", broker=parse_broker(broker.address), is_clock_trusted=True)
    with subscribing(config, database, caplog):
        with cutter.write() as connection:
            holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            cut = connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM ({holders}) AS found")).scalars()
            assert list(cut) == [True]
        wait_until(lambda: "the lock in the database was lost with its connection" in caplog.text)
        wait_until(lambda: caplog.text.count("receiving by MQTT 5") == 2)
        now = int(time.time())
        publish(broker.port, [("/isems/Dach/csvlog", line("Dach", now).encode())])
        wait_until(lambda: stored(cutter) == [("Dach", now)])
    cutter.close()
    database.close()
