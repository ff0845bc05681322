"""Spans of time that measurements are summed up in: minutes and hours in UTC, days by the clocks of a zone."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR = 3600
DAY = 86_400

#: Name and length in seconds, the shortest first; those of a day and more are counted in local days, which may be longer
#: or shorter.
STEPS = {
    "1m": 60,
    "2m": 120,
    "5m": 300,
    "10m": 600,
    "15m": 900,
    "30m": 1800,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "3h": 3 * HOUR,
    "6h": 6 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "7d": 7 * DAY,
    "30d": 30 * DAY,
}
#: Weeks begin here: a Monday.
FIRST_MONDAY = date(1970, 1, 5).toordinal()


def choose_step(seconds: int, max_points: int) -> str:
    """Give the shortest step that divides a range of this length into no more points than that; the longest at worst.

    One more point than a plain division gives is allowed for, because a range is widened to whole buckets.
    """
    return next((name for name, step in STEPS.items() if -(-seconds // step) + 1 <= max_points), "30d")


def make_edges(first: int, last: int, step: str, zone: ZoneInfo) -> list[int]:
    """Give where the buckets begin that hold the instants from `first` up to, not including, `last`, and where the last
    one ends. Raises KeyError for an unknown step.

    Buckets up to twelve hours begin at multiples of their length since 1970 in UTC, others at midnight in the zone.
    """
    seconds = STEPS[step]
    last = max(last, first + 1)
    if seconds >= DAY:
        return _make_day_edges(first, last, seconds // DAY, zone)
    return list(range(first // seconds * seconds, last + seconds, seconds))


def _make_day_edges(first: int, last: int, days: int, zone: ZoneInfo) -> list[int]:
    ordinal = _local_date(first, zone).toordinal()
    ordinal -= (ordinal - FIRST_MONDAY) % days
    edges = [begin_of(date.fromordinal(ordinal), zone)]
    while edges[-1] < last:
        ordinal += days
        edges.append(begin_of(date.fromordinal(ordinal), zone))
    return edges


@lru_cache(maxsize=50_000)
def begin_of(day: date, zone: ZoneInfo) -> int:
    """Give the instant at which a day begins in a zone: at one o'clock where midnight is skipped, at the first of two."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def begin_of_day(at: int, zone: ZoneInfo) -> int:
    """Give the instant at which the local day of an instant began."""
    return begin_of(_local_date(at, zone), zone)


def day_after(begin: int, zone: ZoneInfo) -> int:
    """Give the instant at which the local day after that of an instant begins."""
    return begin_of(_local_date(begin, zone) + timedelta(days=1), zone)


def are_whole_hours(edges: Sequence[int]) -> bool:
    """Tell whether all edges lie on full hours of UTC."""
    return all(edge % HOUR == 0 for edge in edges)


def _local_date(at: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at, zone).date()
