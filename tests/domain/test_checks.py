"""What is found at a node: from what it claims, less its program's lies, and from its silence."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from isems.domain.checks import RECORDS, SENSOR_RECORDS, Evidence, check_node, records_wanted, state_of
from isems.domain.clock import ClockState
from isems.domain.finding import Finding, Key, Severity
from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.ingest import read_payload
from tests.samples import NOON, configuration, measurement, traces
from tests.test_firmware_data import FILES, payloads_of

ROOT = Path(__file__).resolve().parents[2]
VECTORS: list[dict[str, Any]] = json.loads(
    (ROOT / "tests" / "data" / "formats" / "status_vectors.json").read_text(encoding="utf-8")
)
ROUTER = configuration()
BOARD = configuration(dialect=Dialect.BOARD, firmware="ESP_2.0", rated_battery_amp_hours=24.0, rated_panel_watts=50.0)
OLD_BOARD = msgspec.structs.replace(BOARD, firmware="FF-ESP-1A")
JSON_BOARD = msgspec.structs.replace(BOARD, firmware=None, isems_revision=None, dialect=Dialect.UNKNOWN)
AVR_BOARD = configuration(dialect=Dialect.AVR_BOARD, rated_battery_amp_hours=24.0, rated_panel_watts=20.0)
RANK = list(Severity).index
HOUR, DAY = 3600, 86_400


def evidence_of(records: Sequence[Measurement], **known: Any) -> Evidence:
    """What is known of a node with these records, newest first."""
    return Evidence(newest=records[0] if records else None, traces=traces(records), **known)


def check(*records: Measurement, now: int = NOON, **known: Any) -> dict[Key, Finding]:
    """The findings of a node with these records, newest first, by key."""
    findings = check_node(evidence_of(records, **known), now)
    assert len({finding.key for finding in findings}) == len(findings)
    return {finding.key: finding for finding in findings}


def check_one(configuration: Configuration = ROUTER, **values: Any) -> dict[Key, Finding]:
    """The findings of a node that was heard of just now."""
    return check(measurement(configuration=configuration, **values))


def severities(found: dict[Key, Finding]) -> dict[Key, Severity]:
    return {key: finding.severity for key, finding in found.items()}


def state(found: dict[Key, Finding]) -> Severity:
    return state_of(list(found.values()))


def every(seconds: int, count: int, **values: Any) -> list[Measurement]:
    """So many equal records, newest first."""
    return [measurement(at=NOON - seconds * place, **values) for place in range(count)]


# What the flags say


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["code"])
@pytest.mark.parametrize("dialect", [Dialect.ROUTER, Dialect.BOARD, Dialect.UNKNOWN])
def test_each_flag_that_a_program_sent_has_its_finding(vector: dict[str, Any], dialect: Dialect) -> None:
    expected = {
        "battery_level_low": (Key.BATTERY_LOW, Severity.WARNING),
        "energy_capacity_too_small": (Key.BATTERY_WORN, Severity.CRITICAL),  # 97 % of a battery that is big enough
        "temp_sensor_not_connected": (Key.SENSOR_MISSING, Severity.WARNING),
        "battery_overheating": (Key.BATTERY_HOT, Severity.WARNING),
        "low_battery_temperature": (Key.BATTERY_COLD, Severity.WARNING),
    }
    found = check_one(configuration(dialect=dialect), status=vector["value"])
    worse_than_fine = {key: severity for key, severity in severities(found).items() if severity is not Severity.FINE}
    if "no_solar_communication" in vector["flags"]:
        assert worse_than_fine == {Key.CONTROLLER_SILENT: Severity.CRITICAL}
    else:
        assert worse_than_fine == dict(expected[flag] for flag in vector["flags"] if flag in expected)


@pytest.mark.parametrize(
    ("status", "key"),
    [
        (0x800, Key.CHARGING),
        (0x400, Key.DISCHARGING),
        (0x300, Key.FULL),
        (0x700, Key.FULL),
        (0x100, Key.CHARGING_UNKNOWN),
        (0x000, Key.CHARGING_UNKNOWN),
    ],
)
def test_full_comes_before_charging_and_discharging_and_only_one_is_told(status: int, key: Key) -> None:
    told = {Key.FULL, Key.CHARGING, Key.DISCHARGING, Key.CHARGING_UNKNOWN} & set(check_one(status=status))
    assert told == {key}


def test_overheating_is_shown() -> None:
    """The archived app never did: it looked for another spelling."""
    found = check_one(BOARD, status=0x308, battery_celsius=43.0)
    assert found[Key.BATTERY_HOT] == Finding(Severity.WARNING, Key.BATTERY_HOT, {"battery_celsius": 43.0})


@pytest.mark.parametrize(
    ("celsius", "key"), [(40.0, Key.BATTERY_HOT), (39.9, None), (-10.0, Key.BATTERY_COLD), (-9.9, None)]
)
def test_heat_and_cold_are_found_by_their_degrees_where_no_flag_tells(celsius: float, key: Key | None) -> None:
    found = check_one(BOARD, status=None, battery_celsius=celsius)
    assert {Key.BATTERY_HOT, Key.BATTERY_COLD} & set(found) == ({key} if key else set())


def test_findings_come_worst_first() -> None:
    record = measurement(configuration=BOARD, status=0x488, battery_volts=12.0, battery_celsius=41.0)
    findings = check_node(evidence_of([record], clock_state=ClockState.UNSET), NOON + DAY)
    assert [finding.severity for finding in findings][:3] == [Severity.CRITICAL, Severity.LOST, Severity.WARNING]
    assert [finding.severity for finding in findings] == sorted((f.severity for f in findings), key=RANK)


def test_a_nodes_state_is_that_of_its_worst_finding() -> None:
    findings = [
        Finding(Severity.FINE, Key.FULL),
        Finding(Severity.LATE, Key.LATE),
        Finding(Severity.WARNING, Key.BATTERY_LOW),
    ]
    assert state_of(findings) is Severity.WARNING
    assert state_of([]) is Severity.SILENT


def test_a_healthy_node_is_fine() -> None:
    assert state(check_one()) is Severity.FINE


# Voltage


def test_a_battery_close_to_disconnect_needs_somebody() -> None:
    found = check_one(BOARD, battery_volts=12.04, status=0x500)
    values = {"battery_volts": 12.04, "low_voltage_disconnect_volts": 11.9, "margin_volts": 0.14}
    assert found[Key.NEAR_DISCONNECT] == Finding(Severity.CRITICAL, Key.NEAR_DISCONNECT, values)


def test_just_a_fifth_of_a_volt_is_no_alarm() -> None:
    assert Key.NEAR_DISCONNECT not in check_one(BOARD, battery_volts=12.1)


@pytest.mark.parametrize("volts", [None, -1.0, 1e9])
def test_a_voltage_that_nobody_knows_is_not_all_well(volts: float | None) -> None:
    found = check_one(BOARD, battery_volts=volts, status=0x500)
    assert severities(found)[Key.BATTERY_UNKNOWN] is Severity.WARNING
    assert Key.NEAR_DISCONNECT not in found
    assert not any(name in one.values for one in found.values() for name in ("battery_volts", "margin_volts"))


def test_a_battery_of_48_volts_that_charges_can_be_believed() -> None:
    assert Key.BATTERY_UNKNOWN not in check_one(BOARD, battery_volts=58.4)


# The programs' lies


def test_a_silent_controller_hides_what_it_did_not_measure() -> None:
    """What OW sends then: the flags for low and for no sensor are consequences."""
    zeros = dict.fromkeys(
        ("battery_volts", "battery_celsius", "state_of_charge_percent", "state_of_health_percent"), 0.0
    )
    assert check_one(status=0x0B2, **zeros) == {
        Key.CONTROLLER_SILENT: Finding(Severity.CRITICAL, Key.CONTROLLER_SILENT)
    }


def test_a_half_silent_controllers_heat_is_not_believed() -> None:
    assert Key.BATTERY_HOT not in check_one(status=0x09A, battery_volts=0.0, battery_celsius=41.0)


def test_a_silent_controller_is_found_where_no_status_is_sent() -> None:
    assert Key.CONTROLLER_SILENT in check_one(status=None, battery_volts=0.0)


def test_an_avr_boards_silence_of_long_ago_is_no_silence() -> None:
    assert Key.CONTROLLER_SILENT not in check_one(AVR_BOARD, status=0xFD2, battery_volts=12.8)
    assert Key.CONTROLLER_SILENT in check_one(AVR_BOARD, status=0xFD2, battery_volts=0.0)


def test_an_avr_boards_accumulated_flags_warn_of_nothing() -> None:
    assert state(check_one(AVR_BOARD, status=0xFFE, state_of_health_percent=-2400.0)) is Severity.FINE


def test_an_avr_board_that_is_low_now_is_found_low() -> None:
    assert Key.BATTERY_LOW in check_one(AVR_BOARD, status=0x900, state_of_charge_percent=43.0)


def test_a_battery_that_was_planned_too_small_is_a_warning() -> None:
    small = msgspec.structs.replace(BOARD, rated_battery_amp_hours=7.2)
    found = check_one(small, status=0x440, state_of_health_percent=100.0)
    values = {"rated_battery_amp_hours": 7.2, "rated_panel_watts": 50.0}
    assert found[Key.STORAGE_TOO_SMALL] == Finding(Severity.WARNING, Key.STORAGE_TOO_SMALL, values)


@pytest.mark.parametrize(("amp_hours", "health"), [(7.2, 55.0), (24.0, 100.0), (24.0, None)])
def test_a_battery_is_only_called_worn_where_its_health_is_the_reason(amp_hours: float, health: float | None) -> None:
    conf = msgspec.structs.replace(BOARD, rated_battery_amp_hours=amp_hours)
    found = check_one(conf, status=0x440, state_of_health_percent=health)
    assert Key.STORAGE_TOO_SMALL in found
    assert Key.BATTERY_WORN not in found


def test_a_battery_that_lost_its_storage_needs_somebody() -> None:
    found = check_one(BOARD, status=0x440, state_of_health_percent=55.0)
    assert found[Key.BATTERY_WORN].severity is Severity.CRITICAL
    assert found[Key.BATTERY_WORN].values["state_of_health_percent"] == 55


@pytest.mark.parametrize("health", [-44.0, -2400.0])
def test_a_health_that_cannot_be_is_neither_worn_nor_small_nor_shown(health: float) -> None:
    found = check_one(BOARD, status=0x440, state_of_health_percent=health)
    assert not {Key.BATTERY_WORN, Key.STORAGE_TOO_SMALL} & set(found)
    assert found[Key.HEALTH_UNKNOWN].values == {}


@pytest.mark.parametrize(
    ("conf", "health", "unknown"),
    [
        (ROUTER, 100.0, True),
        (BOARD, 100.0, True),  # since the boot
        (BOARD, 87.0, False),
        (JSON_BOARD, 87.0, False),
        (AVR_BOARD, 87.0, True),
        (BOARD, None, True),
    ],
)
def test_a_health_of_100_is_not_known(conf: Configuration, health: float | None, unknown: bool) -> None:
    assert (Key.HEALTH_UNKNOWN in check_one(conf, state_of_health_percent=health)) is unknown


def test_an_old_boards_missing_sensor_is_a_fact() -> None:
    assert Key.SENSOR_MISSING in check_one(OLD_BOARD, status=0x320, battery_celsius=25.0)


@pytest.mark.parametrize(("conf", "seconds"), [(BOARD, 15), (JSON_BOARD, 65)])
def test_a_newer_boards_missing_sensor_is_told_by_25_degrees_for_an_hour(conf: Configuration, seconds: int) -> None:
    records = every(seconds, SENSOR_RECORDS, configuration=conf, battery_celsius=25.0)
    assert severities(check(*records))[Key.SENSOR_MISSING] is Severity.WARNING


def test_25_degrees_for_less_than_an_hour_or_not_all_the_time_is_a_temperature() -> None:
    records = every(15, 250, configuration=BOARD, battery_celsius=25.0)
    assert Key.SENSOR_MISSING not in check(*records[:RECORDS])
    assert Key.SENSOR_MISSING not in check(*every(HOUR, 2, configuration=BOARD, battery_celsius=25.0))
    records[100] = measurement(at=NOON - 1500, configuration=BOARD, battery_celsius=25.05)
    assert Key.SENSOR_MISSING not in check(*records)


def test_a_routers_25_degrees_are_a_temperature() -> None:
    assert Key.SENSOR_MISSING not in check(*every(61, SENSOR_RECORDS, battery_celsius=25.0))


@pytest.mark.parametrize(
    ("conf", "celsius", "wanted"),
    [
        (BOARD, 25.0, SENSOR_RECORDS),
        (JSON_BOARD, 25.0, SENSOR_RECORDS),
        (ROUTER, 0.0, SENSOR_RECORDS),
        (ROUTER, 25.0, RECORDS),
        (BOARD, 24.95, RECORDS),
    ],
)
def test_more_records_are_only_wanted_where_a_sensor_may_be_missing(
    conf: Configuration, celsius: float, wanted: int
) -> None:
    assert records_wanted(measurement(configuration=conf, battery_celsius=celsius)) == wanted


def test_a_routers_missing_sensor_may_be_frost() -> None:
    found = check(*every(61, RECORDS, status=0x420, battery_celsius=0.0, charge_end_volts=14.2))
    assert severities(found)[Key.SENSOR_MISSING_OR_FROST] is Severity.WARNING
    assert Key.SENSOR_MISSING not in found


def test_a_routers_sensor_that_measured_an_hour_ago_is_not_missing() -> None:
    records = every(61, RECORDS, status=0x420, battery_celsius=0.0)
    records[-1] = measurement(at=NOON - HOUR, battery_celsius=1.0)
    found = check(*records)
    assert state(found) is Severity.FINE
    assert Key.FROST_UNSEEN in found


@pytest.mark.parametrize(
    ("conf", "celsius", "unseen"),
    [(ROUTER, 0.0, True), (ROUTER, 1.0, False), (AVR_BOARD, 0.3, True), (AVR_BOARD, 1.4, False), (BOARD, 0.0, False)],
)
def test_frost_that_a_node_cannot_report_is_said(conf: Configuration, celsius: float, unseen: bool) -> None:
    assert (Key.FROST_UNSEEN in check_one(conf, battery_celsius=celsius)) is unseen


def test_a_shorted_sensor_is_no_cold() -> None:
    found = check_one(OLD_BOARD, status=0x504, battery_celsius=-149.06)
    assert severities(found)[Key.SENSOR_FAULTY] is Severity.WARNING
    assert found[Key.SENSOR_FAULTY].values == {}
    assert Key.BATTERY_COLD not in found


def test_a_missing_status_is_not_all_well() -> None:
    """The archived API sent it as 0x000, which its app showed as all well."""
    assert severities(check_one(status=None))[Key.STATUS_UNKNOWN] is Severity.WARNING


def test_of_a_status_that_is_too_wide_the_low_bits_count() -> None:
    assert check_one(BOARD, status=0xF0308) == check_one(BOARD, status=0x308)


def test_a_node_that_may_not_be_flashed_is_fine_but_says_so() -> None:
    found = check_one(BOARD, status=0x502, minutes_until_shutdown=3.0)
    assert found[Key.UPGRADE_NOT_ADVISED].values["minutes_until_shutdown"] == 3
    assert state(found) is Severity.FINE


def test_an_automatic_reboot_that_is_switched_off_forbids_no_upgrade() -> None:
    assert Key.UPGRADE_NOT_ADVISED not in check_one(BOARD, status=0x502, minutes_until_shutdown=0.0)
    found = check_one(BOARD, status=0x502, minutes_until_shutdown=0.0, battery_volts=12.0)
    assert "minutes_until_shutdown" not in found[Key.UPGRADE_NOT_ADVISED].values


@pytest.mark.parametrize(("level", "told"), [(0.0, False), (2.0, False), (3.0, True), (6.0, True), (None, False)])
def test_a_router_that_hides_to_save_power_is_told(level: float | None, told: bool) -> None:
    assert (Key.POWER_SAVE in check_one(power_save_level=level)) is told


# Silence, clock, id


@pytest.mark.parametrize(
    ("age", "key"),
    [
        (194, None),
        (195, Key.LATE),
        (HOUR - 1, Key.LATE),
        (HOUR, Key.SILENT),
        (DAY - 1, Key.SILENT),
        (DAY, Key.LOST),
        (1000 * DAY, Key.LOST),
    ],
)
def test_a_board_is_late_then_silent_then_lost(age: int, key: Key | None) -> None:
    found = check(*every(15, RECORDS, configuration=BOARD), now=NOON + age)
    assert {Key.LATE, Key.SILENT, Key.LOST} & set(found) == ({key} if key else set())
    if key:
        assert found[key] == Finding(Severity(key.value), key, {"heard_at": NOON, "interval_seconds": 65})


def test_a_router_that_is_polled_every_two_hours_is_not_silent_after_one() -> None:
    records = every(61, RECORDS)
    assert Key.SILENT not in check(*records, poll_seconds=2 * HOUR, now=NOON + 5 * HOUR)
    assert Key.SILENT in check(*records, poll_seconds=2 * HOUR, now=NOON + 6 * HOUR)


def test_a_node_without_a_measurement_is_silent() -> None:
    assert severities(check()) == {Key.NO_MEASUREMENT: Severity.SILENT}


def test_a_node_whose_only_time_lies_ahead_is_silent() -> None:
    assert severities(check(measurement(at=NOON + DAY)))[Key.HEARD_UNKNOWN] is Severity.SILENT


def test_a_board_with_a_late_clock_is_not_lost() -> None:
    found = check(
        *every(15, RECORDS, configuration=BOARD),
        now=NOON + 41 * DAY,
        clock_state=ClockState.BEHIND,
        clock_offset_seconds=41 * DAY,
    )
    assert state(found) is Severity.WARNING
    assert found[Key.CLOCK_BEHIND].values == {"offset_seconds": 41 * DAY}


@pytest.mark.parametrize("clock", [one for one in ClockState if one is not ClockState.GOOD])
def test_a_wrong_clock_is_a_warning(clock: ClockState) -> None:
    found = check(measurement(), clock_state=clock)
    assert severities(found)[Key(f"clock_{clock.value}")] is Severity.WARNING


def test_a_good_clock_is_nothing_to_tell() -> None:
    assert check(measurement(), clock_state=ClockState.GOOD) == check(measurement())


def test_two_devices_under_one_id_are_a_warning() -> None:
    both = [(NOON - 15 * n, (3000 + n) / 4) for n in range(9)] + [(NOON - 7 - 15 * n, (500 + n) / 4) for n in range(9)]
    records = [measurement(at=at, minutes_until_shutdown=ticks) for at, ticks in sorted(both, reverse=True)]
    assert severities(check(*records))[Key.ID_SHARED] is Severity.WARNING


def test_a_silent_controller_does_not_hide_its_nodes_silence() -> None:
    assert set(check(measurement(status=0x0B2, battery_volts=0.0), now=NOON + DAY)) == {Key.CONTROLLER_SILENT, Key.LOST}


# Everything


@pytest.mark.parametrize("name", [name for name in FILES if "esp32" in name or name.endswith("ffopenmppt.log")])
def test_every_recorded_measurement_has_findings_that_its_own_numbers_bear_out(name: str) -> None:
    for payload in payloads_of(name):
        for record in read_payload(payload).parsed.measurements:
            at = msgspec.structs.replace(record, measured_at=NOON)
            found = check(at)
            assert (Key.CONTROLLER_SILENT in found) is (record.battery_volts == 0)
            for finding in found.values():
                assert all(getattr(record, field, value) == value for field, value in finding.values.items())


NUMBERS = (
    st.none() | st.sampled_from([-0.0, 0.0, 25.0, 100.0, 99999.0]) | st.floats(allow_nan=False, allow_infinity=False)
)
CONFIGURATIONS = st.builds(
    Configuration,
    st.none() | st.text(),
    st.none() | st.text(),
    *[NUMBERS] * 5,
    dialect=st.sampled_from(Dialect),
)
TIMES = st.none() | st.integers(NOON - 2 * DAY, NOON + 400) | st.integers()
STATUS = st.none() | st.integers(0, 0xFFF) | st.integers(0)
MEASUREMENTS = st.builds(
    Measurement, st.text(), TIMES, CONFIGURATIONS, *[NUMBERS] * 9, STATUS, time_repaired=st.booleans()
)
EVIDENCE = st.builds(
    evidence_of,
    records=st.lists(MEASUREMENTS, max_size=5),
    delivered_at=TIMES,
    poll_seconds=st.none() | st.integers(10, DAY),
    clock_state=st.none() | st.sampled_from(ClockState),
    clock_offset_seconds=st.none() | st.integers(),
)


@given(EVIDENCE)
def test_whatever_a_node_sends_there_are_findings_and_nothing_unknown_is_fine(evidence: Evidence) -> None:
    findings = check_node(evidence, NOON)
    assert findings
    assert [finding.severity for finding in findings] == sorted((f.severity for f in findings), key=RANK)
    msgspec.json.decode(msgspec.json.encode(findings), type=list[Finding])
    newest = evidence.newest
    is_heard = any(finding.key in (Key.NO_MEASUREMENT, Key.HEARD_UNKNOWN) for finding in findings)
    is_unknown = newest is None or newest.status is None or not newest.battery_volts or is_heard
    if is_unknown or evidence.clock_state not in (None, ClockState.GOOD):
        assert state_of(findings) is not Severity.FINE


@given(EVIDENCE)
def test_values_that_cannot_be_believed_are_in_no_finding(evidence: Evidence) -> None:
    for finding in check_node(evidence, NOON):
        assert -40 <= finding.values.get("battery_celsius", 0) <= 85
        assert 0 <= finding.values.get("state_of_health_percent", 0) <= 100
        assert finding.values.get("minutes_until_shutdown") != 99999


def test_the_manual_tells_of_every_finding_and_of_no_other() -> None:
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(Key)
