"""What a process counted and has not written to the database yet."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping

#: At most so often the counts are written, as a part of a transaction that is made anyway: a page of 4 kB each time.
WRITE_SECONDS = 60
#: What is named so is an instant: the latest counts, not the sum.
INSTANT = "at/"


class Tally:
    """Counts and instants by name; safe to share between threads. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, float] = {}
        self._written_at = -math.inf
        self._lock = threading.Lock()

    def add(self, counts: Mapping[str, float]) -> None:
        """Add to the counts."""
        with self._lock:
            self._counts = unite([self._counts, counts])

    def take_away(self, written: Mapping[str, float]) -> None:
        """Forget what was written."""
        with self._lock:
            self._written_at = self._clock()
            for name, count in written.items():
                if name.startswith(INSTANT):
                    if self._counts[name] <= count:
                        del self._counts[name]
                else:
                    self._counts[name] -= count

    def pending(self) -> dict[str, float]:
        """Give what is not written yet."""
        with self._lock:
            return {name: count for name, count in self._counts.items() if count}

    def is_due(self) -> bool:
        """Tell whether it is time to write."""
        return self._clock() - self._written_at >= WRITE_SECONDS


def unite(several: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Give the sums of counts and the latest of instants, by name."""
    united: dict[str, float] = {}
    for counts in several:
        for name, more in counts.items():
            known = united.get(name, 0)
            united[name] = max(known, more) if name.startswith(INSTANT) else known + more
    return united
