"""What may stand in a question's query: declared once, as structs, from which it is read, refused and documented.

A parameter is a field of a struct, annotated with a `Parameter`; the field's default is what holds where it is left out.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from isems.config import parse_timezone
from isems.domain.instants import EXPECTED as INSTANT_EXPECTED
from isems.domain.instants import parse_instant
from isems.domain.measurement import MEASURED_FIELDS

S = TypeVar("S", bound=msgspec.Struct)

#: Of a wrong value, so much is shown.
MAX_SHOWN = 64
#: The longest name of a node, in bytes of UTF-8 (formats.parsed).
MAX_NAME = 255
MAX_NODES = 100


class Reading(NamedTuple):
    """What the meaning of some texts depends on."""

    #: Our clock, in epoch seconds.
    now: int
    #: In which times without an offset are meant.
    zone: ZoneInfo


class Kind(NamedTuple):
    """How a text is read. `read` raises ValueError where it is not what is expected."""

    read: Callable[[str, Reading], Any]
    expected: str
    #: As in OpenAPI 3.1.
    schema: Mapping[str, Any]


class Parameter(NamedTuple):
    """What is to be known of a parameter beside its name and default."""

    kind: Kind
    description: str
    #: Other names under which it is taken as well.
    aliases: tuple[str, ...] = ()
    #: May be given several times; its value is the list of all.
    is_repeated: bool = False
    example: str | None = None


class ParameterError(BadRequest):
    """A parameter is wrong; the answer names it, its value and what was expected."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        shown = shorten(value)
        super().__init__(f"{shorten(name)} is {shown!r}, expected {expected}")
        self.members = {"parameter": shorten(name), "value": shown, "expected": expected}


def shorten(text: str) -> str:
    """Give as much of what was asked as an error repeats."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


@cache
def parameters_of(struct: type[msgspec.Struct]) -> Mapping[str, Parameter]:
    """Give the parameters that a struct declares, by their names in the query."""
    hints = get_type_hints(struct, include_extras=True)
    names = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    return {
        names[field]: next(one for one in hint.__metadata__ if isinstance(one, Parameter))
        for field, hint in hints.items()
        if field in names
    }


def read_parameters(struct: type[S], arguments: MultiDict[str, str], reading: Reading) -> S:
    """Read a query. Raises ParameterError for the first parameter that is unknown, repeated or wrong."""
    declared = parameters_of(struct)
    fields = {field.encode_name: field.name for field in msgspec.structs.fields(struct)}
    names = {alias: name for name, one in declared.items() for alias in (name, *one.aliases)}
    if "tz" in declared and "tz" in arguments:  # times without an offset are meant in it
        reading = reading._replace(zone=_read("tz", declared["tz"], arguments.getlist("tz"), reading))
    values: dict[str, Any] = {}
    for given, texts in arguments.lists():
        if (name := names.get(given)) is None:
            raise ParameterError(given, texts[0], f"one of the parameters {', '.join(declared) or '(there is none)'}")
        if fields[name] in values:
            raise ParameterError(given, texts[0], f"only one of {name}, {', '.join(declared[name].aliases)}")
        values[fields[name]] = _read(given, declared[name], texts, reading)
    try:
        return struct(**values)
    except TypeError:
        missing = next(one for one in msgspec.structs.fields(struct) if one.required and one.name not in values)
        expected = declared[missing.encode_name].kind.expected
        raise ParameterError(missing.encode_name, "", f"{expected}: it has to be given") from None


def _read(name: str, parameter: Parameter, texts: Sequence[str], reading: Reading) -> Any:
    if parameter.is_repeated:
        if len(texts) > MAX_NODES:
            raise ParameterError(name, texts[MAX_NODES], f"no more than {MAX_NODES} of them")
        return [_read_one(name, parameter.kind, one, reading) for one in texts]
    if len(texts) > 1:
        raise ParameterError(name, texts[1], "to be given once")
    return _read_one(name, parameter.kind, texts[0], reading)


def _read_one(name: str, kind: Kind, text: str, reading: Reading) -> Any:
    try:
        return kind.read(text, reading)
    except ValueError:
        raise ParameterError(name, text, kind.expected) from None


# Kinds


def whole(least: int, most: int) -> Kind:
    """Make the kind of whole numbers from `least` to `most`."""

    def read(text: str, _: Reading) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise ValueError(text)
        return int(text)

    return Kind(read, f"a whole number from {least} to {most}", {"type": "integer", "minimum": least, "maximum": most})


def choice(*names: str) -> Kind:
    """Make the kind of a few words."""

    def read(text: str, _: Reading) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return Kind(read, f"one of {', '.join(names)}", {"type": "string", "enum": list(names)})


def several(*names: str) -> Kind:
    """Make the kind of lists of a few words, separated by commas; each counts once."""

    def read(text: str, _: Reading) -> list[str]:
        wanted = text.split(",")
        if not set(wanted) <= set(names):
            raise ValueError(text)
        return list(dict.fromkeys(wanted))

    return Kind(
        read,
        f"some of {', '.join(names)}, separated by commas",
        {"type": "array", "items": {"type": "string", "enum": list(names)}, "minItems": 1},
    )


def _read_text(text: str, _: Reading) -> str:
    if not 1 <= len(text.encode()) <= MAX_NAME:
        raise ValueError(text)
    return text


def _read_texts(text: str, reading: Reading) -> list[str]:
    texts = [_read_text(one, reading) for one in text.split(",")]
    if len(texts) > MAX_NODES:
        raise ValueError(text)
    return texts


def _read_first(text: str, reading: Reading) -> int:
    """A relative instant is taken to the minute, so that the same question has the same answer for a minute."""
    instant = parse_instant(text, reading.now, reading.zone)
    return instant // 60 * 60 if text.startswith("now") else instant


def _read_end(text: str, reading: Reading) -> int:
    instant = parse_instant(text, reading.now, reading.zone)
    return -(-instant // 60) * 60 if text.startswith("now") else instant


def _read_zone(text: str, _: Reading) -> ZoneInfo:
    return parse_timezone(text)


def _read_box(text: str, _: Reading) -> tuple[float, ...]:
    numbers = tuple(map(float, text.split(",")))
    if len(numbers) != 4 or "_" in text:
        raise ValueError(text)
    west, south, east, north = numbers
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError(text)
    return numbers


def _read_cursor(text: str, _: Reading) -> list[Any]:
    try:
        position = msgspec.json.decode(base64.b64decode(text, altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:  # a MsgspecError is a ValueError too
        raise ValueError(text) from error
    if not isinstance(position, list) or len(text) > MAX_CURSOR:
        raise ValueError(text)
    return position


MAX_CURSOR = 4096


def write_cursor(position: Sequence[Any]) -> str:
    """Give the text from which a `cursor` is read."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode()


_TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
TEXT = Kind(_read_text, f"a text of 1 to {MAX_NAME} bytes", _TEXT)
NODE = Kind(_read_text, f"a node id of 1 to {MAX_NAME} bytes", _TEXT)
NODES = Kind(
    _read_texts,
    f"1 to {MAX_NODES} node ids, separated by commas",
    {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_NODES},
)
_INSTANT = (INSTANT_EXPECTED.removeprefix("expected "), {"type": "string", "minLength": 1, "maxLength": 64})
#: Where a half-open range begins, and where it ends.
FIRST, END = Kind(_read_first, *_INSTANT), Kind(_read_end, *_INSTANT)
ZONE = Kind(_read_zone, "the name of a time zone, such as Europe/Berlin", {"type": "string", "minLength": 1})
BOX = Kind(
    _read_box,
    "west,south,east,north in degrees, such as 13.0,52.3,13.8,52.7",
    {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
)
CURSOR = Kind(
    _read_cursor,
    "the cursor of a link to the next page, unchanged",
    {"type": "string", "minLength": 1, "maxLength": MAX_CURSOR},
)
FIELDS = several(*MEASURED_FIELDS)
FIELD = choice(*MEASURED_FIELDS)
