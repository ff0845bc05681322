"""A lock that ends with the process which holds it, never by a timeout."""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from isems.errors import StorageError
from isems.storage.database import Database

#: How often one that waits asks again.
RETRY_SECONDS = 2.0


@contextmanager
def hold_lock(database: Database, name: str, stop: threading.Event, tell_waiting: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock of this name while the context lasts; False where `stop` was set before it was free.

    `tell_waiting` is called once, where another process holds it.
    """
    holding = _file_lock(database, name) if database.is_sqlite else _advisory_lock(database, name)
    with holding as is_got:
        has_told = False
        while not is_got():
            if not has_told:
                tell_waiting()
                has_told = True
            if stop.wait(RETRY_SECONDS):
                yield False
                return
        yield True


@contextmanager
def _file_lock(database: Database, name: str) -> Iterator[Callable[[], bool]]:
    """A lock of the operating system on a file beside the database."""
    path = Path(f"{database.url.database}.{name}-lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"the lock {path} cannot be made: {error}") from error

    def is_got() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StorageError(f"the lock {path} cannot be held: {error}") from error
        return True

    try:
        yield is_got
    finally:
        os.close(descriptor)  # the file stays: removing it would let two processes hold two files of one name


@contextmanager
def _advisory_lock(database: Database, name: str) -> Iterator[Callable[[], bool]]:
    """A lock of a PostgreSQL connection, which lasts as long as that does."""
    number = int.from_bytes(blake2b(f"isems {name}".encode(), digest_size=7).digest())
    try:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()  # no other may use it later: its end is the lock's
            yield lambda: bool(connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (number,)).scalar())
    except SQLAlchemyError as error:
        raise StorageError(f"the database {database.place} cannot be used: {' '.join(str(error).split())}") from error
