"""The clock that catches up with the present."""

import pytest

from isems.errors import ConfigError
from isems.simulator import SimulatedClock


class Real:
    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def test_it_runs_fast_until_it_meets_the_real_time_and_then_with_it() -> None:
    real = Real(10_000.0)
    clock = SimulatedClock(start=1_000.0, speed=100.0, now=real)
    shown = []
    for real.at in (10_000.0, 10_010.0, 10_090.0, 10_091.0, 10_500.0):
        shown.append(clock())
    assert shown == [1_000.0, 2_000.0, 10_000.0, 10_091.0, 10_500.0]


def test_it_never_shows_a_time_that_is_not_yet() -> None:
    real = Real(10_000.0)
    clock = SimulatedClock(start=99_999.0, speed=1.0, now=real)
    assert clock() == 10_000.0


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ConfigError, match="speed"):
        SimulatedClock(0.0, speed, Real(1.0))
