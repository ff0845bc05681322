"""The region's weather: one sky over the whole mesh, on a fixed grid of quarter hours."""

from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from math import cos, floor, pi, radians, sin

import msgspec

from isems.domain.sun import SunPosition, clear_sky_irradiance, sun_position
from isems.simulator.chance import chance

#: Length of a grid step in seconds; grid points are multiples of it since 1970.
STEP = 900
DAY = 86400
#: The middle of the mesh; over its few kilometres the sun is the same.
LATITUDE, LONGITUDE = 52.52, 13.405
_TILT = radians(50)
#: Months on whose first day, at noon UTC, a season begins.
_SEASON_MONTHS = (4, 7, 10)


class Weather(msgspec.Struct, frozen=True):
    """What falls on a panel (W/m2, tilted south) and the air's temperature, one value a grid point."""

    start: int
    light: "array[float]"
    celsius: "array[float]"


def season_bounds(at: int) -> tuple[int, int]:
    """Give start and end (epoch seconds) of the season that holds `at`.

    Every simulated state is integrated from its season's start, so what is asked first changes nothing. Seasons
    start on 1 April, July and October, when any working battery is full by noon anyway, and never in winter.
    """
    year = datetime.fromtimestamp(at, UTC).year
    starts = [_noon(y, month) for y in (year - 1, year, year + 1) for month in _SEASON_MONTHS]
    start = max(moment for moment in starts if moment <= at)
    return start, min(moment for moment in starts if moment > at)


def _noon(year: int, month: int) -> int:
    return int(datetime(year, month, 1, 12, tzinfo=UTC).timestamp())


@lru_cache(maxsize=8)
def season_weather(seed: int, start: int, end: int) -> Weather:
    """Give the weather of a season, both ends included."""
    light, celsius = array("d"), array("d")
    for at in range(start, end + 1, STEP):
        cloud = cloudiness(seed, at)
        light.append(_tilted_light(sun_position(LATITUDE, LONGITUDE, at), cloud))
        celsius.append(_air_celsius(seed, at, cloud))
    return Weather(start, light, celsius)


def cloudiness(seed: int, at: int) -> float:
    """Give the covered part of the sky, 0 to 1: slow weather days with hourly clouds drifting through."""
    slow = _smooth(at, DAY, lambda day: _day_cloud(seed, day))
    fast = _smooth(at, 5400, lambda slot: chance(seed, "cloud", slot) - 0.5)
    return max(0.0, min(1.0, slow + 0.35 * fast))


@lru_cache(maxsize=2048)
def _day_cloud(seed: int, day: int) -> float:
    # Three days' dice, the newest counting most: a gloomy day is likely followed by another.
    today, before, earlier = (chance(seed, "day", day - age) for age in range(3))
    dice = 0.5 * today + 0.3 * before + 0.2 * earlier
    return 0.55 + 1.9 * (dice - 0.5) + 0.15 * _winter(day * DAY)


@lru_cache(maxsize=2048)
def _day_warmth(seed: int, day: int) -> float:
    return 9.0 * (sum(chance(seed, "warmth", day - age) for age in range(4)) - 2.0)


def _winter(at: float) -> float:
    """1 in late January, -1 in late July."""
    return cos(2 * pi * (at / DAY - 20) / 365.2425)


def _air_celsius(seed: int, at: int, cloud: float) -> float:
    mean = 10.0 - 9.5 * _winter(at) + _smooth(at, DAY, lambda day: _day_warmth(seed, day))
    hour = (at % DAY) / 3600 + LONGITUDE / 15
    swing = (5.0 - 2.5 * _winter(at)) * (1.2 - 0.8 * cloud)
    return mean + swing * cos(2 * pi * (hour - 15) / 24)


def _tilted_light(sun: SunPosition, cloud: float) -> float:
    if sun.elevation <= 0.0:
        return 0.0
    # Kasten and Czeplak (Solar Energy 24, 1980): what clouds leave of the clear sky's light.
    level = clear_sky_irradiance(sun.elevation) * (1.0 - 0.75 * float(cloud**3.4))
    elevation, bearing = radians(sun.elevation), radians(sun.azimuth - 180)
    facing = sin(elevation) * cos(_TILT) + cos(elevation) * sin(_TILT) * cos(bearing)
    gain = max(0.0, facing) / max(sin(elevation), 0.12)
    direct = 0.85 * (1.0 - cloud)
    return level * (direct * gain + (1.0 - direct) * 0.85)


def _smooth(at: int, period: int, value: Callable[[int], float]) -> float:
    """Blend from slot to slot of `period` seconds, at rest in the middle of each."""
    slot, part = divmod(at / period - 0.5, 1.0)
    before, after = value(floor(slot)), value(floor(slot) + 1)
    return before + (after - before) * part * part * (3.0 - 2.0 * part)
