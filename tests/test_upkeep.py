"""History is rolled up and pruned beside collecting, and disturbs nobody who collects."""

import threading
import time
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from isems.domain.buckets import DAY, HOUR
from isems.errors import StorageError
from isems.storage.database import Database
from isems.storage.locks import try_lock
from isems.storage.measurements import insert_measurements
from isems.storage.newest import count_measurements
from isems.upkeep import LOCK, Upkeep, find_prunable, prune, roll_up_all, shrink
from tests.samples import NOON, measurement, minutes

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def store(database: Database, count: int, node: str = "Dach", step: int = 300) -> None:
    with database.write() as connection:
        insert_measurements(connection, minutes(count, node, step=step), NOON)


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_all_nodes_are_rolled_up_to_their_newest_closed_hour(database: Database) -> None:
    store(database, 8 * 12 + 1, "a")
    store(database, 40 * 12 + 1, "b")
    told: list[tuple[int, int]] = []
    assert roll_up_all(database, BERLIN, tell=lambda *progress: told.append(progress))
    assert count(database, "hourly") == sum((NOON + hours * HOUR) // HOUR - NOON // HOUR for hours in (8, 40))
    assert count(database, "daily") == 2
    assert told[-1][0] == told[-1][1] > 0


def test_history_of_months_is_rolled_up_in_one_pass(database: Database) -> None:
    store(database, 80 * 24 + 1, step=HOUR)
    roll_up_all(database, BERLIN)
    assert count(database, "hourly") == 80 * 24
    assert count(database, "daily") == 80


def refuse_hours_of(database: Database, *names: str) -> None:
    """Let the database refuse the roll-ups of these nodes, whatever the fault may be."""
    refuse(database, "INSERT ON hourly", "NEW", names)


def refuse(database: Database, what: str, row: str, names: tuple[str, ...]) -> None:
    ids = ", ".join(f"(SELECT id FROM node WHERE name = '{name}')" for name in names)
    with database.write() as connection:
        if database.is_sqlite:
            body = f"WHEN {row}.node_id IN ({ids}) BEGIN SELECT RAISE(ABORT, 'refused'); END"
            connection.exec_driver_sql(f"CREATE TRIGGER refuse BEFORE {what} {body}")
            return
        found = ", ".join(str(one) for (one,) in connection.exec_driver_sql(f"SELECT id FROM node WHERE id IN ({ids})"))
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
        )
        when = f"FOR EACH ROW WHEN ({row}.node_id IN ({found})) EXECUTE FUNCTION refuse()"
        connection.exec_driver_sql(f"CREATE TRIGGER refuse BEFORE {what} {when}")


def test_a_node_that_cannot_be_rolled_up_is_named_and_harms_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abcde":
        store(database, 8 * 12 + 1, name)
    refuse_hours_of(database, "b", "d")
    assert roll_up_all(database, BERLIN)
    with database.read() as connection:
        rolled = connection.exec_driver_sql(
            "SELECT n.name FROM rolled_up JOIN node n ON n.id = node_id ORDER BY 1"
        ).scalars()
        assert list(rolled) == ["a", "c", "e"]
    assert [record.args[0] for record in caplog.records if record.args] == ["b", "d"]


def test_what_fails_for_every_node_ends_the_pass(database: Database) -> None:
    names = [f"node {number}" for number in range(20)]
    for name in names:
        store(database, 8 * 12 + 1, name)
    refuse_hours_of(database, *names)
    with pytest.raises(StorageError):
        roll_up_all(database, BERLIN)


def test_one_process_at_a_time_rolls_up(database: Database) -> None:
    store(database, 8 * 12 + 1)
    with try_lock(database, LOCK):
        assert not roll_up_all(database, BERLIN)
    assert count(database, "hourly") == 0


def test_pruning_tells_what_went_and_leaves_the_sums(database: Database) -> None:
    store(database, 20 * 288)
    store(database, 5, "new")
    before = NOON + 12 * DAY
    roll_up_all(database, BERLIN)
    announced = find_prunable(database, before, BERLIN)
    days = count(database, "daily")
    report = prune(database, before, BERLIN)
    assert (report.nodes, report.rows, report.days) == (announced.nodes, announced.rows, announced.days)
    assert report.nodes == 1
    assert report.unverified == []
    assert report.rows == 20 * 288 + 5 - count(database, "measurement")
    assert count(database, "daily") == days
    assert find_prunable(database, before, BERLIN).rows == 0


def test_what_is_not_rolled_up_is_not_pruned(database: Database) -> None:
    store(database, 20 * 288)
    report = prune(database, NOON + 12 * DAY, BERLIN)
    assert (report.rows, report.unverified) == (0, ["Dach"])
    assert count(database, "measurement") == 20 * 288


def test_a_node_that_cannot_be_pruned_is_named_and_harms_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        store(database, 20 * 288, name)
    roll_up_all(database, BERLIN)
    refuse(database, "DELETE ON measurement", "OLD", ("a",))
    before = NOON + 12 * DAY
    announced = find_prunable(database, before, BERLIN)
    report = prune(database, before, BERLIN)
    assert report.failed.keys() == {"a"}
    assert "refused" in report.failed["a"]
    assert (report.nodes, report.rows) == (2, announced.rows * 2 / 3)
    assert count(database, "measurement") == 3 * 20 * 288 - report.rows
    Upkeep(database, BERLIN, keep_raw_days=8).do_due()
    assert "old data of 'a' could not be deleted" in caplog.text


def test_what_no_node_can_be_pruned_for_ends_the_pass(database: Database) -> None:
    names = tuple(f"node {number}" for number in range(7))
    for name in names:
        store(database, 20 * 288, name)
    roll_up_all(database, BERLIN)
    refuse(database, "DELETE ON measurement", "OLD", names)
    with pytest.raises(StorageError):
        prune(database, NOON + 12 * DAY, BERLIN)


def test_space_is_given_back_step_by_step(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    store(database, 10 * 1440, step=60)
    roll_up_all(database, BERLIN)
    prune(database, NOON + 9 * DAY, BERLIN)
    given = shrink(database)
    assert given > 200_000
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA freelist_count").scalar() == 0
        assert count_measurements(connection) >= 1440
    database.close()


def test_a_writer_is_not_held_up_by_rolling_up_and_pruning(database_url: str) -> None:
    database, other = Database(database_url), Database(database_url)
    for node in ("a", "b", "c"):
        store(database, 15 * 1440, node, step=60)
    done = threading.Event()

    def work() -> None:
        roll_up_all(database, BERLIN)
        prune(database, NOON + 14 * DAY, BERLIN)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    waits, at = [], NOON + 20 * DAY
    while not done.wait(0.01):
        began = time.monotonic()
        with other.write() as connection:
            insert_measurements(connection, [measurement("live", at := at + 60)], at)
        waits.append(time.monotonic() - began)
    thread.join()
    assert len(waits) > 5
    assert max(waits) < 5  # seconds; a single transaction takes tenths
    other.close()
    database.close()


def test_a_pass_prunes_what_is_older_than_wanted_and_not_more(database: Database) -> None:
    today = int(time.time()) // DAY * DAY
    with database.write() as connection:
        batch = [measurement("Dach", today - age * 300) for age in range(20 * 288)]
        insert_measurements(connection, batch, today)
    Upkeep(database, BERLIN, keep_raw_days=None).do_due()
    assert count(database, "measurement") == 20 * 288
    Upkeep(database, BERLIN, keep_raw_days=8).do_due()
    with database.read() as connection:
        oldest = connection.execute(text("SELECT min(measured_at) FROM measurement")).scalar_one()
    assert 8 * DAY <= int(time.time()) - oldest <= 9 * DAY + HOUR
