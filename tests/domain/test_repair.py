"""The clock rules by themselves: what is believed, what is repaired and by how much, what is refused or waits."""

import random
import time
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from isems.domain.clock import EARLIEST_BELIEVED, TOLERANCE, Receipt, agrees, is_believed
from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.domain.rejection import Reason
from isems.domain.repair import MAX_RUNS, ClockRun, Judgement, Recall, judge_times, recall_nothing
from tests.samples import NOON, measurement

#: The newest file of an OpenWrt image: where a router's clock begins without network time.
IMAGE = 1_538_049_660
CADENCE = 61
CONFIGURATIONS = {dialect: Configuration("1", "firmware", 11.9, 12.0, 20.0, 52.5, 13.4, dialect) for dialect in Dialect}


def record(at: int | None, minutes: float | None = 0, dialect: Dialect = Dialect.ROUTER, **values: Any) -> Measurement:
    """One record; without `minutes` its shutdown counter does not run."""
    return measurement(at=at, minutes_until_shutdown=minutes, configuration=CONFIGURATIONS[dialect], **values)


def log(first: int, count: int, *, counter: float | None = None) -> list[Measurement]:
    """A router's lines, the counter falling by a minute each minute from `counter`."""
    times = [first + CADENCE * i for i in range(count)]
    return [record(t, 0 if counter is None else counter - (t - first) // 60) for t in times]


def board(*sent: int, ticks: int | None = 3600) -> list[Measurement]:
    """A board's lines, 15 s apart in truth whatever they say."""
    return [record(t, 0 if ticks is None else (ticks - i) / 4, Dialect.BOARD) for i, t in enumerate(sent)]


def live(at: int = NOON, sender_time: int | None = None, *, is_trusted: bool = True) -> Receipt:
    return Receipt(received_at=at, is_live=True, sender_time=sender_time, is_trusted=is_trusted)


def file(at: int = NOON, *, is_trusted: bool = True) -> Receipt:
    return Receipt(received_at=at, is_live=False, is_trusted=is_trusted)


def times(judgement: Judgement) -> list[int | None]:
    """The times of what was kept, in the order of the input."""
    return [judgement.kept[index].measured_at for index in sorted(judgement.kept)]


def reasons(judgement: Judgement) -> list[Reason]:
    return [refused.reason for refused in judgement.refused]


def stored_by(judgement: Judgement) -> set[tuple[object, ...]]:
    """What a store that keeps equal records once would hold."""
    return {(m.measured_at, m.battery_volts, m.time_repaired) for m in judgement.kept.values()}


def memory_of(*judgements: Judgement) -> Recall:
    """A memory that holds what these judgements kept."""
    stored = set().union(*map(stored_by, judgements))

    def recall(samples: Sequence[Sequence[Measurement]]) -> int | None:
        for position, sample in enumerate(samples):
            if sum((m.measured_at, m.battery_volts, True) in stored for m in sample) * 2 > len(sample):
                return position
        return None

    return recall


# What is believed


@pytest.mark.parametrize(
    ("sent", "believed"),
    [
        (EARLIEST_BELIEVED, False),
        (EARLIEST_BELIEVED + 1, True),
        (NOON - 5 * 365 * 86_400, True),
        (NOON + TOLERANCE, True),
        (NOON + TOLERANCE + 1, False),
        (123_456_789, False),
        (NOON * 1000, False),
        (-1, False),
    ],
)
def test_a_time_is_believed_from_2017_until_five_minutes_ahead_of_receipt(sent: int, believed: bool) -> None:
    assert is_believed(sent, NOON) is believed


@pytest.mark.parametrize("receipt", [live(), file(), live(sender_time=NOON)])
def test_a_backlog_is_late_not_wrong_and_never_moved(receipt: Receipt) -> None:
    """Defect 12: after a fresh line, sixty older ones were dropped; all are kept as sent."""
    lines = [record(NOON - 20, 500), *log(NOON - 9000, 60, counter=650)]
    judgement = judge_times(lines, receipt, [])
    assert times(judgement) == [m.measured_at for m in lines]
    assert not any(m.time_repaired for m in judgement.kept.values())


def test_a_log_years_old_is_kept_as_sent() -> None:
    lines = log(IMAGE, 50, counter=900)
    assert times(judge_times(lines, file(), [])) == [m.measured_at for m in lines]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (NOON * 1000, Reason.CLOCK_AHEAD),
        (NOON + 10 * 365 * 86_400, Reason.CLOCK_AHEAD),
        (-1, Reason.CLOCK_UNSET),
        (590, Reason.CLOCK_UNSET),
        (123_456_789, Reason.CLOCK_UNSET),
        (0, Reason.PLACEHOLDER),
        (None, Reason.NO_TIME),
    ],
)
def test_an_unbelievable_time_without_proof_is_refused_and_takes_nothing_with_it(
    sent: int | None, reason: Reason
) -> None:
    """Defects 9 and 10: milliseconds ended the program, 0 and negative times were stored."""
    lines = [*log(NOON - 600, 4), record(sent), *log(NOON - 300, 4)]
    judgement = judge_times(lines, file(), [])
    assert reasons(judgement) == [reason]
    assert sorted(judgement.kept) == [0, 1, 2, 3, 5, 6, 7, 8]


# One time in the future


@pytest.mark.parametrize("receipt", [live(), file(), live(sender_time=NOON)])
@pytest.mark.parametrize("counter", [1000, None])
@pytest.mark.parametrize("position", [1, 10])
def test_a_lone_2038_among_good_lines_hides_and_moves_none_of_them(
    receipt: Receipt, counter: int | None, position: int
) -> None:
    """Defect 11: after one line of 2038 all others were dropped; it is repaired by its neighbours or refused."""
    good = log(NOON - 10 * CADENCE, 11, counter=counter)
    lines = list(good)
    lines[position] = msgspec.structs.replace(good[position], measured_at=2_145_916_800)
    judgement = judge_times(lines, receipt, [])
    for index, line in enumerate(good):
        if index != position:
            assert judgement.kept[index] == line
        elif index in judgement.kept:
            assert abs((judgement.kept[index].measured_at or 0) - (line.measured_at or 0)) <= CADENCE
        else:
            assert reasons(judgement) == [Reason.CLOCK_AHEAD]


def test_a_lone_2038_is_repaired_where_the_counter_proves_it() -> None:
    lines = log(NOON - 10 * CADENCE, 11, counter=1000)
    lines[5] = msgspec.structs.replace(lines[5], measured_at=2_145_916_800)
    assert times(judge_times(lines, live(sender_time=NOON), [])) == [NOON - CADENCE * i for i in range(10, -1, -1)]


# A router whose own web server tells that its clock is wrong


@pytest.mark.parametrize("offset", [-20 * 365 * 86_400, -86_400, -3600, 301, 3600, 180_000_000])
@pytest.mark.parametrize("counter", [1000, None])
def test_a_router_is_repaired_by_its_own_date(offset: int, counter: int | None) -> None:
    """Behind by months, ahead by hours and by years."""
    lines = log(NOON - offset - 9 * CADENCE - 7, 10, counter=counter)
    judgement = judge_times(lines, live(NOON, NOON - offset), [])
    assert times(judgement) == [NOON - 7 - CADENCE * i for i in range(9, -1, -1)]
    assert all(m.time_repaired for m in judgement.kept.values())
    assert judgement.runs == [ClockRun(lines[0].measured_at or 0, lines[-1].measured_at or 0, offset)]


@pytest.mark.parametrize("off", [-300, -62, 0, 62, 300])
def test_a_clock_within_five_minutes_is_right(off: int) -> None:
    lines = log(NOON - off - 10 * CADENCE, 10, counter=1000)
    judgement = judge_times(lines, live(NOON, NOON - off), [])
    assert times(judgement) == [m.measured_at for m in lines]
    assert judgement.runs == []


def test_a_clock_that_is_off_by_about_five_minutes_is_repaired_once_and_for_all() -> None:
    """The measured offset swings around the limit by the time a request takes; the run's own does not."""
    lines = log(NOON - 310 - 20 * CADENCE, 20, counter=1000)
    first = judge_times(lines, live(NOON, NOON - 310), [])
    again = judge_times(lines, live(NOON + 60, NOON - 235), first.runs)
    assert first.runs[0].offset == 310
    assert times(again) == times(first)


@pytest.mark.parametrize("jitter", [0, 1, 30, 62])
def test_the_offset_of_a_run_is_fixed_once_whatever_the_request_took(jitter: int) -> None:
    offset = NOON - IMAGE
    first = judge_times(log(IMAGE, 20, counter=1440), live(NOON + 1300, IMAGE + 1270), [])
    grown = log(IMAGE, 34, counter=1440)
    later = judge_times(grown, live(NOON + 2100 + jitter, IMAGE + 2070), first.runs)
    assert first.runs[0].offset == offset + 30
    assert times(later) == [(m.measured_at or 0) + offset + 30 for m in grown]


def test_boots_that_repeat_the_same_range_are_kept_apart() -> None:
    """A router without network time starts at its image's date each day, with other values."""
    first = judge_times(log(IMAGE, 100, counter=1440), live(NOON, IMAGE + 99 * CADENCE + 20), [])
    day = NOON + 86_400
    second = judge_times(log(IMAGE, 100, counter=1440), live(day, IMAGE + 99 * CADENCE + 20), first.runs)
    assert times(second) == [(t or 0) + 86_400 for t in times(first)]
    assert len({run.offset for run in [*first.runs, *second.runs]}) == 2


def test_two_boots_minutes_apart_are_kept_apart() -> None:
    """A router with an empty battery falls and rises; the shortest life that leaves a line is over two minutes."""
    first = judge_times(log(IMAGE, 1, counter=1440), live(NOON, IMAGE + 5), [])
    second = judge_times(log(IMAGE, 2, counter=1440), live(NOON + 180, IMAGE + 61), first.runs)
    assert times(first) == [NOON - 5]
    assert times(second) == [NOON + 119, NOON + 180]


def test_a_date_that_was_set_after_the_last_line_moves_no_line() -> None:
    """A router whose `Date` is months behind while its log agrees with our clock."""
    lines = log(NOON - 9 * CADENCE, 10)
    judgement = judge_times(lines, live(NOON, IMAGE), [])
    assert times(judgement) == [m.measured_at for m in lines]


def test_a_missing_date_does_not_undo_a_repair() -> None:
    """The same log read without `Date`, or from a file: its records are known under their repaired times."""
    lines = log(IMAGE, 30, counter=None)
    first = judge_times(lines[:20], live(NOON, IMAGE + 19 * CADENCE + 20), [])
    for receipt in (live(NOON + 610), file(NOON + 10_000_000)):
        again = judge_times(lines, receipt, first.runs, memory_of(first))
        assert times(again) == [(m.measured_at or 0) + first.runs[0].offset for m in lines]


def test_a_true_log_is_not_moved_because_its_range_was_once_wrong() -> None:
    """An hour ahead yesterday; today true lines come to the same hour."""
    ahead = log(NOON + 3600, 50, counter=1000)
    first = judge_times(ahead, live(NOON + 50 * CADENCE, NOON + 3600 + 50 * CADENCE), [])
    true = log(NOON + 3617, 50, counter=400)
    for receipt in (live(NOON + 7200), file(NOON + 86_400)):
        assert times(judge_times(true, receipt, first.runs, memory_of(first))) == [m.measured_at for m in true]


def test_the_date_of_a_proxy_before_a_board_says_nothing() -> None:
    lines = board(NOON - 30, NOON - 15, NOON)
    assert times(judge_times(lines, live(NOON, NOON - 90_000), [])) == [NOON - 30, NOON - 15, NOON]


# Steps within one log


def test_lines_before_a_step_are_repaired_by_the_counter() -> None:
    """Gartenhaus-Süd: seven lines with the image's date, then network time."""
    lines = [*log(IMAGE, 7, counter=4867), *log(NOON, 20, counter=4860)]
    for receipt in (file(NOON + 86_400), live(NOON + 20 * CADENCE, NOON + 20 * CADENCE)):
        judgement = judge_times(lines, receipt, [])
        assert times(judgement) == [NOON + CADENCE * i for i in range(-7, 20)]
        assert [m.measured_at for m, _ in judgement.displaced] == [m.measured_at for m in lines[:7]]


def test_a_step_back_of_an_hour_is_repaired_too() -> None:
    """Network time corrects, so what came before the step was wrong."""
    lines = [*log(NOON + 3600, 30, counter=1000), *log(NOON + 30 * CADENCE, 30, counter=970)]
    assert times(judge_times(lines, file(NOON + 86_400), [])) == [NOON + CADENCE * i for i in range(60)]


@pytest.mark.parametrize("hours", [0.2, 1, 16, 200])
def test_a_gap_that_the_counter_saw_is_no_step(hours: float) -> None:
    gap = int(hours * 3600)
    lines = [*log(NOON - gap, 10, counter=20_000), *log(NOON + 10 * CADENCE, 5, counter=20_000 - 10 - gap // 60)]
    judgement = judge_times(lines, live(NOON + 20 * CADENCE), [])
    assert times(judgement) == [m.measured_at for m in lines]


def test_a_jump_forward_without_a_counter_is_a_gap() -> None:
    lines = [*log(NOON - 80_000, 10), *log(NOON, 10)]
    assert times(judge_times(lines, live(NOON + 700, NOON + 700), [])) == [m.measured_at for m in lines]


def test_a_step_without_a_counter_is_known_by_the_offset_that_was_proved_before() -> None:
    first = judge_times(log(IMAGE, 10), live(NOON, IMAGE + 9 * CADENCE + 9), [])
    lines = [*log(IMAGE, 12), *log(NOON - 9 + 3 * CADENCE, 10)]
    later = judge_times(lines, live(NOON + 760, NOON + 760), first.runs)
    assert times(later) == [NOON - 9 + CADENCE * i for i in range(-9, 13)]
    assert {run.offset for run in later.runs} == {run.offset for run in first.runs}


def test_a_step_behind_a_gap_without_a_counter_does_not_undo_a_repair() -> None:
    """Nothing tells how long the gap was, but the lines before it are stored already."""
    first = judge_times(log(IMAGE, 10), live(NOON, IMAGE + 9 * CADENCE + 9), [])
    lines = [*log(IMAGE, 10), *log(NOON + 7000, 10)]
    later = judge_times(lines, live(NOON + 7700, NOON + 7700), first.runs, memory_of(first))
    assert times(later) == [NOON - 9 + CADENCE * i for i in range(-9, 1)] + [m.measured_at for m in lines[10:]]


def test_logs_of_several_boots_in_one_file_and_in_any_order_are_not_taken_for_steps() -> None:
    """A collection of true logs put together by hand: the counter fell by hours between them, or began anew."""
    older, newer = log(NOON - 200_000, 60, counter=1400), log(NOON - 100_000, 60, counter=900)
    for lines in ([*older, *newer], [*newer, *older]):
        judgement = judge_times(lines, file(), [])
        assert times(judgement) == [m.measured_at for m in lines]


def test_a_wrong_clock_that_was_set_twice_is_repaired_throughout() -> None:
    lines = [*log(IMAGE, 5, counter=3000), *log(NOON - 9000, 5, counter=2995), *log(NOON, 5, counter=2990)]
    for receipt in (file(NOON + 9000), live(NOON + 305, NOON + 305)):
        assert times(judge_times(lines, receipt, [])) == [NOON + CADENCE * i for i in range(-10, 5)]


def test_repeated_and_slightly_decreasing_times_are_left_to_the_store() -> None:
    """Kleingarten: the same second twice, by a small step of network time; both are kept as sent."""
    lines = [record(NOON - 60, 900), record(NOON, 899), record(NOON, 898), record(NOON - 30, 897)]
    assert times(judge_times(lines, live(NOON + 30, NOON + 30), [])) == [NOON - 60, NOON, NOON, NOON - 30]


# Boards


@pytest.mark.parametrize("age", [0, 1, 14])
def test_a_board_without_network_time_is_repaired_by_its_delivery(age: int) -> None:
    sent = board(530, 545, 560, 575, 590)
    judgement = judge_times(sent, live(NOON + age), [])
    assert times(judgement) == [NOON + age - 60 + 15 * i for i in range(5)]


def test_every_later_message_of_a_boot_uses_the_offset_of_the_first() -> None:
    first = judge_times(board(5, 20, 35), live(NOON + 35 + 14), [])
    second = judge_times(board(35, 50, 65, 80, 95), live(NOON + 95 + 2), first.runs)
    assert times(first) == [NOON + 19, NOON + 34, NOON + 49]
    assert times(second) == [NOON + 49 + 15 * i for i in range(5)]


def test_each_boot_of_a_board_has_its_own_offset() -> None:
    first = judge_times(board(5, 20, 35), live(NOON), [])
    second = judge_times(board(5, 20, 35), live(NOON + 120), first.runs)
    third = judge_times(board(20, 35, 50), live(NOON + 135), [*second.runs, *first.runs])
    assert times(second) == [NOON + 90, NOON + 105, NOON + 120]
    assert times(third) == [NOON + 105, NOON + 120, NOON + 135]


@pytest.mark.parametrize("ticks", [3600, None])
@pytest.mark.parametrize("receipt", [live(NOON + 10), file(NOON + 86_400), live(NOON + 3)])
def test_a_message_with_both_kinds_of_time_is_repaired_by_the_believed_ones(
    ticks: int | None, receipt: Receipt
) -> None:
    """560, 575, 590 and then network time, also where the counter stands still because reboots are switched off."""
    judgement = judge_times(board(560, 575, 590, NOON - 15, NOON, ticks=ticks), receipt, [])
    assert times(judgement) == [NOON - 60 + 15 * i for i in range(5)]
    assert [m.time_repaired for _, m in sorted(judgement.kept.items())] == [True, True, True, False, False]


@pytest.mark.parametrize("sent", [NOON - 3600, NOON - 90 * 86_400, NOON + 299])
def test_a_boards_believed_times_are_never_shifted(sent: int) -> None:
    """Late, or a little ahead: the delivery is no proof against a time that can be true."""
    lines = board(sent - 30, sent - 15, sent)
    assert times(judge_times(lines, live(), [])) == [sent - 30, sent - 15, sent]


def test_of_a_board_that_is_just_too_far_ahead_the_believed_times_are_not_shifted() -> None:
    lines = board(*(NOON + 245 + 15 * i for i in range(5)))
    judgement = judge_times(lines, live(), [])
    assert times(judgement) == [NOON + 245, NOON + 260, NOON + 275, NOON + 290, NOON]


def test_a_record_that_was_ahead_when_it_came_is_not_stored_again_when_it_comes_late() -> None:
    lines = board(*(NOON + 4000 + 15 * i for i in range(5)))
    first = judge_times(lines, live(), [])
    late = judge_times(lines, file(NOON + 9000), first.runs, memory_of(first))
    assert times(first) == times(late) == [NOON - 60 + 15 * i for i in range(5)]


def test_a_board_that_runs_for_weeks_without_network_time_stays_one_run() -> None:
    """Twenty parts in a million: 52 s in a month, more than the noise of a delivery."""
    runs = judge_times(board(5, 20, 35), live(NOON + 35), []).runs
    for day in range(1, 31):
        sent = day * 86_400
        later = judge_times(board(sent, sent + 15), live(NOON + sent + 15 + round(sent * 20e-6)), runs)
        runs = later.runs
        assert times(later) == [NOON + sent, NOON + sent + 15]
    assert len(runs) == 1


def test_seconds_since_boot_in_a_file_are_refused() -> None:
    assert reasons(judge_times(board(5, 20), file(), [])) == [Reason.CLOCK_UNSET] * 2


# Our own clock


@pytest.mark.parametrize("lines", [board(5, 20, 35), log(NOON + 9000, 3), board(NOON + 9000, NOON + 9015)])
def test_while_our_clock_is_not_trusted_what_it_would_decide_waits(lines: list[Measurement]) -> None:
    judgement = judge_times(lines, live(is_trusted=False), [])
    assert judgement.undecided == list(range(len(lines)))
    assert not judgement.kept
    assert not judgement.refused


def test_while_our_clock_is_not_trusted_a_date_proves_nothing() -> None:
    lines = log(IMAGE, 5, counter=1000)
    judgement = judge_times(lines, live(NOON, IMAGE + 300, is_trusted=False), [])
    assert times(judgement) == [m.measured_at for m in lines]
    assert judgement.runs == []


def test_a_file_ahead_of_an_untrusted_clock_waits_but_seconds_since_boot_are_refused() -> None:
    lines = [*log(NOON + 9000, 2), record(5)]
    judgement = judge_times(lines, file(is_trusted=False), [])
    assert judgement.undecided == [0, 1]
    assert reasons(judgement) == [Reason.CLOCK_UNSET]


@pytest.mark.parametrize(
    ("lines", "receipt", "expected"),
    [
        (log(NOON - 122, 2), live(), True),
        (log(NOON - 372, 2), live(), False),
        (log(NOON + 300, 1), live(), True),
        (log(NOON - 122, 2), file(), False),
        (board(5, 20), live(20), False),
        (log(IMAGE, 2), live(NOON, NOON - 299), True),
        (log(NOON, 1), live(NOON, NOON - 301), False),
        ([], live(), False),
        ([record(None), record(0)], live(), False),
        ([record(2_145_916_800), *log(NOON - 61, 2)], live(), True),
        ([*log(NOON - 61, 2), record(5)], live(), True),
    ],
)
def test_a_node_confirms_our_clock_only_live_and_within_five_minutes(
    lines: list[Measurement], receipt: Receipt, expected: bool
) -> None:
    assert agrees(lines, receipt) is expected


# Whatever comes

DIALECTS = st.sampled_from([Dialect.ROUTER, Dialect.BOARD, Dialect.AVR_BOARD, Dialect.UNKNOWN])
INSTANTS = st.one_of(
    st.none(),
    st.sampled_from([0, 5, 20, -1, EARLIEST_BELIEVED, IMAGE, NOON, NOON + 299, NOON * 1000, 10**15]),
    st.integers(NOON - 900, NOON + 900),
    st.integers(IMAGE, IMAGE + 900),
    st.integers(0, 900),
    st.integers(-(10**15), 10**15),
)
COUNTERS = st.one_of(st.none(), st.sampled_from([0, 99999, 1440, 1439.75]), st.integers(1400, 1440))
RECORDS = st.builds(record, INSTANTS, COUNTERS, DIALECTS)
RECEIPTS = st.builds(
    Receipt,
    received_at=st.sampled_from([NOON, IMAGE, 100]),
    is_live=st.booleans(),
    sender_time=st.one_of(st.none(), INSTANTS),
    is_trusted=st.booleans(),
)
RUNS = st.builds(
    lambda first, length, offset: ClockRun(first, first + length, offset),
    st.sampled_from([0, IMAGE, NOON]),
    st.integers(0, 900),
    st.one_of(st.integers(NOON - IMAGE - 400, NOON - IMAGE + 400), st.integers(-(10**9), 10**9)).filter(bool),
)
KNOWN = st.lists(RUNS, max_size=5, unique_by=lambda run: run.offset)


@given(st.lists(RECORDS, max_size=12), RECEIPTS, KNOWN)
def test_each_record_is_kept_refused_or_undecided_and_only_one_of_them(
    lines: list[Measurement], receipt: Receipt, known: list[ClockRun]
) -> None:
    judgement = judge_times(lines, receipt, known)
    fates = [*judgement.kept, *(refused.index for refused in judgement.refused), *judgement.undecided]
    assert sorted(fates) == list(range(len(lines)))
    assert all(is_believed(m.measured_at or 0, receipt.received_at) for m in judgement.kept.values())
    assert not (receipt.is_trusted and judgement.undecided)
    assert all(run.first <= run.last for run in judgement.runs)
    assert len({run.offset for run in judgement.runs}) == len(judgement.runs)


@given(st.lists(RECORDS, max_size=12), RECEIPTS, KNOWN)
def test_only_times_change_and_only_of_records_marked_repaired(
    lines: list[Measurement], receipt: Receipt, known: list[ClockRun]
) -> None:
    for index, kept in judge_times(lines, receipt, known).kept.items():
        sent = lines[index]
        assert msgspec.structs.replace(kept, measured_at=sent.measured_at, time_repaired=False) == sent
        assert kept.time_repaired == (kept.measured_at != sent.measured_at)


@given(st.lists(RECORDS, max_size=12), RECEIPTS, KNOWN)
def test_judging_the_same_log_again_gives_the_same_times(
    lines: list[Measurement], receipt: Receipt, known: list[ClockRun]
) -> None:
    lines = [msgspec.structs.replace(m, battery_volts=float(i)) for i, m in enumerate(lines)]
    first = judge_times(lines, receipt, known)
    new = {run.offset for run in first.runs}
    again = judge_times(
        lines, receipt, [*reversed(first.runs), *(run for run in known if run.offset not in new)], memory_of(first)
    )
    # What was refused may be repaired now, by a run that was found since; what was stored stays where it is.
    assert stored_by(first) <= stored_by(again)
    assert all(again.kept[index] == kept for index, kept in first.kept.items())


def seconds_of(lines: list[Measurement], known: list[ClockRun], recall: Recall = recall_nothing) -> float:
    """The least of three measurements of processor time."""

    def once() -> float:
        start = time.process_time()
        judge_times(lines, live(NOON, NOON - 86_400), known, recall)
        return time.process_time() - start

    return min(once() for _ in range(3))


HOSTILE = {
    "alternating": lambda i: record(NOON - 400 * (i % 2), 1440),
    "alternating without a counter": lambda i: record(IMAGE + 4000 * (i % 2)),
    "falling": lambda i: record(NOON - 400 * i, 99),
    "random": lambda i: record(random.Random(i).randrange(10**10), i % 1441),
    "set and unset": lambda i: record(NOON if i % 2 else i, 0, Dialect.BOARD),
}


@pytest.mark.parametrize("order", HOSTILE)
def test_twice_the_lines_take_about_twice_the_time_in_any_order(order: str) -> None:
    known = [ClockRun(0, NOON, 1_000_000 * i + 1) for i in range(100)]
    lines = [HOSTILE[order](i) for i in range(50_000)]
    half, whole = seconds_of(lines[:25_000], known), seconds_of(lines, known)
    assert whole < 3.5 * half + 0.1
    assert whole < 3


def test_memory_is_asked_a_bounded_number_of_times() -> None:
    asked: list[int] = []

    def recall(samples: Sequence[Sequence[Measurement]]) -> int | None:
        asked.append(sum(map(len, samples)))
        return None

    known = [ClockRun(0, NOON, 1_000_000 * i + 1) for i in range(100)]
    judge_times([record(NOON - 4000 * (i // 3 % 2) + i, 0) for i in range(3000)], file(), known, recall)
    assert 0 < len(asked) <= MAX_RUNS
    assert max(asked) <= 3 * (len(known) + MAX_RUNS)
