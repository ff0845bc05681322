"""Instants as people and programs write them: RFC 3339, epoch seconds, or relative to now."""

import math
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from isems.domain.local_time import instants_of

#: The last second that can be written with four digits for the year.
MAX_INSTANT = 253_402_300_799
EXPECTED = (
    "expected RFC 3339 such as 2026-01-31T12:00:00Z, a date, epoch seconds, or now-7d (units s m h d w), "
    "between 1970 and 9999"
)
#: Longer texts are no instants; of them, so much is shown.
MAX_CHARACTERS = 64
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
EPOCH = re.compile(r"([0-9]{1,12})(\.[0-9]{1,20})?", re.ASCII)
# A plus that was not encoded in a URL arrives as a blank.
RELATIVE = re.compile(r"now(?:(?P<sign>[-+ ])(?P<count>[0-9]{1,12})(?P<unit>[smhdw]))?", re.ASCII)
WRITTEN = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?P<fraction>\.[0-9]{1,20})?"
    r"(?P<offset>[Zz]|(?P<sign>[-+ ])(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9]))?)?",
    re.ASCII,
)


def parse_instant(text: str, now: int, zone: ZoneInfo) -> int:
    """Give the epoch second that a text means; a fraction counts as the next second, where a half-open range begins.

    `now` is in epoch seconds. A date or time without an offset is one of `zone`; where its clocks are set back, the
    first of two. Raises ValueError with the value and what was expected.
    """
    try:
        instant = _read(text, now, zone) if len(text) <= MAX_CHARACTERS else -1
    except ValueError:  # no such day, hour or local time
        instant = -1
    if not 0 <= instant <= MAX_INSTANT:
        raise ValueError(f"{text[:MAX_CHARACTERS]!r}, {EXPECTED}")
    return instant


def _read(text: str, now: int, zone: ZoneInfo) -> int:
    if match := EPOCH.fullmatch(text):
        return int(match[1]) + _rounded_up(match[2])
    if match := RELATIVE.fullmatch(text):
        seconds = int(match["count"] or 0) * SECONDS[match["unit"] or "s"]
        return now - seconds if match["sign"] == "-" else now + seconds
    if match := WRITTEN.fullmatch(text):
        local = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}")
        return _place(local, match, zone) + _rounded_up(match["fraction"])
    raise ValueError(text)


def _place(local: datetime, match: re.Match[str], zone: ZoneInfo) -> int:
    if not match["offset"]:
        return _local_instant(local, zone)
    offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    seconds = int(local.replace(tzinfo=UTC).timestamp())
    return seconds + int(offset.total_seconds()) * (1 if match["sign"] == "-" else -1)


def _local_instant(local: datetime, zone: ZoneInfo) -> int:
    try:
        instants = instants_of(local, zone)
    except OverflowError:  # the first and the last day of the calendar, in other zones
        instants = []
    if not instants:
        raise ValueError(local)
    return instants[0]


def _rounded_up(fraction: str | None) -> int:
    return math.ceil(Fraction(f"0{fraction}")) if fraction else 0
