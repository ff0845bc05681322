"""A process that may only read a SQLite file, while others write it: what SQLite refuses for a moment is waited out."""

import multiprocessing
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest

from isems.errors import StorageError
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.newest import count_measurements
from isems.storage.patience import PASSING, read_patiently
from tests.samples import NOON, minutes

processes = multiprocessing.get_context("spawn")
NOBODY = 65534
#: Where the two copies of the header lie in the index of the write-ahead log; they differ while a writer commits.
HEADER_COPY = slice(48, 96)


@pytest.fixture
def file() -> Iterator[Path]:
    """A database with five records, in a folder that others may enter; pytest's folders are private."""
    with tempfile.TemporaryDirectory(prefix="isems-readers-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "isems.db"
        with closing(Database(f"sqlite:///{path}")) as database, database.write() as connection:
            insert_measurements(connection, minutes(5), NOON)
        path.chmod(0o644)
        yield path
        for one in (Path(folder), *Path(folder).iterdir()):
            one.chmod(0o755)


def become_a_reader(path: Path) -> None:
    """Give up what lets this process write: root by another user's rights, anybody else by the files' own."""
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return
    for one in path.parent.iterdir():
        one.chmod(0o444)
    path.parent.chmod(0o555)


def read_as_another(path: Path, pipe: Pipe) -> None:
    """Say when it begins, read, and tell what was found."""
    database = Database(f"sqlite:///{path}")
    become_a_reader(path)
    pipe.send("begins")
    try:
        with database.read() as connection:
            pipe.send(f"{count_measurements(connection)} records")
    except StorageError as error:
        pipe.send(str(error))
    database.close()


def begin_to_read(path: Path) -> Pipe:
    ours, theirs = processes.Pipe()
    processes.Process(target=read_as_another, args=(path, theirs), daemon=True).start()
    assert ours.poll(60)
    assert ours.recv() == "begins"
    return ours


def result_of(pipe: Pipe) -> str:
    assert pipe.poll(60)
    return str(pipe.recv())


def test_a_commit_that_is_looked_at_halfway_is_looked_at_again(file: Path) -> None:
    """What lasts microseconds is made to last until the writer, that is us, looks at the file again."""
    count = "SELECT count(*) FROM measurement"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        assert writer.execute(count).fetchone() == (5,)
        # Not closed before the end: that would take the writer's locks away.
        with Path(f"{file}-shm").open("r+b") as index:
            index.seek(HEADER_COPY.start)
            index.write(bytes(HEADER_COPY.stop - HEADER_COPY.start))
            index.flush()
            reader = begin_to_read(file)
            time.sleep(0.2)
            assert writer.execute(count).fetchone() == (5,)
            assert result_of(reader) == "5 records"


def test_journals_that_the_last_writer_took_away_are_waited_for(file: Path) -> None:
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    reader = begin_to_read(file)
    time.sleep(0.2)
    file.parent.chmod(0o755)
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").touch(0o644)
    assert result_of(reader) == "5 records"


@pytest.mark.parametrize("name", sorted(PASSING))
def test_what_does_not_pass_is_an_error_in_the_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isems.storage.patience.PATIENCE_SECONDS", 0.05)
    refused: list[str] = []

    def refuse() -> None:
        refused.append(name)
        error = sqlite3.OperationalError(name)
        error.sqlite_errorname = name
        raise error

    with pytest.raises(sqlite3.OperationalError, match=name):
        read_patiently(refuse)
    assert len(refused) > 1


def test_what_is_no_passing_refusal_is_an_error_at_once() -> None:
    asked: list[str] = []

    def fail() -> None:
        asked.append("once")
        sqlite3.connect(":memory:").execute("SELECT * FROM absent")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        read_patiently(fail)
    assert asked == ["once"]
