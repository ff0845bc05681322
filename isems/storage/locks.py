"""A lock that ends with the process which holds it, never by a timeout."""

import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from isems.errors import StorageError
from isems.storage.database import Database, database_of

#: How often one that waits asks again.
RETRY_SECONDS = 2.0
#: Who looks whether a file's lock is free has it for a moment: so we try for a while before we call it held.
GLANCE_SECONDS = 0.5
#: To PostgreSQL, which would let a machine that lost its power hold the lock for two hours.
NOTICE_DEATH = (
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = 60000",
)


class HeldLock:
    """A lock that was got; on PostgreSQL it may be lost, since it ends with its connection."""

    def __init__(self, connection: Connection | None = None) -> None:
        self._connection = connection

    def is_held(self) -> bool:
        """Ask whether it is still held; it may take as long as the network makes us wait. For one thread at a time."""
        if self._connection is None:
            return True
        try:
            self._connection.exec_driver_sql("SELECT 1").close()
        except SQLAlchemyError:
            return False
        return True


@contextmanager
def hold_lock(
    database: Database, name: str, stop: threading.Event, tell_waiting: Callable[[], None]
) -> Iterator[HeldLock | None]:
    """Hold the lock of this name while the context lasts; None where `stop` was set before it was free.

    `tell_waiting` is called once, where another process holds it. `is_awaited` tells that somebody waits.
    """
    with _lock_of(database, name) as (is_got, lock):
        if not _is_got_soon(is_got):
            tell_waiting()
            with _lock_of(database, _waiting(name)) as (is_first, _):
                is_first()
                while not is_got():
                    if stop.wait(RETRY_SECONDS):
                        yield None
                        return
        yield lock


@contextmanager
def try_lock(database: Database, name: str) -> Iterator[HeldLock | None]:
    """Hold the lock of this name while the context lasts; None where another process holds it."""
    with _lock_of(database, name) as (is_got, lock):
        yield lock if _is_got_soon(is_got) else None


def is_locked(connection: Connection, name: str) -> bool:
    """Tell whether any process holds the lock of this name. Raises StorageError where we may not look."""
    database = database_of(connection)
    if database.is_sqlite:
        return _is_file_locked(_lock_path(database, name))
    number = _number_of(name)
    wanted = "locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 1"
    statement = f"SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE {wanted} AND {_HERE}"
    count = connection.exec_driver_sql(statement, (number >> 32, number & 0xFFFF_FFFF)).scalar_one()
    return bool(count)


_HERE = "d.datname = current_database()"


def is_awaited(connection: Connection, name: str) -> bool:
    """Tell whether a process waits for the lock of this name."""
    return is_locked(connection, _waiting(name))


def _waiting(name: str) -> str:
    return f"{name}-waiting"


def _is_got_soon(is_got: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + GLANCE_SECONDS
    while not is_got():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def _lock_of(database: Database, name: str) -> Iterator[tuple[Callable[[], bool], HeldLock]]:
    """Give what tries to get the lock, and the lock as it is then."""
    if database.is_sqlite:
        with _file_lock(_lock_path(database, name)) as is_got:
            yield is_got, HeldLock()
    else:
        with _advisory_lock(database, name) as (is_got, connection):
            yield is_got, HeldLock(connection)


def _lock_path(database: Database, name: str) -> Path:
    return Path(f"{database.url.database}.{name}-lock")


@contextmanager
def _file_lock(path: Path) -> Iterator[Callable[[], bool]]:
    """A lock of the operating system on a file beside the database."""
    descriptor = _open_lock(path)

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


def _open_lock(path: Path) -> int:
    """Open the file of a lock; a new one is for those who may use the database, also where root was the first."""
    try:
        with suppress(FileExistsError):
            made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            with suppress(OSError):  # there is no database yet
                status = path.with_suffix("").stat()
                os.fchmod(made, status.st_mode & 0o777 | 0o600)
                if os.geteuid() == 0:
                    os.fchown(made, status.st_uid, status.st_gid)
            return made
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise StorageError(f"the lock {path} cannot be made: {error}") from error


def _is_file_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"the lock {path} cannot be looked at: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _advisory_lock(database: Database, name: str) -> Iterator[tuple[Callable[[], bool], Connection]]:
    """A lock of a PostgreSQL connection, which lasts as long as that does."""
    number = _number_of(name)
    try:
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except SQLAlchemyError as error:
        raise _unusable(database, error) from error

    def is_got() -> bool:
        try:
            got = connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (number,)).scalar()
        except SQLAlchemyError as error:
            raise _unusable(database, error) from error
        return bool(got)

    connection.detach()  # no other may use it later: its end is the lock's
    try:
        for statement in NOTICE_DEATH:
            connection.exec_driver_sql(statement).close()
        yield is_got, connection
    finally:
        with suppress(SQLAlchemyError):  # it is gone already
            connection.close()


def _number_of(name: str) -> int:
    return int.from_bytes(blake2b(f"isems {name}".encode(), digest_size=7).digest())


def _unusable(database: Database, error: SQLAlchemyError) -> StorageError:
    return StorageError(f"the database {database.place} cannot be used: {' '.join(str(error).split())}")


class NumberedLocks:
    """Locks of the operating system on any number of names of a SQLite database, each for one process: bytes of one file
    that is empty. They end with the process, and cost the disk nothing.
    """

    def __init__(self, database: Database, kind: str) -> None:
        self._path = _lock_path(database, kind)
        self._descriptor: int | None = None

    def take(self, name: str) -> bool:
        """Take the lock of a name; False where another process has it. Raises StorageError where there can be no lock."""
        try:
            self._set(name, fcntl.F_WRLCK)
        except (BlockingIOError, PermissionError):
            return False
        except OSError as error:
            raise StorageError(f"the lock {self._path} cannot be held: {error}") from error
        return True

    def release(self, name: str) -> None:
        """Give the lock of a name back."""
        if self._descriptor is not None:
            self._set(name, fcntl.F_UNLCK)

    def close(self) -> None:
        """Give back all."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _set(self, name: str, kind: int) -> None:
        # The open file's own lock: the older kind would end when this process closes any descriptor of that file.
        fcntl.fcntl(self._open(), fcntl.F_OFD_SETLK, struct.pack("hhqqi", kind, os.SEEK_SET, _number_of(name), 1, 0))

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = _open_lock(self._path)
        return self._descriptor
