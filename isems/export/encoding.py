"""Rows as lines of text, CSV or JSON: one loop, in which nothing is computed that was computed before."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from isems.domain.limits import RANGES, list_untrusted
from isems.domain.measurement import SHUTDOWN_UNSET, Configuration, Measurement
from isems.domain.status import StatusFlag
from isems.storage.rows import SCALES, Row, decode

VALUES = tuple(scale.field for scale in SCALES)
CONFIGURATION = Configuration.__struct_fields__
#: In this order: what changes with every record, then what nearly never does.
COLUMNS = ("node", "measured_at", *VALUES, "status", "time_repaired", "untrusted", *CONFIGURATION)
#: Texts remembered of one kind of number before the memory is emptied.
MAX_REMEMBERED = 100_000
#: A spreadsheet takes a cell that begins so for a formula, in some languages in full width, too. The apostrophe is here
#: because it marks what is none.
FORMULA = tuple("=+-@＝＋－＠\t\r'")
DAY, EPOCH = 86_400, date(1970, 1, 1).toordinal()

_SCALE = {scale.field: scale.factor for scale in SCALES}
_SILENT = int(StatusFlag.NO_SOLAR_COMMUNICATION)
_UNSET = SHUTDOWN_UNSET * _SCALE["minutes_until_shutdown"]
_MIN_HEALTH, _MAX_HEALTH = RANGES["state_of_health_percent"]
_MIN_CENTI, _MAX_CENTI = (limit * _SCALE["battery_celsius"] for limit in RANGES["battery_celsius"])


class TextFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How a line of text is written."""

    header: str
    begin: str
    end: str
    #: What stands before the value of a column that is not the first.
    before: Callable[[str], str]
    #: Around times and status codes, which hold nothing that would have to be escaped.
    quote: str
    unknown: str
    write_text: Callable[[str], str]
    write_names: Callable[[Sequence[str]], str]


def write_csv_text(text: str) -> str:
    """Give a cell of RFC 4180; an apostrophe goes before what a spreadsheet would run, and before another apostrophe."""
    if text.startswith(FORMULA):
        text = f"'{text}"
    if not text or text != text.strip() or any(character in text for character in ',"\r\n'):
        return '"{}"'.format(text.replace('"', '""'))
    return text


def write_json_text(value: object) -> str:
    """Give JSON."""
    return msgspec.json.encode(value).decode()


CSV = TextFormat(
    header=",".join(COLUMNS) + "\n",
    begin="",
    end="\n",
    before=lambda name: ",",
    quote="",
    unknown="",
    write_text=write_csv_text,
    write_names=" ".join,
)
NDJSON = TextFormat(
    header="",
    begin='{"node":',
    end="}\n",
    before=lambda name: f',"{name}":',
    quote='"',
    unknown="null",
    write_text=write_json_text,
    write_names=write_json_text,
)


class _Numbers(dict[int | None, str]):
    """`numbers[column value]` is the text of the field's value, and what stands before it."""

    def __init__(self, factor: int, before: str, unknown: str) -> None:
        super().__init__({None: before + unknown})
        self.factor, self.before, self.unknown = factor, before, unknown

    def __missing__(self, value: int) -> str:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
            self[None] = self.before + self.unknown
        self[value] = self.before + write_number(value / self.factor)
        return self[value]


class _Days(dict[int, str]):
    """`days[day since 1970]` is the date and a T."""

    def __missing__(self, day: int) -> str:
        self[day] = f"{date.fromordinal(EPOCH + day).isoformat()}T"
        return self[day]


_UNKNOWN: dict[str, Any] = dict.fromkeys((*VALUES, "status"))
_MINUTES = [f"{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]


def write_number(value: float) -> str:
    """Give the shortest text that is read back as this number; a whole one has no decimal point."""
    return repr(value).removesuffix(".0")


class Encoder:
    """Writes rows in one format; remembers texts, so it is to be used for many."""

    def __init__(self, form: TextFormat) -> None:
        self.form = form
        self._numbers = [_Numbers(scale.factor, form.before(scale.field), form.unknown) for scale in SCALES]
        self._statuses: dict[int | None, str] = {}
        self._days = _Days()
        self._seconds = [f"{second:02}Z{form.quote}" for second in range(60)]
        repaired = form.before("time_repaired")
        self._repaired = {False: f"{repaired}false", True: f"{repaired}true"}

    def encode(self, node: str, rows: Sequence[Row], configurations: Mapping[int, Configuration]) -> bytes:
        """Give the lines of a node's rows; `configurations` has all that they refer to.

        A loop and no function a row: a year of one node is half a million.
        """
        form, days, minutes, seconds = self.form, self._days, _MINUTES, self._seconds
        statuses, repaired_ = self._statuses, self._repaired
        ticks_, level_, open_, mpp_, battery_, charge_, health_, celsius_, end_ = self._numbers
        begin = f"{form.begin}{form.write_text(node)}{form.before('measured_at')}{form.quote}"
        tails = {key: self._tail(configuration, None) for key, configuration in configurations.items()}
        lines: list[str] = []
        add = lines.append
        for row in rows:
            _, at, key, ticks, level, opened, mpp, battery, charge, health, celsius, end, status, repaired, exact = row
            if (
                exact is not None
                or ticks == _UNSET
                or (not battery and (status or 0) & _SILENT)
                or (health is not None and not _MIN_HEALTH <= health <= _MAX_HEALTH)
                or (celsius is not None and not _MIN_CENTI <= celsius <= _MAX_CENTI)
            ):
                add(self._encode_odd(begin, decode(node, configurations[key], row)))
                continue
            if status not in statuses:
                statuses[status] = self._status(status)
            add(
                f"{begin}{days[at // DAY]}{minutes[at // 60 % 1440]}{seconds[at % 60]}"
                f"{ticks_[ticks]}{level_[level]}{open_[opened]}{mpp_[mpp]}{battery_[battery]}{charge_[charge]}"
                f"{health_[health]}{celsius_[celsius]}{end_[end]}{statuses[status]}{repaired_[repaired]}{tails[key]}"
            )
        return "".join(lines).encode()

    def _encode_odd(self, begin: str, measurement: Measurement) -> str:
        """Write a record with values that are kept in another way, or cannot be trusted."""
        at = measurement.measured_at or 0
        time = f"{self._days[at // DAY]}{_MINUTES[at // 60 % 1440]}{self._seconds[at % 60]}"
        values = "".join(self._cell(field, getattr(measurement, field)) for field in VALUES)
        marks = f"{self._status(measurement.status)}{self._repaired[measurement.time_repaired]}"
        return f"{begin}{time}{values}{marks}{self._tail(measurement.configuration, measurement)}"

    def _tail(self, configuration: Configuration, measurement: Measurement | None) -> str:
        """Write what stands behind a record's values; without a measurement for one whose values can be trusted."""
        if measurement is None:
            measurement = Measurement("", None, configuration, **_UNKNOWN)
        untrusted = self.form.before("untrusted") + self.form.write_names(list_untrusted(measurement))
        cells = [self._cell(field, getattr(configuration, field)) for field in CONFIGURATION]
        return "".join([untrusted, *cells, self.form.end])

    def _status(self, status: int | None) -> str:
        text = self.form.unknown if status is None else f"{self.form.quote}0x{status:03x}{self.form.quote}"
        return self.form.before("status") + text

    def _cell(self, name: str, value: float | str | None) -> str:
        form = self.form
        if value is None:
            return form.before(name) + form.unknown
        return form.before(name) + (form.write_text(value) if isinstance(value, str) else write_number(value))
