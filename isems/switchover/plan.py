"""What an upgrade would do, how long it would take and how much disk it needs: told without changing anything."""

import time
from datetime import UTC, datetime
from pathlib import Path

from isems.config import sqlite_url
from isems.domain.clock import Moment
from isems.formats.predecessor_row import COLUMNS
from isems.storage import predecessor, schema
from isems.storage.adoption import count_adoptable
from isems.storage.database import Database, read_version
from isems.storage.predecessor import count_rows, read_progress, select_rows
from isems.switchover.move import BATCH, latest_of, path_of
from isems.switchover.room import FreeBytes, Room, describe_server_room, find_room, find_room_for_copy, free_of
from isems.switchover.rows import Judge
from isems.switchover.zone import doubts, find_zone

#: Reading and judging rows is about a third of the work: storing them, the copy and the last clean-up are the rest.
SHARES = 3


def describe_upgrade(
    database: Database, moment: Moment, free_bytes: FreeBytes = free_of, default: Path | None = None
) -> list[str]:
    """Tell in sentences what `flask db upgrade` would do with this database.

    `default`, if given, is the predecessor's default database, which may have to be copied first.
    """
    if default and (count := count_adoptable(default, path_of(database))):
        return _describe_adoption(default, path_of(database), count, moment, free_bytes)
    with database.read_any_version() as connection:
        version = read_version(connection)
    if version is None:
        return ["The database is empty: its tables would be created."]
    if version not in predecessor.VERSIONS:
        return [
            "Nothing is to be moved." if version == schema.HEAD else f"Version {version} would become {schema.HEAD}."
        ]
    told = _describe_move(database, moment, version)
    with database.read_any_version() as connection:
        count, progress = count_rows(connection), read_progress(connection)
    if database.is_sqlite:
        return [*told, _describe_room(find_room(database, count, progress, latest_of(moment), free_bytes))]
    needs = describe_server_room(database, count, progress, latest_of(moment))
    return [*told, f"It {needs}, beside the old table, which would be kept as {predecessor.OLD}."]


def _describe_adoption(default: Path, target: Path, count: int, moment: Moment, free_bytes: FreeBytes) -> list[str]:
    database = Database(sqlite_url(default))
    try:
        with database.read_any_version() as connection:
            version = read_version(connection)
        told = _describe_move(database, moment, version)
    finally:
        database.close()
    copied = f"The predecessor's default database {default} would be copied to {target}, and the copy upgraded."
    return [copied, *told, _describe_room(find_room_for_copy(default, target, count, free_bytes))]


def _describe_move(database: Database, moment: Moment, version: str | None) -> list[str]:
    zone, latest = find_zone(database, None), latest_of(moment)
    with database.read_any_version() as connection:
        count, progress = count_rows(connection), read_progress(connection)
        began = time.perf_counter()
        rows = select_rows(connection, COLUMNS, predecessor.FIRST_ID, 2**63 - 1, BATCH)
        if rows:
            Judge(zone).judge(connection, rows, latest)
        seconds = (time.perf_counter() - began) * SHARES
    left = count - (progress.done if progress else 0)
    year = datetime.fromtimestamp(moment.now, UTC).year
    return [
        f"{count} rows of the predecessor (version {version}) would be moved"
        + (f", {left} of them are left." if left < count else "."),
        f"Times would be read as those of {zone.key}.",
        f"It would take some {_duration(seconds * left / max(1, len(rows)))}.",
        *(f"Warning: {doubt}." for doubt in ([] if database.is_sqlite else doubts(database, zone, year))),
    ]


def _describe_room(room: Room) -> str:
    return f"It {room}, {'enough' if room.is_enough else 'which is not enough'}."


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
