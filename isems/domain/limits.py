"""Which values of a measurement can be trusted. All are stored as sent; this decides what is believed when they are read."""

from isems.domain.measurement import SHUTDOWN_UNSET, Measurement
from isems.domain.status import StatusFlag

#: What a controller measures: all placeholders while it is silent (docs/nodes.md, status bits).
PLACEHOLDERS = (
    "panel_open_circuit_volts",
    "panel_mpp_volts",
    "battery_volts",
    "state_of_charge_percent",
    "state_of_health_percent",
    "battery_celsius",
    "charge_end_volts",
)
#: Values outside are no measurements. Health: docs/nodes.md (battery health); temperature: what the sensors can read.
RANGES = {
    "state_of_health_percent": (0.0, 100.0),
    "battery_celsius": (-40.0, 85.0),
}
#: Values that are marks.
MARKS = {"minutes_until_shutdown": float(SHUTDOWN_UNSET)}


def is_controller_silent(status: int | None, battery_volts: float | None) -> bool:
    """Tell whether a record's measured values are placeholders.

    The bit alone does not tell: the AVR boards never clear it. All programs set it because the battery showed 0 V.
    """
    return not battery_volts and bool((status or 0) & StatusFlag.NO_SOLAR_COMMUNICATION)


def is_position_trusted(latitude: float | None, longitude: float | None) -> bool:
    """Tell whether a position is one: on the globe, and not 0/0, which is what an unset one is sent as."""
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return False
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


def list_untrusted(measurement: Measurement) -> list[str]:
    """Give the names of the fields whose values are known and cannot be believed; the position's are two."""
    untrusted = []
    if is_controller_silent(measurement.status, measurement.battery_volts):
        untrusted = [field for field in PLACEHOLDERS if getattr(measurement, field) is not None]
    for field, (low, high) in RANGES.items():
        value = getattr(measurement, field)
        if value is not None and field not in untrusted and not low <= value <= high:
            untrusted.append(field)
    untrusted += [field for field, mark in MARKS.items() if getattr(measurement, field) == mark]
    configuration = measurement.configuration
    if not is_position_trusted(configuration.latitude, configuration.longitude):
        position = {"latitude": configuration.latitude, "longitude": configuration.longitude}
        untrusted += [field for field, value in position.items() if value is not None]
    return untrusted
