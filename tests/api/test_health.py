"""What /readyz and /version tell: never better than it is."""

import re
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isems import __version__
from isems.api.app import create_app
from isems.api.health import Readiness, judge
from isems.api.version import read_revision
from isems.config import Config, PushToken
from isems.ingest import IngestResult
from isems.storage.database import Database
from isems.storage.inbox import settle_database
from isems.storage.locks import hold_lock
from isems.storage.replicas import BrokerState, lock_of, save_broker_state
from isems.storage.schema import HEAD
from isems.storage.writable import find_write_trouble
from tests.api.stored import line, store
from tests.predecessor import make_database

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
    state = BrokerState(broker="broker:1883", is_well=False, sentence="no", since=1_700_000_000)
    save(database, "attic", msgspec.structs.replace(state, session_lost_at=1_700_000_001))
    free = threading.Event()
    with hold_lock(database, lock_of("1"), free, free.set), hold_lock(database, lock_of("attic"), free, free.set):
        assert brokers_of(database) == {
            "1": {
                "is_well": True,
                "sentence": "receiving by MQTT 5",
                "since": "2023-11-14T22:13:20Z",
                "broker": "broker:1883",
                "last_message_at": "2023-11-14T22:14:20Z",
                "session_lost_at": None,
                "has_standby": False,
            },
            "attic": {
                "is_well": False,
                "sentence": "no",
                "since": "2023-11-14T22:13:20Z",
                "broker": "broker:1883",
                "last_message_at": None,
                "session_lost_at": "2023-11-14T22:13:21Z",
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


def readiness(database: Database, config: Config = Config(database_url="sqlite:///unused.db")) -> tuple[int, Any]:  # noqa: B008
    answer = create_app(config, database).test_client().get("/readyz")
    return answer.status_code, answer.get_json()


def test_an_empty_database_is_ready(database: Database) -> None:
    status, answer = readiness(database)
    assert (status, answer["ready"], answer["reasons"], answer["is_writable"]) == (200, True, [], True)
    assert (answer["undecided_bytes"], answer["backlog_samples"], answer["newest"]) == (0, 0, {})
    assert answer["database_bytes"] > 50_000
    assert (answer["disk_free_bytes"] is None) != database.is_sqlite


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"disk_free_bytes": 64_000_000}, None),
        ({"disk_free_bytes": 63_999_999}, "63999999 bytes are free on the disk of the database: make room"),
        ({"disk_free_bytes": None}, None),
        ({"undecided_bytes": 200_000_000}, None),
        ({"undecided_bytes": 250_000_000}, "250000000 bytes of input wait for this machine's clock to be right: set"),
    ],
)
def test_what_will_soon_be_lost_is_a_reason(changes: dict[str, Any], reason: str | None) -> None:
    values = {"is_writable": True, "database_bytes": 1, "disk_free_bytes": 10**9, "undecided_bytes": 0}
    answer = Readiness(**values | {"backlog_samples": 0, "newest": {}, "sources": {}} | changes)
    judge(answer, None, takes_pushes=False)
    assert answer.ready == (reason is None)
    assert [one.startswith(reason or "") for one in answer.reasons] == [True] * (reason is not None)


def test_asking_writes_nothing(lite: Database, tmp_path: Path) -> None:
    readiness(lite)
    journal = tmp_path / "isems.db-wal"
    before = journal.read_bytes()
    for _ in range(3):
        assert readiness(lite)[0] == 200
    assert journal.read_bytes() == before


def test_the_age_of_the_newest_data_is_told_for_each_source(database: Database) -> None:
    now = int(time.time())
    store(database, [line(time=now - 600)], now=now - 500, is_live=True)
    store(database, [line(time=now - 600)], now=now, is_live=True)  # nothing new
    settle_database(database)
    newest = readiness(database)[1]["newest"]
    assert newest.keys() == {"poll"}
    assert datetime.fromisoformat(newest["poll"]["at"]).timestamp() == now - 500
    assert 500 <= newest["poll"]["age_seconds"] < 600


def test_somebody_who_writes_is_no_trouble(lite: Database, sqlite_url: str) -> None:
    other = Database(sqlite_url)
    with other.write():
        assert readiness(lite)[0] == 200
    other.close()


def test_a_database_that_is_gone_is_not_writable(lite: Database, tmp_path: Path) -> None:
    lite.make_ready()
    (tmp_path / "isems.db").unlink()
    trouble = find_write_trouble(lite)
    assert trouble is not None
    assert not trouble.is_for_want_of_rights
    assert not (tmp_path / "isems.db").exists()


def test_a_read_only_server_cannot_take_anything_in(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    database.make_ready()
    name = database.url.database
    with database.write() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    database.close()
    status, answer = readiness(database)
    assert (status, answer["is_writable"]) == (503, False)
    assert answer["reasons"] == [f"{database.place} is read-only"]
    database.close()


def test_a_server_of_another_user_may_serve_without_the_right_to_write(postgresql_url: str) -> None:
    owner = Database(postgresql_url)
    with owner.write() as connection:
        connection.exec_driver_sql("CREATE ROLE reader_of_isems LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_of_isems")
    reader = Database(owner.url.set(username="reader_of_isems").render_as_string(hide_password=False))
    try:
        status, answer = readiness(reader)
        assert (status, answer["ready"], answer["is_writable"]) == (200, True, False)
        pushed = Config(database_url="sqlite:///unused.db", push_tokens=(PushToken(b"1" * 32),))
        app = create_app(pushed, reader, store=lambda payload: IngestResult())
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.get_json()["reasons"]) == (
            503,
            [f"this user may not write to {reader.place}"],
        )
    finally:
        reader.close()
        with owner.write() as connection:
            connection.exec_driver_sql("DROP OWNED BY reader_of_isems")
            connection.exec_driver_sql("DROP ROLE reader_of_isems")
        owner.close()


def test_the_version_tells_what_runs_on_what(database: Database) -> None:
    database.make_ready()
    answer = create_app(Config(database_url="sqlite:///unused.db"), database).test_client().get("/version").get_json()
    revision = answer.pop("revision")
    assert revision is None or re.fullmatch("[0-9a-f]{40}", revision)
    assert answer == {
        "version": __version__,
        "schema": HEAD,
        "database_schema": HEAD,
        "database": database.kind,
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def test_the_version_of_an_older_database_is_told(database_url: str) -> None:
    make_database(database_url)
    database = Database(database_url)
    answer = create_app(Config(database_url="sqlite:///unused.db"), database).test_client().get("/version").get_json()
    assert (answer["schema"], answer["database_schema"]) == (HEAD, "ef784e202371")
    database.close()


@pytest.mark.parametrize(
    ("files", "revision"),
    [
        ({}, None),
        ({"HEAD": "a" * 40}, "a" * 40),
        ({"HEAD": "ref: refs/heads/main\n", "refs/heads/main": "b" * 40 + "\n"}, "b" * 40),
        ({"HEAD": "ref: refs/heads/main", "packed-refs": f"# pack\n{'c' * 40} refs/heads/main\n"}, "c" * 40),
        ({"HEAD": "ref: refs/heads/new", "packed-refs": f"{'c' * 40} refs/heads/main\n"}, None),
        ({"HEAD": "<html>"}, None),
    ],
)
def test_the_revision_is_that_of_the_checkout(tmp_path: Path, files: dict[str, str], revision: str | None) -> None:
    write_all(tmp_path / ".git", files)
    assert read_revision(tmp_path) == revision


def write_all(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("is_relative", [True, False])
@pytest.mark.parametrize("references", [{"refs/heads/x": "a" * 40}, {"packed-refs": f"{'a' * 40} refs/heads/x\n"}])
def test_the_revision_of_a_worktree_is_its_own(tmp_path: Path, references: dict[str, str], is_relative: bool) -> None:
    git = "first/.git/worktrees/second"
    write_all(tmp_path / "first/.git", {"HEAD": "b" * 40, **references})
    write_all(tmp_path / git, {"HEAD": "ref: refs/heads/x\n", "commondir": "../..\n"})
    write_all(tmp_path / "second", {".git": f"gitdir: {f'../{git}' if is_relative else tmp_path / git}\n"})
    assert read_revision(tmp_path / "second") == "a" * 40
