"""The predecessor's default database is taken over where nobody named one, and is itself never touched."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from isems.domain.clock import Moment, Uptime
from isems.errors import StorageError
from isems.storage.adoption import adopt_database
from isems.storage.database import Database
from isems.storage.newest import count_measurements
from isems.storage.rejected import select_rejected
from isems.switchover.adopt import adopt
from isems.switchover.move import Voice, upgrade
from isems.switchover.plan import describe_upgrade
from tests.api.stored import line, store
from tests.predecessor import history, instant, make_database

MOMENT = Moment(instant(2026, 1, 1, 12), is_trusted=True, uptime=Uptime("boot", 1000))
ROWS = 300


class Place:
    """The predecessor's default database and, in another folder, the place of ours."""

    def __init__(self, folder: Path) -> None:
        for name in ("tmp", "checkout"):
            (folder / name).mkdir(mode=0o700)  # where others may read, journals are left for them
        self.source, self.target = folder / "tmp" / "test.db", folder / "checkout" / "isems.db"
        self.url = f"sqlite:///{self.target}"
        self.said: list[str] = []

    def make_source(self) -> None:
        make_database(f"sqlite:///{self.source}", [one.row for one in islice(history(1000, [0x68000000]), ROWS)])

    def adopt(self, free: int = 10**12) -> None:
        database = Database(self.url)
        voice = Voice(self.said.append, lambda *_: None)
        try:
            adopt(self.source, database, voice, lambda _: free)
            if self.target.exists():
                upgrade(database, MOMENT, voice)
        finally:
            database.close()

    def state(self) -> dict[Path, tuple[bytes, int]]:
        """Every file with its content and the time of its last change."""
        folders = (self.source.parent, self.target.parent)
        files = [path for folder in folders for path in folder.iterdir()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    def count(self) -> int:
        database = Database(self.url)
        with database.read() as connection:
            found = count_measurements(connection)
        database.close()
        return found

    def store(self, *lines: str) -> None:
        """Have a database of this version with these lines."""
        database = Database(self.url)
        store(database, lines)
        database.make_ready()
        database.close()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_it_is_copied_and_upgraded_told_in_one_line_and_stays_as_it_is(place: Place) -> None:
    place.make_source()
    before = place.state()
    place.adopt()
    assert place.said[0] == (
        f"The predecessor's default database {place.source} ({ROWS} rows) was copied to {place.target}; "
        "it stays as it is, and what is still written to it is not taken over."
    )
    assert place.count() == ROWS
    after = place.state()
    assert {path: after[path] for path in before} == before
    assert {path.name for path in after} == {"test.db", "isems.db", "isems.db.before-upgrade"}


def test_it_is_copied_once(place: Place) -> None:
    place.make_source()
    place.adopt()
    place.said.clear()
    before = place.state()
    place.adopt()
    assert place.said == []
    assert place.state().keys() == before.keys()
    assert place.count() == ROWS


def test_where_there_are_measurements_nothing_is_copied(place: Place) -> None:
    place.make_source()
    place.store(line())
    before = place.state()
    place.adopt()
    assert (place.said, place.count()) == ([], 1)
    assert place.state().keys() == before.keys()


def test_measurements_that_are_not_sorted_in_yet_are_measurements_too(place: Place) -> None:
    place.make_source()
    collecting = Database(place.url, has_inbox=True)
    assert store(collecting, [line()]).stored == 1
    collecting.close()
    place.adopt()
    assert (place.said, place.count()) == ([], 1)


def empty_file(place: Place) -> None:
    place.target.touch()


def predecessors_without_rows(place: Place) -> None:
    make_database(place.url)


def ours_without_measurements(place: Place) -> None:
    place.store("no measurement at all")


@pytest.mark.parametrize("make_target", [empty_file, predecessors_without_rows, ours_without_measurements])
def test_a_database_without_measurements_makes_room_and_is_kept(
    place: Place, make_target: Callable[[Place], None]
) -> None:
    place.make_source()
    make_target(place)
    content = place.target.read_bytes()
    place.adopt()
    kept = Path(f"{place.target}.replaced")
    assert place.said[0].endswith(f" What was there is kept as {kept}.")
    assert place.count() == ROWS
    assert len(kept.read_bytes()) == len(content)


def test_what_was_rejected_before_is_still_in_the_file_that_made_room(place: Place) -> None:
    place.make_source()
    place.store("no measurement at all")
    place.adopt()
    kept = Database(f"sqlite:///{place.target}.replaced")
    with kept.read() as connection:
        assert [one.raw for one in select_rejected(connection)] == [b"no measurement at all"]
    kept.close()


def nothing(place: Place) -> None:
    """A computer that never had a predecessor."""


def a_text(place: Place) -> None:
    place.source.write_text("not a database\n" * 1000)


def a_folder(place: Place) -> None:
    place.source.mkdir()


def anothers(place: Place) -> None:
    with closing(sqlite3.connect(place.source)) as connection:
        connection.executescript("CREATE TABLE measurement (id INTEGER); INSERT INTO measurement VALUES (1)")


def one_of_this_version(place: Place) -> None:
    database = Database(f"sqlite:///{place.source}")
    store(database, [line()])
    database.close()


def one_without_rows(place: Place) -> None:
    make_database(f"sqlite:///{place.source}")


@pytest.mark.parametrize("make", [nothing, a_text, a_folder, anothers, one_of_this_version, one_without_rows])
def test_what_is_not_the_predecessors_is_not_copied(place: Place, make: Callable[[Place], None]) -> None:
    make(place)
    place.adopt()
    assert (place.said, list(place.target.parent.iterdir())) == ([], [])


@pytest.mark.parametrize("text", ["not a database\n" * 1000, None], ids=["a text", "another's database"])
def test_what_is_not_ours_makes_no_room(place: Place, text: str | None) -> None:
    place.make_source()
    if text:
        place.target.write_text(text)
    else:
        with closing(sqlite3.connect(place.target)) as connection:
            connection.executescript("CREATE TABLE letters (id INTEGER)")
    before = place.state()
    with pytest.raises(StorageError):
        place.adopt()
    assert (place.said, place.state()) == ([], before)


def test_without_room_nothing_is_begun(place: Place) -> None:
    place.make_source()
    before = place.state()
    with pytest.raises(StorageError, match=r"needs \d+ MB, 1 MB are free in .*checkout: nothing was changed"):
        place.adopt(free=1000)
    assert place.state() == before


def test_a_database_that_another_program_has_open_makes_no_room(place: Place) -> None:
    place.make_source()
    place.store()
    serving = Database(place.url)
    with serving.read() as connection:
        assert count_measurements(connection) == 0
    with pytest.raises(StorageError, match=r"isems\.db is in use .*: stop what serves and polls, run it again"):
        place.adopt()
    with serving.read() as connection:
        assert count_measurements(connection) == 0
    serving.close()
    assert {path.name for path in place.state()} == {"test.db", "isems.db"}
    place.adopt()
    assert place.count() == ROWS


def test_measurements_that_come_while_it_is_copied_are_not_lost(place: Place) -> None:
    place.make_source()
    place.store()
    with pytest.raises(StorageError, match=r"isems\.db holds measurements by now: nothing was copied"):
        adopt_database(place.source, place.target, lambda *_: place.store(line()))
    assert place.count() == 1
    assert {path.name for path in place.state()} == {"test.db", "isems.db"}


KILLED = """
import os, signal, sys
from pathlib import Path
from isems.storage import adoption

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[3] == "while the copy is written":
    adoption.adopt_database(Path(sys.argv[1]), Path(sys.argv[2]), die)
adoption.sync = die
adoption.adopt_database(Path(sys.argv[1]), Path(sys.argv[2]), lambda *_: None)
"""


@pytest.mark.parametrize("when", ["while the copy is written", "after the exchange"])
def test_killed_it_leaves_no_half_copy_and_can_be_run_again(place: Place, when: str) -> None:
    place.make_source()
    place.store()
    before = place.state()
    killed = subprocess.run([sys.executable, "-c", KILLED, place.source, place.target, when], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert place.state()[place.source] == before[place.source]
    assert (place.target.read_bytes() == before[place.target][0]) == (when == "while the copy is written")
    place.adopt()
    assert place.count() == ROWS
    assert {path.name for path in place.state()} == {
        *("test.db", "isems.db", "isems.db.before-upgrade", "isems.db.replaced")
    }


UNFINISHED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA cache_size = 1")
connection.execute("UPDATE measurement SET latitude = 0")
os._exit(0)
"""


def test_one_with_an_unfinished_transaction_is_refused_because_reading_it_would_change_it(place: Place) -> None:
    place.make_source()
    subprocess.run([sys.executable, "-c", UNFINISHED, place.source], check=True)
    before = place.state()
    assert Path(f"{place.source}-journal") in before
    with pytest.raises(StorageError, match=r"test\.db cannot be read: "):
        place.adopt()
    assert place.state() == before


def test_what_is_told_before_is_what_would_be_done_and_changes_nothing(place: Place) -> None:
    place.make_source()
    before = place.state()
    database = Database(place.url)
    told = describe_upgrade(database, MOMENT, lambda _: 10**12, default=place.source)
    short = describe_upgrade(database, MOMENT, lambda _: 1000, default=place.source)
    database.close()
    assert told[:3] == [
        f"The predecessor's default database {place.source} would be copied to {place.target}, and the copy upgraded.",
        f"{ROWS} rows of the predecessor (version ef784e202371) would be moved.",
        "Times would be read as those of Europe/Berlin.",
    ]
    assert told[-1].endswith("1000000 MB are free, enough.")
    assert short[-1].endswith("1 MB are free, which is not enough.")
    assert place.state() == before
