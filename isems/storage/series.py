"""A node's history in buckets: from the roll-ups as far as they go, from the records where they don't.

What is asked for is divided into spans: days that are rolled up, then hours, then records. A span that a coarser level
does not cover, because it is open or stale, is left to the next finer one.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, text

from isems.domain.buckets import DAY, HOUR, are_whole_hours, begin_of_day, day_after
from isems.storage.database import database_of, raw_sqlite
from isems.storage.rollups import Mark, select_marks, select_stale
from isems.storage.summing import (
    COLUMN_OF,
    KEPT,
    PARTS,
    SCALE_OF,
    join_flags,
    join_parts,
    names_of,
    sum_up,
)

#: Fields of Measurement that are summed up.
FIELDS = tuple(COLUMN_OF)


class Summary(msgspec.Struct, frozen=True, gc=False):
    """A field's trusted values in a bucket, in the unit of its name; all but `count` are None where there are none."""

    count: int
    min: float | None
    max: float | None
    mean: float | None
    last: float | None


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """What a node's records of a span of time are together; `count` is 0 where there is none."""

    starts_at: int
    ends_at: int
    count: int
    #: Every flag that any record had; None where none told its status.
    status: int | None
    #: The newest that is no placeholder.
    configuration_id: int | None
    #: In the order of the fields that were asked for.
    values: tuple[Summary, ...]


class Series(NamedTuple):
    """Buckets, and what they are made of."""

    buckets: list[Bucket]
    #: Before this instant there are only roll-ups; None: everything is kept.
    kept_since: int | None
    #: Zones other than the one asked for, of days whose records are gone.
    frozen_zones: list[str]


#: A part of a bucket, or all of it, as the databases give it: an instant of it, how many records, their flags, the newest
#: configuration that is no placeholder, then the sums of the columns.
_Piece = Sequence[Any]
_AT, _COUNT, _STATUS, _CONFIGURATION, _SUMS = range(5)


Span = tuple[int, int]


def select_buckets(
    connection: Connection, node_id: int, fields: Sequence[str], edges: Sequence[int], zone: ZoneInfo
) -> Series:
    """Sum up a node's records between each two neighbours of `edges`, as `domain.buckets.make_edges` makes them.

    Days are those of `zone`. Below the kept raw data buckets shorter than an hour are empty, and a day that was summed
    up in another zone counts towards the bucket that its middle lies in.
    """
    mark = select_marks(connection, [node_id]).get(node_id)
    reader = _Reader(connection, node_id, [COLUMN_OF[field] for field in fields], edges, mark)
    pieces = sorted(reader.read(zone), key=itemgetter(_AT))
    return Series(
        _fill(pieces, edges, fields), None if mark is None else mark.kept_since, sorted(reader.other_zones - {zone.key})
    )


class _Reader:
    """Reads the pieces that a node's buckets are put together from."""

    def __init__(
        self, connection: Connection, node_id: int, columns: Sequence[str], edges: Sequence[int], mark: Mark | None
    ) -> None:
        self.connection = connection
        self.node_id = node_id
        self.columns = columns
        self.edges = edges
        self.mark = mark
        self.stale = [] if mark is None else select_stale(connection, node_id, edges[0], edges[-1])
        self.other_zones: set[str] = set()

    def read(self, zone: ZoneInfo) -> Iterator[_Piece]:
        """Read all pieces, in no order."""
        spans: Sequence[Span] = [(self.edges[0], self.edges[-1])]
        if self.mark is not None and self._is_for_days(zone, self.mark):
            yield from self._read_days(zone, self.mark)
            spans = self._spans_without_days(zone, self.mark)
        for first, last in spans:
            if first < last:
                yield from self._read_span(first, last)

    def _is_for_days(self, zone: ZoneInfo, mark: Mark) -> bool:
        """Days of another zone than the one that is set are better made of hours, where they are whole ones."""
        is_daily = all(begin_of_day(edge, zone) == edge for edge in (self.edges[0], self.edges[1], self.edges[-1]))
        return is_daily and (mark.zone == zone.key or not are_whole_hours(self.edges))

    def _read_days(self, zone: ZoneInfo, mark: Mark) -> Iterator[_Piece]:
        stale = {begin for begin, _ in self._stale_days(zone, mark)}
        first, last = self.edges[0], self.edges[-1]
        found = self._select(
            "daily", "(starts_at + ends_at) / 2", first - 2 * DAY, min(last, mark.days_until), "starts_at, zone"
        )
        for *piece, begin, named in found:
            is_usable = named == zone.key or begin < (mark.kept_since or 0)
            if is_usable and begin not in stale and first <= piece[_AT] < last:
                self.other_zones.add(named)
                yield piece

    def _spans_without_days(self, zone: ZoneInfo, mark: Mark) -> list[Span]:
        days_until = mark.days_until if mark.zone == zone.key else mark.kept_since or 0
        spans = [*self._stale_days(zone, mark), (days_until, self.edges[-1])]
        return [(max(first, self.edges[0]), min(last, self.edges[-1])) for first, last in spans]

    def _stale_days(self, zone: ZoneInfo, mark: Mark) -> list[Span]:
        """Give the days that are rolled up and hold a stale hour."""
        if mark.zone != zone.key:
            return []
        kept = mark.kept_since or 0
        begins = {max(begin_of_day(at, zone), kept) for hour in self.stale for at in (max(hour, kept), hour + HOUR - 1)}
        return [(begin, day_after(begin, zone)) for begin in sorted(begins) if begin < mark.days_until]

    def _read_span(self, first: int, last: int) -> Iterator[_Piece]:
        """Read a span from hours where it is made of them, else from records."""
        if self.mark is None or not self._are_hours([first, *(e for e in self.edges if first < e < last), last]):
            yield from self._sum_up_records(first, last)
            return
        kept, until = self.mark.kept_since or 0, min(last, self.mark.hours_until)
        stale = [hour for hour in self.stale if first < hour + HOUR and hour < until]
        renewed = set(stale)
        for piece in self._select("hourly", "starts_at", first, until):
            if piece[_AT] < kept or piece[_AT] // HOUR * HOUR not in renewed:
                yield piece
        for start, end in [*_joined(stale), (until, last)]:
            yield from self._sum_up_records(max(first, start), min(last, end))

    def _are_hours(self, edges: Sequence[int]) -> bool:
        """Tell whether spans between edges are made of hours; these are cut where the kept raw data begin, too."""
        kept = None if self.mark is None else self.mark.kept_since
        return all(edge % HOUR == 0 or edge == kept for edge in edges)

    def _select(self, table: str, at: str, first: int, last: int, *more: str) -> Sequence[_Piece]:
        """Select rolled-up pieces, each with more columns behind it."""
        return self._execute(
            f"SELECT {', '.join([at, *names_of(self.columns), *more])} FROM {table}"
            " WHERE node_id = :node AND starts_at >= :first AND starts_at < :last",
            first,
            last,
        )

    def _execute(self, statement: str, first: int, last: int) -> Sequence[_Piece]:
        values = {"node": self.node_id, "first": first, "last": last}
        if database_of(self.connection).is_sqlite:  # hundreds of rows: a third of an answer's time
            return raw_sqlite(self.connection).execute(statement, values).fetchall()
        return self.connection.execute(text(statement), values).all()

    def _sum_up_records(self, first: int, last: int) -> Iterator[_Piece]:
        step = _step_of(self.edges)
        if step is not None:
            yield from self._sum_up(f"measured_at / {step} * {step}", [(first, last)])
        else:
            inner = [edge for edge in self.edges if first < edge < last]
            yield from self._sum_up("CAST(:first AS BIGINT)", pairwise([first, *inner, last]))

    def _sum_up(self, start: str, spans: Iterable[Span]) -> Iterator[_Piece]:
        statement = sum_up(self.columns, start, _KEPT)
        for first, last in spans:
            if first < last:
                for piece in self._execute(statement, first, last):
                    # A bucket's later part has to stay behind its earlier one.
                    yield piece if piece[_AT] >= first else (first, *piece[_COUNT:])


_KEPT = KEPT.format(table="every_measurement", node=":node", first=":first", last=":last")


def _step_of(edges: Sequence[int]) -> int | None:
    """Give the one length of all buckets, where they begin at its multiples."""
    step = edges[1] - edges[0]
    is_even = step <= DAY and edges[0] % step == 0 and all(end - begin == step for begin, end in pairwise(edges))
    return step if is_even else None


def _joined(hours: Sequence[int]) -> list[Span]:
    """Give the spans that hours, in order, make together."""
    spans: list[Span] = []
    for hour in hours:
        if spans and spans[-1][1] == hour:
            spans[-1] = (spans[-1][0], hour + HOUR)
        else:
            spans.append((hour, hour + HOUR))
    return spans


def _fill(pieces: Iterable[_Piece], edges: Sequence[int], fields: Sequence[str]) -> list[Bucket]:
    """Put pieces, in the order of time, into their buckets."""
    joined: dict[int, _Piece] = {}
    for piece in pieces:
        number = bisect_right(edges, piece[_AT]) - 1
        earlier = joined.get(number)
        joined[number] = piece if earlier is None else _join(earlier, piece)
    factors = [(_SUMS + number * len(PARTS), SCALE_OF[COLUMN_OF[field]].factor) for number, field in enumerate(fields)]
    return [_bucket(begin, end, joined.get(number), factors) for number, (begin, end) in enumerate(pairwise(edges))]


def _join(earlier: _Piece, later: _Piece) -> _Piece:
    return (
        earlier[_AT],
        earlier[_COUNT] + later[_COUNT],
        join_flags(earlier[_STATUS], later[_STATUS]),
        earlier[_CONFIGURATION] if later[_CONFIGURATION] is None else later[_CONFIGURATION],
        *join_parts(earlier[_SUMS:], later[_SUMS:]),
    )


def _bucket(begin: int, end: int, whole: _Piece | None, factors: Sequence[tuple[int, int]]) -> Bucket:
    """Make a bucket; `factors` are where a field's sums begin, and what they are scaled by."""
    if whole is None:
        return Bucket(begin, end, 0, None, None, (UNKNOWN,) * len(factors))
    values = tuple([_summarize(whole, start, factor) for start, factor in factors])
    return Bucket(begin, end, whole[_COUNT], whole[_STATUS], whole[_CONFIGURATION], values)


UNKNOWN = Summary(0, None, None, None, None)


def _summarize(piece: _Piece, start: int, factor: int) -> Summary:
    count, least, greatest, total, last = piece[start : start + len(PARTS)]
    if not count:
        return UNKNOWN
    # One division each, which rounds in order: the mean of equal values is that value, and none lies outside of the others.
    return Summary(count, least / factor, greatest / factor, total / (factor * count), last / factor)


_EXTENT = text(
    "SELECT min(measured_at), max(measured_at) FROM every_measurement"
    " WHERE node_id = :node AND measured_at >= :first AND measured_at < :last"
)


def measure_open(connection: Connection, node_ids: Sequence[int], edges: Sequence[int], zone: ZoneInfo) -> int:
    """Tell how many seconds of history `select_buckets` would sum up from records for these nodes: its cost.

    That is little, unless buckets are shorter than an hour, their zone is off the full hour, or history was not rolled up yet.
    """
    marks = select_marks(connection, node_ids)
    first, last = edges[0], edges[-1]
    is_hourly = are_whole_hours(edges)
    seconds = 0
    for node_id in node_ids:
        mark = marks.get(node_id)
        since = first
        if mark is not None and (is_hourly or (mark.zone == zone.key and begin_of_day(first, zone) == first)):
            since = max(first, mark.hours_until if is_hourly else mark.days_until)
            seconds += HOUR * len(select_stale(connection, node_id, first, since))
        seconds += _measure_records(connection, node_id, since, last)
    return seconds


def _measure_records(connection: Connection, node_id: int, first: int, last: int) -> int:
    """Give the time that a node's records between two instants span; what is short anyway is not looked at."""
    if last - first <= 2 * DAY:
        return max(0, last - first)
    begin, end = connection.execute(_EXTENT, {"node": node_id, "first": first, "last": last}).one()
    return 0 if begin is None else end - begin


_SELECT_COUNT = text(
    "SELECT count(*) FROM (SELECT 1 FROM every_measurement"
    " WHERE node_id = :node AND measured_at >= :first AND measured_at < :last LIMIT :limit) AS counted"
)


def count_records(connection: Connection, node_id: int, first: int, last: int, limit: int) -> int:
    """Count a node's records from `first` to before `last`, no further than to `limit`."""
    found = connection.execute(_SELECT_COUNT, {"node": node_id, "first": first, "last": last, "limit": limit})
    return int(found.scalar_one())
