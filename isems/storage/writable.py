"""Whether the database can be written to, told without writing anything: an SD card wears by it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from isems.storage.database import Database
from isems.storage.size import path_of

#: How long somebody else's transaction is waited for; whoever holds the lock can write, at any rate.
LOCK_SECONDS = 1.0
_POSTGRES = (
    "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on',"
    " has_table_privilege('measurement', 'INSERT')"
)


class WriteTrouble(msgspec.Struct, frozen=True):
    """Why nothing can be written."""

    sentence: str
    #: This user may only read, which is enough for who only serves.
    is_for_want_of_rights: bool = False


def find_write_trouble(database: Database) -> WriteTrouble | None:
    """Tell why the database cannot be written to; None where it can. Raises StorageError where it cannot even be read."""
    database.make_ready()
    return _look_at_file(database) if database.is_sqlite else _ask_server(database)


def _look_at_file(database: Database) -> WriteTrouble | None:
    path = path_of(database)
    try:
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return WriteTrouble(f"the file system of {path} is read-only")
        if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            return WriteTrouble(f"this user may not write to {path} and its folder", is_for_want_of_rights=True)
        _take_lock(path)
    except (OSError, sqlite3.Error) as error:
        return WriteTrouble(f"{path} cannot be written to: {error}")
    return None


def _take_lock(path: Path) -> None:
    address = f"{path.absolute().as_uri()}?mode=rw"  # a file that is gone is not made anew
    with closing(sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE").close()
            connection.execute("ROLLBACK").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise


def _ask_server(database: Database) -> WriteTrouble | None:
    with database.read() as connection:
        is_standby, is_read_only, may_insert = connection.exec_driver_sql(_POSTGRES).one()
    if is_standby or is_read_only:
        return WriteTrouble(f"{database.place} is read-only{' because it is a standby' if is_standby else ''}")
    if not may_insert:
        return WriteTrouble(f"this user may not write to {database.place}", is_for_want_of_rights=True)
    return None
