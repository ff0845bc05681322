"""A table of months: what is written and read is the same as with one table, whatever times nodes send."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect

from isems.errors import StorageError
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.newest import NEWEST, count_measurements, select_newest, select_newest_of_each
from isems.storage.partitions import FIRST_YEAR, LAST_YEAR, Layout, part_of, partition
from tests.samples import NOON, measurement

MONTH = 31 * 86_400


@pytest.fixture
def postgres(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url)
    yield database
    database.close()


def divide(database: Database, layout: Layout = Layout.MONTHS) -> None:
    with database.write() as connection:
        partition(connection, layout)


def store(database: Database, *times: int) -> int:
    with database.write() as connection:
        return insert_measurements(connection, [measurement("a", at) for at in times], NOON).stored


def parts(database: Database) -> list[str]:
    with database.read() as connection:
        names = inspect(connection).get_table_names()
    return sorted(name for name in names if name.startswith("measurement_"))


@given(st.integers(-(2**40), 2**40))
def test_each_time_is_in_one_part_and_that_is_its_month(at: int) -> None:
    part = part_of(at)
    assert part.first == "MINVALUE" or int(part.first) <= at
    assert part.last == "MAXVALUE" or at < int(part.last)
    if isinstance(part.first, int):
        assert part_of(part.first) == part
        assert part_of(part.first - 1).last == part.first
    assert part_of(part.last).first == part.last if isinstance(part.last, int) else True


def test_what_is_stored_is_divided_and_nothing_is_lost(postgres: Database) -> None:
    store(postgres, NOON, NOON + 60, NOON - 3 * MONTH)
    with postgres.read() as connection:
        before = connection.exec_driver_sql("SELECT * FROM every_measurement ORDER BY 1, 2").all()
    divide(postgres)
    with postgres.read() as connection:
        assert connection.exec_driver_sql("SELECT * FROM every_measurement ORDER BY 1, 2").all() == before
    assert len(parts(postgres)) == 2
    with pytest.raises(StorageError, match="divided already"):
        divide(postgres)


def test_a_month_is_made_when_its_first_record_comes_and_a_record_is_stored_once(postgres: Database) -> None:
    divide(postgres)
    assert parts(postgres) == []
    assert store(postgres, NOON, NOON + MONTH) == 2
    assert store(postgres, NOON, NOON + MONTH, NOON + 2 * MONTH) == 1
    assert len(parts(postgres)) == 3
    with postgres.read() as connection:
        (newest,) = select_newest_of_each(connection)
        assert newest.measurement.measured_at == NOON + 2 * MONTH
        times = [one.measurement.measured_at for one in select_newest(connection, "a", newest.node_id, 3)]
        assert times == [NOON + 2 * MONTH, NOON + MONTH, NOON]


def test_times_of_wrong_clocks_have_their_place(postgres: Database) -> None:
    divide(postgres)
    assert store(postgres, 0, 2**41, NOON) == 3
    assert (FIRST_YEAR, LAST_YEAR) == (2015, 2099)
    assert parts(postgres)[1:] == ["measurement_early", "measurement_late"]
    with postgres.read() as connection:
        assert count_measurements(connection) == 3


def count_unread(database: Database) -> int:
    """How many months are not looked into for the newest record of a node."""
    statement = NEWEST.replace("every_measurement", "measurement")
    with database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}", (1, 1)).scalars().all()
    return len([line for line in plan if "never executed" in line])


def test_the_newest_of_a_node_is_sought_in_the_newest_month_first(postgres: Database) -> None:
    divide(postgres)
    store(postgres, *(NOON - month * MONTH for month in range(24)))
    assert count_unread(postgres) == 23
    with postgres.write() as connection:  # why there is no such part
        connection.exec_driver_sql("CREATE TABLE others PARTITION OF measurement DEFAULT")
    assert count_unread(postgres) == 0


@pytest.mark.parametrize("layout", [Layout.TIMESCALEDB, Layout.CITUS])
def test_an_extension_that_is_not_there_is_named_and_nothing_is_changed(postgres: Database, layout: Layout) -> None:
    with pytest.raises(StorageError, match=rf"'CREATE EXTENSION {layout}' in it first"):
        divide(postgres, layout)
    divide(postgres)


@pytest.mark.parametrize(
    ("layout", "calls"),
    [
        (Layout.TIMESCALEDB, ["measurement measured_at 2592000 true"]),
        (Layout.CITUS, ["node", "configuration", "measurement node_id"]),
    ],
)
def test_an_extension_is_called_as_its_manual_says(postgres: Database, layout: Layout, calls: list[str]) -> None:
    """Functions of the extensions' names and arguments stand in for them: neither can be installed here."""
    with postgres.write() as connection:
        connection.exec_driver_sql("CREATE TABLE called (id serial, what text)")
        for signature, what in (
            (
                "create_hypertable(t regclass, c name, chunk_time_interval bigint, migrate_data boolean)",
                "concat_ws(' ', t, c, chunk_time_interval, CASE WHEN migrate_data THEN 'true' END)",
            ),
            ("create_reference_table(t regclass)", "t::text"),
            ("create_distributed_table(t regclass, c text)", "concat_ws(' ', t, c)"),
        ):
            body = f"INSERT INTO called (what) VALUES ({what})"
            connection.exec_driver_sql(f"CREATE FUNCTION {signature} RETURNS void LANGUAGE sql AS $$ {body} $$")
    divide(postgres, layout)
    with postgres.read() as connection:
        assert connection.exec_driver_sql("SELECT what FROM called ORDER BY id").scalars().all() == calls
