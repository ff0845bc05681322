"""The newest measurements, at the same cost after a day and after ten years."""

from typing import Any

import pytest
from sqlalchemy import text

from isems.domain.measurement import Measurement, Trace
from isems.storage.database import Database
from isems.storage.inbox import count_inbox
from isems.storage.measurements import insert_measurements
from isems.storage.newest import (
    NEWEST,
    POSTGRES_LATEST,
    POSTGRES_TRACES,
    SQLITE_LATEST,
    SQLITE_TRACES,
    count_measurements,
    count_nodes,
    select_newest,
    select_newest_of_each,
    select_traces,
)
from isems.storage.nodes import find_node, identify_nodes, note_deliveries
from tests.samples import NOON, configuration, measurement, minutes, traces


def store(database: Database, *measurements: Measurement) -> None:
    with database.write() as connection:
        insert_measurements(connection, measurements, NOON)


def newest_of_each(database: Database, active_since: int | None = None) -> list[Measurement]:
    with database.read() as connection:
        return [stored.measurement for stored in select_newest_of_each(connection, active_since)]


def traces_of(database: Database, name: str, limit: int) -> list[Trace]:
    with database.read() as connection:
        node_id = find_node(connection, name) or 0
        return select_traces(connection, [node_id], limit).get(node_id, [])


def plan_of(database: Database, statement: str) -> str:
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.read() as connection:
        return "\n".join(str(tuple(row)) for row in connection.execute(text(explain + statement)))


def fill(database: Database) -> None:
    for name in ("a", "b", "c", "d"):
        store(database, *minutes(4000, name))
    with database.write() as connection:
        connection.execute(text("ANALYZE"))


def test_the_newest_of_each_node_are_given_by_name(database: Database) -> None:
    """Defect 24: on PostgreSQL this query failed always."""
    other = configuration(latitude=48.1)
    store(database, *minutes(3, "b"), *minutes(5, "a"), measurement("C", NOON - 60, configuration=other))
    assert newest_of_each(database) == [
        measurement("C", NOON - 60, configuration=other),
        minutes(5, "a")[-1],
        minutes(3, "b")[-1],
    ]


def test_of_an_empty_database_and_a_node_without_records_there_is_none(database: Database) -> None:
    assert newest_of_each(database) == []
    with database.write() as connection:
        identify_nodes(connection, ["a"], NOON)
    assert newest_of_each(database) == []


@pytest.mark.parametrize(
    ("measured", "delivered", "is_active"),
    [
        (NOON, None, True),
        (NOON - 1, None, False),
        (NOON - 1, NOON - 1, False),
        (NOON - 10**6, NOON, True),  # its clock is behind, but it is there
        (NOON, NOON - 10**6, True),
        (NOON + 10**9, None, True),
    ],
)
def test_a_node_is_active_by_its_newest_record_or_its_newest_delivery(
    database: Database, measured: int, delivered: int | None, is_active: bool
) -> None:
    store(database, measurement("a", measured), measurement("a", measured - 60))
    if delivered is not None:
        with database.write() as connection:
            note_deliveries(connection, [find_node(connection, "a") or 0], delivered)
    assert bool(newest_of_each(database, active_since=NOON)) is is_active
    assert len(newest_of_each(database)) == 1
    with database.read() as connection:
        assert count_nodes(connection, NOON) == (1, int(is_active))


def test_one_nodes_future_stamp_hides_no_other_node(database: Database) -> None:
    """Defect 11: one record of 2038 hid what came after it; here, if one is stored, other nodes stay as they are."""
    store(database, measurement("a", 2_145_916_800), measurement("b", NOON))
    assert [m.node for m in newest_of_each(database, active_since=NOON)] == ["a", "b"]


def test_the_newest_of_one_node_are_given_newest_first(database: Database) -> None:
    rows = minutes(10)
    store(database, *rows, *minutes(3, "other", first=NOON + 6000))
    with database.read() as connection:
        node_id = find_node(connection, "Elektra-Dach") or 0
        found = select_newest(connection, "Elektra-Dach", node_id, 4)
        assert [stored.measurement for stored in found] == rows[:-5:-1]
        assert {stored.node_id for stored in found} == {node_id}
        assert len(select_newest(connection, "Elektra-Dach", node_id, 1440)) == 10


def test_traces_are_given_newest_first_and_no_more_than_wanted_wherever_their_records_lie(database: Database) -> None:
    log = minutes(50, "a")
    live = [measurement("a", NOON + at, battery_celsius=at / 100) for at in (3000, 3060, -60, 90)]
    store(database, *log)
    for record in live:
        store(database, record, measurement("b", record.measured_at))
    with database.read() as connection:
        assert count_inbox(connection) == (8 if database.has_inbox else 0)
    newest_first = traces(sorted([*log, *live], key=lambda one: -(one.measured_at or 0)))
    for limit in (1, 2, 40, 54, 1000):
        assert traces_of(database, "a", limit) == newest_first[:limit]


def test_of_a_node_without_records_there_are_no_traces(database: Database) -> None:
    store(database, measurement("a"))
    with database.write() as connection:
        ids = identify_nodes(connection, ["a", "b"], NOON)
    with database.read() as connection:
        assert list(select_traces(connection, list(ids.values()), 40)) == [ids["a"]]


@pytest.mark.parametrize("minutes_left", [None, 0.0, 0.25, 1439.75, 99999.0, 7.123456789012345, 1e300])
@pytest.mark.parametrize("celsius", [None, 0.0, -39.99, 25.0, 25.000000001, -1e300])
def test_a_trace_has_exactly_what_was_sent(
    database: Database, minutes_left: float | None, celsius: float | None
) -> None:
    sent = measurement("a", minutes_until_shutdown=minutes_left, battery_celsius=celsius)
    store(database, sent)
    assert traces_of(database, "a", 1) == traces([sent])


def test_traces_are_found_without_reading_history(database: Database) -> None:
    fill(database)
    statement = SQLITE_TRACES.replace("LIMIT ?", "LIMIT 40").replace("?", "'[1, 2]'")
    if not database.is_sqlite:
        statement = POSTGRES_TRACES.replace("LIMIT %s", "LIMIT 40").replace("%s", "'{1, 2}'")
    plan = plan_of(database, statement)
    assert "SCAN measurement" not in plan, plan
    assert "Seq Scan on measurement" not in plan, plan
    assert "SEARCH measurement USING PRIMARY KEY" in plan or "Index Scan" in plan, plan


def test_many_nodes_with_a_configuration_each_are_read(database: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr("isems.storage.configurations.CHUNK", 10)
    rows = [measurement(f"n{i:02}", configuration=configuration(latitude=i / 4)) for i in range(35)]
    store(database, *rows)
    assert newest_of_each(database) == rows


def test_the_newest_of_each_node_are_found_without_reading_history(database: Database) -> None:
    fill(database)
    plan = plan_of(database, SQLITE_LATEST if database.is_sqlite else POSTGRES_LATEST)
    assert "SCAN m" not in plan, plan
    assert "Seq Scan on measurement" not in plan, plan
    assert "SEARCH m USING PRIMARY KEY" in plan or "measurement_pkey" in plan, plan


def test_the_newest_of_one_node_are_found_without_reading_or_sorting_history(database: Database) -> None:
    fill(database)
    plan = plan_of(database, NEWEST.replace("%s", "1"))
    # The inbox, which is small, is looked through and sorted; the history is neither.
    assert "SCAN measurement" not in plan, plan
    assert "Seq Scan on measurement" not in plan, plan
    assert "SEARCH measurement USING PRIMARY KEY" in plan or "Index Scan" in plan, plan


def test_all_rows_are_counted(database: Database) -> None:
    store(database, *minutes(7), *minutes(2, "b"))
    with database.read() as connection:
        assert count_measurements(connection) == 9
