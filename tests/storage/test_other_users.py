"""A file may be read by users who may write neither it nor its folder, as the archived collector's could."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from tests.samples import NOON, minutes

COUNT = (
    "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM measurement').fetchone())"
)


@pytest.fixture
def path() -> Iterator[Path]:
    """A file in a folder that everybody may look into; those of pytest are private."""
    folder = Path(tempfile.mkdtemp(prefix="isems-test-"))
    folder.chmod(0o755)
    yield folder / "isems.db"
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


def store(path: Path, count: int) -> None:
    with opened(path) as database, database.write() as connection:
        insert_measurements(connection, minutes(count), NOON)


def count_as_another(path: Path) -> str:
    """What nobody counts, who may write neither the file nor into its folder."""
    command = ["/usr/bin/python3", "-c", COUNT, str(path)]
    nobody: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **nobody)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as somebody else")
def test_who_may_only_read_reads_what_is_stored_while_it_is_open_and_afterwards(path: Path) -> None:
    store(path, 3)
    assert count_as_another(path) == "3"
    with opened(path) as database, database.write() as connection:
        insert_measurements(connection, minutes(5), NOON)
        assert count_as_another(path) == "3"
    assert count_as_another(path) == "5"
    store(path, 8)
    assert count_as_another(path) == "8"


def test_what_is_left_for_others_is_empty_and_belongs_to_the_files_owner(path: Path) -> None:
    store(path, 1)
    path.chmod(0o640)
    if os.geteuid() == 0:
        shutil.chown(path, "nobody", "nogroup")
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink()
    store(path, 2)
    left = [Path(f"{path}{end}").stat() for end in ("-wal", "-shm")]
    status = path.stat()
    assert [(one.st_size, one.st_mode, one.st_uid, one.st_gid) for one in left] == [
        (0, status.st_mode, status.st_uid, status.st_gid)
    ] * 2


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o600, 0o755), (0o644, 0o700)])
def test_where_nobody_else_may_read_nothing_is_left(path: Path, file_mode: int, folder_mode: int) -> None:
    path.touch(file_mode)
    path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    store(path, 1)
    assert list(path.parent.iterdir()) == [path]
