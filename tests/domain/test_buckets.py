from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isems.domain.buckets import DAY, HOUR, STEPS, are_whole_hours, begin_of_day, choose_step, day_after, make_edges

UTC, BERLIN, KATHMANDU = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ZONES = st.sampled_from(
    [UTC, BERLIN, KATHMANDU, SAO_PAULO, ZoneInfo("America/Havana"), ZoneInfo("Australia/Lord_Howe")]
)
INSTANTS = st.integers(1_483_228_800, 2_000_000_000)


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


@given(first=INSTANTS, seconds=st.integers(0, 3 * DAY), step=st.sampled_from(list(STEPS)), zone=ZONES)
def test_edges_enclose_the_range_and_no_more(first: int, seconds: int, step: str, zone: ZoneInfo) -> None:
    edges = make_edges(first, first + seconds, step, zone)
    assert edges[0] <= first < edges[1]
    assert edges[-2] < max(first + seconds, first + 1) <= edges[-1]
    assert all(begin < end for begin, end in pairwise(edges))


@given(first=INSTANTS, later=st.integers(0, 40 * DAY), step=st.sampled_from(list(STEPS)), zone=ZONES)
def test_buckets_lie_in_the_same_places_whatever_is_asked_for(
    first: int, later: int, step: str, zone: ZoneInfo
) -> None:
    near = make_edges(first, first + DAY, step, zone)
    assert set(near) <= set(make_edges(first - later, first + DAY + later, step, zone))


def test_a_day_has_23_hours_in_spring_and_25_in_autumn() -> None:
    spring = make_edges(at("2026-03-28T12:00"), at("2026-03-30T12:00"), "1d", BERLIN)
    autumn = make_edges(at("2026-10-24T12:00"), at("2026-10-26T12:00"), "1d", BERLIN)
    assert [(end - begin) // HOUR for begin, end in pairwise(spring)] == [24, 23, 24]
    assert [(end - begin) // HOUR for begin, end in pairwise(autumn)] == [24, 25, 24]


def test_a_day_whose_midnight_is_skipped_begins_when_its_first_hour_does() -> None:
    begin = begin_of_day(at("2018-11-04T12:00", SAO_PAULO), SAO_PAULO)
    assert datetime.fromtimestamp(begin, SAO_PAULO).hour == 1
    assert datetime.fromtimestamp(begin - 1, SAO_PAULO).date().isoformat() == "2018-11-03"


def test_days_of_a_zone_off_the_full_hour_are_not_made_of_hours() -> None:
    noon = at("2026-06-01T12:00", KATHMANDU)
    assert begin_of_day(noon, KATHMANDU) % HOUR == 900
    assert day_after(noon, KATHMANDU) - begin_of_day(noon, KATHMANDU) == DAY
    assert not are_whole_hours(make_edges(noon, noon + DAY, "1d", KATHMANDU))
    assert are_whole_hours(make_edges(noon, noon + DAY, "1d", BERLIN))


def test_weeks_begin_on_a_monday() -> None:
    edges = make_edges(at("2026-11-25T12:00"), at("2026-12-10T12:00"), "7d", BERLIN)
    assert [datetime.fromtimestamp(edge, BERLIN).weekday() for edge in edges] == [0] * len(edges)


@given(first=INSTANTS, seconds=st.integers(1, 3650 * DAY), max_points=st.integers(125, 10_000), zone=ZONES)
def test_the_chosen_step_gives_no_more_points_than_wanted(
    first: int, seconds: int, max_points: int, zone: ZoneInfo
) -> None:
    step = choose_step(seconds, max_points)
    assert len(make_edges(first, first + seconds, step, zone)) - 1 <= max_points


@pytest.mark.parametrize(
    ("seconds", "step"), [(3000, "1m"), (DAY, "5m"), (7 * DAY, "30m"), (365 * DAY, "1d"), (9999 * DAY, "30d")]
)
def test_a_range_is_shown_as_finely_as_500_points_allow(seconds: int, step: str) -> None:
    assert choose_step(seconds, 500) == step
