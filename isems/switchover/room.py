"""How much disk an upgrade takes, and how much there is."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from isems.domain.clock import EARLIEST_BELIEVED
from isems.storage.database import Database
from isems.storage.predecessor import Progress, count_outside

#: What a moved row takes with everything beside it, generously.
BYTES_PER_ROW = 64
BYTES_PER_ROW_ON_SERVER = 150
#: What a row takes that is kept whole, because its time cannot be true.
BYTES_PER_REJECTED = 1000
#: Journals and the like.
SPARE_BYTES = 64 * 1024 * 1024
#: Where SQLite makes a file anew it is there three times for a moment: as it was, the copy, and the journal.
COPIES = 3

FreeBytes = Callable[[Path], int]


def free_of(folder: Path) -> int:
    """Give the bytes that are free where a folder lies."""
    return shutil.disk_usage(folder).free


class Room(NamedTuple):
    """Bytes on the disk of the database."""

    needed: int
    free: int
    folder: Path

    @property
    def is_enough(self) -> bool:
        """Whether the upgrade fits."""
        return self.needed <= self.free

    def __str__(self) -> str:
        return f"needs {_megabytes(self.needed)}, {_megabytes(self.free)} are free"


def find_room(
    database: Database, count: int, progress: Progress | None, latest: int, free_bytes: FreeBytes = free_of
) -> Room:
    """Tell what the upgrade of so many rows of a SQLite file needs, or what is left of it."""
    path = Path(str(database.url.database))
    needed = COPIES * _size_of_new(database, BYTES_PER_ROW, count, progress, latest) + SPARE_BYTES
    if not (progress and progress.backup and Path(progress.backup).exists()):
        needed += path.stat().st_size
    return Room(needed, free_bytes(path.parent), path.parent)


def find_room_for_copy(source: Path, target: Path, count: int, free_bytes: FreeBytes) -> Room:
    """Tell what it needs to copy a file with so many rows and to upgrade the copy, which has a backup of its own."""
    needed = 2 * source.stat().st_size + COPIES * BYTES_PER_ROW * count + SPARE_BYTES
    return Room(needed, free_bytes(target.parent), target.parent)


def describe_server_room(database: Database, count: int, progress: Progress | None, latest: int) -> str:
    """Tell what it needs on the disk of a server, of which nothing is known here."""
    size = _size_of_new(database, BYTES_PER_ROW_ON_SERVER, count, progress, latest)
    return f"needs some {_megabytes(size)} on the server's disk"


def _size_of_new(database: Database, per_row: int, count: int, progress: Progress | None, latest: int) -> int:
    """Give the bytes of what is still to be stored; instants after `latest` are impossible."""
    left = count - (progress.done if progress else 0)
    first, last = (datetime.fromtimestamp(instant, UTC) for instant in (EARLIEST_BELIEVED, latest))
    with database.read_any_version() as connection:
        outside = count_outside(connection, first, last)
    return per_row * left + BYTES_PER_REJECTED * min(left, outside)


def _megabytes(size: int) -> str:
    """Give a size in MB of a million bytes, never less than it is."""
    return f"{-(-size // 1_000_000)} MB"
