"""Builders for all tests: what a node would send, with only what matters to the test named."""

from collections.abc import Iterable
from typing import Any

import msgspec

from isems.domain.clock import Moment, Uptime
from isems.domain.measurement import Configuration, Dialect, Measurement, Trace
from isems.domain.payload import Payload, Source

#: A minute at noon in June 2024, from which tests count.
NOON = 1_718_450_040

ROUTER = Configuration(
    isems_revision="1",
    firmware="ATmega8_A_1",
    low_voltage_disconnect_volts=11.9,
    rated_battery_amp_hours=12.0,
    rated_panel_watts=20.0,
    latitude=52.507309,
    longitude=13.458635,
    dialect=Dialect.ROUTER,
)
NO_CONFIGURATION = Configuration(None, None, None, None, None, None, None)

VALUES: dict[str, Any] = {
    "minutes_until_shutdown": 0.0,
    "power_save_level": 0.0,
    "panel_open_circuit_volts": 19.412,
    "panel_mpp_volts": 16.2,
    "battery_volts": 14.073,
    "state_of_charge_percent": 88.0,
    "state_of_health_percent": 97.0,
    "battery_celsius": 21.5,
    "charge_end_volts": 14.4,
    "status": 0x900,
}
#: The ten fields in which two records of one node and second can differ.
FIELDS = tuple(VALUES)


def configuration(**changes: Any) -> Configuration:
    """A router's configuration, with these changes."""
    return msgspec.structs.replace(ROUTER, **changes)


def measurement(node: str = "Elektra-Dach", at: int | None = NOON, **changes: Any) -> Measurement:
    """A whole record of a healthy router at `at` (epoch seconds), with these changes."""
    values = {"configuration": ROUTER, **VALUES, **changes}
    return Measurement(node=node, measured_at=at, **values)


def sparse(node: str = "Elektra-Dach", at: int | None = NOON, **known: Any) -> Measurement:
    """A record in which only these fields are known."""
    values = {"configuration": NO_CONFIGURATION, **dict.fromkeys(FIELDS), **known}
    return Measurement(node=node, measured_at=at, **values)


def minutes(count: int, node: str = "Elektra-Dach", first: int = NOON, step: int = 60) -> list[Measurement]:
    """So many records, one each `step` seconds, whose voltage tells their place."""
    return [measurement(node, first + step * i, battery_volts=12 + i % 3000 / 1000) for i in range(count)]


def traces(records: Iterable[Measurement]) -> list[Trace]:
    """What the checks are given of records, in their order."""
    return [Trace(one.measured_at or 0, one.minutes_until_shutdown, one.battery_celsius) for one in records]


def line(one: Measurement) -> str:
    """A measurement as a router's CSV line."""
    conf = one.configuration
    fields = [
        one.node,
        conf.isems_revision,
        one.measured_at,
        conf.firmware,
        one.minutes_until_shutdown,
        one.power_save_level,
        one.panel_open_circuit_volts,
        one.panel_mpp_volts,
        one.battery_volts,
        one.state_of_charge_percent,
        one.state_of_health_percent,
        one.battery_celsius,
        conf.low_voltage_disconnect_volts,
        one.charge_end_volts,
        conf.rated_battery_amp_hours,
        conf.rated_panel_watts,
        conf.latitude,
        conf.longitude,
    ]
    status = "" if one.status is None else f"0x{one.status:03x}"
    return ";".join([*("" if field is None else str(field) for field in fields), status])


def payload(data: bytes | str = b"", **changes: Any) -> Payload:
    """What a poll of one router gave at NOON, with these changes."""
    raw = data.encode() if isinstance(data, str) else data
    values: dict[str, Any] = {"source": Source.POLL, "address": "10.0.0.1", "received_at": NOON, **changes}
    return Payload(data=raw, **values)


def log_payload(measurements: list[Measurement], **changes: Any) -> Payload:
    """A log of these records as a poll gives it, received with the newest of them."""
    received_at = max((one.measured_at or 0 for one in measurements), default=NOON)
    return payload("".join(f"{line(one)}\n" for one in measurements), **{"received_at": received_at, **changes})


def moment(now: int = NOON, *, is_trusted: bool = True, boot: str = "boot-1", uptime: int = 1000) -> Moment:
    """Our own clock at `now`."""
    return Moment(now=now, is_trusted=is_trusted, uptime=Uptime(boot, uptime))
