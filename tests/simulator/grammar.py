"""How each program prints its 19 fields, as strict as the recorded samples allow."""

import re

_VOLTS51 = r"(0|[1-9]\d?(\.\d{0,2}[1-9])?)"
_VOLTS53 = r"([1-9]\d?\.(0|\d{0,2}[1-9]))"
_PERCENT = r"(\d\d?|100)"
_DEGREES51 = r"(0|-?(0|[1-9]\d?)\.\d?[1-9]|-?[1-9]\d?)"
_DEGREES53 = r"(-?\d\d?\.(0|\d?[1-9]))"
_TIME = r"1[5-9]\d{8}"
_PLACE = (r"\d+(\.\d+)?", r"\d+(\.\d+)?", r"52(\.\d{0,5}[1-9])?", r"13(\.\d{0,5}[1-9])?")

#: Fields 3 to 14.
_FIELDS = {
    "OW": (
        *(_TIME, "ATmega8_A_1", r"\d{1,5}", "[01]", _VOLTS51, _VOLTS51, _VOLTS51, _PERCENT, "100"),
        *(r"\d\d?", r"11\.(67|7)", _VOLTS51),
    ),
    "N": (
        *(_TIME, r"ESP_2\.0", r"\d{1,4}", "0", _VOLTS51, _VOLTS51, _VOLTS51, _PERCENT, _PERCENT),
        *(_DEGREES51, r"11\.9", _VOLTS51),
    ),
    "N53": (
        *(_TIME, r"ESP_2\.0", r"\d{1,4}", "0", f"(0|{_VOLTS53})", rf"(0\.0|{_VOLTS53})", _VOLTS53),
        *(_PERCENT, _PERCENT, _DEGREES53, r"11\.9", _VOLTS53),
    ),
    "O": (
        *(_TIME, "FF-ESP-1A", r"\d{1,4}", "0", _VOLTS51, rf"({_VOLTS51}|0\.3)", _VOLTS51, _PERCENT, _PERCENT),
        *(_DEGREES51, r"11\.9", _VOLTS51),
    ),
    "X": (
        *(_TIME, "ATmega8_A_1", r"\d{1,4}", "0", _VOLTS51, _VOLTS51, _VOLTS51, _PERCENT),
        *(r"(100|-2400|-800|-44)", r"\d\d?(\.[1-9])?", "11700", _VOLTS51),
    ),
}


def pattern(program: str) -> re.Pattern[str]:
    """Give the pattern of a whole line of a program."""
    place = (r"\d+\.\d", *_PLACE[1:]) if program == "N53" else _PLACE
    return re.compile(";".join(["[^;]+", "1", *_FIELDS[program], *place, "[0-9A-F]{3}"]))
