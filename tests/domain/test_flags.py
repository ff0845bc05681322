"""Which flags hold: what is claimed, less what the programs are known to claim wrongly."""

import json
from pathlib import Path
from typing import Any

import pytest

from isems.domain.flags import believed_flags, is_storage_small, margin_volts
from isems.domain.measurement import Dialect
from isems.domain.status import StatusFlag, decode_status
from tests.samples import configuration, measurement

DATA = Path(__file__).resolve().parents[1] / "data"
VECTORS: list[dict[str, Any]] = json.loads((DATA / "formats" / "status_vectors.json").read_text(encoding="utf-8"))
#: These are told by the values of a record, whatever it claims.
NEVER_BELIEVED = StatusFlag.FIRMWARE_UPGRADE_NOT_ALLOWED | StatusFlag.NO_SOLAR_COMMUNICATION
BOARD = configuration(dialect=Dialect.BOARD, rated_battery_amp_hours=24.0, rated_panel_watts=50.0)
AVR_BOARD = configuration(dialect=Dialect.AVR_BOARD, rated_battery_amp_hours=24.0, rated_panel_watts=20.0)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["code"])
@pytest.mark.parametrize("dialect", [Dialect.ROUTER, Dialect.BOARD, Dialect.UNKNOWN])
def test_all_flags_of_a_possible_record_hold_but_those_that_values_tell(
    vector: dict[str, Any], dialect: Dialect
) -> None:
    record = measurement(status=vector["value"], configuration=configuration(dialect=dialect))
    assert believed_flags(record) == decode_status(vector["value"]) & ~NEVER_BELIEVED


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["code"])
def test_an_avr_boards_flags_are_what_its_values_say_whatever_it_accumulated(vector: dict[str, Any]) -> None:
    by_day = measurement(status=vector["value"], configuration=AVR_BOARD)
    assert believed_flags(by_day) == StatusFlag.CHARGING
    night = {"panel_mpp_volts": 0.0, "battery_volts": 12.4, "state_of_charge_percent": 50.0}
    by_night = measurement(status=vector["value"], configuration=AVR_BOARD, **night)
    assert believed_flags(by_night) == StatusFlag.DISCHARGING | StatusFlag.BATTERY_LEVEL_LOW


def test_an_avr_board_may_be_flashed_though_it_always_says_no() -> None:
    """Its own comparison takes the disconnect's millivolts for volts."""
    record = measurement(status=0x502, configuration=AVR_BOARD, battery_volts=12.8, minutes_until_shutdown=1000.0)
    assert StatusFlag.FIRMWARE_UPGRADE_NOT_ALLOWED not in believed_flags(record)


@pytest.mark.parametrize("health", [-2400.0, -44.0, 101.0])
def test_an_impossible_health_makes_no_storage_too_small(health: float) -> None:
    record = measurement(status=0x440, configuration=BOARD, state_of_health_percent=health, panel_mpp_volts=0.0)
    assert believed_flags(record) == StatusFlag.DISCHARGING


def test_an_impossible_health_leaves_what_the_temperature_says() -> None:
    sent = StatusFlag.TEMP_SENSOR_NOT_CONNECTED | StatusFlag.BATTERY_OVERHEATING | StatusFlag.LOW_BATTERY_TEMPERATURE
    assert sent in believed_flags(measurement(status=0x46C, state_of_health_percent=-44.0))


@pytest.mark.parametrize(
    ("percent", "panel_volts", "amp_hours", "flags"),
    [
        (100.0, 0.0, 12.0, StatusFlag.FULLY_CHARGED | StatusFlag.DISCHARGING),
        (100.0, 16.0, 12.0, StatusFlag.FULLY_CHARGED),
        (60.0, 14.073, 12.0, StatusFlag.CHARGING),  # as much as the battery
        (30.0, 0.0, 12.0, StatusFlag.DISCHARGING | StatusFlag.BATTERY_LEVEL_LOW),
        (20.0, 0.0, 2.0, StatusFlag.DISCHARGING | StatusFlag.ENERGY_CAPACITY_TOO_SMALL),
        (None, None, 12.0, StatusFlag(0)),
    ],
)
def test_flags_of_the_oldest_records_are_told_by_their_values(
    percent: float | None, panel_volts: float | None, amp_hours: float, flags: StatusFlag
) -> None:
    values = {"state_of_charge_percent": percent, "panel_mpp_volts": panel_volts}
    conf = configuration(rated_battery_amp_hours=amp_hours)
    assert believed_flags(measurement(status=None, configuration=conf, **values)) == flags


@pytest.mark.parametrize(
    ("volts", "minutes", "forbidden"),
    [
        (12.2, 0.0, False),  # an automatic reboot that is switched off
        (12.2, 99999.0, False),
        (12.2, 15.0, False),
        (12.2, 14.75, True),
        (12.1, 600.0, False),
        (12.09, 600.0, True),
        (11.8, None, True),
    ],
)
def test_an_upgrade_is_forbidden_near_the_disconnect_and_before_a_reboot(
    volts: float, minutes: float | None, forbidden: bool
) -> None:
    record = measurement(status=0x502, configuration=BOARD, battery_volts=volts, minutes_until_shutdown=minutes)
    assert (StatusFlag.FIRMWARE_UPGRADE_NOT_ALLOWED in believed_flags(record)) is forbidden


@pytest.mark.parametrize(
    ("dialect", "amp_hours", "watts", "small"),
    [
        (Dialect.ROUTER, 18.0, 100.0, False),
        (Dialect.ROUTER, 16.0, 96.0, True),  # just 2.5 hours
        (Dialect.BOARD, 18.0, 100.0, True),
        (Dialect.BOARD, 7.2, 50.0, True),
        (Dialect.AVR_BOARD, 8.0, 10.0, False),
        (Dialect.ROUTER, 0.0, 0.0, None),  # never set
        (Dialect.BOARD, 1e308, 5e-324, False),
        (Dialect.BOARD, None, 50.0, None),
    ],
)
def test_storage_is_small_by_the_hours_of_full_current_it_takes(
    dialect: Dialect, amp_hours: float | None, watts: float, small: bool | None
) -> None:
    ratings = {"rated_battery_amp_hours": amp_hours, "rated_panel_watts": watts}
    assert is_storage_small(configuration(dialect=dialect, **ratings)) is small


@pytest.mark.parametrize(
    ("volts", "disconnect", "margin"),
    [
        (12.04, 11.9, 0.14),
        (12.1, 11.9, 0.2),
        (11.85, 11.9, -0.05),
        (0.0, 11.9, None),
        (None, 11.9, None),
        (12.0, 0.0, None),
    ],
)
def test_the_margin_is_exact_to_a_millivolt_and_unknown_where_either_is(
    volts: float | None, disconnect: float, margin: float | None
) -> None:
    conf = configuration(low_voltage_disconnect_volts=disconnect)
    assert margin_volts(measurement(battery_volts=volts, configuration=conf)) == margin
