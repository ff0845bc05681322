"""The CSV record that all four node programs print (docs/wire-formats.md).

Separator ``;``, no quoting. 19 fields; the oldest software has 18 (no status); a ``;`` in the node id makes
more, and then the last 18 (17) fields are still in place. This is the hot path of the collector: every line a
node ever wrote comes through `parse_line`.
"""

import codecs
import re

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.errors import FormatError
from isems.formats.dialects import dialect_of, disconnect_volts
from isems.formats.numbers import minutes_of_ticks, number_of, read_number, status_of
from isems.formats.parsed import LineError, Parsed, check_node_name, read_text, read_time

FIELDS = 19
LEGACY_FIELDS = 18
REVISION = "1"
#: A line longer than this is no record (the longest node id and numbers make about 600 bytes).
MAX_LINE_CHARACTERS = 4096
#: More lines than any node keeps in log and archive together (2 x 3660), with room to spare.
MAX_LINES = 50_000
#: Distinct configurations and node names remembered; beyond it the memory is emptied.
MAX_REMEMBERED = 10_000
#: Longer configuration texts are read but not remembered: hostile ones must not fill the memory.
MAX_REMEMBERED_CHARACTERS = 400
#: Revision and time of another record inside a node id: a line end was lost between the two.
LOST_LINE_END = re.compile(r";1;[0-9]+(?:\.0)?;")


def looks_like(data: bytes) -> bool:
    """Tell whether any line holds as many separators as a record."""
    return any(line.count(b";") >= LEGACY_FIELDS - 1 for line in data.split(b"\n", MAX_LINES))


def parse(payload: Payload) -> Parsed:
    """Read every line; a bad one is rejected by itself and harms no other.

    Raises FormatError when there is no line at all.
    """
    data = payload.data.removeprefix(codecs.BOM_UTF8)  # an editor's, on the way to `import`; no node sends one
    if not data.strip():
        raise FormatError("the payload is empty")
    parsed = Parsed([], [], [])
    data = _cut(data, parsed)
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        lines = _decode_each(data, parsed)
    if b"\r" in data:
        lines = [line.rstrip("\r") for line in lines]
    _parse_lines(lines, parsed)
    return parsed


def _cut(data: bytes, parsed: Parsed) -> bytes:
    """Give at most MAX_LINES lines; what follows them is rejected in one piece."""
    count = data.count(b"\n") + 1
    if count <= MAX_LINES:
        return data
    *lines, rest = data.split(b"\n", MAX_LINES)
    if rest.strip():
        detail = f"{count} lines in one payload, the first {MAX_LINES} were read"
        parsed.rejected.append(Rejected(rest, Reason.TOO_MANY, detail))
    return b"\n".join(lines)


def _decode_each(data: bytes, parsed: Parsed) -> list[str]:
    lines = []
    for raw in data.split(b"\n"):
        try:
            lines.append(raw.decode("utf-8"))
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
    if len(line) > MAX_LINE_CHARACTERS:
        raise LineError(Reason.TOO_LONG, f"line has {len(line)} characters, expected at most {MAX_LINE_CHARACTERS}")
    fields = line.split(";")
    if len(fields) != FIELDS or fields[1] != REVISION:
        fields = _settle_fields(fields)
    configuration = _configurations[(fields[1], fields[3], fields[12], fields[14], fields[15], fields[16], fields[17])]
    minutes_of = minutes_of_ticks if configuration.dialect is _BOARD else number_of
    time = fields[2]
    return Measurement(
        _node_names[fields[0]],
        int(time) if len(time) == 10 and time.isdecimal() and time.isascii() else read_time(time),
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


def _settle_fields(fields: list[str]) -> list[str]:
    """Bring the rarer shapes to 19 fields: a missing status, separators in the node id."""
    for wanted, tail in ((FIELDS, []), (LEGACY_FIELDS, [""])):
        extra = len(fields) - wanted
        if extra >= 0 and fields[extra + 1] == REVISION:
            return [_join_name(fields[: extra + 1]), *fields[extra + 1 :], *tail]
    if len(fields) < LEGACY_FIELDS or fields[1] == REVISION:
        raise LineError(Reason.FIELD_COUNT, f"{len(fields)} fields, expected 19 (18 from the oldest software)")
    raise LineError(Reason.REVISION, f"field 2 is {fields[1][:20]!r}, expected the format revision '{REVISION}'")


def _join_name(parts: list[str]) -> str:
    name = ";".join(parts)
    if LOST_LINE_END.search(name):
        raise LineError(Reason.FIELD_COUNT, "two records in one line: the line end between them is missing")
    return name


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
        if sum(map(len, texts)) <= MAX_REMEMBERED_CHARACTERS:
            self[texts] = configuration
        return configuration


_BOARD = Dialect.BOARD  # looked up once, not for each line
_node_names = _NodeNames()
_configurations = _Configurations()
