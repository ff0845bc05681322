"""Which messages have waited in the broker, told by when they come."""

import math

#: A node publishes every 65 s; what comes closer together than this has waited in the broker.
LIVE_GAP_SECONDS = 40
#: Nodes whose last message is remembered while a resumed session is caught up with.
MAX_REMEMBERED = 10_000


class Backlog:
    """After a resumed session all messages have waited, until the broker says that nothing waits any more; and a node's
    first ones only as long as they follow each other faster than it publishes, since in a large mesh the broker may never
    find the moment. Instants are seconds of a clock that never steps, as ours may while much waits.
    """

    def __init__(self) -> None:
        self.is_expected = False
        #: When each node's last message came; None: it is live now.
        self._last: dict[str, float | None] = {}
        #: Until then the broker had to wait for us: whatever came before, a pause was ours.
        self._stood_still_until = -math.inf

    def note_standstill(self, now: float) -> None:
        """Note that until now the broker could send nothing, because nothing was stored."""
        self._stood_still_until = now

    def holds(self, node: str, now: float) -> bool:
        """Tell whether a node's message that came now has waited; it is to be told of every message of a node."""
        if not self.is_expected:
            return False
        if node not in self._last:
            # Of a node too many, which somebody may have made up, no pause will be known: its messages have waited.
            if len(self._last) < MAX_REMEMBERED:
                self._last[node] = now
            return True
        last = self._last[node]
        is_live = last is None or now - max(last, self._stood_still_until) >= LIVE_GAP_SECONDS
        self._last[node] = None if is_live else now
        return not is_live
