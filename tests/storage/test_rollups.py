"""Roll-ups say what the records say, whatever came in what order, was moved, pruned, or summed up when."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from isems.domain.buckets import DAY, HOUR, are_whole_hours, make_edges
from isems.domain.limits import list_untrusted
from isems.domain.measurement import Measurement
from isems.storage.database import Database
from isems.storage.displaced import remove_rows
from isems.storage.inbox import settle
from isems.storage.measurements import insert_measurements, select_between
from isems.storage.nodes import find_node
from isems.storage.pruning import NEWEST_KEPT, prune_node, select_prunable
from isems.storage.rollups import roll_up, select_due, select_marks
from isems.storage.series import FIELDS, Bucket, _summarize, count_records, measure_open, select_buckets
from isems.storage.summing import SCALE_OF
from tests.samples import measurement

BERLIN, KATHMANDU, LISBON = (ZoneInfo(name) for name in ("Europe/Berlin", "Asia/Kathmandu", "Europe/Lisbon"))
#: Two days before the clocks in Europe are set back.
FIRST = int(datetime(2026, 10, 23, tzinfo=ZoneInfo("UTC")).timestamp())
NEVER = 2**40
numbers = count()


def records(name: str, *at: int, **values: Any) -> list[Measurement]:
    return [measurement(name, FIRST + second, **values) for second in at]


def store(database: Database, batch: Sequence[Measurement]) -> None:
    with database.write() as connection:
        insert_measurements(connection, batch, FIRST)


def node_id(database: Database, name: str) -> int:
    with database.read() as connection:
        found = find_node(connection, name)
    assert found is not None
    return found


def settle_all(database: Database) -> None:
    with database.write() as connection:
        settle(connection)


def roll_all(database: Database, name: str, zone: ZoneInfo) -> None:
    more = True
    while more:
        with database.write() as connection:
            more = roll_up(connection, node_id(database, name), zone)


def prune(database: Database, name: str, before: int, zone: ZoneInfo, newest_kept: int = 1) -> int:
    """Prune a node and give how many rows went."""
    rows, more = 0, True
    while more:
        with database.write() as connection:
            prunable = [one for one in select_prunable(connection, before, zone, newest_kept) if one.name == name]
            if not prunable:
                return rows
            pruned = prune_node(connection, prunable[0], zone)
            assert not pruned.differs
            rows, more = rows + pruned.rows, not pruned.is_done
    return rows


def stored(database: Database, name: str) -> list[Measurement]:
    with database.read() as connection:
        return select_between(connection, name, node_id(database, name), 0, NEVER)


def buckets(database: Database, name: str, edges: Sequence[int], zone: ZoneInfo) -> list[Bucket]:
    with database.read() as connection:
        return select_buckets(connection, node_id(database, name), FIELDS, edges, zone).buckets


def expected(held: Sequence[Measurement], begin: int, end: int) -> tuple[Any, ...]:
    """What a bucket must say, from the records, in the plainest way."""
    inside = [one for one in held if begin <= (one.measured_at or 0) < end]
    statuses = [one.status for one in inside if one.status is not None]
    status = None
    for one in statuses:
        status = (status or 0) | (one & 0xFFF)
    values = []
    for field in FIELDS:
        known = [
            value for one in inside if (value := getattr(one, field)) is not None and field not in list_untrusted(one)
        ]
        if known:
            values.append((len(known), min(known), max(known), pytest.approx(sum(known) / len(known)), known[-1]))
        else:
            values.append((0, None, None, None, None))
    return begin, end, len(inside), status, values


def described(bucket: Bucket) -> tuple[Any, ...]:
    return (
        bucket.starts_at,
        bucket.ends_at,
        bucket.count,
        bucket.status,
        [msgspec.structs.astuple(one) for one in bucket.values],
    )


def check(database: Database, name: str, held: Sequence[Measurement], step: str, zone: ZoneInfo) -> None:
    edges = make_edges(FIRST - DAY, FIRST + 6 * DAY, step, zone)
    found = [described(bucket) for bucket in buckets(database, name, edges, zone)]
    assert found == [expected(held, begin, end) for begin, end in pairwise(edges)]


#: Seconds, often near each other and near the ends of hours and days.
SECONDS = st.one_of(
    st.integers(0, 5 * DAY - 1),
    st.builds(lambda hour, off: hour * HOUR + off, st.integers(0, 119), st.sampled_from([0, 1, 899, 900, 3599])),
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "battery_volts": st.sampled_from([0.0, 11.9, 14.073, None]),
        "battery_celsius": st.sampled_from([-142.0, -3.25, 85.0, None]),
        "state_of_health_percent": st.sampled_from([-44.0, 100.0, 101.0]),
        "minutes_until_shutdown": st.sampled_from([0.25, 600.0, 99999.0]),
        "status": st.sampled_from([0x900, 0x0B2, 0xFD2, 0x10900, None]),
    },
)
RECORDS = st.lists(st.tuples(SECONDS, VALUES), min_size=1, max_size=8)
ACTIONS = st.one_of(
    st.tuples(st.just("store"), RECORDS),
    st.tuples(st.just("roll up"), st.sampled_from([BERLIN, KATHMANDU, LISBON])),
    st.tuples(st.just("settle"), st.none()),
    st.tuples(st.just("remove"), st.integers(0, 50)),
)
COMMON = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


@COMMON
@given(
    actions=st.lists(ACTIONS, min_size=2, max_size=10),
    step=st.sampled_from(["15m", "1h", "6h", "1d", "7d"]),
    zone=st.sampled_from([BERLIN, KATHMANDU]),
)
def test_rolled_up_is_what_the_records_are_after_any_order_of_arrival(
    database: Database, actions: list[tuple[str, Any]], step: str, zone: ZoneInfo
) -> None:
    name = f"node-{next(numbers)}"
    store(database, records(name, 7))
    for action, detail in actions:
        if action == "store":
            store(database, [measurement(name, FIRST + at, **values) for at, values in detail])
        elif action == "roll up":
            roll_all(database, name, detail)
        elif action == "remove" and (held := stored(database, name)):
            with database.write() as connection:
                remove_rows(connection, node_id(database, name), [held[detail % len(held)].measured_at or 0])
        elif action == "settle":
            settle_all(database)
    check(database, name, stored(database, name), step, zone)


@COMMON
@given(
    batches=st.lists(RECORDS, min_size=1, max_size=4),
    late=RECORDS,
    day=st.integers(0, 4),
    zone=st.sampled_from([BERLIN, KATHMANDU, LISBON]),
    step=st.sampled_from(["1h", "6h", "1d"]),
)
def test_pruned_history_says_what_it_said_before(
    database: Database, batches: list[Any], late: Any, day: int, zone: ZoneInfo, step: str
) -> None:
    name = f"node-{next(numbers)}"
    for batch in batches:
        store(database, [measurement(name, FIRST + at, **values) for at, values in batch])
        roll_all(database, name, zone)
    store(database, records(name, 6 * DAY))
    roll_all(database, name, zone)
    held = stored(database, name)
    prune(database, name, FIRST + day * DAY, zone)
    kept = stored(database, name)
    gone = [one for one in held if one not in kept]
    store(database, [measurement(name, FIRST + at, **values) for at, values in late])
    roll_all(database, name, zone)
    edges = make_edges(FIRST - DAY, FIRST + 6 * DAY, step, zone)
    if step != "1d" and not are_whole_hours(edges):
        return
    check(database, name, sorted(gone + stored(database, name), key=lambda one: one.measured_at or 0), step, zone)


def test_a_record_that_is_late_for_a_pruned_time_is_not_stored(database: Database) -> None:
    store(database, records("late", 60, 3 * DAY, 4 * DAY))
    settle_all(database)
    roll_all(database, "late", BERLIN)
    assert prune(database, "late", FIRST + 2 * DAY, BERLIN) == 1
    with database.write() as connection:
        batch = records("late", 60, 120, 3 * DAY + 30)
        inserted = insert_measurements(connection, batch, FIRST)
    assert (inserted.stored, inserted.too_old, inserted.duplicates) == (1, [0, 1], [])


def test_a_nodes_newest_day_of_minutes_is_never_pruned(database: Database) -> None:
    store(database, records("old", *range(0, 3 * DAY, 60)))
    roll_all(database, "old", ZoneInfo("UTC"))
    assert prune(database, "old", FIRST + 400 * DAY, ZoneInfo("UTC"), NEWEST_KEPT) == 2880
    assert len(stored(database, "old")) == 1440


def test_raw_data_whose_roll_up_is_missing_or_wrong_are_not_pruned(database: Database) -> None:
    store(database, records("wrong", 60, 4000, 3 * DAY))
    settle_all(database)
    with database.write() as connection:
        prunable = select_prunable(connection, FIRST + 2 * DAY, BERLIN, newest_kept=1)[0]
        assert prune_node(connection, prunable, BERLIN).differs
    roll_all(database, "wrong", BERLIN)
    with database.write() as connection:
        connection.execute(text("UPDATE hourly SET battery_millivolts_min = 0 WHERE battery_millivolts_count > 0"))
        assert prune_node(connection, prunable, BERLIN) == (0, 0, True, True)
    assert len(stored(database, "wrong")) == 3


def test_frozen_days_keep_the_zone_that_they_were_made_in(database: Database) -> None:
    store(database, records("moved", *range(0, 5 * DAY, 600), 5 * DAY))
    roll_all(database, "moved", BERLIN)
    prune(database, "moved", FIRST + 2 * DAY, BERLIN)
    roll_all(database, "moved", KATHMANDU)
    edges = make_edges(FIRST - DAY, FIRST + 6 * DAY, "1d", KATHMANDU)
    with database.read() as connection:
        series = select_buckets(connection, node_id(database, "moved"), FIELDS, edges, KATHMANDU)
        days = connection.execute(text("SELECT zone, starts_at FROM daily ORDER BY starts_at")).all()
    assert series.frozen_zones == ["Europe/Berlin"]
    assert series.kept_since is not None
    assert [zone for zone, at in days if at < series.kept_since] == ["Europe/Berlin"] * 2
    assert {zone for zone, at in days if at >= series.kept_since} == {"Asia/Kathmandu"}
    assert sum(bucket.count for bucket in series.buckets) == 5 * 144 + 1


def test_days_of_another_zone_are_exact_where_they_are_whole_hours(database: Database) -> None:
    store(database, records("abroad", *range(0, 5 * DAY, 600)))
    roll_all(database, "abroad", BERLIN)
    check(database, "abroad", stored(database, "abroad"), "1d", LISBON)


def test_a_node_is_due_after_six_closed_hours_and_when_anything_is_stale(database: Database) -> None:
    store(database, records("due", 0, 5 * HOUR))
    settle_all(database)
    with database.read() as connection:
        assert select_due(connection, BERLIN) == []
    store(database, records("due", 6 * HOUR))
    settle_all(database)
    with database.read() as connection:
        assert [one.seconds for one in select_due(connection, BERLIN)] == [6 * HOUR]
    roll_all(database, "due", BERLIN)
    with database.read() as connection:
        assert select_due(connection, BERLIN) == []
        assert [one.seconds for one in select_due(connection, LISBON)] == [0]
    store(database, records("due", 90))
    with database.read() as connection:
        assert [one.seconds for one in select_due(connection, BERLIN)] == [0]


def test_what_is_open_needs_no_clock_and_is_never_written(database: Database) -> None:
    store(database, records("open", 0, 30, 3599, 3600))
    settle_all(database)
    roll_all(database, "open", BERLIN)
    with database.read() as connection:
        assert (
            select_marks(connection, [node_id(database, "open")])[node_id(database, "open")].hours_until == FIRST + HOUR
        )
        assert connection.execute(text("SELECT starts_at, count FROM hourly")).all() == [(FIRST, 3)]


def test_counting_records_stops_at_the_limit(database: Database) -> None:
    store(database, records("many", *range(100)))
    with database.read() as connection:
        number = node_id(database, "many")
        assert count_records(connection, number, FIRST, FIRST + 50, 1000) == 50
        assert count_records(connection, number, FIRST, NEVER, 7) == 7


@pytest.fixture(params=["sqlite-inbox"])
def inbox_database(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url, has_inbox=True)
    yield database
    database.close()


def test_what_lies_in_the_inbox_counts_at_once(inbox_database: Database) -> None:
    store(inbox_database, records("a", *range(0, 7 * HOUR, 60)))
    roll_all(inbox_database, "a", BERLIN)
    store(inbox_database, records("a", 90, 7 * HOUR + 30))
    with inbox_database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM inbox")).scalar() == 2
    check(inbox_database, "a", stored(inbox_database, "a"), "1h", BERLIN)


def test_the_cost_of_an_answer_is_what_roll_ups_leave_to_the_records(database: Database) -> None:
    store(database, records("dear", *range(0, 5 * DAY, 600)))
    number = node_id(database, "dear")

    def cost(step: str, zone: ZoneInfo = BERLIN) -> float:
        edges = make_edges(FIRST - 400 * DAY, FIRST + 5 * DAY, step, zone)
        with database.read() as connection:
            return measure_open(connection, [number, number], edges, zone) / DAY

    assert 9.5 < cost("1d") < 10.1
    settle_all(database)
    roll_all(database, "dear", BERLIN)
    assert cost("1d") < 2.1  # up to the end of the range
    assert cost("1h", LISBON) < 2.1
    assert 9.5 < cost("15m") < 10.1
    assert 9.5 < cost("1d", KATHMANDU) < 10.1
    store(database, records("dear", *range(61, 3 * HOUR, HOUR)))
    assert cost("1h") * DAY - 6 * HOUR < 2.1 * DAY


@given(
    st.integers(-(2**31), 2**31 - 100),
    st.lists(st.integers(0, 99), min_size=1, max_size=50),
    st.sampled_from(sorted({scale.factor for scale in SCALE_OF.values()})),
)
@example(12_755, [0] * 5, 1000)
def test_a_mean_is_not_outside_of_least_and_greatest(base: int, above: list[int], factor: int) -> None:
    values = [base + one for one in above]
    found = _summarize([len(values), min(values), max(values), sum(values), values[-1]], 0, factor)
    assert found.min is not None
    assert found.mean is not None
    assert found.max is not None
    assert found.min <= found.mean <= found.max
