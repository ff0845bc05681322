"""The CSV record: its shapes, its line ends, and what becomes of a field or a line that cannot be read."""

import pytest

from isems.domain.measurement import Dialect
from isems.domain.rejection import Reason
from isems.errors import FormatError
from isems.formats import csv_log
from tests.formats.reading import AVR_BOARD, BOARD, NUMBERS, POSITION, ROUTER, fields_of, parse, parse_one, with_field

LEGACY = ROUTER.removesuffix(";300")
SAMPLES = {
    "router by day": (
        ROUTER,
        ("Elektra-Dach", 1530014973, "ATmega8_A_1", 0x300, Dialect.ROUTER),
        (8271, 0, 20.536, 20.157, 14.038, 100, 100, 31, 11.67, 14.02, 18, 20, 52.507309, 13.458635),
    ),
    "router by night, frost": (
        "Gartenhaus-Süd;1;1544929190;ATmega8_A_1;8081;1;0;0;11.754;23;100;0;11.7;14.2;18;20;52.4731;13.4012;4A2",
        ("Gartenhaus-Süd", 1544929190, "ATmega8_A_1", 0x4A2, Dialect.ROUTER),
        (8081, 1, 0, 0, 11.754, 23, 100, 0, 11.7, 14.2, 18, 20, 52.4731, 13.4012),
    ),
    "router, silent controller": (
        "Kleingarten 7 Hütte/Ost;1;1562011179;;0;6;0;0;0;0;0;0;0;0;18;100;0;0;0B2",
        ("Kleingarten 7 Hütte/Ost", 1562011179, "", 0x0B2, Dialect.ROUTER),
        (0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 18, 100, 0, 0),
    ),
    "board, Lua 5.1": (
        BOARD,
        ("Balkon-Neukoelln", 1619576591, "ESP_2.0", 0x500, Dialect.BOARD),
        (217.5, 0, 0, 0, 12.74, 98, 100, 9.84, 11.9, 14.554, 12, 30, 52.47388, 13.39051),
    ),
    "board, Lua 5.3": (
        "Wagenplatz Süd;1;1625192606;ESP_2.0;1669;0;0;0.0;12.754;99;55;21.75;11.9;14.197;50.0;100;52.5;13;440",
        ("Wagenplatz Süd", 1625192606, "ESP_2.0", 0x440, Dialect.BOARD),
        (417.25, 0, 0, 0, 12.754, 99, 55, 21.75, 11.9, 14.197, 50, 100, 52.5, 13),
    ),
    "old board": (
        "Alte Gärtnerei/Hof 2;1;1594871945;FF-ESP-1A;3125;0;17.053;14.989;14.197;100;100;32.72;11.9;14.468;24;50;52.52;13.4;300",
        ("Alte Gärtnerei/Hof 2", 1594871945, "FF-ESP-1A", 0x300, Dialect.BOARD),
        (781.25, 0, 17.053, 14.989, 14.197, 100, 100, 32.72, 11.9, 14.468, 24, 50, 52.52, 13.4),
    ),
    "AVR board": (
        AVR_BOARD,
        ("ESP32-Meshnode-1", 1575420680, "ATmega8_A_1", 0x7C2, Dialect.AVR_BOARD),
        (1390, 0, 0, 0, 12.773, 99, -2400, 1.4, 11.7, 14.907, 8, 10, 52.520008, 13.404954),
    ),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_record_of_every_producer_is_read_field_by_field(sample: str) -> None:
    line, (node, time, firmware, status, dialect), numbers = SAMPLES[sample]
    assert fields_of(parse_one(line)) == {
        "node": node,
        "isems_revision": "1",
        "measured_at": time,
        "firmware": firmware,
        "status": status,
        "dialect": dialect,
        "time_repaired": False,
        **dict(zip(NUMBERS, numbers, strict=True)),
    }


def test_a_record_of_the_oldest_software_has_no_status_and_everything_else() -> None:
    assert fields_of(parse_one(LEGACY)) == {**fields_of(parse_one(ROUTER)), "status": None}


@pytest.mark.parametrize("line", [ROUTER, LEGACY], ids=["19 fields", "18 fields"])
@pytest.mark.parametrize("name", ["a;b", ";", "a;b;c;d", ";a", "a;", "1;2", 'weird;node "x"\\ä/1', "a;2;3", "a;b;1;c"])
def test_separators_in_the_node_id_belong_to_the_id(line: str, name: str) -> None:
    expected = {**fields_of(parse_one(line)), "node": name}
    assert fields_of(parse_one(with_field(line, 0, name))) == expected


@pytest.mark.parametrize("name", [" ", "a b", "Süd", "a/b", 'a"b', "a\\b", "a%2Fb", "名", "😀", "a" * 255, "ä" * 127])
def test_a_node_id_is_kept_as_it_is(name: str) -> None:
    assert parse_one(with_field(ROUTER, 0, name)).node == name


@pytest.mark.parametrize(
    "name", ["", "a" * 256, "ä" * 128, "a\0b", "a\tb", "a\x7f", "a\x85", "\x1b[31m", "a" * 3000], ids=repr
)
def test_a_node_id_that_cannot_be_one_is_rejected(name: str) -> None:
    """Defect 19: an empty id, one with NUL, one of any size were stored."""
    (rejected,) = parse(with_field(ROUTER, 0, name)).rejected
    assert (rejected.reason, rejected.node) == (Reason.NODE_NAME, None)


@pytest.mark.parametrize("first", [ROUTER, LEGACY, "a;1;1530014973;ATm", "a;1;5;x", "a;1;1637971220.0;x"])
def test_two_records_in_one_line_are_no_node_with_a_strange_name(first: str) -> None:
    parsed = parse(first + BOARD)
    assert parsed.measurements == []
    assert [rejected.reason for rejected in parsed.rejected] == [Reason.FIELD_COUNT]


def test_a_field_too_many_at_the_end_is_a_wrong_number_of_fields() -> None:
    (rejected,) = parse(ROUTER + ";300").rejected
    assert rejected.reason is Reason.FIELD_COUNT
    assert "20 fields" in rejected.detail


@pytest.mark.parametrize("revision", ["2", "", "0", "1.0", "11", " 1", "1" * 500])
def test_another_revision_is_rejected_by_that_name(revision: str) -> None:
    (rejected,) = parse(with_field(ROUTER, 1, revision)).rejected
    assert rejected.reason is Reason.REVISION
    assert len(rejected.detail) < 120


@pytest.mark.parametrize("count", range(1, 18))
def test_a_cut_line_is_rejected_and_names_the_node_it_claims(count: int) -> None:
    cut = ";".join(ROUTER.split(";")[:count])
    (rejected,) = parse(cut, "csv_log").rejected
    assert (rejected.raw, rejected.reason) == (cut.encode(), Reason.FIELD_COUNT)
    assert rejected.node == ("Elektra-Dach" if count > 2 else None)


@pytest.mark.parametrize("text", ["0", "5", "590", "1530014973", "253402300799", "999999999999"])
def test_an_integer_time_is_taken_as_it_is(text: str) -> None:
    """Whether a time can be believed is not for the parser to say."""
    assert parse_one(with_field(ROUTER, 2, text)).measured_at == int(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        *(("5.0", 5), ("1637971220.0", 1637971220), ("1.606e+09", 1606000000), ("1768003200.5", 1768003200)),
        *(("-1", -1), ("+7", 7), ("0001530014973", 1530014973), ("-0.5", -1), ("123456789", 123456789)),
    ],
)
def test_a_time_in_any_number_form_is_whole_seconds(text: str, time: int) -> None:
    measured_at = parse_one(with_field(ROUTER, 2, text)).measured_at
    assert (measured_at, type(measured_at)) == (time, int)


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "nan", "-nan", "inf", "nil", " 1530014973 ", "1_768_003_200", "1e300", "1" + "0" * 20),
        *("1e15", "-1e15", "٣٤٥", "१२३", "²", "0x10", "1530014973\r", "1530014973\0", "1,5", "9" * 3000),
    ],
)
def test_a_time_that_is_none_rejects_its_line_only(text: str) -> None:
    """Defects 9 and 10: such a time ended the program, or was taken with blanks and underscores."""
    parsed = parse("\n".join([BOARD, with_field(ROUTER, 2, text), AVR_BOARD]))
    assert [measurement.node for measurement in parsed.measurements] == ["Balkon-Neukoelln", "ESP32-Meshnode-1"]
    (rejected,) = parsed.rejected
    assert (rejected.reason, rejected.node) == (Reason.TIME_UNREADABLE, "Elektra-Dach")
    assert len(rejected.detail) < 120


@pytest.mark.parametrize("text", ["abc", "", "14,073", "inf", "-inf", "nan", "-nan", "nil", "1e999", "9" * 1000, "\0"])
def test_a_field_that_is_no_finite_number_becomes_unknown_and_the_rest_stays(text: str) -> None:
    """Defects 7 and 18: it ended the program, or broke the answer of every node."""
    whole = fields_of(parse_one(ROUTER))
    for name in NUMBERS:
        assert fields_of(parse_one(with_field(ROUTER, POSITION[name], text))) == {**whole, name: None}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        *(("300", 0x300), ("0x300", 0x300), ("0X4a2", 0x4A2), ("4A2", 0x4A2), ("4a2", 0x4A2), ("0", 0), ("000", 0)),
        *(("1300", 0x1300), ("f" * 18, (1 << 72) - 1), ("ffffffff", 0xFFFFFFFF), ("0xFC2", 0xFC2)),
        *(("", None), ("zz", None), ("nil", None), ("nan", None), ("-1", None), ("0x", None), (" 300", None)),
        *(("3 0", None), ("0x0x3", None), ("f" * 33, None), ("f" * 3000, None), ("٣٠٠", None), ("300\0", None)),
    ],
)
def test_a_status_is_hexadecimal_or_unknown(sent: str, status: int | None) -> None:
    """Defect 6: `zz`, an empty status and one of 18 digits ended the program."""
    assert fields_of(parse_one(with_field(ROUTER, 18, sent))) == {**fields_of(parse_one(ROUTER)), "status": status}


@pytest.mark.parametrize("level", range(7))
def test_a_power_save_level_stays_a_level(level: int) -> None:
    assert parse_one(with_field(ROUTER, 5, str(level))).power_save_level == level


@pytest.mark.parametrize("firmware", ["", "0", "ATmega8_A_1", "unknown", "ESP_1A", "µ", "a" * 64])
def test_a_firmware_id_is_kept_even_when_it_is_empty(firmware: str) -> None:
    assert parse_one(with_field(ROUTER, 3, firmware)).configuration.firmware == firmware


@pytest.mark.parametrize("firmware", ["a" * 65, "a\0", "\x1b[31m", "a\tb"])
def test_a_firmware_id_that_is_none_becomes_unknown(firmware: str) -> None:
    assert parse_one(with_field(ROUTER, 3, firmware)).configuration.firmware is None


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", "\r\r\n", "\n\n\n", "\r\n\r\n"])
def test_the_last_line_may_end_in_any_way(end: str) -> None:
    """Defect 3: a blank line at the end lost the whole batch."""
    parsed = parse((BOARD + end if "\n" in end else "") + ROUTER + end)
    assert parsed.rejected == []
    assert fields_of(parsed.measurements[-1]) == fields_of(parse_one(ROUTER))
    assert parsed.raws[-1] == ROUTER


def test_the_mark_of_an_editor_is_not_part_of_the_first_node_id() -> None:
    assert parse_one(b"\xef\xbb\xbf" + ROUTER.encode()).node == "Elektra-Dach"


def test_the_line_of_a_node_without_values_yet_is_read() -> None:
    """Whether to keep it is for the judge of times to say: its time is 0."""
    measurement = parse_one("ESP32-Meshnode-1" + ";1" + ";0" * 17)
    assert (measurement.measured_at, measurement.battery_volts, measurement.status) == (0, 0, 0)


@pytest.mark.parametrize(
    "bad",
    ["hello", "<html><body>404</body></html>", "a;1;17680", "\xff\xfe", ";" * 17, ";" * 300, "{}", ROUTER + BOARD],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_line_does_not_discard_its_batch(bad: str, place: int) -> None:
    """Defects 2 and 3: the good lines were lost with it, and the program ended."""
    lines = [ROUTER.encode(), BOARD.encode()]
    lines.insert(place, bad.encode("latin-1"))
    parsed = parse(b"\n".join(lines))
    assert [measurement.node for measurement in parsed.measurements] == ["Elektra-Dach", "Balkon-Neukoelln"]
    assert [rejected.raw for rejected in parsed.rejected] == [bad.encode("latin-1")]


def test_a_line_that_is_not_utf_8_is_rejected_by_itself_and_byte_for_byte() -> None:
    """Defect 5: the byte 0xff ended the program."""
    bad = b"S\xfcd" + ROUTER.encode()
    parsed = parse(b"\r\n".join([ROUTER.encode(), bad, "Süd".encode() + BOARD.encode()]) + b"\r\n")
    assert [m.node for m in parsed.measurements] == ["Elektra-Dach", "SüdBalkon-Neukoelln"]
    (rejected,) = parsed.rejected
    assert (rejected.raw.removesuffix(b"\r"), rejected.reason) == (bad, Reason.ENCODING)
    assert "0xfc" in rejected.detail


@pytest.mark.parametrize("data", ["", "\n", "\r\n \t\n", " "])
@pytest.mark.parametrize("hint", [None, "csv_log", "router_json", "node_json"])
def test_nothing_at_all_is_no_payload(data: str, hint: str | None) -> None:
    """Defect 1: an empty message or body ended the program."""
    with pytest.raises(FormatError):
        parse(data, hint)


@pytest.mark.parametrize("data", ["hello", "<html>", "a;b;c", "\xff\xff", "[]", "1", "null", "\0", ";" * 16])
def test_a_payload_in_no_known_format_is_refused_as_a_whole(data: str) -> None:
    """Defect 2: HTML or a stray word ended the program."""
    with pytest.raises(FormatError, match="no known format"):
        parse(data.encode("latin-1"))


@pytest.mark.parametrize("position", [0, 3, 7, 16, 18])
def test_a_line_too_long_for_a_record_is_rejected_as_such(position: int) -> None:
    parsed = parse("\n".join([ROUTER, with_field(ROUTER, position, "9" * 5000), BOARD]))
    assert len(parsed.measurements) == 2
    assert [rejected.reason for rejected in parsed.rejected] == [Reason.TOO_LONG]


def test_lines_beyond_the_limit_are_rejected_in_one_piece() -> None:
    parsed = parse("\n".join([ROUTER] * (csv_log.MAX_LINES + 3)))
    assert len(parsed.measurements) == csv_log.MAX_LINES
    (rejected,) = parsed.rejected
    assert (rejected.reason, rejected.raw) == (Reason.TOO_MANY, "\n".join([ROUTER] * 3).encode())


def test_blank_lines_beyond_the_limit_are_nothing_lost() -> None:
    parsed = parse(ROUTER + "\n" * (csv_log.MAX_LINES + 10))
    assert (len(parsed.measurements), parsed.rejected) == (1, [])


def test_hostile_configurations_do_not_stay_in_memory() -> None:
    before = sum(len(text) for key in csv_log._configurations for text in key)
    parsed = parse("\n".join(with_field(ROUTER, 16, f"{number}" + "x" * 3000) for number in range(300)))
    after = sum(len(text) for key in csv_log._configurations for text in key)
    assert len(parsed.measurements) == 300
    assert after - before < 100_000
    assert all(measurement.configuration.latitude is None for measurement in parsed.measurements)


def test_lines_of_one_configuration_share_it() -> None:
    one, other = parse(ROUTER + "\n" + with_field(ROUTER, 2, "1530015033")).measurements
    assert one.configuration is other.configuration


def test_every_measurement_comes_with_the_line_it_was_read_from() -> None:
    lines = [ROUTER, "bad", BOARD, "", AVR_BOARD]
    parsed = parse("\n".join(lines))
    assert parsed.raws == [ROUTER, BOARD, AVR_BOARD]
    assert [parse_one(raw) for raw in parsed.raws] == parsed.measurements
