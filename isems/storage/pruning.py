"""Old raw data are deleted once roll-ups say the same: day by day, never a row whose sums were not compared first."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, TextClause, text

from isems.domain.buckets import HOUR, begin_of_day, day_after
from isems.storage import inbox
from isems.storage.database import Database
from isems.storage.rollups import SUM_DAY, SUM_HOURS, Mark, cut_hour, save_mark, select_marks, select_stale
from isems.storage.schema import SUMMED
from isems.storage.summing import names_of

#: Of each node these many newest records are never deleted: what the predecessor's endpoint gives.
NEWEST_KEPT = 1440
#: Days whose records one transaction deletes, so that no other writer waits long.
MAX_DAYS = 7
#: Free pages of 4 kB that are given back at once, for the same reason.
MAX_PAGES = 500


class Prunable(NamedTuple):
    """Raw data of a node that may go."""

    node_id: int
    name: str
    #: Begin of the oldest day, and of the first one that is kept.
    first: int
    until: int
    rows: int
    days: int


_NODES = text(
    "SELECT n.id, n.name, (SELECT min(measured_at) FROM measurement WHERE node_id = n.id) AS first_at"
    " FROM node n ORDER BY n.name"
)
_KEPT_AT = text(
    "SELECT measured_at FROM every_measurement WHERE node_id = :node ORDER BY measured_at DESC LIMIT 1 OFFSET :beyond"
)
_COUNT = text(
    "SELECT count(*) FROM measurement WHERE node_id = :node AND measured_at >= :first AND measured_at < :last"
)


def select_prunable(
    connection: Connection, before: int, zone: ZoneInfo, newest_kept: int = NEWEST_KEPT
) -> list[Prunable]:
    """Give of which nodes there are whole days of raw data older than `before`, beside their newest records."""
    found = []
    for node_id, name, first_at in connection.execute(_NODES).all():
        if first_at is None or first_at >= before:
            continue
        kept_at = connection.execute(_KEPT_AT, {"node": node_id, "beyond": newest_kept - 1}).scalar()
        until = 0 if kept_at is None else begin_of_day(min(before, kept_at), zone)
        if first_at < until:
            rows = connection.execute(_COUNT, {"node": node_id, "first": first_at, "last": until}).scalar_one()
            first = begin_of_day(first_at, zone)
            found.append(Prunable(node_id, name, first, until, int(rows), sum(1 for _ in _days(first, until, zone))))
    return found


def _days(first: int, until: int, zone: ZoneInfo) -> Iterator[int]:
    while first < until:
        yield first
        first = day_after(first, zone)


class Pruned(NamedTuple):
    """What one transaction did for a node; `differs` tells that its roll-ups were not what its records are."""

    rows: int
    days: int
    is_done: bool
    differs: bool


_SPAN = "node_id = :node AND starts_at >= :first AND starts_at < :last"
_DELETE = text("DELETE FROM measurement WHERE node_id = :node AND measured_at < :last")
_NAMES = ", ".join(names_of(SUMMED))
_STORED_HOURS = text(f"SELECT starts_at, {_NAMES} FROM hourly WHERE {_SPAN} ORDER BY starts_at")
_STORED_DAYS = text(f"SELECT starts_at, {_NAMES} FROM daily WHERE {_SPAN} ORDER BY starts_at")
_HOURS = text(f"SELECT * FROM ({SUM_HOURS}) AS sums ORDER BY starts_at")
_DAY = text(SUM_DAY)


def prune_node(connection: Connection, prunable: Prunable, zone: ZoneInfo) -> Pruned:
    """Delete a week at most of a node's raw data, comparing its roll-ups with them first.

    Where these are not there yet, or differ, nothing of that week is deleted.
    """
    mark = select_marks(connection, [prunable.node_id]).get(prunable.node_id)
    if mark is None:
        return Pruned(0, 0, is_done=True, differs=True)
    first = max(prunable.first, mark.kept_since or 0)
    begins = list(islice(_days(first, prunable.until, zone), MAX_DAYS))
    until = day_after(begins[-1], zone)
    if inbox.holds(connection, prunable.node_id, before=until):
        inbox.settle(connection)
    if not _is_summed_up(connection, prunable.node_id, begins, until, mark, zone):
        return Pruned(0, 0, is_done=True, differs=True)
    cut_hour(connection, prunable.node_id, until, mark)
    rows = connection.execute(_DELETE, {"node": prunable.node_id, "last": until}).rowcount
    save_mark(connection, prunable.node_id, mark._replace(kept_since=until))
    return Pruned(rows, len(begins), is_done=until >= prunable.until, differs=False)


def _is_summed_up(
    connection: Connection, node_id: int, begins: Sequence[int], until: int, mark: Mark, zone: ZoneInfo
) -> bool:
    """Tell whether the roll-ups that records before `until` are part of are what these records are when summed up."""
    if mark.zone != zone.key or mark.days_until < until or mark.hours_until < until + HOUR:
        return False
    if select_stale(connection, node_id, 0, until):
        return False
    span = {"node": node_id, "first": begins[0], "last": until // HOUR * HOUR, "kept": mark.kept_since or 0}
    if _select(connection, _HOURS, span) != _select(connection, _STORED_HOURS, span):
        return False
    days = [
        row
        for begin in begins
        for row in _select(connection, _DAY, {"node": node_id, "first": begin, "last": day_after(begin, zone)})
    ]
    return days == _select(connection, _STORED_DAYS, {"node": node_id, "first": begins[0], "last": until})


def _select(connection: Connection, statement: TextClause, span: dict[str, int]) -> list[tuple[int | None, ...]]:
    wanted = {name: value for name, value in span.items() if name in statement.compile().params}
    return [tuple(row) for row in connection.execute(statement, wanted)]


def count_free(database: Database) -> tuple[int, int]:
    """Give how many bytes of the file are free, and how many it has; 0 and 0 for PostgreSQL, which sees to that itself."""
    if not database.is_sqlite:
        return 0, 0
    with database.read() as connection:
        size, pages, free = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_size", "page_count", "freelist_count")
        )
    return free * size, pages * size


def give_back(database: Database) -> bool:
    """Give some free pages of the file back to the disk, in a short transaction; True where more are left."""
    if not database.is_sqlite:
        return False
    database.execute_alone(f"PRAGMA incremental_vacuum({MAX_PAGES})")
    return count_free(database)[0] > 0
