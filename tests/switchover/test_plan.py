"""What is told before an upgrade is what the upgrade then does; nothing is changed by asking."""

from itertools import islice
from pathlib import Path

from isems.domain.clock import Moment, Uptime
from isems.storage.database import Database
from isems.switchover.plan import describe_upgrade
from tests.predecessor import history, instant, make_database, set_zone

MOMENT = Moment(instant(2026, 1, 1, 12), is_trusted=True, uptime=Uptime("boot", 1000))


def describe(url: str, free: int = 10**12) -> list[str]:
    database = Database(url)
    try:
        return describe_upgrade(database, MOMENT, lambda _: free)
    finally:
        database.close()


def test_rows_zone_time_and_disk_are_told_and_no_byte_is_changed(sqlite_url: str) -> None:
    make_database(sqlite_url, [one.row for one in history(500, [instant(2025, 10, 25, 20)])])
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    rows, zone, time, disk = describe(sqlite_url)
    assert rows == "500 rows of the predecessor (version ef784e202371) would be moved."
    assert zone == "Times would be read as those of Europe/Berlin."
    assert time.startswith("It would take some ")
    assert disk.endswith("1000000 MB are free, enough.")
    assert describe(sqlite_url, free=1000)[-1].endswith("1 MB are free, which is not enough.")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_on_postgresql_doubts_about_the_zone_are_told_too(postgresql_url: str) -> None:
    set_zone(postgresql_url, "UTC")
    # From an hour before a spring change until after it.
    make_database(postgresql_url, [one.row for one in islice(history(9000, [instant(2025, 3, 30, 0)]), 5000)])
    told = describe(postgresql_url)
    assert told[:2] == [
        "5000 rows of the predecessor (version ef784e202371) would be moved.",
        "Times would be read as those of UTC.",
    ]
    assert told[3].startswith("Warning: no row lies in the hours that clocks of Europe/Berlin skip, but ")
    assert told[4:] == [
        "It needs some 1 MB on the server's disk, beside the old table, which would be kept as measurement_before_upgrade."
    ]


def test_a_database_of_this_version_has_nothing_to_move(database_url: str) -> None:
    assert describe(database_url) == ["The database is empty: its tables would be created."]
    database = Database(database_url)
    database.make_ready()
    database.close()
    assert describe(database_url) == ["Nothing is to be moved."]
