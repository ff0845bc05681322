"""Local times become instants: every hour of a year, the skipped one, and the one that is there twice."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isems.domain.local_time import Hours, Seconds, changes, count_first_pass, instants_of, read_local

# ruff: noqa: DTZ001  local times are what this is about

BERLIN = ZoneInfo("Europe/Berlin")
#: Half an hour instead of a whole one; clocks that are set at midnight.
ZONES = [BERLIN, ZoneInfo("UTC"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/Havana")]
#: 2025-10-26 02:00 in Berlin, for the first time.
FIRST = 1_761_436_800


@given(st.integers(1_483_228_800, 2_200_000_000), st.sampled_from(ZONES))
def test_an_instant_is_among_those_that_its_local_time_means(instant: int, zone: ZoneInfo) -> None:
    local = datetime.fromtimestamp(instant, zone).replace(tzinfo=None)
    assert instant in instants_of(local, zone)


@given(st.datetimes(datetime(2017, 1, 1), datetime(2040, 1, 1)), st.sampled_from(ZONES))
def test_what_is_read_by_the_hour_is_what_the_local_time_means(local: datetime, zone: ZoneInfo) -> None:
    text = local.strftime("%Y-%m-%d %H:%M:%S.%f")
    hour = Hours(zone)[text[:13]]
    instants = instants_of(local.replace(microsecond=0), zone)
    if hour is not None:
        assert [hour + Seconds()[text[13:]]] == instants
    elif zone is not ZONES[2]:
        assert len(instants) != 1  # a whole hour is skipped or there twice


def test_the_doubled_hour_means_two_instants_and_the_skipped_one_none() -> None:
    assert instants_of(datetime(2025, 10, 26, 2, 30), BERLIN) == [FIRST + 1800, FIRST + 5400]
    assert instants_of(datetime(2025, 10, 26, 3, 0), BERLIN) == [FIRST + 7200]
    assert instants_of(datetime(2025, 3, 30, 2, 30), BERLIN) == []


@pytest.mark.parametrize("text", ["", "2025-10-26", "2025-10-26 02:30", "2025-10-26T02:30:00", "2025-13-01 00:00:00", "2025-10-26 24:00:00", "٢025-10-26 02:30:00", "2025-10-26 02:30:00.1234567", "2025-10-26 02:30:00\n"])  # fmt: skip
def test_any_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever the text
        read_local(text)


def test_the_changes_of_a_zone_are_found_to_the_minute() -> None:
    found = [(one.begin, one.end, one.is_doubled) for one in changes(BERLIN, 2024, 2025)]
    assert found == [
        (datetime(2024, 3, 31, 2), datetime(2024, 3, 31, 3), False),
        (datetime(2024, 10, 27, 2), datetime(2024, 10, 27, 3), True),
        (datetime(2025, 3, 30, 2), datetime(2025, 3, 30, 3), False),
        (datetime(2025, 10, 26, 2), datetime(2025, 10, 26, 3), True),
    ]
    assert list(changes(ZoneInfo("UTC"), 2017, 2027)) == []
    half = next(changes(ZONES[2], 2025, 2025))
    assert half.end - half.begin == timedelta(minutes=30)


def minutes(begin: int, end: int, step: int = 1) -> list[int]:
    return [FIRST + 60 * minute for minute in range(begin, end, step)]


@pytest.mark.parametrize(
    ("firsts", "before", "after", "expected"),
    [
        pytest.param(minutes(0, 60), FIRST - 60, FIRST + 7200, 60, id="there once, fits both sides: the first"),
        pytest.param(minutes(0, 60) + minutes(0, 60), FIRST - 60, FIRST + 7200, 60, id="there twice"),
        pytest.param(minutes(30, 60) + minutes(0, 30), FIRST - 9000, FIRST + 7200, 30, id="silent until the half"),
        pytest.param(minutes(20, 60), FIRST - 9000, FIRST + 7200, 0, id="goes on behind the second only"),
        pytest.param(minutes(0, 40), FIRST - 60, FIRST + 9000, 40, id="goes on from before the first only"),
        pytest.param(minutes(20, 40), FIRST - 9000, FIRST + 9000, 20, id="silent on both sides"),
        pytest.param(minutes(0, 60), None, FIRST + 7200, 60, id="nothing before"),
        pytest.param(minutes(0, 60), FIRST - 60, None, 60, id="nothing after"),
        pytest.param([FIRST + 600], None, None, 1, id="alone"),
        pytest.param(minutes(0, 60, 30), FIRST - 1800, FIRST + 7200, 2, id="each half hour"),
        pytest.param(minutes(2, 60), FIRST - 60, FIRST + 7200, 58, id="two minutes lost"),
    ],
)
def test_neighbours_decide_which_pass_a_row_is_of(
    firsts: list[int], before: int | None, after: int | None, expected: int
) -> None:
    assert count_first_pass(firsts, 3600, before, after) == expected


def test_an_hour_is_the_same_however_often_it_is_asked_for() -> None:
    hours = Hours(BERLIN)
    expected = int(datetime(2025, 7, 1, 10, tzinfo=UTC).timestamp())
    assert [hours["2025-07-01 12"] for _ in range(3)] == [expected] * 3
