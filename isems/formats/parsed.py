"""What a format gives back: measurements, the raw text of each, and what it could not read."""

import msgspec

from isems.domain.measurement import Measurement
from isems.domain.rejection import Reason, Rejected
from isems.errors import FormatError
from isems.formats.numbers import read_number

MAX_NODE_NAME_BYTES = 255
#: Firmware ids have 10 characters or so.
MAX_TEXT_CHARACTERS = 64


class Parsed(msgspec.Struct):
    """`raws[i]` is what `measurements[i]` was read from; kept for the case that it cannot be stored."""

    measurements: list[Measurement]
    raws: list[str]
    rejected: list[Rejected]


class LineError(FormatError):
    """One line cannot be read; carries the reason under which it is kept."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def check_node_name(name: str) -> str:
    """Give the name back, or raise LineError: 1 to 255 bytes of UTF-8 without control characters."""
    size = len(name.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= MAX_NODE_NAME_BYTES:
        raise LineError(Reason.NODE_NAME, f"node id has {size} bytes, expected 1 to {MAX_NODE_NAME_BYTES}")
    if not name.isprintable() and any(is_control(character) for character in name):
        raise LineError(Reason.NODE_NAME, "node id holds a control character")
    return name


def read_time(text: str) -> int:
    """Read epoch seconds, as an integer or any other number; raise LineError where it is none."""
    if len(text) <= 12 and text.isascii() and text.isdigit():
        return int(text)
    # Lua 5.3 prints 1637971220.0, a 32-bit float build 1.606e+09; fractions of a second are not kept.
    number = read_number(text)
    if number is None or not -1e15 < number < 1e15:
        raise LineError(Reason.TIME_UNREADABLE, f"time is {text[:40]!r}, expected seconds since 1970")
    return int(number // 1)


def read_text(text: str) -> str | None:
    """Give a short printable text such as a firmware id; anything else is None (unknown)."""
    return text if len(text) <= MAX_TEXT_CHARACTERS and not any(map(is_control, text)) else None


def is_control(character: str) -> bool:
    """Tell C0 and C1 control characters, DEL, and lone surrogates, which UTF-8 cannot carry."""
    code = ord(character)
    return code < 0x20 or 0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF
