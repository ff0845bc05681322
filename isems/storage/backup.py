"""A copy of a SQLite file that others may be writing to, checked before it gets its name."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from isems.errors import StorageError

SUFFIX = ".before-upgrade"
#: Pages copied between two reports of progress.
PAGES = 4096


def free_name(path: Path, suffix: str = SUFFIX) -> Path:
    """Give a name for the backup under which no other is kept."""
    backup, number = Path(f"{path}{suffix}"), 1
    while backup.exists():
        number += 1
        backup = Path(f"{path}{suffix}-{number}")
    return backup


def copy_database(source: Path, target: Path, without: str, tell: Callable[[int, int], None]) -> None:
    """Copy a database as it is at this moment, without one table; `tell(done, pages)`.

    Does nothing where `target` is there: it is a finished copy. Raises StorageError where it cannot be made.
    """
    part = Path(f"{target}.part")
    try:
        with hold(part):
            if not target.exists():
                write_copy(source, part, without, tell)
                part.rename(target)
                sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"the backup {target} cannot be made: {error}") from error


@contextmanager
def hold(part: Path) -> Iterator[None]:
    """Wait until no other process makes this copy; what is unfinished is gone afterwards."""
    with part.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            part.unlink(missing_ok=True)


def write_copy(source: Path, part: Path, without: str, tell: Callable[[int, int], None]) -> None:
    """Make a copy under a name that is held; it is on the disk and was read back when this returns."""
    _clear(part)
    _copy(source, part, without, tell)
    sync(part)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database that must stay as it is."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _clear(part: Path) -> None:
    """Remove what a killed process left: above all its journal, which would be played into the new copy."""
    part.write_bytes(b"")
    for end in ("-journal", "-wal", "-shm"):
        Path(f"{part}{end}").unlink(missing_ok=True)


def _copy(source: Path, part: Path, without: str, tell: Callable[[int, int], None]) -> None:
    with closing(open_read_only(source)) as old, closing(sqlite3.connect(part)) as new:
        old.execute("BEGIN")  # the copy and the count are of one moment, whoever writes meanwhile
        count = _count(old)
        old.backup(new, pages=PAGES, progress=lambda _, left, pages: tell(pages - left, pages))
        new.execute("PRAGMA journal_mode = DELETE")  # one file, as the predecessor had it
        new.execute(f"DROP TABLE IF EXISTS {without}")
        new.commit()
        (answer,) = new.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok" or _count(new) != count:
            raise sqlite3.DatabaseError(f"it was read back with errors ({answer})")


def _count(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("SELECT count(*) FROM measurement").fetchone()[0]
    return found


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
