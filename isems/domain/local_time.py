"""Local times without an offset, as the predecessor kept them, and the instants they mean."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

#: Of both databases, as text; SQLite's has six decimals always, PostgreSQL's only where they are not zero.
LOCAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,6})?", re.ASCII)
HOUR_CHARACTERS = len("2026-10-25 02")
HOUR = timedelta(hours=1)
#: Texts remembered before the memory is emptied.
MAX_REMEMBERED = 100_000
#: Records that follow each other within this belong together, however dense a node's others are.
ADJOINING_SECONDS = 300


def read_local(text: str) -> datetime:
    """Read `YYYY-MM-DD HH:MM:SS[.ffffff]`; fractions of a second are not kept. Raises ValueError."""
    match = LOCAL.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return datetime.fromisoformat(match[1])


def instants_of(local: datetime, zone: ZoneInfo) -> list[int]:
    """Give the instants that a local time means, the earlier first: none in a spring gap, two in a doubled hour."""
    found = set()
    for fold in (0, 1):
        instant = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == local:
            found.add(int(instant.timestamp()))
    return sorted(found)


class Hours(dict[str, int | None]):
    """`hours["2026-10-25 01"]` is the instant at which that local hour begins.

    None where not every time in it means exactly one instant. Raises ValueError where there is no such hour.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self.zone = zone

    def __missing__(self, text: str) -> int | None:
        begin = read_local(f"{text}:00:00")
        first, last = (instants_of(begin + late, self.zone) for late in (timedelta(), HOUR - timedelta(seconds=1)))
        is_plain = len(first) == len(last) == 1 and last[0] - first[0] == 3599
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[text] = first[0] if is_plain else None
        return self[text]


class Seconds(dict[str, int]):
    """`seconds[":07:30.000000"]` is 450, the place in the hour. Raises ValueError where the text is none."""

    def __missing__(self, text: str) -> int:
        time = read_local(f"2000-01-01 00{text}")
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[text] = time.minute * 60 + time.second
        return self[text]


class Change(NamedTuple):
    """Where a zone's clocks are set: local times from `begin` to `end` are skipped, or there twice."""

    begin: datetime
    end: datetime
    is_doubled: bool


def changes(zone: ZoneInfo, first_year: int, last_year: int) -> Iterator[Change]:
    """Give the changes of a zone's clocks, to the minute, in these years."""
    day, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    while day < end:
        following = day + timedelta(days=1)
        if _offset(day, zone) != _offset(following, zone):
            yield _find_change(day, following, zone)
        day = following


def _find_change(before: datetime, after: datetime, zone: ZoneInfo) -> Change:
    while after - before > timedelta(minutes=1):
        middle = (before + (after - before) / 2).replace(second=0, microsecond=0)
        if _offset(middle, zone) == _offset(before, zone):
            before = middle
        else:
            after = middle
    ends = [after.replace(tzinfo=None) + _offset(side, zone) for side in (before, after)]
    return Change(min(ends), max(ends), is_doubled=ends[1] < ends[0])


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def count_first_pass(firsts: Sequence[int], width: int, before: int | None, after: int | None) -> int:
    """Tell how many of a node's records in a doubled hour are of its first pass; the others are of the second.

    `firsts` are the earlier instants that they can mean, in the order in which they were stored, `width` is how many
    seconds later the others are, `before` and `after` the instants of the node's records around that hour.

    A local time that steps back tells where the second pass begins. Without such a step the hour is there only once:
    then it is the first, whose records kept those of the second out, unless the node had been silent before it and
    goes on without a gap behind the second.
    """
    steps = [later - earlier for earlier, later in pairwise(firsts)]
    if steps and min(steps) < 0:
        return steps.index(min(steps)) + 1
    if before is None or after is None:
        return len(firsts)
    silence_before, silence_after = firsts[0] - before, after - (firsts[-1] + width)
    usual = max(steps, default=min(silence_before, silence_after))
    adjoining = max(ADJOINING_SECONDS, 2 * usual)
    return 0 if silence_after <= adjoining < silence_before else len(firsts)
