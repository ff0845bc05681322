"""The predecessor's database with millions of rows: how long its upgrade takes, what it needs, and kills without end."""

import re
from collections.abc import Callable
from contextlib import closing
from random import Random, randrange

from sqlalchemy import text

from isems.storage.database import Database
from tests.predecessor import COLUMNS
from tests.soak.conftest import EmptyDatabase
from tests.soak.measuring import MEGABYTE, Run, require_room, run_measured, tell
from tests.upgrading import check_history, finish, is_begun, is_exchanged, kill_when, make_history, rows_moved

MILLION = 1_000_000
#: Rows of which copies are made under other nodes' names.
ORIGINALS = 100_000
#: Of one million's memory, and bytes: what ten million may need more.
MORE_MEMORY, MORE_BYTES = 0.1, 4 * MEGABYTE


def report(url: str, count: int, run: Run) -> None:
    kind = url.partition(":")[0].partition("+")[0]
    disk = f", at most {run.disk / MEGABYTE:.0f} MB of disk beyond the file's own" if run.disk else ""
    print(
        f"\n{kind}: {count} rows upgraded in {run.seconds:.1f} s,"
        f" at most {run.memory / MEGABYTE:.0f} MB of memory{disk}"
    )


def test_a_million_rows_take_less_than_a_minute_and_no_more_disk_than_was_told(empty_database: EmptyDatabase) -> None:
    with empty_database() as url:
        require_room(url, MILLION)
        tell("making a million rows ...")
        make_history(url, MILLION)
        run = run_measured(url)
        report(url, MILLION, run)
        tell("comparing them one by one ...")
        check_history(url, MILLION, run.said[-1])
        assert run.disk <= disk_told(run)
    assert run.seconds < 60


def disk_told(run: Run) -> int:
    found = re.fullmatch(r"The upgrade of [0-9]+ rows needs ([0-9]+) MB, [0-9]+ MB are free\.", run.said[0])
    return int(found[1]) * MEGABYTE if found else 0


def test_a_million_rows_and_ten_kills_at_random_moments_arrive_one_by_one(empty_database: EmptyDatabase) -> None:
    """The seed is printed: with it the same moments come again, as far as a machine's can."""
    seed = randrange(MILLION)
    random = Random(seed)
    print(f"\nseed {seed}")
    with empty_database() as url:
        require_room(url, MILLION)
        tell("making a million rows ...")
        make_history(url, MILLION)
        at_random = sorted(random.randrange(MILLION) for _ in range(8))
        for moment in (is_begun, *map(moved, at_random)):
            tell("starting, to kill ...")
            assert kill_when(url, moment, random.random() / 4)
        tell("starting, to kill at the exchange ...")
        kill_when(url, moved(MILLION), random.random() / 4)
        was_exchanged = ask(url, is_exchanged)
        tell("running it to its end, comparing all rows ...")
        closing_line = finish(url, timeout=600).splitlines()[-1]
        check_history(url, MILLION, None if was_exchanged else closing_line)
        assert closing_line.endswith(" is up to date.") == was_exchanged


def ask(url: str, question: Callable[[Database], bool]) -> bool:
    """What is to be said of a database that nobody upgrades just now."""
    with closing(Database(url)) as database:
        return question(database)


def moved(rows: int) -> Callable[[Database], bool]:
    """Whether so many rows are moved."""
    return lambda database: rows_moved(database) >= rows or is_exchanged(database)


def test_ten_million_rows_need_no_more_memory_than_one_million(empty_database: EmptyDatabase) -> None:
    one, ten = (upgrade_copies(empty_database, count) for count in (MILLION, 10 * MILLION))
    assert ten.memory <= one.memory * (1 + MORE_MEMORY) + MORE_BYTES


def upgrade_copies(empty_database: EmptyDatabase, count: int) -> Run:
    with empty_database() as url:
        require_room(url, count)
        tell(f"making {count} rows ...")
        make_copies(url, count)
        run = run_measured(url)
        report(url, count, run)
    assert f": {count} rows moved, 0 rejected, " in run.said[-1]
    assert not run.disk or run.disk <= disk_told(run)
    return run


def make_copies(url: str, count: int) -> None:
    """The predecessor's database with so many rows, most of them copied inside the database."""
    make_history(url, ORIGINALS)
    others = ", ".join(f'"{name}"' for name in COLUMNS[1:])
    statement = text(
        f'INSERT INTO measurement ("nodeId", {others})'
        f""" SELECT "nodeId" || ' ' || CAST(:number AS TEXT), {others} FROM measurement WHERE id <= {ORIGINALS}"""
    )
    database = Database(url)
    for number in range(1, count // ORIGINALS):
        with database.write_any_version() as connection:
            connection.execute(statement, {"number": number})
    database.close()
