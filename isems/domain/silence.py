"""When is a node late, silent, lost? Told by its own cadence, and by when we last heard of it.

Instants are epoch seconds UTC.
"""

from collections.abc import Sequence
from itertools import pairwise

from isems.domain.clock import TOLERANCE
from isems.domain.measurement import Dialect, Measurement, Trace

#: How often a node with a short memory is heard of at best (docs/nodes.md, cadence): boards publish every 65 s and are
#: polled as often, an AVR board is polled after 0.8 of the 235 s that it remembers. A router writes every 62 s.
SHORTEST_SECONDS = {Dialect.ROUTER: 62, Dialect.BOARD: 65, Dialect.AVR_BOARD: 188, Dialect.UNKNOWN: 65}
#: A pause between a node's records is usual when it came so often in the newest ones: two may be outages.
USUAL_PAUSES = 3
LATE_INTERVALS = 3
SILENT_SECONDS = 3600
LOST_SECONDS = 86_400


def interval_of(dialect: Dialect, traces: Sequence[Trace], poll_seconds: int | None) -> int:
    """Tell at which interval a node is heard of, in seconds: the longer of its record cadence and our contact's.

    `traces` are of its newest records, newest first. `poll_seconds` is how often it is polled, None where it pushes.
    A router keeps its log, so the contact is the poll. Other nodes forget: pauses between their records show it.
    """
    shortest = SHORTEST_SECONDS[dialect]
    if dialect is Dialect.ROUTER:
        return max(shortest, poll_seconds or 0)
    times = [trace.measured_at for trace in traces]
    pauses = sorted((abs(later - earlier) for later, earlier in pairwise(times)), reverse=True)
    usual = pauses[USUAL_PAUSES - 1] if len(pauses) >= USUAL_PAUSES else poll_seconds
    return max(shortest, usual or 0)


def heard_at(newest: Measurement | None, delivered_at: int | None, clock_offset: int | None, now: int) -> int | None:
    """Tell when a node was last heard of; None: never, or at a time that cannot be true.

    `delivered_at` is when it last delivered something new (to an hour), `clock_offset` what must be added to its clock:
    the times of a board whose clock is behind are stored as it sent them.
    """
    measured_at = None if newest is None else newest.measured_at
    known = [measured_at, delivered_at]
    is_behind = clock_offset is not None and clock_offset > TOLERANCE
    if newest is not None and measured_at is not None and is_behind and not newest.time_repaired:
        known.append(measured_at + (clock_offset or 0))
    # Our own clock may have been ahead once: what was stored then must not pass for a sign of life.
    possible = [at for at in known if at is not None and at <= now + TOLERANCE]
    return min(now, max(possible)) if possible else None


def late_after(interval: int) -> int:
    """Give the seconds after which a node that is heard of at that interval is late."""
    return LATE_INTERVALS * interval


def silent_after(interval: int) -> int:
    """Give the seconds after which a node is silent: an hour, but never before it is late."""
    return max(SILENT_SECONDS, late_after(interval))


def lost_after(interval: int) -> int:
    """Give the seconds after which a node is lost: a day, but never before it is late."""
    return max(LOST_SECONDS, late_after(interval))
