"""The inbox: fewer pages written, and nothing else about the measurements is any different."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isems.domain.measurement import Measurement
from isems.storage import inbox
from isems.storage.database import Database
from isems.storage.inbox import FEW_ROWS, MAX_ROWS, settle, settle_database
from isems.storage.measurements import insert_measurements
from isems.storage.newest import count_measurements, select_newest, select_newest_of_each
from isems.storage.nodes import find_node
from tests.samples import NOON, measurement, minutes


@contextmanager
def opened(url: str, *, has_inbox: bool = True) -> Iterator[Database]:
    database = Database(url, has_inbox=has_inbox)
    database.make_ready()
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with opened(sqlite_url) as database:
        yield database


def store(database: Database, *measurements: Measurement) -> tuple[int, int, int, int]:
    with database.write() as connection:
        inserted = insert_measurements(connection, measurements, NOON)
    return inserted.stored, inserted.duplicate, inserted.completed, len(inserted.conflicts)


def store_in_vain(database: Database, *measurements: Measurement) -> None:
    """Store and settle in a transaction that fails."""
    with suppress(ZeroDivisionError), database.write() as connection:
        insert_measurements(connection, measurements, NOON)
        settle(connection)
        raise ZeroDivisionError


def fleet(minute: int, nodes: int = 100) -> list[Measurement]:
    return [measurement(f"Dach {number}", NOON + 60 * minute) for number in range(nodes)]


def tables(url: str) -> tuple[int, int]:
    """Rows in `measurement` and in the inbox, as another program sees them."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        return tuple(other.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("measurement", "inbox"))  # type: ignore[return-value]


def test_few_rows_of_many_nodes_wait_and_a_log_does_not(database: Database, sqlite_url: str) -> None:
    store(database, *fleet(0))
    store(database, *minutes(FEW_ROWS, "Log"))
    assert tables(sqlite_url) == (FEW_ROWS, 100)


def test_a_process_that_does_not_go_on_leaves_nothing_in_the_inbox(sqlite_url: str) -> None:
    with opened(sqlite_url, has_inbox=False) as database:
        store(database, *fleet(0))
    assert tables(sqlite_url) == (100, 0)


def test_what_waits_is_read_as_if_it_did_not(database: Database) -> None:
    store(database, *fleet(0), *fleet(1))
    with database.read() as connection:
        assert count_measurements(connection) == 200
        newest = select_newest(connection, "Dach 7", find_node(connection, "Dach 7") or 0, 10)
        assert [one.measurement.measured_at for one in newest] == [NOON + 60, NOON]
        assert {one.measurement.measured_at for one in select_newest_of_each(connection)} == {NOON + 60}


def test_late_records_in_the_inbox_do_not_pass_for_the_newest(database: Database) -> None:
    store(database, *minutes(FEW_ROWS, "Dach"))
    store(database, measurement("Dach", NOON - 600))
    with database.read() as connection:
        (newest,) = select_newest_of_each(connection)
        assert newest.measurement.measured_at == NOON + 60 * (FEW_ROWS - 1)
        times = [one.measurement.measured_at for one in select_newest(connection, "Dach", newest.node_id, 100)]
    assert times == sorted(times, key=lambda time: -(time or 0))
    assert len(times) == FEW_ROWS + 1


def test_settled_every_row_is_in_the_table_once(database: Database, sqlite_url: str) -> None:
    for minute in range(5):
        store(database, *fleet(minute))
    assert settle_database(database) == 500
    assert tables(sqlite_url) == (500, 0)
    assert settle_database(database) == 0
    assert store(database, *fleet(4), *fleet(5)) == (100, 100, 0, 0)


def test_a_full_inbox_settles_itself(database: Database, sqlite_url: str) -> None:
    count = 0
    while count < MAX_ROWS:
        assert tables(sqlite_url)[0] == 0
        store(database, *fleet(count, 500))
        count += 500
    assert tables(sqlite_url) == (count, 0)


def test_what_is_there_is_known_wherever_it_is_and_whoever_brought_it(database: Database, sqlite_url: str) -> None:
    store(database, *fleet(0))
    with opened(sqlite_url) as other, opened(sqlite_url, has_inbox=False) as direct:
        assert store(other, *fleet(0), *fleet(1)) == (100, 100, 0, 0)
        assert store(direct, *fleet(1), *fleet(2)) == (100, 100, 0, 0)
        assert store(database, *fleet(2), *fleet(1), *fleet(3)) == (100, 200, 0, 0)
        assert settle_database(other) == 300
        assert store(database, *fleet(1), *fleet(3)) == (0, 200, 0, 0)
    assert tables(sqlite_url) == (400, 0)


def test_late_records_that_were_sorted_in_are_known_as_duplicates(database: Database) -> None:
    store(database, *(measurement(node, NOON + 60 * minute) for node in "ab" for minute in range(5)))
    settle_database(database)
    assert store(database, measurement("a", NOON + 600)) == (1, 0, 0, 0)
    assert store(database, measurement("a", NOON + 60), measurement("b", NOON - 60)) == (1, 1, 0, 0)


def test_a_record_that_waits_is_completed_and_contradicted_as_any_other(database: Database) -> None:
    store(database, measurement("a", NOON, status=None), measurement("b", NOON))
    assert store(database, measurement("a", NOON), measurement("b", NOON, battery_volts=11.0)) == (0, 0, 1, 1)
    settle_database(database)
    with database.read() as connection:
        assert [one.measurement for one in select_newest_of_each(connection)] == [measurement("a"), measurement("b")]


def test_what_was_rolled_back_is_not_remembered(database: Database, sqlite_url: str) -> None:
    store(database, *fleet(0))
    store_in_vain(database, *fleet(1))
    assert tables(sqlite_url) == (0, 100)
    assert store(database, *fleet(1), *fleet(0)) == (100, 100, 0, 0)


def test_what_was_read_while_writing_and_rolled_back_is_not_the_newest(database: Database) -> None:
    store(database, measurement("a", NOON))
    with suppress(ZeroDivisionError), database.write() as connection:
        insert_measurements(connection, [measurement("a", NOON + 120)], NOON)
        assert select_newest_of_each(connection)[0].measurement.measured_at == NOON + 120
        raise ZeroDivisionError
    assert newest_of_each(database) == {"a": 0}
    store(database, measurement("b", NOON))
    assert newest_of_each(database) == {"a": 0, "b": 0}


def test_a_settling_that_was_interrupted_loses_nothing_and_doubles_nothing(database: Database, sqlite_url: str) -> None:
    store(database, *fleet(0))
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as other:
        other.execute("CREATE TRIGGER full BEFORE DELETE ON inbox BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        with pytest.raises(Exception, match="disk is full"):
            settle_database(database)
        other.execute("DROP TRIGGER full")
    assert tables(sqlite_url) == (0, 100)
    assert settle_database(database) == 100


def newest_of_each(database: Database) -> dict[str, int]:
    with database.read() as connection:
        found = [one.measurement for one in select_newest_of_each(connection)]
    return {one.node: ((one.measured_at or 0) - NOON) // 60 for one in found}


def newest_among(keys: Iterable[tuple[str, int]]) -> dict[str, int]:
    return {node: max(at for name, at in keys if name == node) for node, _ in keys}


NODES = st.sampled_from(["a", "b", "c"])
BATCH = st.lists(st.tuples(NODES, st.integers(0, 6), st.sampled_from([13.0, 13.0, 13.0, 12.5])), max_size=8)
STEPS = st.lists(st.tuples(st.sampled_from(["one", "other", "direct", "fail", "settle"]), BATCH), max_size=12)


@settings(max_examples=60)
@given(STEPS)
def test_whatever_the_order_of_writers_and_settlings_each_record_is_there_once(
    steps: list[tuple[str, list[tuple[str, int, float]]]],
) -> None:
    """Two collecting processes and one that writes directly, against a dictionary."""
    expected: dict[tuple[str, int], float] = {}
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'isems.db'}"
        with opened(url) as one, opened(url) as other, opened(url, has_inbox=False) as direct:
            writers = {"one": one, "other": other, "direct": direct}
            for step, batch in steps:
                records = [measurement(node, NOON + 60 * at, battery_volts=volts) for node, at, volts in batch]
                if step == "settle":
                    settle_database(one)
                elif step == "fail":
                    store_in_vain(one, *records)
                else:
                    before = len(expected)
                    for node, at, volts in batch:
                        expected.setdefault((node, at), volts)
                    assert store(writers[step], *records)[0] == len(expected) - before
                assert newest_of_each(direct) == newest_among(expected)
            with direct.read() as connection:
                found = connection.exec_driver_sql(
                    "SELECT n.name, (m.measured_at - ?) / 60, m.battery_millivolts / 1000.0"
                    " FROM every_measurement m JOIN node n ON n.id = m.node_id",
                    (NOON,),
                ).all()
    assert len(found) == len(expected)
    assert {(name, at): volts for name, at, volts in found} == expected


def test_postgresql_needs_no_inbox(postgresql_url: str) -> None:
    with opened(postgresql_url) as database:
        assert not database.has_inbox
        store(database, *fleet(0))
        assert inbox.settle_database(database) == 0
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM measurement").scalar() == 100
