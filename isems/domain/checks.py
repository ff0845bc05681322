"""What is to be found at a node: from its newest records, its clock, and when we last heard of it.

What the programs claim is not always so (docs/nodes.md, status bits): bits that are never cleared or never set, values
that are placeholders. Only what is left of them becomes a finding.
"""

from collections.abc import Iterator, Sequence

import msgspec

from isems.domain.clock import ClockState
from isems.domain.finding import Finding, Key, Severity
from isems.domain.flags import believed_flags, is_storage_small, margin_volts
from isems.domain.limits import list_untrusted
from isems.domain.measurement import SHUTDOWN_MARKS, Dialect, Measurement, Trace
from isems.domain.polling import LOW_MARGIN_VOLTS
from isems.domain.sharing import is_shared
from isems.domain.silence import heard_at, interval_of, late_after, lost_after, silent_after
from isems.domain.status import StatusFlag

#: From 40 degrees on charging is soon held back, from -10 down a low battery can freeze (docs/nodes.md, status bits).
HOT_CELSIUS = 40.0
COLD_CELSIUS = -10.0
#: Twice what the largest battery of a node has while it charges: above, a sensor or a program is at fault.
MOST_BATTERY_VOLTS = 100.0
#: Boards send this where the temperature sensor is missing (docs/nodes.md, sensors).
NO_SENSOR_CELSIUS = 25.0
#: For so long no battery keeps it to a hundredth of a degree; in fewer records nobody looked.
NO_SENSOR_SECONDS = 3600
NO_SENSOR_RECORDS = 20
#: Records that `is_shared` and `interval_of` need: some minutes of two boards.
RECORDS = 40
#: Records of an hour and more of a board, of four hours of a router.
SENSOR_RECORDS = 250
#: From this level on a router hides by its owner's choice (docs/nodes.md, power save).
HIDING_LEVEL = 3

_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a node; instants are epoch seconds."""

    #: Its newest record, where there is any.
    newest: Measurement | None = None
    #: Of its newest records, newest first, that one too: `records_wanted` tells how many are of use.
    traces: Sequence[Trace] = ()
    #: When it last delivered something new, live.
    delivered_at: int | None = None
    #: How often it is polled; None: it pushes.
    poll_seconds: int | None = None
    clock_state: ClockState | None = None
    #: What must be added to its clock.
    clock_offset_seconds: int | None = None


def records_wanted(newest: Measurement) -> int:
    """Tell how many of a node's newest records its checks can use: more where its sensor may be missing."""
    is_frosty_router = newest.configuration.dialect is Dialect.ROUTER and newest.battery_celsius == 0
    return SENSOR_RECORDS if _may_lack_sensor(newest) or is_frosty_router else RECORDS


def check_node(evidence: Evidence, now: int) -> list[Finding]:
    """Give all findings of a node, worst first; never none."""
    findings = [*_check_silence(evidence, now), *_check_sender(evidence)]
    if evidence.newest is not None:
        findings += _check_record(evidence.newest, evidence.traces)
    return sorted(findings, key=lambda finding: _RANKS[finding.severity])


def state_of(findings: Sequence[Finding]) -> Severity:
    """Give the state of the node that these findings are of; of none at all nothing is known, so it is silent."""
    return min((finding.severity for finding in findings), key=_RANKS.__getitem__, default=Severity.SILENT)


def _check_silence(evidence: Evidence, now: int) -> Iterator[Finding]:
    newest = evidence.newest
    heard = heard_at(newest, evidence.delivered_at, evidence.clock_offset_seconds, now)
    if newest is None:
        yield Finding(Severity.SILENT, Key.NO_MEASUREMENT)
        return
    if heard is None:
        yield Finding(Severity.SILENT, Key.HEARD_UNKNOWN)
        return
    interval = interval_of(newest.configuration.dialect, evidence.traces, evidence.poll_seconds)
    values: dict[str, float] = {"heard_at": heard, "interval_seconds": interval}
    if now - heard >= lost_after(interval):
        yield Finding(Severity.LOST, Key.LOST, values)
    elif now - heard >= silent_after(interval):
        yield Finding(Severity.SILENT, Key.SILENT, values)
    elif now - heard >= late_after(interval):
        yield Finding(Severity.LATE, Key.LATE, values)


def _check_sender(evidence: Evidence) -> Iterator[Finding]:
    """Look at what has nothing to do with the battery: clock, id."""
    state, offset = evidence.clock_state, evidence.clock_offset_seconds
    if state is not None and state in _CLOCK_KEYS:
        has_offset = state in (ClockState.BEHIND, ClockState.AHEAD) and offset is not None
        yield Finding(Severity.WARNING, _CLOCK_KEYS[state], {"offset_seconds": offset or 0} if has_offset else {})
    if is_shared(reversed(evidence.traces)):
        yield Finding(Severity.WARNING, Key.ID_SHARED)


_CLOCK_KEYS = {
    ClockState.UNSET: Key.CLOCK_UNSET,
    ClockState.BEHIND: Key.CLOCK_BEHIND,
    ClockState.AHEAD: Key.CLOCK_AHEAD,
    ClockState.STEPPING: Key.CLOCK_STEPPING,
}


def _check_record(newest: Measurement, traces: Sequence[Trace]) -> Iterator[Finding]:
    if newest.status is None:
        yield Finding(Severity.WARNING, Key.STATUS_UNKNOWN)
    if _is_silent(newest):
        # All measured values are placeholders, and what the flags say of them are consequences.
        yield Finding(Severity.CRITICAL, Key.CONTROLLER_SILENT)
        return
    flags = believed_flags(newest)
    yield from _check_voltage(newest, flags)
    yield from _check_storage(newest, flags)
    yield from _check_temperature(newest, flags)
    yield from _check_sensor(newest, traces, flags)
    yield from _check_rest(newest, flags)


def _is_silent(newest: Measurement) -> bool:
    """Tell whether the controller is silent: by 0 V alone too, for the oldest records have no status.

    Of an AVR board, which never clears the flag, known volts prove that it speaks.
    """
    is_claimed = bool((newest.status or 0) & StatusFlag.NO_SOLAR_COMMUNICATION)
    is_lasting = newest.configuration.dialect is Dialect.AVR_BOARD
    return newest.battery_volts == 0 or (is_claimed and not (is_lasting and newest.battery_volts is not None))


def _known(measurement: Measurement, *names: str) -> dict[str, float]:
    """Give those of the values that are known and can be believed, of the record or its configuration."""
    untrusted = list_untrusted(measurement)
    found = {}
    for name in names:
        owner = measurement if hasattr(measurement, name) else measurement.configuration
        value = getattr(owner, name)
        if value is not None and name not in untrusted:
            found[name] = value
    return found


def _has_believable_volts(measurement: Measurement) -> bool:
    volts = measurement.battery_volts
    return volts is not None and 0 <= volts <= MOST_BATTERY_VOLTS


def _with_margin(measurement: Measurement, *names: str) -> dict[str, float]:
    if not _has_believable_volts(measurement):
        return _known(measurement, *names)
    margin = margin_volts(measurement)
    values = _known(measurement, "battery_volts", *names)
    return values if margin is None else values | {"margin_volts": margin}


def _check_voltage(newest: Measurement, flags: StatusFlag) -> Iterator[Finding]:
    margin = margin_volts(newest)
    if not _has_believable_volts(newest):
        yield Finding(Severity.WARNING, Key.BATTERY_UNKNOWN)
    elif margin is not None and margin < LOW_MARGIN_VOLTS:
        yield Finding(Severity.CRITICAL, Key.NEAR_DISCONNECT, _with_margin(newest, "low_voltage_disconnect_volts"))
    if StatusFlag.BATTERY_LEVEL_LOW in flags:
        yield Finding(Severity.WARNING, Key.BATTERY_LOW, _with_margin(newest, "state_of_charge_percent"))


def _check_storage(newest: Measurement, flags: StatusFlag) -> Iterator[Finding]:
    """Tell a battery that is too small from one that became so: only the latter is a failure."""
    if StatusFlag.ENERGY_CAPACITY_TOO_SMALL not in flags:
        return
    ratings = _known(newest, "rated_battery_amp_hours", "rated_panel_watts")
    health = newest.state_of_health_percent
    if is_storage_small(newest.configuration) is False and health is not None and health < 100:
        yield Finding(Severity.CRITICAL, Key.BATTERY_WORN, ratings | {"state_of_health_percent": health})
    else:
        yield Finding(Severity.WARNING, Key.STORAGE_TOO_SMALL, ratings)


def _check_temperature(newest: Measurement, flags: StatusFlag) -> Iterator[Finding]:
    values = _known(newest, "battery_celsius")
    celsius = values.get("battery_celsius")
    if celsius is None and newest.battery_celsius is not None:
        # A shorted sensor reads -149 degrees, and sets the flag for cold.
        yield Finding(Severity.WARNING, Key.SENSOR_FAULTY)
        return
    if StatusFlag.BATTERY_OVERHEATING in flags or (celsius is not None and celsius >= HOT_CELSIUS):
        yield Finding(Severity.WARNING, Key.BATTERY_HOT, values)
    if StatusFlag.LOW_BATTERY_TEMPERATURE in flags or (celsius is not None and celsius <= COLD_CELSIUS):
        yield Finding(Severity.WARNING, Key.BATTERY_COLD, values)


def _check_sensor(newest: Measurement, traces: Sequence[Trace], flags: StatusFlag) -> Iterator[Finding]:
    celsius = newest.battery_celsius
    dialect = newest.configuration.dialect
    is_claimed = StatusFlag.TEMP_SENSOR_NOT_CONNECTED in flags
    if dialect is Dialect.ROUTER and is_claimed and celsius == 0:
        # Its program takes 0 degrees and a charge end of 14.2 V for a missing sensor; both are usual in frost.
        if not any((trace.battery_celsius or 0) > 0 for trace in traces):
            yield Finding(Severity.WARNING, Key.SENSOR_MISSING_OR_FROST)
            return
    elif is_claimed or _has_no_sensor(newest, traces):
        yield Finding(Severity.WARNING, Key.SENSOR_MISSING)
        return
    # Routers cut to whole degrees and AVR boards stop at the last value above 0: less than 1 degree may be any frost.
    if dialect in (Dialect.ROUTER, Dialect.AVR_BOARD) and celsius is not None and 0 <= celsius < 1:
        yield Finding(Severity.FINE, Key.FROST_UNSEEN)


def _may_lack_sensor(measurement: Measurement) -> bool:
    is_board = measurement.configuration.dialect in (Dialect.BOARD, Dialect.UNKNOWN)
    return is_board and measurement.battery_celsius == NO_SENSOR_CELSIUS


def _has_no_sensor(newest: Measurement, traces: Sequence[Trace]) -> bool:
    """Tell whether a board has shown the temperature of a missing sensor for long; N sets no flag for it."""
    if not _may_lack_sensor(newest) or len(traces) < NO_SENSOR_RECORDS:
        return False
    is_long = traces[0].measured_at - traces[-1].measured_at >= NO_SENSOR_SECONDS
    return is_long and all(trace.battery_celsius == NO_SENSOR_CELSIUS for trace in traces)


def _check_rest(newest: Measurement, flags: StatusFlag) -> Iterator[Finding]:
    """Give what asks nothing of anybody."""
    if StatusFlag.FIRMWARE_UPGRADE_NOT_ALLOWED in flags:
        minutes = {} if newest.minutes_until_shutdown in SHUTDOWN_MARKS else _known(newest, "minutes_until_shutdown")
        yield Finding(Severity.FINE, Key.UPGRADE_NOT_ADVISED, _with_margin(newest) | minutes)
    level = newest.power_save_level
    if level is not None and level >= HIDING_LEVEL:
        yield Finding(Severity.FINE, Key.POWER_SAVE, {"power_save_level": level})
    if not _is_health_measured(newest):
        yield Finding(Severity.FINE, Key.HEALTH_UNKNOWN, _known(newest, "state_of_health_percent"))
    # Full and discharging is usual at night; full is the better news.
    for flag, key in _CHARGING_KEYS.items():
        if flag in flags:
            yield Finding(Severity.FINE, key, _with_margin(newest, "state_of_charge_percent"))
            return
    yield Finding(Severity.FINE, Key.CHARGING_UNKNOWN, _with_margin(newest, "state_of_charge_percent"))


_CHARGING_KEYS = {
    StatusFlag.FULLY_CHARGED: Key.FULL,
    StatusFlag.CHARGING: Key.CHARGING,
    StatusFlag.DISCHARGING: Key.DISCHARGING,
}


def _is_health_measured(measurement: Measurement) -> bool:
    """Routers always say 100, boards do from each boot to the next night's end, AVR boards break off their test."""
    health, dialect = measurement.state_of_health_percent, measurement.configuration.dialect
    return dialect in (Dialect.BOARD, Dialect.UNKNOWN) and health is not None and 0 <= health < 100
