"""Numbers as the nodes' Lua prints them."""

from functools import lru_cache


def lua51(number: float) -> str:
    """Print as Lua 5.1: 14 significant digits, no decimals where none are needed."""
    return f"{number:.14g}"


def lua53(number: float) -> str:
    """Print as Lua 5.3: the same, but a whole float keeps its ``.0``; an int has none."""
    text = f"{number:.14g}"
    return text if isinstance(number, int) or not text.lstrip("-").isdigit() else text + ".0"


@lru_cache(maxsize=2)
def millivolt_texts(is_lua53: bool) -> tuple[str, ...]:
    """Give the text of volts by millivolt, 0 to 25.999 V: formatting each record's numbers anew is too slow."""
    print_number = lua53 if is_lua53 else lua51
    return tuple(print_number(millivolts / 1000) for millivolts in range(26000))


@lru_cache(maxsize=4)
def level_texts(millivolt_step: float) -> tuple[str, ...]:
    """Give the text of volts by converter level, for an AVR that reports whole millivolts of `millivolt_step` each."""
    return tuple(lua51(int(level * millivolt_step) / 1000) for level in range(int(26000 / millivolt_step)))


#: The status code's three digits.
STATUS_TEXTS = tuple(f"{code:03X}" for code in range(0x1000))
