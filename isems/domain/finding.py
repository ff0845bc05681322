"""What can be found at a node. Words for people are the business of who shows it: a finding has a key and numbers."""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """What a finding asks of people, worst first; a node's state is that of its worst finding."""

    #: A person must act.
    CRITICAL = "crit"
    #: No data for a day.
    LOST = "lost"
    #: Look soon.
    WARNING = "warn"
    #: Three of its intervals were missed.
    LATE = "late"
    #: An hour without data, the cause is not known.
    SILENT = "silent"
    #: Nothing to do.
    FINE = "fine"


class Key(StrEnum):
    """The finite list of findings; none ever changes its meaning. What each rests on: docs/findings.md."""

    NEAR_DISCONNECT = "near_disconnect"
    CONTROLLER_SILENT = "controller_silent"
    BATTERY_WORN = "battery_worn"
    LOST = "lost"
    LATE = "late"
    SILENT = "silent"
    NO_MEASUREMENT = "no_measurement"
    HEARD_UNKNOWN = "heard_unknown"
    CLOCK_UNSET = "clock_unset"
    CLOCK_BEHIND = "clock_behind"
    CLOCK_AHEAD = "clock_ahead"
    CLOCK_STEPPING = "clock_stepping"
    ID_SHARED = "id_shared"
    STATUS_UNKNOWN = "status_unknown"
    BATTERY_UNKNOWN = "battery_unknown"
    BATTERY_LOW = "battery_low"
    BATTERY_HOT = "battery_hot"
    BATTERY_COLD = "battery_cold"
    STORAGE_TOO_SMALL = "storage_too_small"
    SENSOR_MISSING = "sensor_missing"
    SENSOR_MISSING_OR_FROST = "sensor_missing_or_frost"
    SENSOR_FAULTY = "sensor_faulty"
    FROST_UNSEEN = "frost_unseen"
    HEALTH_UNKNOWN = "health_unknown"
    UPGRADE_NOT_ADVISED = "upgrade_not_advised"
    POWER_SAVE = "power_save"
    FULL = "full"
    CHARGING = "charging"
    DISCHARGING = "discharging"
    CHARGING_UNKNOWN = "charging_unknown"


class Finding(msgspec.Struct, frozen=True):
    """One thing found, and the numbers it rests on: only known and believed ones.

    Their names end in the unit; `heard_at` is an instant in epoch seconds.
    """

    severity: Severity
    key: Key
    values: dict[str, float] = {}
