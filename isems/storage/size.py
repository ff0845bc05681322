"""How much room the data take, and how much is left."""

import shutil
from contextlib import suppress
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from isems.storage.database import Database, database_of


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes. What is unknown is None: of PostgreSQL's server only it knows the disk."""

    #: The database with its indexes, and SQLite's journal.
    database_bytes: int
    #: Of these, what rows and indexes take: without the journal, and what is free in the file.
    used_bytes: int
    #: Of SQLite's disk.
    disk_free_bytes: int | None
    disk_bytes: int | None


def measure_size(connection: Connection) -> Size:
    """Measure; reads no row."""
    database = database_of(connection)
    if not database.is_sqlite:
        size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
        return Size(database_bytes=size, used_bytes=size, disk_free_bytes=None, disk_bytes=None)
    path = path_of(database)
    pages, free, page_bytes = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    )
    size, used = pages * page_bytes, (pages - free) * page_bytes
    with suppress(OSError):
        size += Path(f"{path}-wal").stat().st_size
    try:
        disk = shutil.disk_usage(path.parent)
    except OSError:
        return Size(database_bytes=size, used_bytes=used, disk_free_bytes=None, disk_bytes=None)
    return Size(database_bytes=size, used_bytes=used, disk_free_bytes=disk.free, disk_bytes=disk.total)


def path_of(database: Database) -> Path:
    """Give the file of a SQLite database."""
    return Path(str(database.url.database))
