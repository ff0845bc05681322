"""When a node is called late, silent, lost; and at which interval it is heard of."""

import pytest

from isems.domain.measurement import Dialect, Trace
from isems.domain.silence import SHORTEST_SECONDS, heard_at, interval_of, late_after, lost_after, silent_after
from tests.samples import NOON, measurement

HOUR, DAY, YEAR = 3600, 86_400, 31_536_000


def interval(*ages: int, poll_seconds: int | None, dialect: Dialect = Dialect.BOARD) -> int:
    """The interval of a node whose newest records, newest first, are so many seconds old."""
    return interval_of(dialect, [Trace(NOON - age, None, None) for age in ages], poll_seconds)


def test_a_router_is_heard_of_when_it_is_polled() -> None:
    assert interval(0, 61, 122, dialect=Dialect.ROUTER, poll_seconds=900) == 900


def test_no_node_is_expected_more_often_than_it_writes() -> None:
    assert interval(0, 61, dialect=Dialect.ROUTER, poll_seconds=10) == 62


@pytest.mark.parametrize("dialect", [Dialect.BOARD, Dialect.UNKNOWN])
def test_a_board_that_pushes_is_heard_of_every_65_seconds_however_often_it_writes(dialect: Dialect) -> None:
    assert interval(*range(0, 600, 15), dialect=dialect, poll_seconds=None) == 65


def test_a_board_that_is_polled_often_enough_is_not_given_the_whole_poll_interval() -> None:
    assert interval(*range(0, 600, 15), poll_seconds=900) == 65


def test_a_board_that_a_cron_job_polls_is_heard_of_as_often_as_that_runs() -> None:
    five_a_poll = (900 * poll + 15 * record for poll in range(8) for record in range(5))
    assert interval(*five_a_poll, poll_seconds=60) == 840


def test_two_outages_are_not_yet_usual() -> None:
    assert interval(0, 15, 9000, 9015, 20000, 20015, 20030, poll_seconds=None) == 65


def test_a_board_with_few_records_is_expected_when_it_is_polled() -> None:
    assert interval(0, 15, poll_seconds=900) == 900


def test_an_avr_board_is_polled_by_what_it_remembers() -> None:
    assert interval(*range(0, 470, 47), dialect=Dialect.AVR_BOARD, poll_seconds=900) == 188


def test_each_dialect_has_its_shortest_interval() -> None:
    assert set(SHORTEST_SECONDS) == set(Dialect)


@pytest.mark.parametrize(
    ("interval", "late", "silent", "lost"),
    [(65, 195, HOUR, DAY), (900, 2700, HOUR, DAY), (HOUR, 3 * HOUR, 3 * HOUR, DAY), (DAY, 3 * DAY, 3 * DAY, 3 * DAY)],
)
def test_a_node_is_never_silent_or_lost_before_it_is_late(interval: int, late: int, silent: int, lost: int) -> None:
    assert (late_after(interval), silent_after(interval), lost_after(interval)) == (late, silent, lost)


def test_a_node_is_heard_of_when_it_measured_or_when_it_delivered() -> None:
    newest = measurement(at=NOON - 100)
    assert heard_at(newest, None, None, NOON) == NOON - 100
    assert heard_at(newest, NOON - 50, None, NOON) == NOON - 50
    assert heard_at(newest, NOON - 200, None, NOON) == NOON - 100


def test_a_board_whose_clock_is_behind_is_heard_of_all_the_same() -> None:
    assert heard_at(measurement(at=NOON - YEAR - 10), NOON - HOUR, YEAR, NOON) == NOON - 10


@pytest.mark.parametrize("offset", [300, -300, 0])
def test_the_offset_of_a_good_clock_makes_nothing_newer(offset: int) -> None:
    assert heard_at(measurement(at=NOON - 400), None, offset, NOON) == NOON - 400


def test_an_offset_that_was_used_already_is_not_used_twice() -> None:
    assert heard_at(measurement(at=NOON - YEAR, time_repaired=True), None, YEAR, NOON) == NOON - YEAR


def test_a_time_in_the_future_is_no_sign_of_life() -> None:
    assert heard_at(measurement(at=NOON + YEAR), NOON - DAY, None, NOON) == NOON - DAY
    assert heard_at(measurement(at=NOON + YEAR), NOON + YEAR, None, NOON) is None


def test_a_clock_that_is_a_little_ahead_is_heard_of_now() -> None:
    assert heard_at(measurement(at=NOON + 200), None, None, NOON) == NOON
