"""What /readyz tells of the subscribers: never better than it is."""

import threading
from pathlib import Path
from typing import Any

from isems.api.app import create_app
from isems.config import Config
from isems.storage.database import Database
from isems.storage.locks import hold_lock
from isems.storage.replicas import BrokerState, lock_of, save_broker_state

WELL = BrokerState(
    broker="broker:1883",
    is_well=True,
    sentence="receiving by MQTT 5",
    since=1_700_000_000,
    last_message_at=1_700_000_060,
)


def brokers_of(database: Database) -> dict[str, Any]:
    answer = create_app(Config(database_url="unused"), database).test_client().get("/readyz")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()["sources"]["mqtt"]
    return found


def save(database: Database, replica: str, state: BrokerState) -> None:
    with database.write() as connection:
        save_broker_state(connection, replica, state)


def test_each_replica_is_shown_as_it_said_last(database: Database) -> None:
    save(database, "1", WELL)
    save(database, "attic", BrokerState(broker="broker:1883", is_well=False, sentence="no", since=1_700_000_000))
    free = threading.Event()
    with hold_lock(database, lock_of("1"), free, free.set), hold_lock(database, lock_of("attic"), free, free.set):
        assert brokers_of(database) == {
            "1": {
                "is_well": True,
                "sentence": "receiving by MQTT 5",
                "since": "2023-11-14T22:13:20Z",
                "broker": "broker:1883",
                "last_message_at": "2023-11-14T22:14:20Z",
                "has_standby": False,
            },
            "attic": {
                "is_well": False,
                "sentence": "no",
                "since": "2023-11-14T22:13:20Z",
                "broker": "broker:1883",
                "last_message_at": None,
                "has_standby": False,
            },
        }


def test_what_a_process_said_that_is_gone_is_not_believed(database: Database) -> None:
    save(database, "1", WELL)
    found = brokers_of(database)["1"]
    assert (found["is_well"], found["since"]) == (False, None)
    assert found["sentence"] == "not running: its process ended without a word"
    assert found["last_message_at"] == "2023-11-14T22:14:20Z"


def test_where_the_lock_cannot_be_seen_nothing_is_called_well(lite: Database, tmp_path: Path) -> None:
    """A web server of another user, with a file that only the subscriber's may read."""
    save(lite, "1", WELL)
    lock = tmp_path / "isems.db.subscriber-lock"
    lock.symlink_to(lock.name)
    found = brokers_of(lite)["1"]
    assert (found["is_well"], found["sentence"]) == (
        False,
        f"whether it is running cannot be told: the lock {lock} cannot be looked at: Too many levels of symbolic links",
    )
