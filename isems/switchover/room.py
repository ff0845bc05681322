"""How much disk an upgrade of a SQLite file takes, and how much there is."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from isems.storage.predecessor import Progress

#: What a moved row takes with everything beside it, generously.
BYTES_PER_ROW = 64
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


def find_room(path: Path, count: int, progress: Progress | None, free_bytes: FreeBytes) -> Room:
    """Tell what the upgrade of a file with so many rows needs, or what is left of it."""
    needed = _work(count - (progress.done if progress else 0))
    if not (progress and progress.backup and Path(progress.backup).exists()):
        needed += path.stat().st_size
    return Room(needed, free_bytes(path.parent), path.parent)


def find_room_for_copy(source: Path, target: Path, count: int, free_bytes: FreeBytes) -> Room:
    """Tell what it needs to copy a file with so many rows and to upgrade the copy, which has a backup of its own."""
    return Room(2 * source.stat().st_size + _work(count), free_bytes(target.parent), target.parent)


def _work(count: int) -> int:
    return COPIES * BYTES_PER_ROW * count + SPARE_BYTES


def _megabytes(size: int) -> str:
    """Give a size in MB of a million bytes, never less than it is."""
    return f"{-(-size // 1_000_000)} MB"
