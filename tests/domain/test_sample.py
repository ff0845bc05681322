"""When samples were taken that tell no time: pure rules, on made-up boards whose truth is known."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from isems.domain.measurement import Dialect, Measurement
from isems.domain.sample import (
    NEIGHBOUR_TICKS,
    Anchor,
    Verdict,
    anchor_of,
    count_before,
    judge_sample,
    ticks_of,
    time_backlog,
    time_lines,
)
from tests.samples import NO_CONFIGURATION, NOON, configuration, measurement

BOARD = configuration(firmware="ESP_2.0", dialect=Dialect.BOARD)


def sample(at: int, ticks: int, volts: float = 12.5) -> Measurement:
    return measurement(
        "Board", at, configuration=NO_CONFIGURATION, minutes_until_shutdown=ticks / 4, battery_volts=volts
    )


def record(at: int, ticks: int, volts: float = 12.4) -> Measurement:
    return measurement("Board", at, configuration=BOARD, minutes_until_shutdown=ticks / 4, battery_volts=volts)


def judge(at: int, ticks: int, *stored: Measurement, is_redelivered: bool = False, volts: float = 12.5) -> Verdict:
    return judge_sample(sample(at, ticks, volts), stored, is_redelivered=is_redelivered)


def test_the_same_tick_of_the_same_boot_is_a_duplicate() -> None:
    assert judge(NOON + 20, 3000, sample(NOON, 3000)) is Verdict.DUPLICATE


def test_the_same_tick_with_other_values_is_a_conflict_and_not_forgotten() -> None:
    """Two boards of one id that were switched on together."""
    assert judge(NOON + 20, 3000, sample(NOON, 3000, 13.1)) is Verdict.CONFLICT


def test_the_same_tick_of_the_next_boot_is_new() -> None:
    """A board that crashes and starts anew publishes 65 s after each start, with the same tick and often the same values."""
    assert judge(NOON + 66, 3596, sample(NOON, 3596)) is Verdict.NEW


def test_another_tick_is_new_however_soon_it_comes() -> None:
    assert judge(NOON + 1, 2999, sample(NOON, 3000)) is Verdict.NEW


@pytest.mark.parametrize("counter", [0, 99999 * 4])
@pytest.mark.parametrize(
    ("after", "redelivered", "verdict"),
    [
        (29, False, Verdict.DUPLICATE),
        (30, False, Verdict.NEW),
        (65, False, Verdict.NEW),
        (65, True, Verdict.DUPLICATE),
    ],
)
def test_where_the_counter_does_not_run_an_equal_sample_is_the_same_one_for_half_a_minute_or_if_the_broker_says_so(
    counter: int, after: int, redelivered: bool, verdict: Verdict
) -> None:
    assert judge(NOON + after, counter, sample(NOON, counter), is_redelivered=redelivered) is verdict


def test_where_the_counter_does_not_run_only_the_previous_sample_counts() -> None:
    before, previous = sample(NOON - 65, 0), sample(NOON - 10, 0, 13.0)
    assert judge(NOON, 0, before, previous, is_redelivered=True) is Verdict.NEW


@pytest.mark.parametrize(("passed", "ticks"), [(0, 3000), (14, 3000), (-40, 3000), (59, 3000)])
def test_a_record_of_the_same_cycle_wins_whatever_its_values_and_its_clock_within_a_minute(
    passed: int, ticks: int
) -> None:
    """The counter falls between the record of a cycle and a sample in it."""
    assert judge(NOON + passed, ticks, record(NOON, ticks + 1)) is Verdict.DUPLICATE
    assert judge(NOON + passed, ticks, record(NOON, ticks + 2)) is Verdict.NEW


@pytest.mark.parametrize(("passed", "verdict"), [(-3, "new"), (0, "duplicate"), (17, "duplicate"), (18, "new")])
def test_where_the_counter_does_not_run_the_cycle_is_told_by_time(passed: int, verdict: str) -> None:
    assert judge(NOON + passed, 0, record(NOON, 0)).value == verdict


def test_the_last_cycle_of_a_boot_has_a_record_too() -> None:
    assert judge(NOON + 10, 0, record(NOON, 1)) is Verdict.DUPLICATE


@pytest.mark.parametrize("shown", [None, 0, 99999, -5])
def test_marks_are_no_ticks(shown: Any) -> None:
    one = measurement(minutes_until_shutdown=shown)
    assert ticks_of(one) is None
    assert anchor_of(one) is None


def test_a_backlog_is_timed_from_what_comes_next() -> None:
    assert time_backlog([100, 96, 92], None, Anchor(NOON, 80)) == [NOON - 300, NOON - 240, NOON - 180]


def test_what_precedes_a_reboot_is_not_timed_from_what_follows_it() -> None:
    assert time_backlog([100, 96, 3596, 3592], None, Anchor(NOON, 3590)) == [None, None, NOON - 90, NOON - 30]


def test_what_follows_the_last_known_record_closely_is_of_its_boot() -> None:
    before = Anchor(NOON, 104)
    assert time_backlog([104, 100, 96, 3596], before, Anchor(NOON + 900, 3594)) == [
        NOON,
        NOON + 60,
        NOON + 120,
        NOON + 870,
    ]


def test_after_a_gap_nothing_is_told_by_what_was_known_before() -> None:
    """An hour may have passed, or a reboot and fourteen: the counter alone cannot tell."""
    assert time_backlog([3000 - NEIGHBOUR_TICKS - 1], Anchor(NOON, 3000), None) == [None]


def test_a_message_that_came_twice_breaks_no_chain() -> None:
    assert time_backlog([96, 96, 92], Anchor(NOON, 96), None) == [NOON, NOON, NOON + 60]


def test_what_shows_less_than_what_waited_elsewhere_came_behind_it() -> None:
    assert count_before([3010, 3000, 2996], None, Anchor(NOON, 3000)) == 2
    assert count_before([2996, 2992], None, Anchor(NOON, 3000)) == 0


def test_what_follows_the_last_known_record_closely_came_before_a_reboot_however_little_it_shows() -> None:
    assert count_before([100, 96], Anchor(NOON, 104), Anchor(NOON + 900, 3000)) == 2


def test_lines_of_one_boot_keep_their_distance_in_the_cycle_in_which_the_counter_stands_still() -> None:
    ticks = [3599, 3599, 3598, 3597]  # after the records that show 3600 3600 3599 3598
    times = time_backlog(ticks, None, Anchor(NOON, 3590))
    assert time_lines([5, 20, 35, 50], ticks, times, []) == [NOON - 150, NOON - 135, NOON - 120, NOON - 105]


def test_lines_of_a_boot_that_is_known_take_its_offset() -> None:
    ticks = [3500, 3499]
    times = time_backlog(ticks, None, Anchor(NOON, 3490))
    assert time_lines([1500, 1515], ticks, times, [NOON - 1640]) == [NOON - 140, NOON - 125]
    assert time_lines([1500, 1515], ticks, times, [NOON - 1700]) == [NOON - 150, NOON - 135]


@given(st.lists(st.integers(10, 15 * 60), min_size=1, max_size=10), st.data())
def test_whatever_boots_lie_in_a_backlog_what_is_timed_is_timed_right(boots: list[int], data: st.DataObject) -> None:
    """Boots of so many ticks, a message each 65 s, any of them lost but the first two of a boot: so each shows as a rise."""
    truth: list[tuple[int, int, int]] = []  # boot, time, ticks
    start = 0
    for boot, length in enumerate(boots):
        truth += [(boot, start + at, 3600 - at // 15) for at in range(65, 15 * length, 65)]
        start += 15 * length + 7
    lost = data.draw(st.sets(st.integers(0, len(truth) - 1), max_size=20))
    kept = [one for n, one in enumerate(truth) if n not in lost or n < 2 or truth[n - 2][0] != one[0]]
    known = data.draw(st.integers(0, len(kept) - 1))
    before = Anchor(*kept[known - 1][1:]) if known else None
    *waited, (last_boot, at, ticks) = kept[known:]
    found = time_backlog([shown for _, _, shown in waited], before, Anchor(at, ticks))
    for (boot, true, _), told in zip(waited, found, strict=True):
        if told is None:
            assert boot != last_boot  # of the boot that goes on everything is told
        else:
            assert abs(told - true) <= 15
