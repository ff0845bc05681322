"""Where nobody ever set DATABASE_URL, the predecessor's measurements lie in its default database: take them over."""

from pathlib import Path

from isems.errors import StorageError
from isems.storage.adoption import adopt_database, count_adoptable
from isems.storage.database import Database
from isems.switchover.move import Voice, path_of
from isems.switchover.room import FreeBytes, find_room_for_copy, free_of


def adopt(source: Path, database: Database, voice: Voice, free_bytes: FreeBytes = free_of) -> None:
    """Copy the predecessor's default database to the place of this one, if this one holds no measurement.

    Raises StorageError where that cannot be done; both are then as they were.
    """
    target = path_of(database)
    count = count_adoptable(source, target)
    if not count:
        return
    room = find_room_for_copy(source, target, count, free_bytes)
    if not room.is_enough:
        raise StorageError(f"to copy and upgrade {source} {room} in {room.folder}: nothing was changed")
    kept = adopt_database(source, target, lambda done, pages: voice.show("Copying", done, pages))
    voice.say(
        f"The predecessor's default database {source} ({count} rows) was copied to {target}; it stays as it is, "
        "and what is still written to it is not taken over." + (f" What was there is kept as {kept}." if kept else "")
    )
