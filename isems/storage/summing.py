"""The statements that sum up measurements: one spelling for both databases, for roll-ups and for whoever asks.

They work on the scaled integers of the columns, so a sum is exact, and trust what `domain.limits` trusts.
"""

from collections.abc import Sequence
from typing import Any

from isems.domain.limits import MARKS, PLACEHOLDERS, RANGES
from isems.domain.status import STATUS_MASK, StatusFlag
from isems.storage.rows import SCALES, Scale
from isems.storage.schema import SUMMED

#: Scale of each column.
SCALE_OF: dict[str, Scale] = dict(zip(SUMMED, SCALES, strict=True))
COLUMN_OF = {scale.field: column for column, scale in SCALE_OF.items()}
#: What is kept of a column.
PARTS = ("count", "min", "max", "sum", "last")

_SILENT = (
    f"(coalesce(status, 0) & {StatusFlag.NO_SOLAR_COMMUNICATION.value}) <> 0 AND coalesce(battery_millivolts, 0) = 0"
)
#: Keeps both databases from writing an expression out again wherever it is used: that costs half as much again.
_NO_LIMIT = 2**63 - 1
#: Neither database has an OR of all rows of a group.
_STATUS = " | ".join(f"max(status & {flag.value})" for flag in StatusFlag)
# The value of the newest record: time and value in one integer, the time in front. A value has 32 bits with its sign,
# the seconds since the begin of a bucket of thirty days 22.
_SHIFT = 2**32
_BIAS = 2**31


def names_of(columns: Sequence[str]) -> list[str]:
    """Give the names of the columns of a sum, in the order of `sum_up`'s."""
    return ["count", "status", "configuration_id", *(f"{column}_{part}" for column in columns for part in PARTS)]


def trusted(columns: Sequence[str]) -> str:
    """Give the expressions that read columns, NULL where a value is none or cannot be believed."""
    return ", ".join(f"{_trust(column)} AS {column}" for column in columns)


def _trust(column: str) -> str:
    field, factor = SCALE_OF[column]
    doubts = []
    if field in PLACEHOLDERS:
        doubts.append(_SILENT)
    if field in RANGES:
        low, high = RANGES[field]
        doubts.append(f"{column} NOT BETWEEN {round(low * factor)} AND {round(high * factor)}")
    if field in MARKS:
        doubts.append(f"{column} = {round(MARKS[field] * factor)}")
    return f"CASE WHEN {' OR '.join(doubts)} THEN NULL ELSE {column} END" if doubts else column


def sum_up(columns: Sequence[str], start: str, source: str) -> str:
    """Give the SELECT of sums, one for each `start`, an expression of `measured_at`; `source` is FROM and WHERE.

    Where there is no record there is no sum.
    """
    sums = [f"{start} AS starts_at", "count(*)", _STATUS, _newest(start, "configuration_id", bias=0)]
    for column in columns:
        sums += [
            f"count({column})",
            f"min({column})",
            f"max({column})",
            f"CAST(sum({column}) AS BIGINT)",
            _newest(start, column, bias=_BIAS),
        ]
    inner = (
        f"SELECT measured_at, status & {STATUS_MASK} AS status,"
        " CASE WHEN c.is_placeholder THEN NULL ELSE configuration_id END AS configuration_id"
        f"{', ' * bool(columns)}{trusted(columns)} {source} LIMIT {_NO_LIMIT}"
    )
    return f"SELECT {', '.join(sums)} FROM ({inner}) AS trusted GROUP BY starts_at"


def _newest(start: str, column: str, bias: int) -> str:
    packed = f"max((measured_at - {start}) * {_SHIFT} + {column} + {bias})"
    return f"CAST({packed} % {_SHIFT} - {bias} AS INTEGER)"


#: Which records a sum is of; the configuration tells which of them may pass for the node's.
KEPT = (
    "FROM {table} m JOIN configuration c ON c.id = m.configuration_id"
    " WHERE m.node_id = {node} AND m.measured_at >= {first} AND m.measured_at < {last}"
)


#: The parts of a column's sum, or of several one after the other, as a row has them; None where no value is known.
Parts = Sequence[int | None]


def join_parts(earlier: Parts, later: Parts) -> Parts:
    """Give the sums of two spans that follow each other."""
    joined: list[int | None] = []
    for start in range(0, len(earlier), len(PARTS)):
        joined += _join(earlier[start : start + len(PARTS)], later[start : start + len(PARTS)])
    return joined


def _join(earlier: Any, later: Any) -> Any:
    if not later[0]:
        return earlier
    if not earlier[0]:
        return later
    count, least, greatest, total, last = later
    return earlier[0] + count, min(earlier[1], least), max(earlier[2], greatest), earlier[3] + total, last


def join_flags(one: int | None, other: int | None) -> int | None:
    """Give every flag of two, where any is known."""
    return other if one is None else one if other is None else one | other
