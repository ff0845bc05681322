"""When an address is asked again."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.domain.polling import JITTER, PollOutcome, is_short_memory, next_wait, span_of

NOW = 1_700_000_000
QUARTER = 900


def measured(dialect: Dialect = Dialect.ROUTER, at: int | None = NOW, **fields: Any) -> Measurement:
    configuration = Configuration("1", "x", fields.pop("disconnect", None), None, None, None, None, dialect)
    unknown = dict.fromkeys(Measurement.__struct_fields__[3:-1])
    return Measurement(**{**unknown, "node": "a", "measured_at": at, "configuration": configuration, **fields})


def answered(records: int, cadence: int, newest: Measurement) -> PollOutcome:
    at = newest.measured_at
    return PollOutcome(records=records, first_at=None if at is None else at - (records - 1) * cadence, newest=newest)


def router(**fields: Any) -> PollOutcome:
    return answered(2000, 61, measured(**fields))


BOARD = answered(5, 15, measured(Dialect.BOARD))
AVR_BOARD = answered(5, 47, measured(Dialect.AVR_BOARD))


def wait(
    outcome: PollOutcome | None, *, now: int = NOW, interval: int = QUARTER, chance: float = 0, **more: Any
) -> float:
    return next_wait(outcome, now, interval, chance, **more)


def test_a_log_keeper_is_asked_at_the_interval() -> None:
    assert wait(router()) == QUARTER
    assert wait(router(), interval=86_400) == 86_400


@pytest.mark.parametrize(("board", "span"), [(BOARD, 75), (AVR_BOARD, 235)])
def test_a_board_is_asked_after_four_fifths_of_what_it_remembers(board: PollOutcome, span: int) -> None:
    assert span_of(board) == span
    assert wait(board) == 0.8 * span


def test_who_has_learnt_nothing_yet_waits_as_another_decided_before() -> None:
    assert wait(None, last_wait=60) == 60
    assert wait(None, last_wait=60, failures=2) == 120
    assert wait(BOARD, last_wait=600) == wait(BOARD)
    assert wait(None, last_wait=86_400) == QUARTER


def test_a_board_that_has_just_started_is_asked_before_it_forgets() -> None:
    assert wait(answered(2, 15, measured(Dialect.BOARD))) == 24
    assert wait(answered(1, 15, measured(Dialect.BOARD))) == 60


def test_a_board_is_asked_at_the_interval_where_that_is_shorter() -> None:
    assert wait(BOARD, interval=10) == 10
    assert not is_short_memory(BOARD, 60)


@pytest.mark.parametrize("records", [1, 2, 5])
def test_a_router_that_has_just_rotated_is_no_board(records: int) -> None:
    outcome = answered(records, 61, measured(Dialect.ROUTER))
    assert not is_short_memory(outcome, QUARTER)
    assert wait(outcome) == QUARTER


def test_records_whose_time_is_not_believed_still_tell_a_board() -> None:
    assert wait(PollOutcome(records=5)) == 60
    assert wait(PollOutcome(records=3000)) == QUARTER


def test_a_missing_log_is_asked_for_again_in_a_minute() -> None:
    assert wait(PollOutcome(is_log_missing=True)) == 60
    assert wait(msgspec.structs.replace(router(), is_log_missing=True)) == 60


def test_a_node_that_failed_is_asked_sooner_than_one_that_answered() -> None:
    assert wait(None, failures=1) == 300 < wait(None)
    assert wait(router(), failures=1) == 300
    assert wait(router(), failures=1, interval=86_400) == 28_800


def test_a_board_that_failed_is_asked_in_its_own_rhythm_and_then_less_and_less() -> None:
    assert [wait(BOARD, failures=n) for n in range(6)] == [60, 60, 120, 240, 300, 300]
    assert wait(BOARD, failures=10**6) == 300


@pytest.mark.parametrize("chance", [0, 0.5, 1])
@pytest.mark.parametrize(("minutes", "age", "due"), [(10, 0, 510), (10, 55, 455), (2, 0, 30), (15, 0, 810)])
def test_a_router_is_asked_once_more_just_before_its_power_is_cut(
    minutes: int, age: int, due: int, chance: float
) -> None:
    outcome = router(at=NOW - age, minutes_until_shutdown=float(minutes))
    assert due * (1 - JITTER) <= wait(outcome, chance=chance) <= due
    assert wait(outcome, chance=chance) >= min(due, QUARTER * (1 - JITTER))


@pytest.mark.parametrize("minutes", [None, 0, 99_999, 1, 17, 9000])
def test_no_announced_end_within_reach_changes_nothing(minutes: float | None) -> None:
    assert wait(router(minutes_until_shutdown=minutes)) == QUARTER


def test_after_the_announced_end_the_router_is_asked_in_its_usual_rhythm() -> None:
    outcome = router(minutes_until_shutdown=5.0)
    assert wait(outcome, now=NOW + 210) == QUARTER
    assert wait(outcome, now=NOW + 86_400) == QUARTER


@pytest.mark.parametrize(
    ("volts", "expected"), [(12.5, 900), (11.9, 900), (11.8, 450), (11.75, 225), (11.7, 60), (11.0, 60)]
)
def test_the_nearer_a_discharging_battery_is_to_its_end_the_sooner_it_is_asked(volts: float, expected: float) -> None:
    outcome = router(battery_volts=volts, disconnect=11.7, panel_mpp_volts=0.0)
    assert wait(outcome) == pytest.approx(expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"battery_volts": 11.7, "disconnect": 11.7, "panel_mpp_volts": 14.0},
        {"battery_volts": 0.0, "disconnect": 11.7},
        {"battery_volts": 11.7},
        {"disconnect": 11.7},
    ],
    ids=["charging", "controller silent", "disconnect unknown", "voltage unknown"],
)
def test_a_battery_that_is_charged_or_unknown_changes_nothing(fields: dict[str, float]) -> None:
    assert wait(router(**fields)) == QUARTER


def test_a_router_gone_dark_with_an_empty_battery_is_not_asked_every_minute() -> None:
    outcome = router(battery_volts=11.7, disconnect=11.7, panel_mpp_volts=0.0)
    assert wait(outcome) == 60
    assert wait(outcome, failures=1) == 300


maybe = st.none() | st.floats(-1e6, 1e6)
outcomes = st.builds(
    lambda records, first, newest, missing: PollOutcome(
        records=records, first_at=first, newest=newest, is_log_missing=missing
    ),
    st.integers(0, 10_000),
    st.none() | st.integers(NOW - 10**6, NOW),
    st.none()
    | st.builds(
        lambda dialect, at, minutes, volts, panel, disconnect: measured(
            dialect,
            at,
            minutes_until_shutdown=minutes,
            battery_volts=volts,
            panel_mpp_volts=panel,
            disconnect=disconnect,
        ),
        st.sampled_from(Dialect),
        st.none() | st.integers(0, 2 * NOW),
        maybe,
        maybe,
        maybe,
        maybe,
    ),
    st.booleans(),
)


@given(
    outcome=st.none() | outcomes,
    now=st.integers(0, 2 * NOW),
    interval=st.integers(1, 86_400),
    chance=st.floats(0, 1),
    failures=st.integers(0, 10**9),
)
def test_whatever_a_node_says_the_wait_is_between_the_least_and_the_interval(
    outcome: PollOutcome | None, now: int, interval: int, chance: float, failures: int
) -> None:
    jittered = next_wait(outcome, now, interval, chance, failures=failures)
    assert 1 <= jittered <= interval
    assert jittered >= min(10, interval)
    latest = next_wait(outcome, now, interval, 0, failures=failures)
    assert latest * (1 - JITTER) - 1e-9 <= jittered <= latest
