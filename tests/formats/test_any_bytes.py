"""Whatever arrives: no exception but FormatError, every line accounted for, nothing unfit for a database given on."""

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from isems.domain.measurement import Measurement
from isems.domain.rejection import Reason, Rejected
from isems.errors import FormatError
from isems.formats import FORMATS, Parsed, csv_log, parse_payload
from isems.formats.parsed import is_control
from tests.formats.reading import fields_of, payload, recorded, recorded_messages

LINES = [message["line"].encode() for message in recorded_messages("lines.jsonl")]
SAMPLE = recorded_messages("ESP32-Meshnode-Default.httppost.jsonl.gz")[0]["body"].encode()
WHOLE = [*LINES, recorded("openwrt-ok.json"), recorded("openwrt-comma-invalid.json"), SAMPLE]

#: What breaks parsers, to be put in anywhere.
PIECES = [
    *(
        b";",
        b";;;;",
        b"\n",
        b"\r\n",
        b"\r",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xf0\x9f\x98\x80",
    ),
    *(b'"', b'":', b"\\", b"{", b"}", b"[", b",", b" ", b"\t", b"\x1c", b"\xc2\x85", b"\xe2\x80\xa8", b";1;", b";1;5;"),
    *(b"nan", b"-nan", b"inf", b"nil", b"1e999", b"-", b"+", b"e", b".", b"_", b"9" * 60, b"0x", b"f" * 40, b"\\ud800"),
    *(b'"Node-ID":', b'"Timestamp":', b'"status":', b"null", b"\xd9\xa3", b"x" * 300, b";" * 20, b"[" * 200),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Real records, up to five of them, with up to six places spoilt."""
    data = bytearray(b"\n".join(draw(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=5))))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.sampled_from([0, 0, 1, 2, 30, 500]))] = draw(
            st.one_of(st.sampled_from(PIECES), st.binary(max_size=8), st.sampled_from(WHOLE))
        )
    return bytes(data)


ANY_BYTES = st.one_of(
    mutated(),
    st.binary(max_size=300),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
)
ANY_HINT = st.sampled_from([None, *FORMATS])
ANY_NODE = st.one_of(st.none(), st.just("a"), st.text(st.characters(exclude_categories=()), max_size=300))


@settings(max_examples=300)
@given(ANY_BYTES, ANY_HINT, ANY_NODE)
@example(b'{"' + b"a" * 5000, None, None)
@example(b'{\n"Node-ID": "\0",\n}', None, None)
@example(b"", "csv_log", None)
def test_any_bytes_give_a_clean_result_or_a_format_error(data: bytes, hint: str | None, node: str | None) -> None:
    try:
        parsed = parse_payload(payload(data, hint, node))
    except FormatError as error:
        # What ingest makes of it.
        parsed = Parsed([], [], [Rejected(data, Reason.NO_FORMAT, str(error))])
    check_is_fit_to_store(parsed)


@settings(max_examples=200)
@given(ANY_BYTES)
@example(b"\xef\xbb\xbf\n" + LINES[0])
@example(b"\r" + LINES[0] + b"\r\r\n\r")
@example(b"\x1c\n\xc2\x85\n;" + b"\xff\n\n" + LINES[0])
def test_every_line_is_a_measurement_or_rejected_unless_it_is_blank(data: bytes) -> None:
    try:
        parsed = parse_payload(payload(data, "csv_log"))
    except FormatError:
        assert records_in(data) == 0
        return
    assert len(parsed.measurements) + len(parsed.rejected) == records_in(data)
    assert len(parsed.raws) == len(parsed.measurements)


@settings(max_examples=100)
@given(st.lists(mutated().filter(lambda data: b"\xef\xbb\xbf" not in data[:3]), min_size=1, max_size=3))
def test_a_line_is_read_the_same_alone_and_among_others(payloads: list[bytes]) -> None:
    data = b"\n".join(payloads)
    together = [fields_of(m) for m in read_or_nothing(data)]
    alone = [fields_of(m) for line in data.split(b"\n") for m in read_or_nothing(line)]
    assert together == alone


@pytest.mark.parametrize("line", range(len(LINES)))
def test_a_raw_text_given_back_parses_to_the_same_measurement(line: int) -> None:
    """What waits for our clock is kept as raws, and parsed again later."""
    for measurement, raw in zip(*both(parse_payload(payload(LINES[line] + b"\r\n", "csv_log"))), strict=True):
        assert read_or_nothing(raw.encode()) == [measurement]


def both(parsed: Parsed) -> tuple[list[Measurement], list[str]]:
    return parsed.measurements, parsed.raws


def read_or_nothing(data: bytes) -> list[Measurement]:
    try:
        return parse_payload(payload(data, "csv_log")).measurements
    except FormatError:
        return []


def records_in(data: bytes) -> int:
    return sum(not is_blank(line) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


def is_blank(line: bytes) -> bool:
    try:
        return not line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return False


def check_is_fit_to_store(parsed: Parsed) -> None:
    assert len(parsed.raws) == len(parsed.measurements)
    for measurement, raw in zip(*both(parsed), strict=True):
        assert raw.encode("utf-8")
        check_measurement(measurement)
    for rejected in parsed.rejected:
        assert is_clean(rejected.detail)
        assert rejected.node is None or is_name(rejected.node)


def check_measurement(measurement: Measurement) -> None:
    fields: dict[str, Any] = fields_of(measurement)
    assert is_name(fields.pop("node"))
    for name in ("firmware", "isems_revision", "dialect"):
        text = fields.pop(name)
        assert text is None or (is_clean(text) and len(text) <= 64)
    assert fields.pop("time_repaired") is False
    time, status = fields.pop("measured_at"), fields.pop("status")
    assert time is None or (type(time) is int and abs(time) <= 10**15)
    assert status is None or (type(status) is int and 0 <= status < 1 << 128)
    assert all(number is None or (type(number) is float and math.isfinite(number)) for number in fields.values())


def is_name(text: str) -> bool:
    return is_clean(text) and 1 <= len(text.encode("utf-8")) <= 255


def is_clean(text: str) -> bool:
    """Tell whether both databases and a terminal take the text: UTF-8 without control characters."""
    return not any(map(is_control, text)) and len(text) <= csv_log.MAX_LINE_CHARACTERS
