"""take_displaced: rows under a time now known to be wrong, and only those, come back with the right one."""

import msgspec

from isems.domain.measurement import Measurement
from isems.storage.database import Database
from isems.storage.displaced import take_displaced
from isems.storage.measurements import DENSE_SECONDS, insert_measurements
from isems.storage.newest import select_newest
from isems.storage.nodes import find_node
from tests.samples import NOON, measurement, minutes, sparse

NODE = "Elektra-Dach"


def store(database: Database, *measurements: Measurement) -> None:
    with database.write() as connection:
        insert_measurements(connection, measurements, NOON)


def take(database: Database, *displaced: tuple[Measurement, int], name: str = NODE) -> list[Measurement]:
    with database.write() as connection:
        return sorted(take_displaced(connection, name, displaced), key=lambda one: one.measured_at or 0)


def left(database: Database, name: str = NODE) -> list[int | None]:
    with database.read() as connection:
        node_id = find_node(connection, name)
        assert node_id is not None
        return [stored.measurement.measured_at for stored in select_newest(connection, name, node_id, 10_000)][::-1]


def moved(measurements: list[Measurement], offset: int) -> list[Measurement]:
    return [
        msgspec.structs.replace(one, measured_at=(one.measured_at or 0) + offset, time_repaired=True)
        for one in measurements
    ]


def test_equal_rows_are_taken_and_carry_the_offset(database: Database) -> None:
    rows = minutes(5)
    store(database, *rows)
    assert take(database, *((one, 86_400) for one in rows)) == moved(rows, 86_400)
    assert left(database) == []


def test_a_row_that_differs_from_what_was_sent_stays(database: Database) -> None:
    store(database, measurement(battery_volts=12.0))
    assert take(database, (measurement(battery_volts=13.0), 86_400)) == []
    assert left(database) == [NOON]


def test_a_row_of_another_node_stays(database: Database) -> None:
    store(database, measurement("a"), measurement("b"))
    assert len(take(database, (measurement("a"), 86_400), name="a")) == 1
    assert left(database, "b") == [NOON]


def test_a_row_whose_time_was_repaired_stays(database: Database) -> None:
    store(database, measurement(at=NOON, time_repaired=True))
    assert take(database, (measurement(at=NOON), 86_400)) == []
    assert left(database) == [NOON]


def test_what_was_never_stored_is_not_taken(database: Database) -> None:
    assert take(database, (measurement(), 86_400)) == []
    store(database, measurement(at=NOON + 86_400))
    assert take(database, (measurement(at=NOON), 86_400)) == []
    assert take(database) == []


def test_the_older_rows_of_the_run_go_with_it_up_to_the_first_gap(database: Database) -> None:
    """The node keeps five lines, the database all of this boot: they have the same wrong clock."""
    other_boot = minutes(3, first=NOON - 7200)
    run = minutes(20, first=NOON)
    store(database, *other_boot, *run)
    assert take(database, *((one, 1000) for one in run[-5:])) == moved(run, 1000)
    assert left(database) == [one.measured_at for one in other_boot]


def test_a_gap_of_five_minutes_belongs_to_the_run_and_one_second_more_does_not(database: Database) -> None:
    run = [measurement(at=NOON - 2 * DENSE_SECONDS - 1), measurement(at=NOON - DENSE_SECONDS), measurement(at=NOON)]
    store(database, *run)
    assert take(database, (run[2], 7)) == moved(run[1:], 7)
    assert left(database) == [run[0].measured_at]


def test_a_repaired_row_before_the_run_ends_it(database: Database) -> None:
    store(database, measurement(at=NOON - 120), measurement(at=NOON - 60, time_repaired=True), measurement(at=NOON))
    assert take(database, (measurement(at=NOON), 7)) == moved([measurement(at=NOON)], 7)
    assert left(database) == [NOON - 120, NOON - 60]


def test_rows_after_the_run_stay(database: Database) -> None:
    rows = minutes(5)
    store(database, *rows)
    take(database, (rows[2], 86_400))
    assert left(database) == [NOON + 180, NOON + 240]


def test_two_runs_that_touch_are_taken_with_their_own_offsets(database: Database) -> None:
    """The clock stepped back, so that the later run's wrong times end where the earlier one's begin."""
    later, earlier = minutes(5, first=NOON), minutes(5, first=NOON + 300)
    store(database, *later, *earlier)
    expected = moved(later, 5000) + moved(earlier, 1000)
    displaced = [(one, 1000) for one in earlier] + [(one, 5000) for one in later]
    assert take(database, *displaced) == sorted(expected, key=lambda one: one.measured_at or 0)
    assert left(database) == []


def test_a_row_that_knows_less_than_what_was_sent_is_the_same_record(database: Database) -> None:
    store(database, sparse(battery_volts=14.073))
    assert take(database, (measurement(), 60)) == [sparse(at=NOON + 60, battery_volts=14.073, time_repaired=True)]
