"""Rows that are inserted without looking first."""

import pytest

from isems.errors import StorageError
from isems.storage.database import Database
from isems.storage.measurements import insert_rows
from isems.storage.rows import Row
from tests.samples import NOON


def row(at: int, millivolts: int = 12_000) -> Row:
    return (1, at, 1, 400, 0, 18_000, 17_000, millivolts, 50, 97, 2000, 14_200, 768, False, None)


def test_rows_that_another_program_put_there_meanwhile_are_left_out(database: Database) -> None:
    with database.write() as connection:
        assert insert_rows(connection, [row(NOON), row(NOON + 1)]) == 2
        assert insert_rows(connection, [row(NOON + 1, millivolts=1), row(NOON + 2), row(NOON + 2, 1)]) == 1
    with database.read() as connection:
        found = connection.exec_driver_sql("SELECT measured_at, battery_millivolts FROM measurement ORDER BY 1").all()
    assert found == [(NOON, 12_000), (NOON + 1, 12_000), (NOON + 2, 12_000)]


def test_a_value_that_fits_into_no_column_is_told_and_nothing_is_stored(postgresql_url: str) -> None:
    """SQLite holds any integer."""
    database = Database(postgresql_url)
    with pytest.raises(StorageError, match=r"PostgreSQL refused rows: .*out of range"), database.write() as connection:
        insert_rows(connection, [row(NOON), row(NOON + 1, millivolts=2**40)])
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM measurement").scalar() == 0
    database.close()
