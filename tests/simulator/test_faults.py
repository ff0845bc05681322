"""Faults as their text names them, and what they do to a line."""

import pytest

from isems.errors import ConfigError
from isems.simulator import Fault, NodeSpec, assign_faults, make_mesh, parse_fault
from isems.simulator.faults import UNSET_ROUTER_TIME
from isems.simulator.memory import NodeMemory
from isems.simulator.sessions import Session
from tests.simulator.grammar import pattern
from tests.simulator.instants import SUMMER

MESH = make_mesh(12)
ROUTER, SMALL_ROUTER, BOARD = MESH[0], MESH[4], MESH[3]


def newest(spec: NodeSpec, fault: Fault) -> tuple[Session, list[str]]:
    memory = NodeMemory(spec, fault)
    session = memory.advance(SUMMER)
    record = memory.newest()
    assert session is not None
    assert record is not None
    return session, record[1].split(";")


def test_a_fault_is_written_as_number_and_name() -> None:
    assert parse_fault("3=slow") == (3, Fault.SLOW)
    assert parse_fault(" 0=silent_controller\n") == (0, Fault.SILENT_CONTROLLER)


@pytest.mark.parametrize(
    "text", ["", "slow", "3", "3=", "=slow", "three=slow", "-1=slow", "²=slow", "3=sloow", "3==slow"]
)
def test_nonsense_is_refused_with_the_text_it_was_found_in(text: str) -> None:
    with pytest.raises(ConfigError, match="fault") as refusal:
        parse_fault(text)
    assert repr(text) in str(refusal.value)


def test_an_unknown_fault_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="dead, slow, trickle, garbage, clock_unset, clock_ahead"):
        parse_fault("3=sleepy")


def test_faults_are_assigned_by_name_and_only_to_nodes_that_can_have_them() -> None:
    assert assign_faults(MESH, ["0=dead", "10=silent_controller"]) == {
        "Elektra-Dach": Fault.DEAD,
        "Schuppen Müggelsee": Fault.SILENT_CONTROLLER,
    }
    with pytest.raises(ConfigError, match="nodes 0 to 11"):
        assign_faults(MESH, ["12=dead"])
    with pytest.raises(ConfigError, match="no controller"):
        assign_faults(MESH, ["3=silent_controller"])


@pytest.mark.parametrize(("spec", "status"), [(ROUTER, "0B2"), (SMALL_ROUTER, "072")])
def test_a_silent_controller_leaves_zeros_and_the_configured_fields(spec: NodeSpec, status: str) -> None:
    _, fields = newest(spec, Fault.SILENT_CONTROLLER)
    assert fields[3:5] == ["", "0"]
    assert fields[6:14] == ["0"] * 8
    assert fields[14:18] == [
        f"{spec.battery_amp_hours}",
        f"{spec.panel_watts}",
        f"{spec.latitude}",
        f"{spec.longitude}",
    ]
    assert fields[18] == status
    assert len(fields) == 19


def test_a_router_that_was_never_told_the_time_starts_in_2018_after_each_boot() -> None:
    session, fields = newest(ROUTER, Fault.CLOCK_UNSET)
    assert int(fields[2]) == pytest.approx(UNSET_ROUTER_TIME + SUMMER - session.boot, abs=62)
    assert pattern("OW").fullmatch(";".join(fields))


def test_a_board_that_was_never_told_the_time_counts_seconds_since_boot() -> None:
    session, fields = newest(BOARD, Fault.CLOCK_UNSET)
    assert int(fields[2]) == pytest.approx(SUMMER - session.boot, abs=15)
    assert int(fields[2]) % 15 == 5


def test_a_clock_ahead_is_hours_ahead_on_even_nodes_and_years_on_odd_ones() -> None:
    assert int(newest(ROUTER, Fault.CLOCK_AHEAD)[1][2]) == pytest.approx(SUMMER + 3 * 3600, abs=62)
    assert int(newest(BOARD, Fault.CLOCK_AHEAD)[1][2]) == pytest.approx(SUMMER + 730 * 86400, abs=15)
