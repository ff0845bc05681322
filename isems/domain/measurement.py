"""The measurement: one type, the field's standard names, units in the names."""

from enum import StrEnum

import msgspec


class Dialect(StrEnum):
    """Which of the four node programs wrote a record (docs/wire-formats.md: OW; O and N; X)."""

    ROUTER = "router"
    BOARD = "board"
    AVR_BOARD = "avr_board"
    UNKNOWN = "unknown"


#: In `minutes_until_shutdown`: the watchdog was never set (docs/nodes.md, time to shutdown).
SHUTDOWN_UNSET = 99999
#: Marks there instead of counts; 0 is "off" or "controller silent".
SHUTDOWN_MARKS = (None, 0, SHUTDOWN_UNSET)


class Configuration(msgspec.Struct, frozen=True, gc=False):
    """The part of a record that a node's owner sets and that nearly never changes.

    None means unknown. Numbers are as sent, in the unit of their name.
    """

    isems_revision: str | None
    firmware: str | None
    low_voltage_disconnect_volts: float | None
    rated_battery_amp_hours: float | None
    rated_panel_watts: float | None
    latitude: float | None
    longitude: float | None
    dialect: Dialect = Dialect.UNKNOWN


class Measurement(msgspec.Struct, gc=False):
    """One record of one node. None means unknown; every other number is finite.

    `measured_at` is the node's own clock (or its repair, see `domain.repair`) in epoch seconds UTC;
    None where the wire format carries no time.
    """

    node: str
    measured_at: int | None
    configuration: Configuration
    #: Minutes until the controller's watchdog cuts the power; 0: off or unknown, 99999: unset.
    minutes_until_shutdown: float | None
    #: 0 (off) to 6; an ordinal (docs/nodes.md, power save).
    power_save_level: float | None
    panel_open_circuit_volts: float | None
    panel_mpp_volts: float | None
    battery_volts: float | None
    state_of_charge_percent: float | None
    state_of_health_percent: float | None
    battery_celsius: float | None
    charge_end_volts: float | None
    #: The status code as sent, read as hexadecimal; `status.decode_status` tells its flags.
    status: int | None
    #: True when `measured_at` is not what the node sent but our repair of it.
    time_repaired: bool = False


class Trace(msgspec.Struct, frozen=True, gc=False):
    """What the checks need of each of a node's newest records: of all but the very newest no more is read."""

    #: Epoch seconds UTC, as stored.
    measured_at: int
    minutes_until_shutdown: float | None
    battery_celsius: float | None


#: What a node measures or decides each minute, in the order of the records: the fields beside node, time and configuration.
MEASURED_FIELDS = (
    "minutes_until_shutdown",
    "power_save_level",
    "panel_open_circuit_volts",
    "panel_mpp_volts",
    "battery_volts",
    "state_of_charge_percent",
    "state_of_health_percent",
    "battery_celsius",
    "charge_end_volts",
    "status",
)
