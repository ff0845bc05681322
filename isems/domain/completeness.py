"""How much of what a node records is here. Instants are epoch seconds."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from isems.domain.measurement import Trace

#: Fewer records tell no cadence.
MIN_RECORDS = 5


def record_seconds(traces: Sequence[Trace]) -> float | None:
    """Tell at which interval a node records, in seconds, by its newest records in the order of time or against it.

    None where they are too few to tell. A gap makes no difference, as long as most of them follow each other.
    """
    times = [trace.measured_at for trace in traces]
    if len(times) < MIN_RECORDS:
        return None
    return median(abs(later - earlier) for later, earlier in pairwise(times)) or None


def count_expected(begin: int, end: int, first_at: int, now: int, interval: float | None) -> int | None:
    """Tell how many records a node makes from `begin` to before `end`, as far as it was there and it is past.

    None where its interval is not known.
    """
    if interval is None:
        return None
    return max(0, round((min(end, now) - max(begin, first_at)) / interval))
