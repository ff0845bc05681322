"""The sun against the almanac: times and angles anyone can look up."""

from datetime import UTC, datetime

import pytest

from isems.domain.sun import clear_sky_irradiance, sun_position

BERLIN = (52.52, 13.405)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def highest(latitude: float, longitude: float, day: str) -> float:
    start = at(day)
    return max(sun_position(latitude, longitude, start + second).elevation for second in range(0, 86400, 60))


@pytest.mark.parametrize(
    ("day", "elevation"),
    [("2026-06-21", 90 - 52.52 + 23.436), ("2025-12-21", 90 - 52.52 - 23.438), ("2026-03-20", 90 - 52.52)],
)
def test_noon_elevation_in_berlin_is_the_colatitude_plus_the_declination(day: str, elevation: float) -> None:
    assert highest(*BERLIN, day) == pytest.approx(elevation, abs=0.2 if day == "2026-03-20" else 0.05)


@pytest.mark.parametrize("year", [2000, 2025, 2026, 2040])
def test_the_sun_never_stands_higher_than_the_obliquity_allows(year: int) -> None:
    assert highest(0.0, 0.0, f"{year}-06-21") == pytest.approx(90 - 23.44, abs=0.05)


@pytest.mark.parametrize(
    ("instant", "declination"),
    # Equinoxes and solstices to the minute, as published by the almanac offices.
    [
        ("2025-03-20T09:01", 0.0),
        ("2025-06-21T02:42", 23.437),
        ("2025-09-22T18:19", 0.0),
        ("2025-12-21T15:03", -23.438),
        ("2026-03-20T14:46", 0.0),
    ],
)
def test_declination_at_the_published_equinoxes_and_solstices(instant: str, declination: float) -> None:
    # Seen from the pole, elevation is declination.
    assert sun_position(90.0, 0.0, at(instant)).elevation == pytest.approx(declination, abs=0.02)


@pytest.mark.parametrize(
    ("day", "transit"),
    # The equation of time at its extremes: -14.2 min on 11 February, +16.4 min on 3 November, 0 on 15 April.
    [("2026-02-11", 12 * 60 + 14.2), ("2026-11-03", 12 * 60 - 16.4), ("2026-04-15", 12 * 60)],
)
def test_the_sun_crosses_the_greenwich_meridian_when_the_equation_of_time_says(day: str, transit: float) -> None:
    start = at(day)
    azimuth = sun_position(51.48, 0.0, start + transit * 60).azimuth
    # A quarter of a degree of hour angle is one minute; the azimuth moves somewhat faster than that.
    assert azimuth == pytest.approx(180.0, abs=0.15)


def test_the_equinox_sun_rises_in_the_east_and_sets_in_the_west() -> None:
    start = at("2026-03-20")
    path = [sun_position(*BERLIN, start + second) for second in range(0, 86400, 60)]
    lit = [position for position in path if position.elevation > 0]
    assert lit[0].azimuth == pytest.approx(90, abs=0.5)
    assert lit[-1].azimuth == pytest.approx(270, abs=0.8)
    assert len(lit) == pytest.approx(12 * 60, abs=3)


def test_south_of_the_equator_the_noon_sun_stands_in_the_north() -> None:
    azimuth = sun_position(-33.87, 151.21, at("2026-06-21T01:57")).azimuth
    assert min(azimuth, 360 - azimuth) < 1


def test_a_clear_sky_gives_nothing_at_night_and_about_a_kilowatt_overhead() -> None:
    assert clear_sky_irradiance(-0.1) == 0.0
    assert clear_sky_irradiance(0.0) == 0.0
    assert clear_sky_irradiance(90.0) == pytest.approx(1037, abs=2)
    assert clear_sky_irradiance(30.0) == pytest.approx(490, abs=5)


def test_the_hottest_light_of_a_berlin_year_is_at_the_june_solstice() -> None:
    assert clear_sky_irradiance(highest(*BERLIN, "2026-06-21")) == pytest.approx(899, abs=3)
    assert clear_sky_irradiance(highest(*BERLIN, "2025-12-21")) == pytest.approx(214, abs=4)
