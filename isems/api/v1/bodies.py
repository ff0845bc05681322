"""What several answers are made of. Instants are RFC 3339 in UTC, None is unknown."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from isems.domain.limits import list_untrusted
from isems.domain.measurement import MEASURED_FIELDS, Configuration, Dialect, Measurement

_Untrusted = Annotated[list[str], msgspec.Meta(description="Names of the fields whose values cannot be believed.")]
_Repaired = Annotated[
    bool, msgspec.Meta(description="The node's clock was wrong, and measured_at is our repair of it.")
]
HexStatus = Annotated[
    str | None, msgspec.Meta(description="The status code as sent, in hexadecimal.", examples=["0x900"])
]


class ConfigurationBody(msgspec.Struct, frozen=True):
    """What a node's owner sets, and what it runs."""

    isems_revision: str | None
    firmware: str | None
    low_voltage_disconnect_volts: float | None
    rated_battery_amp_hours: float | None
    rated_panel_watts: float | None
    latitude: float | None
    longitude: float | None
    dialect: Dialect

    @classmethod
    def of(cls, configuration: Configuration) -> "ConfigurationBody":
        """Show a configuration."""
        return cls(*msgspec.structs.astuple(configuration))


class MeasurementBody(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement as it was sent."""

    measured_at: datetime
    minutes_until_shutdown: float | None
    power_save_level: float | None
    panel_open_circuit_volts: float | None
    panel_mpp_volts: float | None
    battery_volts: float | None
    state_of_charge_percent: float | None
    state_of_health_percent: float | None
    battery_celsius: float | None
    charge_end_volts: float | None
    status: HexStatus
    time_repaired: _Repaired
    untrusted: _Untrusted

    @classmethod
    def of(cls, measurement: Measurement) -> "MeasurementBody":
        """Show a measurement whose time is known."""
        values = {field: getattr(measurement, field) for field in MEASURED_FIELDS if field != "status"}
        return cls(
            **values,
            measured_at=instant(measurement.measured_at or 0),
            status=hex_status(measurement.status),
            time_repaired=measurement.time_repaired,
            untrusted=list_untrusted(measurement),
        )


def hex_status(status: int | None) -> str | None:
    """Spell a status code as nodes do."""
    return None if status is None else f"0x{status:03x}"


def instant(seconds: int) -> datetime:
    """Give epoch seconds as it is written in answers."""
    return datetime.fromtimestamp(seconds, UTC)


def instant_or_none(seconds: int | None) -> datetime | None:
    """Give epoch seconds as it is written in answers; None stays unknown."""
    return None if seconds is None else instant(seconds)
