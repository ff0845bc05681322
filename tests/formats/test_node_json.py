"""`data.json`: the flat object of a board, without node id and time."""

import itertools
import json
import random
from typing import Any

import pytest

from isems.domain.measurement import Dialect
from isems.domain.rejection import Reason
from isems.errors import FormatError
from isems.formats import node_json
from tests.formats.reading import fields_of, parse, parse_one

SENT: dict[str, Any] = {
    "batteryVoltage": 12.876,
    "status": "500",
    "batteryHealthEstimate": 100,
    "latitude": 52.47388,
    "ratedSolarModuleCapacity": 30,
    "rateBatteryCapacity": 12,
    "timeToShutdown": 2976,
    "batteryChargeEstimate": 99,
    "temperatureCorrectedVoltage": 14.217,
    "lowVoltageDisconnectVoltage": 11.9,
    "openCircuitVoltage": 17.053,
    "longitude": 13.39051,
    "mppVoltage": 14.989,
    "isPowerSaveMode": 0,
    "batteryTemperature": 21.09,
}
#: Member -> the field it becomes.
FIELD = {
    "batteryVoltage": "battery_volts",
    "status": "status",
    "batteryHealthEstimate": "state_of_health_percent",
    "latitude": "latitude",
    "ratedSolarModuleCapacity": "rated_panel_watts",
    "rateBatteryCapacity": "rated_battery_amp_hours",
    "timeToShutdown": "minutes_until_shutdown",
    "batteryChargeEstimate": "state_of_charge_percent",
    "temperatureCorrectedVoltage": "charge_end_volts",
    "lowVoltageDisconnectVoltage": "low_voltage_disconnect_volts",
    "openCircuitVoltage": "panel_open_circuit_volts",
    "longitude": "longitude",
    "mppVoltage": "panel_mpp_volts",
    "isPowerSaveMode": "power_save_level",
    "batteryTemperature": "battery_celsius",
}
READ: dict[str, Any] = {
    **{FIELD[member]: value for member, value in SENT.items()},
    "minutes_until_shutdown": 744,
    "status": 0x500,
    "node": "Balkon",
    "isems_revision": None,
    "firmware": None,
    "dialect": Dialect.BOARD,
    "measured_at": None,
    "time_repaired": False,
}


def read(data: bytes | str) -> dict[str, Any]:
    return fields_of(parse_one(data, node_hint="Balkon"))


def sent_with(member: str, text: str) -> str:
    """Give the sample with one value exchanged for any text."""
    return json.dumps({**SENT, member: "@@"}).replace('"@@"', text)


def test_a_sample_is_read_member_by_member() -> None:
    assert read(json.dumps(SENT)) == READ
    assert fields_of(parse_one(json.dumps(SENT), "node_json", "Balkon")) == READ


def test_the_order_of_the_members_is_of_no_account() -> None:
    members = list(SENT.items())
    for seed in range(20):
        random.Random(seed).shuffle(members)
        assert read(json.dumps(dict(members))) == READ


@pytest.mark.parametrize("member", SENT)
def test_an_absent_member_is_unknown(member: str) -> None:
    assert read(json.dumps({k: v for k, v in SENT.items() if k != member})) == {**READ, FIELD[member]: None}


@pytest.mark.parametrize(
    "text",
    [
        "nan",
        "-nan",
        "inf",
        "-inf",
        "nil",
        "NaN",
        "-Infinity",
        "null",
        "1e999",
        "9" * 400,
        '"12"',
        "true",
        "[1]",
        '{"a":1}',
    ],
)
def test_a_value_that_is_no_finite_number_is_unknown_and_the_rest_stays(text: str) -> None:
    for member in SENT.keys() - {"status"}:
        assert read(sent_with(member, text)) == {**READ, FIELD[member]: None}


@pytest.mark.parametrize("text", ["nan", "-nan", "inf"])
def test_a_bare_word_is_found_wherever_blanks_stand(text: str) -> None:
    for before, after in itertools.product(["", " ", "\n\t "], repeat=2):
        data = '{"batteryVoltage":' + before + text + after + ',"mppVoltage":' + before + text + after + "}"
        assert parse_one(data, node_hint="a").battery_volts is None


def test_a_text_that_looks_like_a_bare_word_is_left_alone() -> None:
    assert read(json.dumps({"note": '": nan,', **SENT})) == READ


@pytest.mark.parametrize(
    ("text", "number"),
    [("-0", 0), ("1e-05", 1e-05), ("0.0", 0), ("52.50731", 52.50731), ("1E2", 100), ("-149.06", -149.06)],
)
def test_every_form_of_a_number_is_read(text: str, number: float) -> None:
    assert read(sent_with("batteryTemperature", text))["battery_celsius"] == number


@pytest.mark.parametrize(
    ("text", "status"),
    [
        *(('"500"', 0x500), ('"0x4a2"', 0x4A2), ('"0"', 0), ('"1300"', 0x1300), ('""', None), ('"zz"', None)),
        *(("500", None), ("null", None), ("nan", None), ('"5\\"0"', None), ('["500"]', None)),
    ],
)
def test_the_status_is_text(text: str, status: int | None) -> None:
    """A JSON number would be decimal, and which of the two was meant cannot be told."""
    assert read(sent_with("status", text)) == {**READ, "status": status}


@pytest.mark.parametrize(("ticks", "minutes"), [(3600, 900), (1, 0.25), (0, 0), (99999, 99999)])
def test_time_to_shutdown_comes_in_ticks_and_its_marks_stay(ticks: int, minutes: float) -> None:
    assert read(sent_with("timeToShutdown", str(ticks)))["minutes_until_shutdown"] == minutes


def test_a_disconnect_voltage_in_millivolts_is_put_right() -> None:
    assert read(sent_with("lowVoltageDisconnectVoltage", "11700"))["low_voltage_disconnect_volts"] == 11.7


def test_the_later_of_two_equal_members_counts() -> None:
    assert read('{"batteryVoltage":1,"batteryVoltage":2}')["battery_volts"] == 2


def test_members_nobody_knows_are_left_out() -> None:
    assert read(json.dumps({**SENT, "uptime": 5, "deep": {"batteryVoltage": 1}, "list": [1, [2]]})) == READ


def test_a_sample_without_a_node_is_rejected_whole() -> None:
    data = json.dumps(SENT).encode()
    parsed = parse(data)
    assert parsed.measurements == []
    assert [(rejected.raw, rejected.reason) for rejected in parsed.rejected] == [(data, Reason.NODE_NAME)]


@pytest.mark.parametrize("node", ["", "a\0", "a" * 256, "\ud800", "a\n"], ids=repr)
def test_a_node_id_from_the_way_it_came_is_checked_like_any_other(node: str) -> None:
    (rejected,) = parse(json.dumps(SENT), node_hint=node).rejected
    assert (rejected.reason, rejected.node) == (Reason.NODE_NAME, None)


@pytest.mark.parametrize("node", ["a/b", "Süd", 'weird;node "x"\\ä/1', "+", "#"])
def test_a_node_id_from_the_way_it_came_is_kept_as_it_is(node: str) -> None:
    assert parse_one(json.dumps(SENT), node_hint=node).node == node


@pytest.mark.parametrize(
    "data",
    [
        *(b"{", b"{}", b'{"error":"not found"}', b'{"batteryVoltage":1', b'{"batteryVoltage":1}}', b'{"a":1,}'),
        *(b'{"status":"5\\q"}', b'{"status":"\\ud800"}', b'{"\\ud800":1,"status":"1"}', b'{"\xff":1,"status":"1"}'),
        *(b'{"batteryVoltage":52,5}', b'{"batteryVoltage":+5}', b'{"batteryVoltage":01}', b"{\0}", b'{"status":"\0"}'),
        *(b'{"status":' + b"[" * 16_000, b'{"status":' * 1600, b'{"a":' * 3000 + b"1" + b"}" * 3000),
        b'{"batteryVoltage":1}' + b" " * node_json.MAX_BYTES,
    ],
    ids=lambda data: repr(data[:24]),
)
def test_what_is_no_sample_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data, node_hint="a")


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b'"a"', b"[" * 16_000, b"", b"\xff"], ids=repr)
def test_what_is_no_object_is_a_format_error_also_under_its_name(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data, "node_json", "a")


def test_bytes_that_are_no_utf_8_in_a_value_cost_only_that_value() -> None:
    data = json.dumps(SENT).encode().replace(b'"500"', b'"\xff"')
    assert read(data) == {**READ, "status": None}
