"""What processes remember between runs: the runs of clocks, polled addresses, small facts."""

import pytest

from isems.domain.polling import PollTarget
from isems.domain.repair import ClockRun
from isems.storage.database import Database
from isems.storage.node_memory import MAX_PER_NODE, insert_runs, select_runs
from isems.storage.nodes import DELIVERED_GRAIN, find_node, identify_nodes, note_deliveries
from isems.storage.poll_targets import save_targets, select_targets
from isems.storage.states import read_state, save_state
from tests.samples import NOON


def node_ids(database: Database, *names: str) -> dict[str, int]:
    with database.write() as connection:
        return identify_nodes(connection, names, NOON)


def keep_runs(database: Database, node_id: int, *runs: ClockRun) -> list[ClockRun]:
    with database.write() as connection:
        insert_runs(connection, node_id, runs)
        return select_runs(connection, node_id)


# -- runs of clocks -------------------------------------------------------------------------------


def test_runs_are_read_back_newest_first(database: Database) -> None:
    (node_id,) = node_ids(database, "a").values()
    first, second = ClockRun(0, 2**40, -(2**40)), ClockRun(5, 5, 7)
    assert keep_runs(database, node_id, first, second) == [second, first]
    assert keep_runs(database, node_id) == [second, first]


def test_a_wider_run_replaces_the_one_of_the_same_offset(database: Database) -> None:
    (node_id,) = node_ids(database, "a").values()
    keep_runs(database, node_id, ClockRun(100, 200, 5), ClockRun(1, 2, 6))
    assert keep_runs(database, node_id, ClockRun(50, 300, 5)) == [ClockRun(1, 2, 6), ClockRun(50, 300, 5)]


def test_nodes_have_runs_of_their_own(database: Database) -> None:
    ids = node_ids(database, "a", "b")
    keep_runs(database, ids["a"], ClockRun(1, 2, 5))
    assert keep_runs(database, ids["b"], ClockRun(3, 4, 5)) == [ClockRun(3, 4, 5)]
    assert keep_runs(database, ids["a"]) == [ClockRun(1, 2, 5)]


def test_only_the_newest_runs_of_a_node_are_kept(database: Database) -> None:
    ids = node_ids(database, "a", "b")
    keep_runs(database, ids["b"], ClockRun(1, 2, 5))
    keep_runs(database, ids["a"], *(ClockRun(i, i, i) for i in range(60)))
    found = keep_runs(database, ids["a"], *(ClockRun(i, i, i) for i in range(60, MAX_PER_NODE + 20)))
    assert [run.offset for run in found] == list(range(MAX_PER_NODE + 19, 19, -1))
    assert keep_runs(database, ids["b"]) == [ClockRun(1, 2, 5)]


# -- nodes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a/b", "a b", "100%", "Übersee", "x" * 255, "ß;ß", "'; DROP TABLE node; --", "a"])
def test_a_node_of_any_name_is_found_again(database: Database, name: str) -> None:
    ids = node_ids(database, name, "A", name)
    with database.read() as connection:
        assert find_node(connection, name) == ids[name]
        assert find_node(connection, name + "x") is None
    database.known_ids.clear()
    assert node_ids(database, name) == {name: ids[name]}


def test_the_number_of_a_deleted_node_is_not_given_to_another(database: Database) -> None:
    """The old API's ids are made of it, and must never mean another measurement."""
    first = node_ids(database, "a", "b")
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM node")
    database.known_ids.clear()
    assert node_ids(database, "c")["c"] > max(first.values())


def test_a_delivery_is_noted_at_most_once_an_hour(database: Database) -> None:
    (node_id,) = node_ids(database, "a").values()
    noted = []
    for after in (0, DELIVERED_GRAIN - 1, DELIVERED_GRAIN + 1, 10):
        with database.write() as connection:
            note_deliveries(connection, [node_id], NOON + after)
            noted.append(connection.exec_driver_sql("SELECT delivered_at FROM node").scalar())
    assert noted == [NOON, NOON, NOON + DELIVERED_GRAIN + 1, NOON + DELIVERED_GRAIN + 1]


# -- polled addresses -----------------------------------------------------------------------------


def save_and_read(database: Database, target: PollTarget) -> PollTarget:
    with database.write() as connection:
        save_targets(connection, [target])
    with database.read() as connection:
        return select_targets(connection, [target.address])[target.address]


def test_of_a_new_address_only_the_address_is_known(database: Database) -> None:
    with database.read() as connection:
        assert select_targets(connection, ["10.0.0.1"])["10.0.0.1"] == PollTarget(address="10.0.0.1")


def test_a_target_is_read_back_and_replaced(database: Database) -> None:
    full = PollTarget(
        address="[fe80::1%eth0]:8080",
        path="/ISEMS/ffopenmppt.log",
        etag='"1-ü"',
        last_modified="Mon, 01 Jan 2024 00:00:00 GMT",
        first_line=bytes(range(256)),
        last_line=b"",
        has_archive=False,
        archive_etag="x",
        polled_at=NOON,
        answered_at=2**40,
        error="timed out",
        wait_seconds=300,
    )
    assert save_and_read(database, full) == full
    assert save_and_read(database, PollTarget(address=full.address)) == PollTarget(address=full.address)


def test_what_a_hostile_header_holds_does_not_stop_the_storing(database: Database) -> None:
    target = PollTarget(address="10.0.0.1", etag="a\0b", last_modified="\udc80", error="x" * 100_000)
    assert save_and_read(database, target).etag == "a\\x00b"


# -- small facts ----------------------------------------------------------------------------------


def test_a_fact_is_read_back_and_replaced(database: Database) -> None:
    with database.write() as connection:
        assert read_state(connection, "own_clock") is None
        for value in ({"boot": "ü\0", "n": [1, 2.5, None]}, "text", 0, None):
            save_state(connection, "own_clock", value)
            save_state(connection, "other", "unchanged")
            assert read_state(connection, "own_clock") == value
        assert read_state(connection, "other") == "unchanged"
