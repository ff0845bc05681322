"""Bring an older database up to this program's schema."""

from pathlib import Path

from sqlalchemy import Connection

from isems.errors import StorageError
from isems.storage import schema
from isems.storage.database import Database, read_version

#: How SQLite calls it.
INCREMENTAL = 2


def upgrade_database(database: Database) -> tuple[str | None, str]:
    """Run the migrations that are missing, all or none; gives the version before and after.

    Raises StorageError when a migration refuses; the database is then as it was.
    """
    with database.write_any_version() as connection:
        before = read_version(connection)
        is_older = before not in (None, schema.HEAD)
        if is_older:
            run_migrations(connection, schema.HEAD)
    database.make_ready()  # refuses what is not ours, before anything is changed in it
    if database.is_sqlite:
        _set_auto_vacuum(database)
    return before, schema.HEAD


def _set_auto_vacuum(database: Database) -> None:
    """Make the file what a new one is: asked of the file itself, since an earlier upgrade may have ended before this."""
    with database.read_any_version() as connection:
        is_set = connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == INCREMENTAL
    if not is_set:
        database.execute_alone("PRAGMA auto_vacuum = INCREMENTAL", "VACUUM")


def run_migrations(connection: Connection, target: str) -> None:
    """Run Alembic up to a version, on a connection that holds the write lock."""
    from alembic import command  # 6 MB that nothing else needs
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, target)
    except CommandError as error:
        raise StorageError(f"the database cannot be upgraded: {error}") from error
