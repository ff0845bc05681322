"""What a delivery shows of its node's clock."""

import pytest

from isems.domain.clock import ClockState, Receipt, is_fresh, read_clock, state_at
from isems.domain.measurement import Dialect
from tests.samples import NOON, configuration, measurement, minutes

BOARD = configuration(firmware="ESP_2.0", dialect=Dialect.BOARD)


def receipt(**changes: object) -> Receipt:
    return Receipt(**{"received_at": NOON, "is_live": True, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shown", "state", "offset"),
    [
        (NOON - 20, ClockState.GOOD, 20),
        (NOON + 300, ClockState.GOOD, -300),
        (NOON + 301, ClockState.AHEAD, -301),
        (NOON - 301, ClockState.BEHIND, 301),
        (65, ClockState.UNSET, NOON - 65),
    ],
)
def test_a_boards_clock_is_that_of_its_newest_record(shown: int, state: ClockState, offset: int) -> None:
    found = read_clock([measurement(at=shown, configuration=BOARD)], receipt())
    assert found is not None
    assert (found.state, found.offset_seconds) == (state, offset)


@pytest.mark.parametrize(
    ("date", "state"), [(NOON - 5, "good"), (NOON - 86_400, "behind"), (NOON + 999, "ahead"), (1000, "unset")]
)
def test_a_routers_clock_is_what_its_web_server_says_whatever_its_log(date: int, state: str) -> None:
    found = read_clock(minutes(3, first=NOON - 9000), receipt(sender_time=date))
    assert found is not None
    assert found.state.value == state


def test_a_router_that_does_not_tell_its_time_shows_nothing() -> None:
    """Its log may stand still while its clock is right."""
    assert read_clock(minutes(3, first=NOON - 9000), receipt()) is None


@pytest.mark.parametrize("unknown", [{"is_live": False}, {"is_trusted": False}])
def test_what_waited_or_came_while_ours_is_wrong_shows_nothing(unknown: dict[str, bool]) -> None:
    assert read_clock([measurement(at=NOON, configuration=BOARD)], receipt(**unknown)) is None


def stepped(*records: tuple[int, float]) -> bool:
    sent = [measurement(at=at, configuration=BOARD, minutes_until_shutdown=shown) for at, shown in records]
    found = read_clock(sent, receipt())
    assert found is not None
    return found.has_stepped


def test_a_clock_that_goes_back_by_itself_steps() -> None:
    assert stepped((NOON - 30, 100), (NOON - 45, 99.75), (NOON - 15, 99.5))
    assert stepped((NOON - 30, 0), (NOON - 45, 0))


def test_a_reboot_is_no_step() -> None:
    assert not stepped((NOON - 10, 100), (NOON - 45, 900))
    assert not stepped((NOON - 10, 0), (5, 0))


def test_a_clock_that_is_set_does_not_step() -> None:
    assert not stepped((590, 890.5), (NOON - 15, 890.25))


def test_a_step_is_shown_for_a_day() -> None:
    assert state_at(ClockState.GOOD, NOON, NOON + 86_399) is ClockState.STEPPING
    assert state_at(ClockState.GOOD, NOON, NOON + 86_400) is ClockState.GOOD
    assert state_at(None, None, NOON) is None


@pytest.mark.parametrize(("age", "fresh"), [(-31, False), (-30, True), (0, True), (30, True), (31, False)])
def test_records_half_a_minute_old_have_not_waited(age: int, fresh: bool) -> None:
    assert is_fresh([measurement(at=5), measurement(at=NOON - age)], NOON) is fresh


def test_seconds_since_boot_show_no_freshness() -> None:
    assert not is_fresh([measurement(at=20)], 30)
