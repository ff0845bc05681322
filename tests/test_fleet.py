"""What an operator is told of all nodes."""

from collections.abc import Iterator

import pytest

from isems.domain.checks import RECORDS
from isems.domain.clock import ClockState
from isems.domain.finding import Key
from isems.domain.measurement import Dialect, Measurement
from isems.domain.payload import Source
from isems.domain.polling import PollTarget
from isems.fleet import KnownNode, Node, find_at, list_nodes, survey_node, survey_nodes
from isems.ingest import ingest
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.node_states import note_addresses
from isems.storage.nodes import identify_nodes
from isems.storage.poll_leases import PollLeases
from isems.storage.poll_targets import save_targets
from tests.samples import NOON, configuration, log_payload, measurement, minutes, moment, traces
from tests.test_ingest import csv_line, push

BOARD = "FF-ESP-1A"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def only(database: Database, now: int = NOON) -> Node:
    (node,) = list_nodes(database, moment(now))
    return node


def survey(database: Database) -> dict[str, KnownNode]:
    with database.read() as connection:
        return {known.node.name: known for known in survey_nodes(connection, NOON, lambda name: True)}


def board(name: str, *celsius: float) -> list[Measurement]:
    """Records of a board, newest first, with these temperatures."""
    conf = configuration(dialect=Dialect.BOARD)
    return [measurement(name, NOON - 15 * n, configuration=conf, battery_celsius=c) for n, c in enumerate(celsius)]


def test_nothing_is_known_of_an_empty_database(database: Database) -> None:
    assert list_nodes(database, moment(NOON)) == []


def test_a_clock_is_kept_with_its_node_since_when_it_is_so(database: Database) -> None:
    push(database, csv_line("a", NOON - 5, 3000, firmware=BOARD), NOON)
    assert (only(database).clock_state, only(database).clock_offset_seconds) == (ClockState.GOOD, 5)
    push(database, csv_line("a", NOON + 60 - 4000, 2996, firmware=BOARD), NOON + 60)
    push(database, csv_line("a", NOON + 120 - 4001, 2992, firmware=BOARD), NOON + 120)
    behind = only(database)
    assert (behind.clock_state, behind.clock_offset_seconds) == (ClockState.BEHIND, 4000)
    assert behind.clock_state_since is not None
    assert behind.clock_state_since.timestamp() == NOON + 60
    push(database, csv_line("a", NOON + 175, 2988, firmware=BOARD), NOON + 180)
    assert only(database).clock_state is ClockState.GOOD


def test_a_clock_that_steps_is_told_for_a_day_though_it_is_right_again(database: Database) -> None:
    back = "\n".join(csv_line("a", at, ticks, firmware=BOARD) for at, ticks in ((NOON, 3000), (NOON - 9, 2999)))
    push(database, back, NOON)
    push(database, csv_line("a", NOON + 60, 2996, firmware=BOARD), NOON + 60)
    assert only(database).clock_state is ClockState.STEPPING
    assert only(database, NOON + 86_400).clock_state is ClockState.GOOD


def test_an_import_says_nothing_of_a_clock(database: Database) -> None:
    ingest(database, log_payload(minutes(3), source=Source.IMPORT, is_live=False), moment(NOON))
    assert only(database).clock_state is None


def test_conflicts_are_counted_with_the_node_and_each_but_once(database: Database) -> None:
    push(database, csv_line("a", NOON, volts=12.5), NOON)
    for volts in (12.6, 12.7, 12.6):
        push(database, csv_line("a", NOON, volts=volts), NOON + 1)
    assert only(database).conflict_count == 2


def test_conflicts_stay_counted_when_their_rows_had_to_make_room(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isems.storage import rejected

    monkeypatch.setitem(rejected.insert_rejected.__kwdefaults__, "max_per_origin", 3)
    push(database, csv_line("a", NOON, volts=12), NOON)
    for number in range(10):
        push(database, csv_line("a", NOON, volts=13 + number / 100), NOON + 1)
    assert only(database).conflict_count == 10
    with database.read() as connection:
        assert len(rejected.select_rejected(connection)) == 3


def test_two_devices_that_share_an_id_are_shown_and_all_their_records_kept(database: Database) -> None:
    for number in range(20):
        for start, ticks in ((NOON, 3000), (NOON + 6, 800)):
            at = start + 15 * number
            push(database, csv_line("ESP32-Meshnode-Default", at, ticks - number, firmware=BOARD), at + 1)
    node = only(database, NOON + 400)
    assert node.is_shared
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM measurement").scalar() == 40


def test_the_addresses_at_which_a_node_answers_are_told_and_who_polls_there(database: Database) -> None:
    ingest(database, log_payload([measurement("a")]), moment(NOON))
    ingest(database, log_payload([measurement("b")]), moment(NOON))
    with database.write() as connection:
        note_addresses(connection, {"10.0.0.1": "b", "10.0.0.2": "a", "10.0.0.9": "a", "10.0.0.3": "unknown"})
        note_addresses(connection, {"10.0.0.1": "a"})
        recent = [PollTarget(address=f"10.0.0.{n}", answered_at=NOON - 3600) for n in (1, 2)]
        save_targets(connection, [*recent, PollTarget(address="10.0.0.9", answered_at=NOON - 8 * 86_400)])
        PollLeases(database, "roof-1", poll_seconds=30, interval=900).finish(connection, {"10.0.0.2": 900})
    assert [(node.name, node.addresses, node.collectors) for node in list_nodes(database, moment(NOON))] == [
        ("a", ["10.0.0.1", "10.0.0.2"], ["roof-1"]),
        ("b", [], []),
    ]


def test_a_node_is_surveyed_as_among_all(database: Database) -> None:
    with database.write() as connection:
        insert_measurements(connection, [*minutes(60, "a"), *board("b", *[25.0] * 300), *minutes(3, "c")], NOON)
        identify_nodes(connection, ["d"], NOON)
    surveyed = survey(database)
    with database.read() as connection:
        assert [survey_node(connection, NOON, known.node.id) for known in surveyed.values()] == list(surveyed.values())
    assert surveyed["a"].newest == minutes(60, "a")[-1]
    assert surveyed["a"].traces == traces(minutes(60, "a")[: -RECORDS - 1 : -1])
    assert (surveyed["d"].newest, surveyed["d"].traces) == (None, [])


def test_a_missing_sensor_is_told_from_a_temperature_that_only_rounds_to_its_mark(database: Database) -> None:
    """Hours of 25 degrees are none; 25.001 are, though the column holds the same number."""
    with database.write() as connection:
        records = [*board("missing", *[25.0] * 250), *board("measured", *[25.0] * 200, 25.001, *[25.0] * 49)]
        insert_measurements(connection, records, NOON)
    found = {name: {one.key for one in find_at(known, 900, NOON)} for name, known in survey(database).items()}
    assert Key.SENSOR_MISSING in found["missing"]
    assert Key.SENSOR_MISSING not in found["measured"]
