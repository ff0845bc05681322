"""Which of a record's flags hold, and how far its battery is from the disconnect."""

from isems.domain.limits import RANGES
from isems.domain.measurement import SHUTDOWN_MARKS, Configuration, Dialect, Measurement
from isems.domain.polling import LOW_MARGIN_VOLTS
from isems.domain.status import StatusFlag, decode_status

#: A panel's full current is its watts over 15 V. Storage that takes it for no longer than these hours is too small, and
#: a charge of no more than these percent is low (docs/nodes.md, status bits).
PANEL_VOLTS = 15.0
SMALL_HOURS = {Dialect.ROUTER: 2.5}
LOW_PERCENT = {Dialect.ROUTER: 30.0}
BOARD_SMALL_HOURS = 5.0
BOARD_LOW_PERCENT = 50.0
#: With less than this to the next power cut no firmware should be flashed (docs/nodes.md, status bits).
UPGRADE_MINUTES = 15


def margin_volts(measurement: Measurement) -> float | None:
    """Tell how far the battery is above the voltage at which the load is switched off, to a millivolt; None: unknown."""
    volts, disconnect = measurement.battery_volts, measurement.configuration.low_voltage_disconnect_volts
    if volts is None or disconnect is None or volts <= 0 or disconnect <= 0:
        return None
    return round(volts - disconnect, 3)


def believed_flags(measurement: Measurement) -> StatusFlag:
    """Give what holds of the twelve flags of a record whose controller is not silent.

    AVR boards never clear a flag, and a health that cannot be makes O, N and X claim that the storage is too small: there,
    and where no status was sent, flags are told by the measured values. Whether an upgrade is allowed is always told so.
    """
    is_lasting = measurement.configuration.dialect is Dialect.AVR_BOARD
    sent = StatusFlag(0) if measurement.status is None or is_lasting else decode_status(measurement.status)
    sent &= _CLAIMS
    if measurement.status is None or is_lasting or not _is_health_possible(measurement):
        sent = (sent & _TEMPERATURE_FLAGS) | _flags_of_values(measurement)
    return sent | _upgrade_flag(measurement)


#: What may be taken as sent: all but what is told by values anyway, means nothing, or ends all belief.
_CLAIMS = ~(StatusFlag.FIRMWARE_UPGRADE_NOT_ALLOWED | StatusFlag.NO_SOLAR_COMMUNICATION | StatusFlag.UNUSED)
_TEMPERATURE_FLAGS = (
    StatusFlag.TEMP_SENSOR_NOT_CONNECTED | StatusFlag.BATTERY_OVERHEATING | StatusFlag.LOW_BATTERY_TEMPERATURE
)


def _is_health_possible(measurement: Measurement) -> bool:
    low, high = RANGES["state_of_health_percent"]
    return measurement.state_of_health_percent is None or low <= measurement.state_of_health_percent <= high


def _flags_of_values(measurement: Measurement) -> StatusFlag:
    """Give the flags of charge and storage as the programs mean them."""
    flags = StatusFlag(0)
    dialect = measurement.configuration.dialect
    volts, panel, percent = measurement.battery_volts, measurement.panel_mpp_volts, measurement.state_of_charge_percent
    is_full = percent is not None and percent >= 100
    is_small = is_storage_small(measurement.configuration)
    if is_full:
        flags |= StatusFlag.FULLY_CHARGED
    if volts is not None and panel is not None and panel < volts:
        flags |= StatusFlag.DISCHARGING
    elif volts is not None and panel is not None and not is_full:
        flags |= StatusFlag.CHARGING
    if is_small:
        flags |= StatusFlag.ENERGY_CAPACITY_TOO_SMALL
    elif percent is not None and percent <= LOW_PERCENT.get(dialect, BOARD_LOW_PERCENT):
        flags |= StatusFlag.BATTERY_LEVEL_LOW
    return flags


def is_storage_small(configuration: Configuration) -> bool | None:
    """Tell whether a new battery of that size is too small for the panel; None where a rating was never set."""
    amp_hours, watts = configuration.rated_battery_amp_hours, configuration.rated_panel_watts
    if amp_hours is None or watts is None or amp_hours <= 0 or watts <= 0:
        return None
    return amp_hours * PANEL_VOLTS <= SMALL_HOURS.get(configuration.dialect, BOARD_SMALL_HOURS) * watts


def _upgrade_flag(measurement: Measurement) -> StatusFlag:
    margin, minutes = margin_volts(measurement), measurement.minutes_until_shutdown
    is_close = margin is not None and margin < LOW_MARGIN_VOLTS
    ends_soon = minutes not in SHUTDOWN_MARKS and (minutes or 0) < UPGRADE_MINUTES
    return StatusFlag.FIRMWARE_UPGRADE_NOT_ALLOWED if is_close or ends_soon else StatusFlag(0)
