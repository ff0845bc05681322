"""Every way to write an instant means one second, and what is none is told with its value."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isems.domain.instants import MAX_INSTANT, parse_instant

BERLIN = ZoneInfo("Europe/Berlin")
#: 10 January 2026, 12:00 UTC.
NOON = 1_768_046_400


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-10T12:00:00Z", NOON),
        ("2026-01-10t12:00:00z", NOON),
        ("2026-01-10 12:00:00Z", NOON),
        ("2026-01-10T13:00:00+01:00", NOON),
        ("2026-01-10T13:00:00 01:00", NOON),  # a plus that a URL lost
        ("2026-01-10T06:30:00-05:30", NOON),
        ("2026-01-10T12:00Z", NOON),
        ("2026-01-10T13:00", NOON),
        ("2026-01-10", NOON - 13 * 3600),
        ("2026-01-10T12:00:00.000Z", NOON),
        ("2026-01-10T12:00:00.001Z", NOON + 1),
        (str(NOON), NOON),
        (f"{NOON}.25", NOON + 1),
        ("0", 0),
        ("now", NOON),
        ("now-90s", NOON - 90),
        ("now-7d", NOON - 7 * 86_400),
        ("now-2w", NOON - 14 * 86_400),
        ("now-15m", NOON - 900),
        ("now+1h", NOON + 3600),
        ("now 1h", NOON + 3600),
        ("9999-12-31T23:59:59Z", MAX_INSTANT),
        ("2026-10-25T02:30", 1_792_888_200),  # twice in Berlin: the first
    ],
)
def test_it_means_one_second(text: str, instant: int) -> None:
    assert parse_instant(text, NOON, BERLIN) == instant


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "yesterday", "now-7", "now-d", "now-7y", "now-999999999999w", "now--1d", "NOW", "-1", "1e9", "nan"),
        "1768046400000",  # milliseconds
        *("2026-02-30", "2026-01-10T24:30Z", "2026-01-10T12:00:61Z", "2026-1-1", "1969-12-31T23:59:59Z", "0001-01-01"),
        *("9999-12-31T23:59:59-00:01", "2026-01-10T12:00:00+24:00", "2026-01-10T12:00:00+01", "2026-01-10T12Z"),
        "2026-03-29T02:30",  # skipped in Berlin
        *("١٢٣", "2026-01-10T12:00:00Z\n", "1" * 1000),
    ],
)
def test_what_is_no_instant_is_told_with_its_value(text: str) -> None:
    with pytest.raises(ValueError, match="expected RFC 3339") as raised:
        parse_instant(text, NOON, BERLIN)
    assert str(raised.value).startswith(repr(text[:64]))


@given(st.integers(0, MAX_INSTANT), st.integers(-23 * 60, 23 * 60))
def test_whatever_offset_an_instant_is_written_with_it_is_read_back(instant: int, minutes: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant)
    try:
        text = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    except OverflowError:
        return
    assert parse_instant(text, NOON, BERLIN) == instant


@given(st.text("0123456789-+:.TtZz now smhdw", max_size=40) | st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= parse_instant(text, NOON, BERLIN) <= MAX_INSTANT
