"""What the real node programs printed: every quirk, every line, every message."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from isems.domain.measurement import Dialect
from isems.domain.rejection import Reason
from tests.formats.reading import (
    as_exact,
    field_of,
    parse,
    parse_one,
    recorded,
    recorded_messages,
    second_reading,
)

QUIRKS: list[dict[str, Any]] = [json.loads(line) for line in recorded("lines.jsonl").splitlines()]
#: What is odd about each quirk, as it has to be read.
READINGS: dict[str, dict[str, Any]] = {
    "initial-line": {"measured_at": 0, "node": "ESP32-Meshnode-1", "firmware": "0", "status": 0},
    "timestamp-seconds-since-boot": {"measured_at": 5, "minutes_until_shutdown": 900},
    "timestamp-with-decimal-point": {"node": "Dachluke"},
    "timestamp-firmware-build-date": {"battery_volts": 12.299, "dialect": Dialect.ROUTER},
    "firmware-empty": {"firmware": "", "dialect": Dialect.ROUTER, "minutes_until_shutdown": 0},
    "no-controller-communication-0B2": {"status": 0x0B2, "battery_volts": 0},
    "no-controller-communication-032": {"status": 0x032, "rated_battery_amp_hours": 0},
    "partial-serial-record-092": {"status": 0x092, "battery_volts": 0, "latitude": None, "longitude": None},
    "powersave-6": {"power_save_level": 6},
    "powersave-1": {"power_save_level": 1},
    "integral-volt-without-decimals-lua51": {"panel_open_circuit_volts": 0},
    "float-zero-lua53": {"panel_mpp_volts": 0, "rated_battery_amp_hours": 7.2},
    "exponent-latitude": {"latitude": 1e-05, "longitude": -1e-05},
    "charge-minus-nan": {"state_of_charge_percent": None, "battery_volts": 12, "state_of_health_percent": 100},
    "charge-minus-zero": {"state_of_charge_percent": 0, "battery_celsius": 43.92},
    "health-negative": {"state_of_health_percent": -2400, "dialect": Dialect.AVR_BOARD},
    "health-zero": {"state_of_health_percent": 0, "status": 0x09A},
    "lvd-in-millivolt": {"low_voltage_disconnect_volts": 11.7, "dialect": Dialect.AVR_BOARD},
    "temp-25.0-sensor-missing-no-bit6": {"battery_celsius": 25, "status": 0x900},
    "temp-negative": {"battery_celsius": -11.3, "node": "FF-ESP-Unconfigured-0xb4e62d9f1c3a"},
    "temp-float-step": {"dialect": Dialect.BOARD},
    "comma-decimal-latlong": {"latitude": None, "longitude": None, "charge_end_volts": 14.128},
    "nodeid-with-semicolon": {"node": 'weird;node "x"\\ä/1', "status": 0x442},
    "nodeid-umlaut": {"node": "Gartenhaus-Süd"},
    "nodeid-space-slash": {"node": "Kleingarten 7 Hütte/Ost"},
    "sticky-bits-charging-and-discharging": {"status": 0xD02},
    "full-and-discharging-700": {"status": 0x700, "state_of_charge_percent": 100},
    "neither-charging-nor-discharging-100": {"status": 0x09A},
    "neither-healthy-nor-low": {"status": 0x800, "state_of_charge_percent": 43},
    "overheating-308": {"status": 0x308, "battery_celsius": 40},
    "upgrade-forbidden": {"status": 0x422},
    "float32-latlong": {"latitude": 52.50731, "longitude": 13.45864},
    "legacy-18-fields": {"status": None, "longitude": 13.4, "node": "Dach-Alt"},
    "crlf": {"status": 0x300},
    "status-0x-prefix": {"status": 0x300},
    "status-wider-than-12-bit": {"status": 0x1300},
    "timestamp-float32-exponent": {"measured_at": 1606000000, "minutes_until_shutdown": 177.75},
    "status-empty": {"status": None, "longitude": 13.4},
    "value-nil": {"panel_open_circuit_volts": None, "panel_mpp_volts": 18.614},
    "value-inf": {"state_of_charge_percent": None, "battery_volts": 14.073},
}
REJECTED = "truncated-line"
LOGS = (
    "router-Elektra-Dach.log.gz",
    "router-Gartenhaus-Sued.log.gz",
    "router-OpenWrt.log.gz",
    "router-Dach-Trunc.log.gz",
)
MESSAGES = ("odd-values.mqtt.jsonl.gz", "Dachluke-floattime.mqtt.jsonl.gz", "ESP32-Meshnode-Default.httppost.jsonl.gz")
ANSWERS = ("ESP32-Meshnode-1.httpget.jsonl.gz", "ESP32-Meshnode-1-noserial.httpget.jsonl.gz")


def test_every_recorded_quirk_has_its_reading_here() -> None:
    assert {quirk["id"] for quirk in QUIRKS} == {*READINGS, REJECTED}


@pytest.mark.parametrize("quirk", [q for q in QUIRKS if q["id"] != REJECTED], ids=lambda quirk: quirk["id"])
def test_a_quirk_is_read_as_it_is_meant(quirk: dict[str, Any]) -> None:
    measurement = parse_one(quirk["line"])
    expected = READINGS[quirk["id"]]
    assert {name: field_of(measurement, name) for name in expected} == expected
    assert as_exact(measurement) == second_reading(quirk["line"])


def test_the_truncated_line_is_rejected_with_its_node() -> None:
    (line,) = [quirk["line"] for quirk in QUIRKS if quirk["id"] == REJECTED]
    (rejected,) = parse(line, "csv_log").rejected
    assert (rejected.raw, rejected.reason, rejected.node) == (line.encode(), Reason.FIELD_COUNT, "Dach-Alt")


def test_all_quirks_in_one_payload_are_read_as_each_by_itself() -> None:
    """Without line ends of a foreign kind: `\\r` at the end of a line belongs to it."""
    parsed = parse("\r\n".join(quirk["line"].removesuffix("\r") for quirk in QUIRKS))
    assert parsed.measurements == [parse_one(quirk["line"]) for quirk in QUIRKS if quirk["id"] != REJECTED]
    assert len(parsed.rejected) == 1


def csv_bodies(name: str) -> Iterator[str]:
    """The CSV payloads of a recording of a board's MQTT messages or answers."""
    for message in recorded_messages(name):
        if message.get("topic", "").endswith("/csvlog"):
            yield message["payload"]
        elif message.get("path") == "/csv":
            yield message["response"]


@pytest.mark.parametrize("name", LOGS)
def test_every_line_of_a_recorded_log_is_read_exactly(name: str) -> None:
    lines = recorded(name).decode().splitlines()
    parsed = parse(recorded(name))
    assert parsed.rejected == []
    assert parsed.raws == lines
    assert [as_exact(m) for m in parsed.measurements] == [second_reading(line) for line in lines]


@pytest.mark.parametrize("name", [*MESSAGES[:2], *ANSWERS])
def test_every_line_of_the_recorded_boards_is_read_exactly(name: str) -> None:
    bodies = list(csv_bodies(name))
    assert bodies
    for body in bodies:
        parsed = parse(body)
        assert parsed.rejected == []
        assert [as_exact(m) for m in parsed.measurements] == [second_reading(line) for line in body.split("\n")]


def json_bodies(name: str) -> Iterator[str]:
    for message in recorded_messages(name):
        if "body" in message:
            yield message["body"]
        elif message.get("topic", "").endswith("/data.json"):
            yield message["payload"]


@pytest.mark.parametrize("name", MESSAGES)
def test_every_recorded_sample_of_a_board_is_read_exactly(name: str) -> None:
    bodies = list(json_bodies(name))
    assert bodies
    for body in bodies:
        sent = json.loads(body)
        measurement = parse_one(body, node_hint="a;b/c")
        assert (measurement.node, measurement.measured_at) == ("a;b/c", None)
        assert measurement.status == int(sent["status"], 16)
        assert measurement.minutes_until_shutdown == sent["timeToShutdown"] / 4
        assert measurement.battery_volts == sent["batteryVoltage"]
        assert measurement.battery_celsius == sent["batteryTemperature"]
        assert measurement.configuration.latitude == sent["latitude"]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_status_page_is_no_record(name: str) -> None:
    pages = [message["response"] for message in recorded_messages(name) if message["path"] == "/"]
    assert pages
    for page in pages:
        parsed = parse(page, "csv_log")
        assert parsed.measurements == []
        assert parsed.rejected
