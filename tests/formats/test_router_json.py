"""`ffopenmppt.json`: what a router serves, whole, invalid, or caught while it is written."""

from typing import Any

import pytest

from isems.domain.measurement import Dialect
from isems.domain.rejection import Reason
from isems.errors import FormatError
from tests.formats.reading import fields_of, parse, parse_one, recorded

GOOD = recorded("openwrt-ok.json").decode()
LINES = GOOD.splitlines(keepends=True)
READ: dict[str, Any] = {
    "node": "Kleingarten 7 Hütte/Ost",
    "isems_revision": None,
    "measured_at": 1562120612,
    "firmware": "ATmega8_A_1",
    "dialect": Dialect.ROUTER,
    "minutes_until_shutdown": 576,
    "power_save_level": 6,
    "panel_open_circuit_volts": 0,
    "panel_mpp_volts": 0,
    "battery_volts": 12.615,
    "state_of_charge_percent": 96,
    "state_of_health_percent": 100,
    "battery_celsius": 26,
    "low_voltage_disconnect_volts": 11.7,
    "charge_end_volts": 14.2,
    "rated_battery_amp_hours": 18,
    "rated_panel_watts": 100,
    "latitude": 0,
    "longitude": 0,
    "status": 0x500,
    "time_repaired": False,
}


def good_with(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


@pytest.mark.parametrize("hint", [None, "router_json"])
def test_a_whole_file_is_read_member_by_member(hint: str | None) -> None:
    assert fields_of(parse_one(GOOD, hint)) == READ


def test_its_record_equals_that_of_the_log() -> None:
    """The last line of the log and the JSON of the same minute."""
    line = "Elektra-Dach;1;1530144005;ATmega8_A_1;6120;0;0;0;12.808;"
    read = fields_of(parse_one(recorded("router-Elektra-Dach.json")))
    assert line.startswith(
        f"{read['node']};1;{read['measured_at']};{read['firmware']};{read['minutes_until_shutdown']:.0f}"
    )
    assert (read["latitude"], read["longitude"], read["low_voltage_disconnect_volts"]) == (52.507309, 13.458635, 11.67)


def test_the_json_of_a_silent_controller_is_read() -> None:
    read = fields_of(parse_one(recorded("router-silent.json")))
    assert (read["node"], read["firmware"], read["status"], read["battery_volts"]) == ("OpenWrt", "", 0x032, 0)


def test_an_invalid_file_loses_only_what_is_no_number() -> None:
    read = fields_of(parse_one(recorded("openwrt-comma-invalid.json")))
    assert [name for name, value in read.items() if value is None] == [
        *("isems_revision", "latitude", "longitude", "state_of_charge_percent")
    ]
    assert (read["node"], read["battery_volts"], read["status"]) == ("node-empty-serial", 12, 0x800)


def test_a_file_cut_by_an_aborted_program_is_rejected_not_stored() -> None:
    (rejected,) = parse(recorded("openwrt-truncated.json")).rejected
    assert rejected.reason is Reason.FIELD_COUNT
    assert "Battery voltage" in rejected.detail


@pytest.mark.parametrize(
    "name", ['a"b', '"', 'a": b', 'a",', '","Timestamp": 5,"', "a\\b", "\\", "a;b", " ", "a\\u0041"]
)
def test_a_host_name_that_breaks_the_json_is_kept_as_it_is(name: str) -> None:
    assert fields_of(parse_one(good_with("Kleingarten 7 Hütte/Ost", name))) == {**READ, "node": name}


def test_a_file_read_while_it_is_written_gives_whole_values_or_none() -> None:
    """Cut after any byte, also inside the umlaut and the µ: never half a number, never an error but FormatError."""
    whole = GOOD.encode()
    for cut in range(len(whole)):
        try:
            parsed = parse(whole[:cut])
        except FormatError:
            continue
        assert len(parsed.measurements) + len(parsed.rejected) == 1
        for measurement in parsed.measurements:
            known = {name: value for name, value in fields_of(measurement).items() if value is not None}
            assert known.items() <= READ.items(), cut


def test_every_line_up_to_the_battery_voltage_is_needed_and_none_after() -> None:
    counts = [len(parse("".join(LINES[:count]), "router_json").measurements) for count in range(2, len(LINES) + 1)]
    assert counts == [0] * 8 + [1] * 12


@pytest.mark.parametrize(
    "text", ["-nan", "nan", "inf", "nil", "", "52,5", '"12"', "null", "1e999", "[1]", "{", "9" * 3000]
)
def test_a_battery_voltage_that_is_no_number_is_unknown(text: str) -> None:
    read = fields_of(parse_one(good_with('voltage": 12.615,', f'voltage": {text},')))
    assert read == {**READ, "battery_volts": None}


@pytest.mark.parametrize("text", ["nan", "", "abc", "1e300", "null", "1" * 30, '"1562120612"'])
def test_a_time_that_is_none_rejects_the_record(text: str) -> None:
    (rejected,) = parse(good_with("1562120612", text)).rejected
    assert rejected.reason is Reason.TIME_UNREADABLE


@pytest.mark.parametrize("name", ["", "a" * 256, "a\0b", "a\x1b"])
def test_a_node_id_that_cannot_be_one_rejects_the_record(name: str) -> None:
    (rejected,) = parse(good_with("Kleingarten 7 Hütte/Ost", name)).rejected
    assert rejected.reason is Reason.NODE_NAME


@pytest.mark.parametrize(
    ("sent", "status"),
    [('"0x500"', 0x500), ('"0X4a2"', 0x4A2), ('"4A2"', 0x4A2), ('"0x1300"', 0x1300), ('""', None), ('"zz"', None)],
)
def test_the_status_is_text_with_or_without_prefix(sent: str, status: int | None) -> None:
    assert fields_of(parse_one(good_with('"0x500"', sent))) == {**READ, "status": status}


@pytest.mark.parametrize("level", range(7))
def test_every_power_save_level_is_read(level: int) -> None:
    assert parse_one(good_with('level": 6', f'level": {level}')).power_save_level == level


def test_line_ends_of_another_system_and_blanks_change_nothing() -> None:
    assert fields_of(parse_one(GOOD.replace("\n", "\r\n"))) == READ
    assert fields_of(parse_one(GOOD.replace("\n", " \t\n  "))) == READ


def test_the_later_of_two_equal_keys_counts() -> None:
    assert parse_one(good_with("}", '"Latitude": 52.5\n}')).configuration.latitude == 52.5


@pytest.mark.parametrize(
    "data", [b"x", b"[]", b"{}", b"\xff", GOOD.encode() + b" " * 16_384, GOOD.encode().replace(b"\xc2\xb5", b"\xb5")]
)
def test_anything_else_under_this_name_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data, "router_json")
