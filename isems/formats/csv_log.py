"""The CSV record that all four node programs print (PROTOCOL section 2).

Separator ``;``, no quoting. 19 fields; the oldest software has 18 (no status); a ``;`` in the node id makes
more, and then the last 18 (17) fields are still in place. This is the hot path of the collector: every line a
node ever wrote comes through `parse_line`.
"""

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.errors import FormatError
from isems.formats.dialects import dialect_of, disconnect_volts
from isems.formats.numbers import minutes_of_ticks, number_of, read_number, status_of
from isems.formats.parsed import LineError, Parsed, check_node_name, read_text

FIELDS = 19
LEGACY_FIELDS = 18
REVISION = "1"
#: A line longer than this is no record (the longest node id and numbers make about 600 bytes).
MAX_LINE_CHARACTERS = 4096
#: More lines than any node keeps in log and archive together (2 x 3660), with room to spare.
MAX_LINES = 50_000
#: Distinct configurations, node names and bad names remembered; beyond it the memory is emptied.
MAX_REMEMBERED = 10_000


def looks_like(data: bytes) -> bool:
    """Tell whether any line holds as many separators as a record."""
    return any(line.count(b";") >= LEGACY_FIELDS - 1 for line in data.split(b"\n"))


def parse(payload: Payload) -> Parsed:
    """Read every line; a bad one is rejected by itself and harms no other.

    Raises FormatError when there is no line at all.
    """
    data = payload.data
    if not data.strip():
        raise FormatError("the payload is empty")
    parsed = Parsed([], [], [])
    try:
        lines = data.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        lines = _decode_each(data, parsed)
    if len(lines) > MAX_LINES:
        rest = "\n".join(lines[MAX_LINES:]).encode("utf-8")
        detail = f"{len(lines)} lines in one payload, the first {MAX_LINES} were read"
        parsed.rejected.append(Rejected(rest, Reason.TOO_MANY, detail))
        del lines[MAX_LINES:]
    _parse_lines(lines, parsed)
    return parsed


def _decode_each(data: bytes, parsed: Parsed) -> list[str]:
    lines = []
    for raw in data.split(b"\n"):
        try:
            lines.append(raw.decode("utf-8").removesuffix("\r"))
        except UnicodeDecodeError as error:
            detail = f"not UTF-8: byte 0x{raw[error.start]:02x} at position {error.start}"
            parsed.rejected.append(Rejected(raw, Reason.ENCODING, detail))
    return lines


def _parse_lines(lines: list[str], parsed: Parsed) -> None:
    add_measurement, add_raw = parsed.measurements.append, parsed.raws.append
    for line in lines:
        try:
            add_measurement(parse_line(line))
            add_raw(line)
        except LineError as error:
            if line.strip():  # a blank line is nothing lost
                raw = line.encode("utf-8", "surrogatepass")
                parsed.rejected.append(Rejected(raw, error.reason, str(error), _claimed_node(line)))


def parse_line(line: str) -> Measurement:
    """Read one record.

    Raises LineError where node id or time cannot be read; any other field that is no finite number is None.
    """
    fields = line.split(";")
    if len(fields) != FIELDS or fields[1] != REVISION:
        fields = _settle_fields(line)
    configuration = _configurations[(fields[1], fields[3], fields[12], fields[14], fields[15], fields[16], fields[17])]
    minutes_of = minutes_of_ticks if configuration.dialect is Dialect.BOARD else number_of
    return Measurement(
        _node_names[fields[0]],
        _read_time(fields[2]),
        configuration,
        minutes_of[fields[4]],
        number_of[fields[5]],
        number_of[fields[6]],
        number_of[fields[7]],
        number_of[fields[8]],
        number_of[fields[9]],
        number_of[fields[10]],
        number_of[fields[11]],
        number_of[fields[13]],
        status_of[fields[18]],
    )


def _settle_fields(line: str) -> list[str]:
    """Bring the rarer shapes to 19 fields: a missing status, separators in the node id."""
    if len(line) > MAX_LINE_CHARACTERS:
        raise LineError(Reason.TOO_LONG, f"line has {len(line)} characters, expected at most {MAX_LINE_CHARACTERS}")
    fields = line.split(";")
    for wanted, tail in ((FIELDS, []), (LEGACY_FIELDS, [""])):
        extra = len(fields) - wanted
        if extra >= 0 and fields[extra + 1] == REVISION:
            return [";".join(fields[: extra + 1]), *fields[extra + 1 :], *tail]
    if len(fields) < LEGACY_FIELDS:
        raise LineError(Reason.FIELD_COUNT, f"{len(fields)} fields, expected 19 (18 from the oldest software)")
    raise LineError(Reason.REVISION, f"field 2 is {fields[1][:20]!r}, expected the format revision '{REVISION}'")


def _read_time(text: str) -> int:
    if len(text) <= 12 and text.isascii() and text.isdigit():
        return int(text)
    # Lua 5.3 prints 1637971220.0, a 32-bit float build 1.606e+09; fractions of a second are not kept.
    number = read_number(text)
    if number is None or not -1e15 < number < 1e15:
        raise LineError(Reason.TIME_UNREADABLE, f"time is {text[:40]!r}, expected seconds since 1970")
    return int(number // 1)


def _claimed_node(line: str) -> str | None:
    """Give the node that a broken record names, where enough of it is there to believe it."""
    name, _, rest = line.partition(";")
    if not rest.startswith(REVISION + ";"):
        return None
    try:
        return check_node_name(name)
    except LineError:
        return None


class _NodeNames(dict[str, str]):
    """Remembers names that were found good, so that each is checked once."""

    def __missing__(self, name: str) -> str:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[name] = check_node_name(name)
        return name


class _Configurations(dict[tuple[str, ...], Configuration]):
    """Seven configuration texts -> one shared Configuration; nearly every line repeats the last one's."""

    def __missing__(self, texts: tuple[str, ...]) -> Configuration:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        revision, firmware, *numbers = texts
        disconnect, amp_hours, watts, latitude, longitude = map(read_number, numbers)
        configuration = Configuration(
            revision,
            read_text(firmware),
            disconnect_volts(disconnect),
            amp_hours,
            watts,
            latitude,
            longitude,
            dialect_of(firmware, disconnect),
        )
        self[texts] = configuration
        return configuration


_node_names = _NodeNames()
_configurations = _Configurations()
