"""The number grammar of the node programs, and a memory of texts already read.

Nodes repeat the same few thousand number texts all day, so each text is read once: looking it up again
costs a tenth of converting it.
"""

import math
import re
from collections.abc import Callable
from typing import Generic, TypeVar

from isems.formats.dialects import minutes_from_ticks

#: ``[+-]?digits[.digits][e[+-]digits]``; ASCII digits only, no blanks, no underscores (docs/wire-formats.md, numbers).
NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
#: Hexadecimal, optional ``0x``, any case (docs/wire-formats.md, numbers).
STATUS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,32})", re.ASCII)
#: The longest text a producer prints has 22 characters (``%.14g`` with sign and exponent).
MAX_NUMBER_CHARACTERS = 40
#: Texts kept before the memory is emptied; bounds it to some 20 MB whatever nodes send.
MAX_REMEMBERED = 100_000

T = TypeVar("T")


def read_number(text: str) -> float | None:
    """Read one number; anything that is not a finite number in the nodes' grammar is None (unknown)."""
    if len(text) > MAX_NUMBER_CHARACTERS or NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def read_minutes_of_ticks(text: str) -> float | None:
    """Read a board's time to shutdown, sent in ticks of 15 seconds, in minutes."""
    return minutes_from_ticks(read_number(text))


def read_status(text: str) -> int | None:
    """Read a status code; missing, empty or unreadable is None (unknown), not 0."""
    match = STATUS.fullmatch(text) if len(text) <= MAX_NUMBER_CHARACTERS else None
    return int(match[1], 16) if match else None


class Memory(dict[str, T | None], Generic[T]):
    """`memory[text]` is `read(text)`, remembered unless the text is too long to be one of a few thousand."""

    def __init__(self, read: Callable[[str], T | None]) -> None:
        super().__init__()
        self.read = read

    def __missing__(self, text: str) -> T | None:
        value = self.read(text)
        if len(text) <= MAX_NUMBER_CHARACTERS:
            if len(self) >= MAX_REMEMBERED:
                self.clear()
            self[text] = value
        return value


number_of = Memory(read_number)
minutes_of_ticks = Memory(read_minutes_of_ticks)
status_of = Memory(read_status)
