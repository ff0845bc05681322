"""Where the sun stands and how much light a clear sky gives. Pure geometry: no clock, no I/O."""

from math import asin, atan2, cos, degrees, exp, radians, sin
from typing import NamedTuple

#: 2000-01-01 12:00 UTC, the epoch that the almanac's polynomials count days from.
_J2000 = 946728000
_DAY = 86400


class SunPosition(NamedTuple):
    """Angles in degrees: elevation of the disc's centre above the horizon, azimuth clockwise from north."""

    elevation: float
    azimuth: float


def sun_position(latitude: float, longitude: float, at: float) -> SunPosition:
    """Give the sun's place in the sky over a point (degrees, north and east positive) at epoch seconds.

    Low-precision solar coordinates of the Astronomical Almanac (section C; good to 0.01 degree from
    1950 to 2050): mean longitude and anomaly, equation of the centre, obliquity, then hour angle from
    Greenwich mean sidereal time. No refraction: near the horizon the visible sun stands up to 0.6 degree higher.
    """
    days = (at - _J2000) / _DAY
    right_ascension, declination = _equatorial(days)
    hour_angle = radians((280.46062 + 360.98564737 * days + longitude) % 360) - right_ascension
    return _horizontal(radians(latitude), hour_angle, declination)


def _equatorial(days: float) -> tuple[float, float]:
    """Right ascension and declination in radians, `days` after J2000."""
    anomaly = radians(357.528 + 0.9856003 * days)
    longitude = radians(280.460 + 0.9856474 * days + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    obliquity = radians(23.439 - 0.0000004 * days)
    ascension = atan2(cos(obliquity) * sin(longitude), cos(longitude))
    return ascension, asin(sin(obliquity) * sin(longitude))


def _horizontal(latitude: float, hour_angle: float, declination: float) -> SunPosition:
    sine = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle)
    east = -cos(declination) * sin(hour_angle)
    north = sin(declination) * cos(latitude) - cos(declination) * cos(hour_angle) * sin(latitude)
    return SunPosition(degrees(asin(max(-1.0, min(1.0, sine)))), degrees(atan2(east, north)) % 360)


def clear_sky_irradiance(elevation: float) -> float:
    """Give the global irradiance (W/m2) on level ground under a cloudless sky, sun at `elevation` degrees.

    Haurwitz (Journal of Meteorology 2, 1945) with the constants given by Reno, Hansen and Stein (Sandia report
    SAND2012-2389); it needs nothing but the elevation. 0 with the sun below the horizon.
    """
    sine = sin(radians(elevation))
    return 1098.0 * sine * exp(-0.057 / sine) if sine > 0.0 else 0.0
