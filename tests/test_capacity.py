"""The storage report: what it says is what is there."""

from zoneinfo import ZoneInfo

import msgspec
import pytest

from isems.capacity import MIN_MEASUREMENTS, StorageReport, report_storage
from isems.cli.words import describe_storage, size
from isems.storage.counters import NAME, count, read_counts, take_written_bytes
from isems.storage.database import Database
from isems.storage.history import count_nearly, count_since
from isems.storage.inbox import settle_database
from isems.storage.measurements import insert_measurements
from isems.storage.newest import count_measurements
from isems.storage.pruning import prune_node, select_prunable
from isems.storage.rollups import roll_up, select_due
from isems.storage.states import save_state
from tests.samples import NOON, minutes

DAY = 86_400
ZONE = ZoneInfo("Europe/Berlin")


@pytest.fixture
def stored(database_url: str):  # type: ignore[no-untyped-def]
    """Ten days of one node and two of another, of which the newest rows wait in the inbox, where there is one."""
    database = Database(database_url, has_inbox=True)
    with database.write() as connection:
        insert_measurements(connection, minutes(10 * 1440, "Dach", NOON - 10 * DAY), NOON)
        insert_measurements(connection, minutes(200, "Keller", NOON - 2 * DAY, 600), NOON)
    with database.write() as connection:
        insert_measurements(connection, minutes(20, "Dach", NOON), NOON)
    yield database
    database.close()


def report_on(database: Database) -> StorageReport:
    with database.read() as connection:
        return report_storage(connection, NOON)


def roll_all_up(database: Database) -> None:
    with database.write() as connection:
        for due in select_due(connection, ZONE, 1):
            while roll_up(connection, due.node_id, ZONE):
                pass


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_measurements_are_counted_whether_summed_up_or_not(stored: Database, is_rolled_up: bool) -> None:
    if is_rolled_up:
        roll_all_up(stored)
    with stored.read() as connection:
        assert count_nearly(connection) == count_measurements(connection) == 10 * 1440 + 200 + 20
        since = (NOON - 5 * DAY) // 3600 * 3600
        exact = connection.exec_driver_sql(f"SELECT count(*) FROM every_measurement WHERE measured_at >= {since}")
        assert count_since(connection, since) == exact.scalar_one()


def test_what_was_pruned_is_not_counted(stored: Database) -> None:
    roll_all_up(stored)
    with stored.write() as connection:
        for prunable in select_prunable(connection, NOON - 4 * DAY, ZONE):
            assert not prune_node(connection, prunable, ZONE).differs
    with stored.read() as connection:
        exact = count_measurements(connection)
        assert exact < 10_000
        assert count_nearly(connection) == exact


def test_growth_is_that_of_the_last_week(stored: Database) -> None:
    report = report_on(stored)
    assert report.measurements == 14_620
    assert report.measurements_per_day == pytest.approx(1440 + 220 / 7, abs=10)
    assert report.bytes_per_measurement is not None
    assert 40 < report.bytes_per_measurement <= report.database_bytes / 14_620
    assert report.growth_bytes_per_day == report.measurements_per_day * report.bytes_per_measurement
    if stored.is_sqlite:
        assert report.disk_free_bytes is not None
        assert report.disk_free_bytes % 1_000_000 == 0
        assert report.days_until_full == pytest.approx(report.disk_free_bytes / report.growth_bytes_per_day)
    else:
        assert (report.disk_free_bytes, report.days_until_full) == (None, None)


def test_in_its_first_week_a_database_grows_by_what_came_so_far(database_url: str) -> None:
    database = Database(database_url)
    with database.write() as connection:
        for name in "abcdefgh":
            insert_measurements(connection, minutes(1440, name, NOON - DAY), NOON)
    report = report_on(database)
    assert report.measurements_per_day == pytest.approx(8 * 1440, rel=0.05)
    assert report.growth_bytes_per_day == pytest.approx(
        report.measurements_per_day * (report.bytes_per_measurement or 0)
    )
    database.close()


def test_of_next_to_nothing_nothing_is_concluded(database_url: str) -> None:
    database = Database(database_url)
    report = report_on(database)
    assert (report.measurements, report.measurements_per_day) == (0, 0)
    assert (report.bytes_per_measurement, report.growth_bytes_per_day, report.days_until_full) == (None, None, None)
    assert list(describe_storage(report))[1:2] == ["growth: 0 measurements a day"]
    database.close()
    assert MIN_MEASUREMENTS > 0


def test_what_was_written_is_an_average_since_counting_began(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.write() as connection:
        save_state(connection, NAME, {"since": NOON - 2 * DAY, "written_bytes": 5_000_000})
    report = report_on(database)
    assert report.written_bytes_per_day == 2_500_000
    assert report.written_since is not None
    assert report.written_since.timestamp() == NOON - 2 * DAY
    assert "written: 2.5 MB a day on average since 2024-06-13, by this program" in describe_storage(report)
    database.close()


def test_what_this_process_writes_is_counted_once(sqlite_url: str) -> None:
    database = Database(sqlite_url, is_durable=True)
    take_written_bytes()
    with database.write() as connection:
        insert_measurements(connection, minutes(20_000), NOON)
        count(connection, {"rows/poll/stored": 20_000})
    settle_database(database)
    with database.read() as connection:
        counts = read_counts(connection)
    assert counts["rows/poll/stored"] == 20_000
    # Where the file system has no disk below it (a RAM disk, an overlay), nothing is written to any.
    assert counts.get("written_bytes", 0) < 100_000_000
    assert take_written_bytes() < 1_000_000
    database.close()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (43.7, "44 B"), (1234, "1.23 kB"), (350_000_000, "350 MB"), (2e9, "2 GB"), (31.4e12, "31.4 TB")],
)
def test_sizes_are_told_in_three_digits(count: float, text: str) -> None:
    assert size(count) == text


def test_the_report_is_json(stored: Database) -> None:
    fields = msgspec.json.decode(msgspec.json.encode(report_on(stored)))
    assert {"database_bytes", "bytes_per_measurement", "days_until_full", "written_bytes_per_day"} <= fields.keys()
