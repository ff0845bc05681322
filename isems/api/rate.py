"""How often somebody may ask. Kept in the memory of this process: each process counts for itself."""

from collections.abc import Hashable
from threading import Lock


class RateLimit:
    """Lets each key pass `per_minute` times a minute in the long run, and `burst` times at once after a rest."""

    def __init__(self, per_minute: float, burst: int, max_keys: int = 10_000) -> None:
        self._interval = 60 / per_minute
        self._slack = self._interval * (burst - 1)
        self._max_keys = max_keys
        #: For each key, when it will have rested enough to have its whole burst again.
        self._rested_at: dict[Hashable, float] = {}
        self._lock = Lock()

    def take(self, key: Hashable, now: float) -> float:
        """Count one more of a key; or give for how many seconds it must wait, and count nothing. 0: it may pass."""
        with self._lock:
            rested_at = max(now, self._rested_at.get(key, now))
            wait = rested_at - now - self._slack
            if wait > 0:
                return wait
            if key not in self._rested_at and len(self._rested_at) >= self._max_keys:
                self._forget(now)
            self._rested_at[key] = rested_at + self._interval
            return 0

    def _forget(self, now: float) -> None:
        """Forget who has rested; all, where nobody has: that many at once can only be meant to fill the memory."""
        self._rested_at = {key: at for key, at in self._rested_at.items() if at > now}
        if len(self._rested_at) >= self._max_keys:
            self._rested_at.clear()
