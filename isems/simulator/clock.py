"""A clock for the mesh: the past in fast motion, then the present."""

from collections.abc import Callable

from isems.errors import ConfigError


class SimulatedClock:
    """Simulated epoch seconds: `speed` times as fast from `start` on, and real time once that is reached."""

    def __init__(self, start: float, speed: float, now: Callable[[], float]) -> None:
        """`now` gives the real epoch seconds, for example `time.time`."""
        if not speed > 0:
            raise ConfigError(f"speed {speed} of the simulated clock is not above 0")
        self._now = now
        self._began = now()
        self._start = min(start, self._began)
        self._speed = speed

    def __call__(self) -> float:
        """Give the simulated time; never ahead of the real one."""
        real = self._now()
        return min(real, self._start + (real - self._began) * self._speed)

    def seconds_until(self, at: float) -> float:
        """Give how many real seconds it is until this clock shows `at`; 0 or less where it did so already."""
        real = self._now()
        return max(at - real, (at - self._start) / self._speed - (real - self._began))
