"""Which time is asked for, and in how many pieces: the same for one node and for many."""

from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import request
from sqlalchemy import Connection
from werkzeug.exceptions import RequestEntityTooLarge

from isems.api.v1.parameters import END, FIRST, ZONE, Parameter, ParameterError, choice, whole
from isems.domain.buckets import DAY, HOUR, STEPS, choose_step, make_edges
from isems.storage.series import measure_open

AUTO, RAW = "auto", "raw"
MAX_POINTS = 10_000

FROM = Parameter(
    FIRST,
    "Where the range begins: RFC 3339, epoch seconds, or relative as now-7d (units s m h d w). Without it, a day before "
    "its end. Relative instants are taken to the minute.",
    aliases=("start",),
    example="now-7d",
)
TO = Parameter(END, "Where the range ends, itself not included. Without it, now.", aliases=("end",), example="now")
TIME_ZONE = Parameter(
    ZONE,
    "By whose clocks days begin, and times without an offset are meant. Without it, ISEMS_TIMEZONE.",
    example="Europe/Berlin",
)
MOST = Parameter(
    whole(1, MAX_POINTS), "With step=auto: the shortest step is taken that gives no more points than this."
)
STEP = Parameter(
    choice(AUTO, *STEPS),
    "The length of a bucket. Steps up to 12h begin at their multiples in UTC, days at midnight in the time zone, weeks "
    "on Mondays. The range is widened to whole buckets.",
)
STEP_OR_RAW = Parameter(
    choice(AUTO, RAW, *STEPS), f"{STEP.description} raw: every record as it was sent; auto may choose it, too."
)


class Range(NamedTuple):
    """From an instant up to, not including, another (epoch seconds)."""

    first: int
    end: int

    @property
    def seconds(self) -> int:
        """How long it is."""
        return self.end - self.first


def make_range(first: int | None, end: int | None, now: int) -> Range:
    """Complete a range. Raises ParameterError where it is none."""
    if end is None:
        end = max(-(-now // 60) * 60, 0 if first is None else first + 1)
    if first is None:
        first = max(0, end - DAY)
    if first >= end:
        value = request.args.get("from") or request.args.get("start") or str(first)
        raise ParameterError("from", value, "an instant before the end of the range")
    return Range(first, end)


def make_buckets(
    asked: Range, step: str, max_points: int, zone: ZoneInfo, *, series: int = 1, is_pruned: bool = False
) -> tuple[str, list[int]]:
    """Give the step, and where its buckets begin and the last one ends.

    Where a part of the records was pruned, no step below an hour is chosen: what is left of them is summed up by hour.
    Raises RequestEntityTooLarge where so many series of them would be too much for one answer.
    """
    most = min(max_points, MAX_TOTAL // series)
    if step == AUTO:
        step = choose_step(asked.seconds, most)
        if is_pruned and STEPS[step] < HOUR:
            step = "1h"
    points = asked.seconds // STEPS[step] + 1
    if points > min(MAX_POINTS, MAX_TOTAL // series):
        raise RequestEntityTooLarge(
            f"this range has {points} buckets of {step} for each of {series} nodes, and one answer no more than "
            f"{MAX_POINTS} of a node and {MAX_TOTAL} in all: ask for a longer step, a shorter range or fewer nodes"
        )
    try:
        return step, make_edges(asked.first, asked.end, step, zone)
    except (ValueError, OverflowError):  # the calendar ends
        raise ParameterError("to", request.args.get("to", ""), "an instant before the year 9999") from None


#: Buckets of all nodes in one answer.
MAX_TOTAL = 100_000


def range_of(edges: Sequence[int]) -> Range:
    """Give the range that buckets cover."""
    return Range(edges[0], edges[-1])


#: Days of single records, of all nodes together, that are summed up for one answer: some seconds of work.
MAX_OPEN_DAYS = 1000


def check_cost(connection: Connection, node_ids: Sequence[int], edges: Sequence[int], zone: ZoneInfo) -> None:
    """Raise RequestEntityTooLarge where roll-ups do not help and an answer would take too long."""
    if len(node_ids) * (edges[-1] - edges[0]) <= MAX_OPEN_DAYS * DAY:
        return  # whatever of it is rolled up
    days = measure_open(connection, node_ids, edges, zone) // DAY
    if days > MAX_OPEN_DAYS:
        raise RequestEntityTooLarge(
            f"this needs {days} days of single records, and one answer is made of no more than {MAX_OPEN_DAYS}: ask for a "
            "step of 1h or longer, a shorter range or fewer nodes; after an upgrade, ask again when history is rolled up"
        )
