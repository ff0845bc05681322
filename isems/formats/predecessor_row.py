"""A row of the predecessor's one table; its columns are named as its API's keys.

Numbers are as the node sent them. It kept of the power save level only whether it was 1, and of a value that was no
number nothing.
"""

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.domain.rejection import Reason
from isems.formats.dialects import dialect_of, disconnect_volts, minutes_from_ticks
from isems.formats.parsed import LineError, check_node_name, read_text

#: The order of a row's values here.
COLUMNS = (
    "id",
    "nodeId",
    "timestamp",
    "isemsRevision",
    "openMPPTFirmwareVersion",
    "lowVoltageDisconnectVoltage",
    "rateBatteryCapacity",
    "ratedSolarModuleCapacity",
    "latitude",
    "longitude",
    "timeToShutdown",
    "openCircuitVoltage",
    "mppVoltage",
    "batteryVoltage",
    "batteryChargeEstimate",
    "batteryHealthEstimate",
    "batteryTemperature",
    "temperatureCorrectedVoltage",
    "isPowerSaveMode",
    "status",
)
_NODE, _TEXTS, _NUMBERS, _MODE, _STATUS = 1, slice(3, 5), slice(5, 18), 18, 19
_TEXT_TYPES = frozenset((str, type(None)))
_NUMBER_TYPES = frozenset((float, int, type(None)))
#: Configurations remembered; beyond it the memory is emptied.
MAX_REMEMBERED = 10_000


def read_row(row: Sequence[Any], measured_at: int) -> Measurement:
    """Read one row, whose local time is known to mean `measured_at`.

    Raises LineError where the node's name or a value cannot be read; a number that is not finite is None.
    """
    texts, numbers, mode, status = row[_TEXTS], row[_NUMBERS], row[_MODE], row[_STATUS]
    if not (_NUMBER_TYPES.issuperset(map(type, numbers)) and _TEXT_TYPES.issuperset(map(type, texts))):
        raise _unreadable(row)
    if not (mode is None or mode in (0, 1)) or not (status is None or (type(status) is int and status >= 0)):
        raise _unreadable(row)
    if not isfinite(sum(filter(None, numbers))):
        numbers = tuple(None if number is None or not isfinite(number) else number for number in numbers)
    configuration = _configurations[(*texts, *numbers[:5])]
    shutdown, open_circuit, mpp, battery, charge, health, celsius, end = numbers[5:]
    return Measurement(
        read_node(row),
        measured_at,
        configuration,
        minutes_from_ticks(shutdown) if configuration.dialect is Dialect.BOARD else shutdown,
        1 if mode else None,
        open_circuit,
        mpp,
        battery,
        charge,
        health,
        celsius,
        end,
        status,
    )


def read_node(row: Sequence[Any]) -> str:
    """Give the node's name; raises LineError where it is none."""
    name = row[_NODE]
    if not isinstance(name, str):
        raise LineError(Reason.NODE_NAME, f"the node id is {name!r:.60}, expected a text")
    return check_node_name(name)


def describe_row(row: Sequence[Any]) -> bytes:
    """Give a row whole, as JSON, for what cannot be carried over."""
    return json.dumps(dict(zip(COLUMNS, row, strict=True)), default=repr).encode()


def _unreadable(row: Sequence[Any]) -> LineError:
    wrong = [f"{name} is {value!r:.60}" for name, value in zip(COLUMNS, row, strict=True) if _is_wrong(name, value)]
    return LineError(Reason.VALUE_UNREADABLE, f"{', '.join(wrong)}: nothing that the predecessor wrote")


def _is_wrong(name: str, value: Any) -> bool:
    if name in COLUMNS[_TEXTS]:
        return type(value) not in _TEXT_TYPES
    if name in COLUMNS[_NUMBERS]:
        return type(value) not in _NUMBER_TYPES
    if name == COLUMNS[_MODE]:
        return value is not None and value not in (0, 1)
    return name == COLUMNS[_STATUS] and value is not None and not (type(value) is int and value >= 0)


class _Configurations(dict[tuple[Any, ...], Configuration]):
    """The seven values of a configuration -> one shared Configuration; nearly every row repeats the last one's."""

    def __missing__(self, values: tuple[Any, ...]) -> Configuration:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        revision, firmware, disconnect, amp_hours, watts, latitude, longitude = values
        self[values] = Configuration(
            None if revision is None else read_text(revision),
            None if firmware is None else read_text(firmware),
            disconnect_volts(disconnect),
            amp_hours,
            watts,
            latitude,
            longitude,
            dialect_of(firmware, disconnect),
        )
        return self[values]


_configurations = _Configurations()
