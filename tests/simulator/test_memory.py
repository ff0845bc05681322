"""What a node remembers: five lines, or a log that rotates and is lost with the power."""

import pytest

from isems.simulator import Fault, Program, make_mesh, records
from isems.simulator.memory import ROTATION_LINES, NodeMemory
from isems.simulator.sessions import Session, Timeline
from tests.simulator.instants import SUMMER

MESH = make_mesh(12)
ROUTER = MESH[0]


def long_session() -> Session:
    sessions = Timeline(ROUTER).season(SUMMER).sessions
    return next(session for session in sessions if session.end - session.boot > 150 * 3600)


def test_the_log_vanishes_at_line_3660_and_starts_anew_with_one_line() -> None:
    session = long_session()
    made = list(records(ROUTER, session.boot, session.end))
    memory = NodeMemory(ROUTER)
    memory.advance(made[3658][0])
    assert (memory.log(), memory.archive()) == (made[:3659], [])
    memory.advance(made[3659][0])
    assert (memory.log(), memory.archive()) == ([], made[:3660])
    memory.advance(made[3660][0] - 1)
    assert memory.log() == []
    memory.advance(made[3660][0])
    assert (memory.log(), memory.archive()) == (made[3660:3661], made[:3660])
    memory.advance(made[2 * ROTATION_LINES + 9][0])
    assert (memory.log(), memory.archive()) == (made[7320:7330], made[3660:7320])


@pytest.mark.parametrize("number", [0, 5, 3659, 3660, 4000, 7319, 7320, 7500])
def test_when_one_first_asks_makes_no_difference_to_the_log(number: int) -> None:
    session = long_session()
    made = list(records(ROUTER, session.boot, session.end))
    asked_early, asked_late = NodeMemory(ROUTER), NodeMemory(ROUTER)
    for earlier in range(0, number, 1500):
        asked_early.advance(made[earlier][0])
    asked_early.advance(made[number][0])
    asked_late.advance(made[number][0])
    assert asked_early.log() == asked_late.log()
    assert asked_early.archive() == asked_late.archive()
    assert asked_early.newest() == asked_late.newest() == made[number]


def test_a_reboot_loses_log_and_archive() -> None:
    session = long_session()
    memory = NodeMemory(ROUTER)
    memory.advance(session.end - 1)
    assert memory.archive()
    memory.advance(session.end + 60)
    assert (memory.log(), memory.archive(), memory.newest()) == ([], [], None)
    memory.advance(session.end + 300)
    assert 1 <= len(memory.log()) <= 4


def test_a_node_without_power_has_no_session() -> None:
    weak = MESH[2]
    spans = Timeline(weak).season(SUMMER - 200 * 86400).energy.powered
    memory = NodeMemory(weak)
    assert memory.advance(spans[0][1] - 60) is not None
    assert memory.advance(spans[0][1] + 60) is None
    assert memory.log() == []
    assert memory.advance(spans[1][0] + 1800) is not None


@pytest.mark.parametrize(
    "program", [Program.BOARD, Program.BOARD_LUA53, Program.OLD_BOARD, Program.AVR_BOARD], ids=lambda p: p.value
)
def test_a_board_remembers_its_last_five_lines(program: Program) -> None:
    spec = next(spec for spec in MESH if spec.program is program)
    memory = NodeMemory(spec)
    memory.advance(SUMMER)
    assert memory.log() == list(records(spec, SUMMER - 1000, SUMMER + 1))[-5:]
    memory.advance(SUMMER + 3000)
    assert memory.log() == list(records(spec, SUMMER, SUMMER + 3001))[-5:]


def test_time_may_step_back() -> None:
    memory = NodeMemory(ROUTER)
    memory.advance(SUMMER)
    before = memory.log()
    memory.advance(SUMMER + 4000)
    memory.advance(SUMMER)
    assert memory.log() == before


def test_a_power_cycled_node_never_has_more_than_twenty_minutes_of_log() -> None:
    memory = NodeMemory(ROUTER, Fault.REBOOT)
    lengths = []
    for at in range(SUMMER, SUMMER + 7200, 50):
        memory.advance(at)
        lengths.append(len(memory.log()))
    assert max(lengths) in range(15, 20)
    assert lengths.count(0) > 5


def test_a_power_cycled_board_starts_with_seconds_since_boot() -> None:
    memory = NodeMemory(MESH[3], Fault.REBOOT)
    memory.advance(SUMMER - SUMMER % 1200 + 10 + 25)
    stamps = [line.split(";")[2] for _, line in memory.log()]
    assert stamps[0] == "5"
    assert all(int(stamp) > 1_700_000_000 for stamp in stamps[1:])
