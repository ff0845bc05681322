"""Locks that end with their process, and who may see them."""

import fcntl
import threading
from pathlib import Path

import pytest

from isems.errors import StorageError
from isems.storage import locks
from isems.storage.database import Database
from isems.storage.locks import hold_lock, is_awaited, is_locked, try_lock

NEVER = threading.Event()


def held(database: Database, name: str) -> tuple[bool, bool]:
    with database.read() as connection:
        return is_locked(connection, name), is_awaited(connection, name)


def test_a_lock_is_held_by_one_and_seen_by_all(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    assert held(other, "subscriber") == (False, False)
    with hold_lock(database, "subscriber", NEVER, lambda: None) as lock:
        assert lock is not None
        assert lock.is_held()
        assert held(other, "subscriber") == (True, False)
        assert held(other, "subscriber-2") == (False, False)
        with try_lock(other, "subscriber") as second:
            assert second is None
        with try_lock(other, "subscriber-2") as another:
            assert another is not None
    assert held(other, "subscriber") == (False, False)
    other.close()


def test_who_waits_is_seen_as_long_as_he_does(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    stop, is_waiting = threading.Event(), threading.Event()
    got: list[object] = []

    def wait_for_it() -> None:
        with hold_lock(other, "subscriber", stop, is_waiting.set) as lock:
            got.append(lock)

    with hold_lock(database, "subscriber", NEVER, lambda: None):
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        assert is_waiting.wait(30)
        for _ in range(200):  # it says so just before
            if held(database, "subscriber") == (True, True):
                break
            stop.wait(0.05)
        assert held(database, "subscriber") == (True, True)
        stop.set()
        thread.join(30)
        assert got == [None]
        assert held(database, "subscriber") == (True, False)
    other.close()


def test_looking_does_not_keep_anybody_from_having_it(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The health endpoint looks every few seconds, and a file's lock can only be seen by having it for a moment."""
    monkeypatch.setattr(locks, "GLANCE_SECONDS", 30)
    database = Database(sqlite_url)
    told: list[str] = []
    with (tmp_path / "isems.db.subscriber-lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.1, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        with hold_lock(database, "subscriber", NEVER, lambda: told.append("waits")) as lock:
            assert lock is not None
    assert told == []
    database.close()


def test_a_lock_that_cannot_be_looked_at_is_neither_held_nor_free(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "isems.db.subscriber-lock").symlink_to("isems.db.subscriber-lock")
    database = Database(sqlite_url)
    with pytest.raises(StorageError, match="cannot be looked at: Too many levels of symbolic links"):
        held(database, "subscriber")
    database.close()
