"""Counts of all processes: each thing is counted once, whatever else happens in the transaction that writes them."""

import pytest

from isems.storage.counters import count, read_counts, write_counts
from isems.storage.database import Database
from isems.storage.tally import INSTANT, Tally


class Impatient(Tally):
    """Finds every moment right for writing."""

    def is_due(self) -> bool:
        return True


@pytest.fixture
def eager_database(database: Database) -> Database:
    database.tally = Impatient()
    return database


def count_and_fail(database: Database) -> None:
    with database.write() as connection:
        count(connection, {"rows": 10})
        raise ZeroDivisionError


def stored(database: Database) -> dict[str, float]:
    with database.read() as connection:
        return read_counts(connection)


def test_what_one_transaction_counts_several_times_is_written_once(eager_database: Database) -> None:
    for _ in range(3):
        with eager_database.write() as connection:
            count(connection, {"rows": 1, f"{INSTANT}poll": 1000})
            count(connection, {"rows": 2, f"{INSTANT}poll": 2000})
            write_counts(connection)
    with eager_database.write() as connection:
        write_counts(connection)
    counts = stored(eager_database)
    assert (counts["rows"], counts[f"{INSTANT}poll"]) == (9, 2000)


def test_what_a_failed_transaction_counted_is_not_counted(eager_database: Database) -> None:
    with eager_database.write() as connection:
        count(connection, {"rows": 1})
    with pytest.raises(ZeroDivisionError):
        count_and_fail(eager_database)
    with eager_database.write() as connection:
        write_counts(connection)
    assert stored(eager_database)["rows"] == 1


def test_two_processes_add_to_the_same_counts(sqlite_url: str) -> None:
    first, second = Database(sqlite_url), Database(sqlite_url)
    for database in (first, second, first):
        with database.write() as connection:
            count(connection, {"rows": 5})
        with database.write() as connection:
            write_counts(connection)
    assert stored(first)["rows"] == 15
    first.close()
    second.close()
