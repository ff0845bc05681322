"""The lines: does each program's text look as the real program prints it, and does its status follow from it?"""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from isems.simulator import NodeSpec, Program, make_mesh, records
from isems.simulator.lua import lua51, lua53
from tests.simulator.grammar import pattern
from tests.simulator.instants import DAY, SUMMER, WINTER

SAMPLES = [
    (sample["program"], sample["line"])
    for sample in map(json.loads, Path("tests/data/simulator/samples.jsonl").read_text(encoding="utf-8").splitlines())
]
PROGRAMS = list(Program)


def first(program: Program) -> NodeSpec:
    return next(spec for spec in make_mesh(12) if spec.program is program)


def lines(program: Program, start: int, seconds: int = DAY) -> list[str]:
    return [line for _, line in records(first(program), start, start + seconds)]


@pytest.mark.parametrize(("program", "line"), SAMPLES)
def test_the_grammar_of_these_tests_accepts_what_real_programs_printed(program: str, line: str) -> None:
    assert pattern(program).fullmatch(line)


@pytest.mark.parametrize(("program", "line"), SAMPLES)
def test_the_grammar_tells_lua_5_3_from_5_1(program: str, line: str) -> None:
    other = "N" if program == "N53" else "N53"
    assert not pattern(other).fullmatch(line)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("start", [SUMMER, WINTER])
def test_every_line_of_half_a_day_is_in_its_programs_grammar(program: Program, start: int) -> None:
    printed = lines(program, start, DAY // 2)
    assert len(printed) > 600
    assert [line for line in printed if not pattern(program.value).fullmatch(line)] == []


def test_whole_numbers_print_as_each_lua_prints_them() -> None:
    assert [lua51(number) for number in (13.0, 0.0, 12.3, 7, -0.01)] == ["13", "0", "12.3", "7", "-0.01"]
    assert [lua53(number) for number in (13.0, 0.0, 12.3, 7, -3.0)] == ["13.0", "0.0", "12.3", "7", "-3.0"]


@pytest.mark.parametrize(
    ("program", "steps"),
    [
        (Program.ROUTER, {60, 61, 62}),
        (Program.BOARD, {15}),
        (Program.BOARD_LUA53, {15}),
        (Program.OLD_BOARD, {15}),
        (Program.AVR_BOARD, {47, 48}),
    ],
)
def test_records_step_as_each_program_steps_between_two_boots(program: Program, steps: set[int]) -> None:
    times = [int(line.split(";")[2]) for line in lines(program, SUMMER)]
    counted = Counter(after - before for before, after in pairwise(times))
    # What is left are reboots: at most two a day, each shorter than five minutes.
    others = {step: times for step, times in counted.items() if step not in steps}
    assert {step for step in counted if step in steps} == steps
    assert sum(others.values()) <= 2
    assert all(15 < step < 300 for step in others)


@pytest.mark.parametrize("program", [Program.ROUTER, Program.AVR_BOARD])
def test_avr_voltages_are_whole_levels_of_its_converter(program: Program) -> None:
    panel = {int(level * 29.13) for level in range(1000)}
    battery = {int(level * 17.57) for level in range(1000)}
    for line in lines(program, SUMMER):
        fields = line.split(";")
        assert round(float(fields[6]) * 1000) in panel
        assert round(float(fields[7]) * 1000) in panel
        assert round(float(fields[8]) * 1000) in battery


def test_at_night_the_panel_is_dark_and_only_the_old_board_remembers_the_day() -> None:
    midnight = SUMMER - SUMMER % DAY + 22 * 3600
    for program in (Program.ROUTER, Program.BOARD, Program.AVR_BOARD):
        assert {tuple(line.split(";")[6:8]) for line in lines(program, midnight, 3600)} == {("0", "0")}
    assert {tuple(line.split(";")[6:8]) for line in lines(Program.BOARD_LUA53, midnight, 3600)} == {("0", "0.0")}
    shown = {
        tuple(line.split(";")[6:8]) for day in range(4) for line in lines(Program.OLD_BOARD, midnight + day * DAY, 60)
    }
    assert any(float(idle) > 14 and held == "0.3" for idle, held in shown)


def expected_router_code(spec: NodeSpec, fields: list[str]) -> int:
    """The bit table for routers, from the printed fields alone."""
    minutes, mpp, battery, charge, celsius = (float(fields[number]) for number in (4, 7, 8, 9, 11))
    hours = spec.battery_amp_hours / (spec.panel_watts / 15)
    code = 0x400 if mpp < battery else (0x800 if charge < 100 else 0)
    code |= 0x200 if charge == 100 else 0
    code |= 0x040 if hours <= 2.5 else (0x100 if charge > 50 else (0x080 if charge <= 30 else 0))
    code |= 0x020 if fields[13] == "14.2" and celsius == 0 else 0
    code |= 0x008 if celsius >= 40 else 0
    return code | (0x002 if battery - float(fields[12]) < 0.2 or minutes < 15 else 0)


@pytest.mark.parametrize("index", [0, 2, 4, 7])
@pytest.mark.parametrize("start", [SUMMER, WINTER])
def test_a_routers_status_follows_from_the_fields_beside_it(index: int, start: int) -> None:
    spec = make_mesh(12)[index]
    for _, line in records(spec, start, start + 2 * DAY):
        fields = line.split(";")
        # At these two the program compares digits that it does not print.
        if fields[9] not in ("50", "30"):
            assert f"{expected_router_code(spec, fields):03X}" == fields[18], line


def test_a_new_board_needs_the_panel_above_its_tracking_voltage_to_count_as_charging() -> None:
    for line in lines(Program.BOARD, SUMMER, 2 * DAY):
        fields = line.split(";")
        idle, mpp, battery, charge = (float(fields[number]) for number in (6, 7, 8, 9))
        is_charging = battery <= mpp <= idle and charge < 100
        assert bool(int(fields[18], 16) & 0x800) == is_charging, line


def test_an_avr_boards_bits_stick_until_it_reboots() -> None:
    previous, minutes = 0, 0.0
    for line in lines(Program.AVR_BOARD, WINTER, 3 * DAY):
        fields = line.split(";")
        code = int(fields[18], 16)
        assert code & 0x002, line
        # A full battery sets its bit and, alone of all, takes one back: charging.
        assert fields[9] != "100" or code & 0xA00 == 0x200, line
        if float(fields[4]) <= minutes:
            # Only bit 0 is ever taken back, by a full battery.
            assert previous & ~code in (0, 0x800), line
            assert not previous & ~code or fields[9] == "100", line
        previous, minutes = code, float(fields[4])


def test_the_minutes_of_a_router_count_down_to_its_reboot() -> None:
    spec = make_mesh(12)[7]
    printed = list(records(spec, SUMMER, SUMMER + 3 * DAY))
    for (before, line), (after, next_line) in pairwise(printed):
        left, next_left = int(line.split(";")[4]), int(next_line.split(";")[4])
        if next_left > left:
            assert left <= 1
            assert next_left >= spec.watchdog_minutes - 3
        else:
            assert left - next_left in (1, 2)
            assert after - before <= 62


def test_a_boards_ticks_fall_by_one_a_record_and_start_at_3600() -> None:
    ticks = [int(line.split(";")[4]) for line in lines(Program.BOARD, SUMMER, 2 * DAY)]
    boot = ticks.index(1) + 1
    assert ticks[boot : boot + 4] == [3600, 3600, 3599, 3598]
    assert 0 not in ticks
