"""The rows of a node in the order of time, a piece at a time: no transaction lasts longer than one piece."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from isems.domain.buckets import begin_of
from isems.storage.database import database_of, raw_sqlite
from isems.storage.inbox import LIST
from isems.storage.rows import Row

#: Rows of one piece: some milliseconds. A long reader would keep SQLite's write-ahead log from being brought into the
#: file, and it would grow without an end.
PIECE = 4000

_NODES = text("SELECT id, name FROM node ORDER BY name")
# One end at a time: only then is it found in the index, without reading the rows between.
_END = (
    "SELECT (SELECT {0}(measured_at) FROM measurement WHERE {1}), (SELECT {0}(measured_at) FROM inbox WHERE {1})"
).format("{0}", "node_id = :node AND measured_at >= :first AND measured_at < :end")
_FIRST, _LAST = text(_END.format("min")), text(_END.format("max"))
_PIECE = (
    f"SELECT {LIST} FROM every_measurement WHERE node_id = %s AND measured_at > %s AND measured_at < %s"
    " ORDER BY measured_at LIMIT %s"
)
_SQLITE_PIECE = _PIECE.replace("%s", "?")


class Span(NamedTuple):
    """The times of a node's first and last row in a range (epoch seconds)."""

    first: int
    last: int


def select_all_nodes(connection: Connection) -> dict[int, str]:
    """Give every node, by name."""
    return {row.id: row.name for row in connection.execute(_NODES)}


def select_span(connection: Connection, node_id: int, first: int, end: int) -> Span | None:
    """Give where a node's rows from `first` up to, not including, `end` begin and end; None where there are none."""
    values = {"node": node_id, "first": first, "end": end}
    begins, ends = (
        [at for at in connection.execute(statement, values).one() if at is not None] for statement in (_FIRST, _LAST)
    )
    return Span(min(begins), max(ends)) if begins else None


def select_piece(connection: Connection, node_id: int, after: int, end: int, limit: int = PIECE) -> list[Row]:
    """Give a node's next rows: those after the second `after` and before `end`, in the order of time."""
    values = (node_id, after, end, limit)
    if database_of(connection).is_sqlite:
        return raw_sqlite(connection).execute(_SQLITE_PIECE, values).fetchall()
    return [tuple(row) for row in connection.exec_driver_sql(_PIECE, values).all()]


# Summed up days and hours need not be counted again. CROSS JOIN fixes the order: only the newest rows of each node are read.
# Of two first times SQLite seeks one and reads on from there, PostgreSQL the later one. NOT makes SQLite seek the other one,
# where what is summed up ends; PostgreSQL sees through it.
_COUNT = text(
    "SELECT sum(part) FROM ("
    " SELECT sum(d.count) AS part FROM rolled_up r CROSS JOIN daily d"
    "  WHERE d.node_id = r.node_id AND d.starts_at >= coalesce(r.kept_since, 0) AND d.starts_at < r.days_until"
    " UNION ALL SELECT sum(h.count) FROM rolled_up r CROSS JOIN hourly h"
    "  WHERE h.node_id = r.node_id AND h.starts_at >= r.days_until AND h.starts_at < r.hours_until"
    " UNION ALL SELECT count(*) FROM rolled_up r CROSS JOIN measurement m"
    "  WHERE m.node_id = r.node_id AND m.measured_at >= r.hours_until"
    " UNION ALL SELECT count(*) FROM node n CROSS JOIN measurement m"
    "  WHERE m.node_id = n.id AND NOT EXISTS (SELECT 1 FROM rolled_up r WHERE r.node_id = n.id)"
    " UNION ALL SELECT count(*) FROM inbox) AS parts"
)
_COUNT_SINCE = text(
    "SELECT sum(part) FROM ("
    " SELECT sum(h.count) AS part FROM rolled_up r CROSS JOIN hourly h"
    "  WHERE h.node_id = r.node_id AND h.starts_at >= :since AND h.starts_at < r.hours_until"
    " UNION ALL SELECT count(*) FROM node n LEFT JOIN rolled_up r ON r.node_id = n.id CROSS JOIN measurement m"
    "  WHERE m.node_id = n.id AND m.measured_at >= coalesce(r.hours_until, 0) AND NOT m.measured_at < :since"
    " UNION ALL SELECT count(*) FROM inbox WHERE measured_at >= :since) AS parts"
)
_OLDEST = text(
    "SELECT min(at) FROM (SELECT (SELECT min(measured_at) FROM measurement WHERE node_id = n.id) AS at FROM node n"
    " UNION ALL SELECT min(measured_at) FROM inbox) AS oldest"
)
_COUNT_PARTS = text(
    "SELECT at, sum(part) FROM ("
    " SELECT (d.starts_at + d.ends_at) / 2 AS at, d.count AS part FROM rolled_up r CROSS JOIN daily d"
    "  WHERE d.node_id = r.node_id AND d.starts_at >= :since AND d.starts_at < r.days_until"
    " UNION ALL SELECT h.starts_at, h.count FROM rolled_up r CROSS JOIN hourly h"
    "  WHERE h.node_id = r.node_id AND h.starts_at >= r.days_until AND h.starts_at < r.hours_until AND NOT h.starts_at < :since"
    " UNION ALL SELECT m.measured_at / 3600 * 3600, 1 FROM node n LEFT JOIN rolled_up r ON r.node_id = n.id"
    "  CROSS JOIN measurement m"
    "  WHERE m.node_id = n.id AND m.measured_at >= coalesce(r.hours_until, 0) AND NOT m.measured_at < :since"
    " UNION ALL SELECT measured_at / 3600 * 3600, 1 FROM inbox WHERE measured_at >= :since) AS parts GROUP BY at"
)


def count_nearly(connection: Connection) -> int:
    """Count the kept measurements, as far as they are summed up by their sums: those of stale hours may be missing."""
    return int(connection.execute(_COUNT).scalar_one() or 0)


def count_since(connection: Connection, since: int) -> int:
    """Count the measurements of the time from `since` on, in the same way; it should be a full hour."""
    return int(connection.execute(_COUNT_SINCE, {"since": since}).scalar_one() or 0)


def find_oldest(connection: Connection) -> int | None:
    """Give the time of the oldest measurement that is kept, in epoch seconds; None where there is none."""
    found: int | None = connection.execute(_OLDEST).scalar_one()
    return found


def count_by_day(connection: Connection, days: Sequence[date], zone: ZoneInfo) -> list[int]:
    """Count, in the same way, the measurements of each of these consecutive local days, to within an hour."""
    counts = Counter[date]()
    for at, part in connection.execute(_COUNT_PARTS, {"since": begin_of(days[0], zone)}):
        counts[datetime.fromtimestamp(int(at), zone).date()] += int(part)
    return [counts[day] for day in days]
