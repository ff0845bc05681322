"""Whether two devices send under one id, told by their counters."""

from itertools import chain

import pytest

from isems.domain.measurement import Trace
from isems.domain.sharing import is_shared
from isems.ingest import read_payload
from tests.samples import NOON, traces
from tests.test_firmware_data import FILES, payloads_of


def trace(at: int, minutes: float) -> Trace:
    return Trace(at, minutes, None)


def board(start: int, ticks: int, count: int = 10) -> list[Trace]:
    return [trace(start + 15 * n, (ticks - n) / 4) for n in range(count)]


def in_order(*devices: list[Trace]) -> list[Trace]:
    return sorted(chain.from_iterable(devices), key=lambda one: one.measured_at)


def test_two_boards_with_one_id_are_noticed() -> None:
    assert is_shared(in_order(board(NOON, 3000), board(NOON + 7, 500)))


def test_two_boards_polled_in_turns_are_noticed() -> None:
    """A polled board gives five records at a time."""
    turns = [board(NOON + 300 * n, 3000 - 20 * n, 5) for n in range(4)]
    others = [board(NOON + 150 + 300 * n, 900 - 20 * n, 5) for n in range(4)]
    assert is_shared(in_order(*turns, *others))


def test_two_routers_with_one_id_are_noticed() -> None:
    """Their counters show whole minutes."""
    one = [trace(NOON + 61 * n, 1000 - 61 * n // 60) for n in range(10)]
    other = [trace(NOON + 30 + 61 * n, 400 - 61 * n // 60) for n in range(10)]
    assert is_shared(in_order(one, other))


def test_a_board_that_reboots_however_often_is_one_device() -> None:
    assert not is_shared(chain.from_iterable(board(NOON + 200 * n, 3600) for n in range(6)))


def test_a_clock_that_steps_and_is_set_back_is_one_device() -> None:
    assert not is_shared([*board(NOON, 3000), *board(NOON + 3750, 2990), *board(NOON + 300, 2980)])


def test_counters_that_do_not_run_tell_nothing() -> None:
    assert not is_shared([trace(NOON + n, 99999 * (n % 2)) for n in range(20)])


@pytest.mark.parametrize("name", [name for name in FILES if "esp32" in name or name.endswith("ffopenmppt.log")])
def test_no_recorded_node_is_taken_for_two(name: str) -> None:
    found: dict[int, Trace] = {}
    for payload in payloads_of(name):
        parsed = read_payload(payload).parsed
        found |= {one.measured_at: one for one in traces(m for m in parsed.measurements if m.measured_at)}
    times = sorted(found)
    for start in range(0, len(times), 40):
        assert not is_shared(found[time] for time in times[start : start + 40])
