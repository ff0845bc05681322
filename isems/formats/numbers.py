"""The number grammar of the node programs, and a memory of texts already read.

Nodes repeat the same few thousand number texts all day, so each text is read once: looking it up again
costs a tenth of converting it.
"""

import math
import re

from isems.formats.dialects import minutes_from_ticks

#: PROTOCOL 2.1: ``[+-]?digits[.digits][e[+-]digits]``; ASCII digits only, no blanks, no underscores.
NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
#: The longest text a producer prints has 22 characters (``%.14g`` with sign and exponent).
MAX_NUMBER_CHARACTERS = 40
#: Texts kept before the memory is emptied; bounds it to some 20 MB whatever nodes send.
MAX_REMEMBERED = 100_000


def read_number(text: str) -> float | None:
    """Read one number; anything that is not a finite number in the nodes' grammar is None (unknown)."""
    if len(text) > MAX_NUMBER_CHARACTERS or NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


class NumberMemory(dict[str, float | None]):
    """`memory[text]` is `read_number(text)`, remembered."""

    def __missing__(self, text: str) -> float | None:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        number = read_number(text)
        if len(text) <= MAX_NUMBER_CHARACTERS:
            self[text] = number
        return number


class TickMemory(NumberMemory):
    """`memory[text]` is a board's time to shutdown in minutes, remembered."""

    def __missing__(self, text: str) -> float | None:
        minutes = minutes_from_ticks(super().__missing__(text))
        if text in self:
            self[text] = minutes
        return minutes


#: PROTOCOL 5.2: hexadecimal, optional ``0x``, any case.
STATUS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,32})", re.ASCII)


class StatusMemory(dict[str, int | None]):
    """`memory[text]` is the status code as a number; missing, empty or unreadable is None, not 0."""

    def __missing__(self, text: str) -> int | None:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        match = STATUS.fullmatch(text) if len(text) <= MAX_NUMBER_CHARACTERS else None
        status = int(match[1], 16) if match else None
        if len(text) <= MAX_NUMBER_CHARACTERS:
            self[text] = status
        return status


number_of = NumberMemory()
minutes_of_ticks = TickMemory()
status_of = StatusMemory()
