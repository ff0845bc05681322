"""How many measurements there are, counted without reading what is summed up already."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from isems.storage.database import Database, raw_sqlite
from isems.storage.history import count_by_day, count_since
from isems.storage.measurements import insert_measurements
from isems.storage.rollups import roll_up
from tests.samples import NOON, minutes

DAY = 86_400
ZONE = ZoneInfo("Europe/Berlin")
TODAY = datetime.fromtimestamp(NOON, ZONE).date()
DAYS = [TODAY - timedelta(days=before) for before in reversed(range(14))]
#: Of SQLite's machine, for a row that is read.
ROW_STEPS = 4


def store(database: Database, *, is_rolled_up: bool) -> None:
    """Ten days of one node, and a day of one that is silent since a month."""
    with database.write() as connection:
        inserted = insert_measurements(connection, minutes(10 * 1440, "Dach", NOON - 10 * DAY), NOON)
        inserted.node_ids |= insert_measurements(connection, minutes(1440, "Keller", NOON - 30 * DAY), NOON).node_ids
    if is_rolled_up:
        with database.write() as connection:
            for node_id in inserted.node_ids.values():
                while roll_up(connection, node_id, ZONE):
                    pass


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_days_are_counted_whether_summed_up_or_not(database: Database, is_rolled_up: bool) -> None:
    store(database, is_rolled_up=is_rolled_up)
    with database.read() as connection:
        counts = count_by_day(connection, DAYS, ZONE)
        assert sum(counts) == count_since(connection, NOON - 14 * DAY) == 10 * 1440
    assert counts[:3] == [0, 0, 0]
    assert counts[4:-1] == [1440] * 9
    assert sum(counts[3::10]) == 1440


def test_nothing_that_is_summed_up_is_read_again(lite: Database) -> None:
    """SQLite seeks one first time only: the wrong one of two made it read two weeks of every node."""
    store(lite, is_rolled_up=True)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 100
        return 0

    with lite.read() as connection:
        raw_sqlite(connection).set_progress_handler(step, 100)
        count_by_day(connection, DAYS, ZONE)
        count_since(connection, NOON - 7 * DAY)
        raw_sqlite(connection).set_progress_handler(None, 0)
    assert 0 < steps < 7 * 1440 * ROW_STEPS
