"""A SQLite file: how a connection to it is set up, and what is left beside it."""

import os
import sqlite3
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, event

from isems.errors import StorageError
from isems.storage.patience import read_patiently

#: How long a writer waits for another process's transaction, a VACUUM or a backup included.
BUSY_SECONDS = 60
#: A file's group or everybody may read it; they may go into a folder.
OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH
#: Pages of 4 kB that the write-ahead log grows to before they are brought into the file: a page that changed often is
#: brought there once. Four times SQLite's usual number, because a flash card wears by what is written.
WAL_PAGES = 4000


def open_engine(url: URL, is_durable: bool) -> Engine:
    """Give the engine of a file.

    Raises StorageError where its folder does not exist.
    """
    path = url.database
    if path and path != ":memory:" and not Path(path).parent.is_dir():
        raise StorageError(f"the folder of the database {path} does not exist")
    # The last used connection is the next used: so a writer meets its own memory again.
    # Every transaction is ended where it was begun; `_end_transaction` looks after one that could not be.
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_use_lifo=True, pool_reset_on_return=None)
    event.listen(engine, "connect", partial(_open, is_durable=is_durable))
    event.listen(engine, "checkin", _end_transaction)
    return engine


def leave_journals(path: Path) -> None:
    """Where others may read the file, leave empty journals: without them, who cannot create them cannot read at all.

    Debian's uwsgi is such a reader: it runs as www-data, and the file belongs to the user whose cron job polls.
    """
    with suppress(OSError):  # the journals are there, or we are the one who may not create them
        status = path.stat()
        if not (status.st_mode & OTHERS_READ and path.parent.stat().st_mode & OTHERS_ENTER):
            return
        for end in ("-wal", "-shm"):
            journal = os.open(f"{path}{end}", os.O_CREAT | os.O_EXCL, status.st_mode & 0o777)
            os.fchmod(journal, status.st_mode & 0o777)  # whatever the umask says, as SQLite does
            if os.geteuid() == 0:
                os.fchown(journal, status.st_uid, status.st_gid)
            os.close(journal)


def connect(url: URL) -> sqlite3.Connection:
    """Open the file for any thread, one at a time."""
    return sqlite3.connect(url.database or "", timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)


def ask(connection: sqlite3.Connection, statement: str) -> object:
    """Give the one row that answers a statement which changes no data; waits out what passes."""
    return read_patiently(lambda: connection.execute(statement).fetchone())


def _end_transaction(connection: sqlite3.Connection | None, _record: object) -> None:
    """A COMMIT that had to wait too long leaves its transaction open: whoever got the connection next would fail."""
    if connection is not None and connection.in_transaction:
        connection.rollback()


def _open(connection: sqlite3.Connection, _record: object, is_durable: bool) -> None:
    read_patiently(partial(_prepare, connection, is_durable))


def _prepare(connection: sqlite3.Connection, is_durable: bool) -> None:
    connection.isolation_level = None  # transactions begin where `Database` says
    for pragma in (
        f"synchronous = {'FULL' if is_durable else 'NORMAL'}",
        "foreign_keys = OFF",
        "secure_delete = OFF",  # Debian's SQLite overwrites what is deleted: written for nothing
        f"wal_autocheckpoint = {WAL_PAGES}",
        "journal_size_limit = 16777216",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
    if connection.execute("PRAGMA page_count").fetchone() == (0,):
        # Before the first table, or it has no effect; and only then, because it takes the write lock.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL").close()
