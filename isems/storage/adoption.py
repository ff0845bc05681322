"""The predecessor's default database, where a reboot deletes it: copied to the place of this program's own."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from isems.errors import StorageError
from isems.storage.backup import free_name, hold, open_read_only, sync, write_copy
from isems.storage.database import older_versions
from isems.storage.predecessor import VERSIONS, progress_table
from isems.storage.schema import HEAD, inbox, measurement

#: Where the predecessor kept its measurements unless DATABASE_URL said otherwise.
PREDECESSORS_DEFAULT = Path("/tmp/test.db")  # noqa: S108  its choice
#: Behind the name of a file that made room for the copy.
SUFFIX = ".replaced"


def count_adoptable(source: Path, target: Path) -> int:
    """Count the rows to be copied: none where `source` is not the predecessor's, or `target` holds measurements.

    Raises StorageError where a file cannot be read, because it may be such a database.
    """
    if not source.is_file() or (target.exists() and not _ask(target, _is_bare)):
        return 0
    return _ask(source, _count_old)


def _ask(path: Path, question: Callable[[sqlite3.Connection], int]) -> int:
    """Ask something of a file without changing it; what is no database has no answer."""
    try:
        with closing(open_read_only(path)) as connection:
            return question(connection)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            return 0
        raise StorageError(f"{path} cannot be read: {error}") from error


def _is_bare(connection: sqlite3.Connection) -> bool:
    """Whether this is a database of ours or of the predecessor's that has no measurement, or of nobody yet."""
    tables = _tables(connection)
    if not tables:
        return True
    if _version(connection) not in {HEAD, *older_versions()}:
        return False
    kept_in = tables & {measurement.name, inbox.name}
    return not any(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in kept_in)


def _count_old(connection: sqlite3.Connection) -> int:
    if _version(connection) not in VERSIONS:
        return 0
    return int(connection.execute("SELECT count(*) FROM measurement").fetchone()[0])


def _version(connection: sqlite3.Connection) -> str | None:
    if not {"alembic_version", "measurement"} <= _tables(connection):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def adopt_database(source: Path, target: Path, tell: Callable[[int, int], None]) -> Path | None:
    """Put a copy of `source` in the place of `target`; gives where the file that was there is kept.

    Killed at any point, it leaves no half copy there. `tell(done, pages)`.
    """
    part = Path(f"{target}.part")
    try:
        with hold(part):
            write_copy(source, part, progress_table.name, tell)
            kept = _put_aside(target) if target.exists() else None
            part.rename(target)
            sync(target.parent)
            return kept
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"{source} cannot be copied to {target}: {error}") from error


def _put_aside(target: Path) -> Path:
    """Rename a database that nobody uses and that has no measurement."""
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        try:
            # Leaves no journal that would be taken for the copy's; refused while another program has the file open.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise StorageError(f"{target} is in use ({error}): stop what serves and polls, run it again") from error
        if not _is_bare(connection):
            raise StorageError(f"{target} holds measurements by now: nothing was copied")
        kept = free_name(target, SUFFIX)
        target.rename(kept)
    return kept
