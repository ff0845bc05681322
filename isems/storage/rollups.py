"""History summed up by hour and by local day, and how far it is: written in batches, since an SD card wears by pages.

Hours are closed by their node's next record, so no clock is needed and a silent node's last hour stays open. What is
open, or stale because records came late or were moved, whoever asks sums up from the records (`storage.series`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, bindparam, text

from isems.domain.buckets import DAY, HOUR, begin_of_day, day_after
from isems.storage import inbox
from isems.storage.database import Upsert, database_of
from isems.storage.schema import SUMMED, rolled_up
from isems.storage.summing import KEPT, names_of, sum_up
from isems.storage.writer_memory import memory_of

#: Under this name a writing connection remembers the marks of nodes.
MEMORY = "marks"
#: Hours that wait to be written together: so a page of the card is written for 360 records, not for 60.
BATCH_HOURS = 6
#: History that one transaction rolls up, so that no other writer waits long: a week of minutes is a tenth of a second of
#: work, on a Raspberry Pi perhaps half a one.
MAX_SPAN = 7 * DAY
#: Stale hours that one transaction renews.
MAX_STALE = 200
#: Keys in one statement; SQLite allows 32766 variables.
CHUNK = 10_000


class Mark(NamedTuple):
    """How far a node's history is rolled up (see the table `rolled_up`); instants in epoch seconds."""

    hours_until: int
    days_until: int
    zone: str
    kept_since: int | None

    def is_pruned_after(self, at: int) -> bool:
        """Tell whether records from this instant on are gone, and only roll-ups are left of them."""
        return self.kept_since is not None and at < self.kept_since


_COLUMNS = "node_id, hours_until, days_until, zone, kept_since"
SQLITE_MARKS = f"SELECT {_COLUMNS} FROM json_each(?) wanted JOIN rolled_up ON node_id = wanted.value"
POSTGRES_MARKS = f"SELECT {_COLUMNS} FROM rolled_up WHERE node_id = ANY(%s)"


def select_marks(connection: Connection, node_ids: Iterable[int]) -> dict[int, Mark]:
    """Give the marks of these nodes; a node without one was never rolled up."""
    wanted = list(node_ids)
    if database_of(connection).is_sqlite:
        found = connection.exec_driver_sql(SQLITE_MARKS, (msgspec.json.encode(wanted).decode(),))
    else:
        found = connection.exec_driver_sql(POSTGRES_MARKS, (wanted,))
    return {node_id: Mark(*mark) for node_id, *mark in found.all()}


def remember_marks(connection: Connection, node_ids: Iterable[int]) -> dict[int, Mark | None]:
    """Give the marks of these nodes to whoever is writing; asks only for what the connection does not remember."""
    marks: dict[int, Mark | None] = memory_of(connection).setdefault(MEMORY, {})
    if unknown := set(node_ids) - marks.keys():
        marks |= {**dict.fromkeys(unknown), **select_marks(connection, unknown)}
    return marks


_NOTE_STALE = {
    "sqlite": "INSERT INTO stale_hour (node_id, starts_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
    "postgresql": "INSERT INTO stale_hour (node_id, starts_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
}


def note_changes(connection: Connection, keys: Iterable[tuple[int, int]]) -> None:
    """Note that records changed, by node and second: hours that are rolled up already are to be summed up again."""
    changed = list(keys)
    marks = remember_marks(connection, {node_id for node_id, _ in changed})
    stale = {
        (node_id, at // HOUR * HOUR) for node_id, at in changed if (mark := marks[node_id]) and at < mark.hours_until
    }
    if stale:
        connection.exec_driver_sql(_NOTE_STALE[database_of(connection).kind], sorted(stale))


def select_stale(connection: Connection, node_id: int, first: int, last: int) -> list[int]:
    """Give the begins of a node's stale hours that hold any instant from `first` to before `last`, in order."""
    found = connection.execute(_STALE, {"node": node_id, "first": first - HOUR, "last": last})
    return list(found.scalars())


_STALE = text(
    "SELECT starts_at FROM stale_hour WHERE node_id = :node AND starts_at > :first AND starts_at < :last"
    " ORDER BY starts_at"
)


class Due(NamedTuple):
    """A node with history to be rolled up; `seconds` is how much of it, 0 for stale hours or another zone alone."""

    node_id: int
    name: str
    seconds: int


_PROGRESS = text(
    "SELECT n.id, n.name, r.hours_until, r.zone, (SELECT min(measured_at) FROM measurement WHERE node_id = n.id) AS first_at,"
    " (SELECT max(measured_at) FROM measurement WHERE node_id = n.id) AS last_at,"
    " EXISTS (SELECT 1 FROM stale_hour s WHERE s.node_id = n.id) AS is_stale"
    " FROM node n LEFT JOIN rolled_up r ON r.node_id = n.id ORDER BY n.id"
)


def select_due(connection: Connection, zone: ZoneInfo, min_hours: int = BATCH_HOURS) -> list[Due]:
    """Give the nodes that are worth writing for: with so many closed hours, or anything stale or of another zone."""
    due = []
    for node_id, name, until, named, first_at, last_at, is_stale in connection.execute(_PROGRESS):
        if last_at is None:
            continue
        seconds = max(0, last_at // HOUR * HOUR - (first_at // HOUR * HOUR if until is None else until))
        if seconds >= min_hours * HOUR or is_stale or (named is not None and named != zone.key):
            due.append(Due(node_id, name, seconds))
    return due


_SAVE = Upsert(rolled_up, key=["node_id"], replace=["hours_until", "days_until", "zone", "kept_since"])
_RANGE = text("SELECT min(measured_at), max(measured_at) FROM measurement WHERE node_id = :node")


def roll_up(connection: Connection, node_id: int, zone: ZoneInfo) -> bool:
    """Roll up a part of what is closed or stale of a node; True where more is left."""
    first_at, last_at = _settled_range(connection, node_id)
    before = select_marks(connection, [node_id]).get(node_id)
    if last_at is None:
        return False
    mark = before or Mark(first_at // HOUR * HOUR, begin_of_day(first_at, zone), zone.key, None)
    if mark.zone != zone.key:
        mark = _change_zone(connection, node_id, mark, first_at, zone)
    closed = max(last_at // HOUR * HOUR, mark.hours_until)
    until = min(closed, mark.hours_until + MAX_SPAN)
    _insert_hours(connection, node_id, mark.hours_until, until, mark)
    days_until = _insert_days(connection, node_id, mark.days_until, until, zone)
    mark = mark._replace(hours_until=until, days_until=days_until)
    is_more_stale = _renew(connection, node_id, mark, zone)
    if mark != before:
        save_mark(connection, node_id, mark)
    return is_more_stale or until < closed or day_after(days_until, zone) <= until


def _settled_range(connection: Connection, node_id: int) -> tuple[int, int | None]:
    """Give the times of a node's oldest and newest sorted record; none of its closed hours is left in the inbox then."""
    first_at, last_at = connection.execute(_RANGE, {"node": node_id}).one()
    if last_at is not None and inbox.holds(connection, node_id, before=last_at // HOUR * HOUR):
        inbox.settle(connection)
        first_at, last_at = connection.execute(_RANGE, {"node": node_id}).one()
    return first_at, last_at


def save_mark(connection: Connection, node_id: int, mark: Mark) -> None:
    """Note how far a node's history is rolled up, or kept."""
    _SAVE.execute(connection, [{"node_id": node_id, **mark._asdict()}])
    memory_of(connection).pop(MEMORY, None)


def _change_zone(connection: Connection, node_id: int, mark: Mark, first_at: int, zone: ZoneInfo) -> Mark:
    """Begin the days anew in another zone; those below the kept raw data stay what they are."""
    kept_since = mark.kept_since
    since = 0 if kept_since is None else kept_since
    connection.execute(_DELETE_DAYS, {"node": node_id, "first": since, "last": mark.days_until})
    return mark._replace(days_until=begin_of_day(first_at, zone) if kept_since is None else kept_since, zone=zone.key)


def _insert_hours(connection: Connection, node_id: int, first: int, last: int, mark: Mark) -> None:
    """Sum up the hours from `first` to before `last` in which there is any record."""
    if first < last:
        span = {"node": node_id, "first": first, "last": last, "kept": mark.kept_since or 0}
        connection.execute(_INSERT_HOURS, span)


def cut_hour(connection: Connection, node_id: int, at: int, mark: Mark) -> None:
    """Sum up the two parts of an hour apart: before `at`, which will be final, and from `at` on."""
    begin = at // HOUR * HOUR
    if begin == at:
        return
    connection.execute(
        _DELETE_HOURS, {"node": node_id, "first": max(begin, mark.kept_since or 0), "last": begin + HOUR}
    )
    _insert_hours(connection, node_id, max(begin, mark.kept_since or 0), at, mark)
    _insert_hours(connection, node_id, at, begin + HOUR, mark._replace(kept_since=at))


def _insert_days(connection: Connection, node_id: int, begin: int, until: int, zone: ZoneInfo) -> int:
    """Sum up the days from `begin` that end by `until`; gives where the next one begins."""
    days = 0
    while (end := day_after(begin, zone)) <= until and days < MAX_SPAN // DAY:
        _insert_day(connection, node_id, begin, end, zone)
        begin, days = end, days + 1
    return begin


def _insert_day(connection: Connection, node_id: int, begin: int, end: int, zone: ZoneInfo) -> None:
    connection.execute(_INSERT_DAY, {"node": node_id, "first": begin, "last": end, "zone": zone.key})


def _renew(connection: Connection, node_id: int, mark: Mark, zone: ZoneInfo) -> bool:
    """Sum up stale hours, and the days that they are of, again; True where more is left."""
    stale = list(connection.execute(_OLDEST_STALE, {"node": node_id, "limit": MAX_STALE + 1}).scalars())
    kept = mark.kept_since or 0
    for begin in stale[:MAX_STALE]:
        span = {"node": node_id, "first": max(begin, kept), "last": begin + HOUR}
        connection.execute(_DELETE_HOURS, span)
        _insert_hours(connection, node_id, span["first"], span["last"], mark)
    for begin in sorted(_days_of(stale[:MAX_STALE], kept, zone)):
        if begin < mark.days_until:
            end = day_after(begin, zone)
            connection.execute(_DELETE_DAYS, {"node": node_id, "first": begin, "last": end})
            _insert_day(connection, node_id, begin, end, zone)
    done = stale[:MAX_STALE]
    for start in range(0, len(done), CHUNK):
        connection.execute(_DELETE_STALE, {"node": node_id, "starts": done[start : start + CHUNK]})
    return len(stale) > MAX_STALE


def _days_of(hours: Sequence[int], kept: int, zone: ZoneInfo) -> set[int]:
    """Give the begins of the days that hours are of: two, where a zone's midnight is off the full hour."""
    return {max(begin_of_day(at, zone), kept) for begin in hours for at in (max(begin, kept), begin + HOUR - 1)}


_OLDEST_STALE = text("SELECT starts_at FROM stale_hour WHERE node_id = :node ORDER BY starts_at LIMIT :limit")
_DELETE_STALE = text("DELETE FROM stale_hour WHERE node_id = :node AND starts_at IN :starts").bindparams(
    bindparam("starts", expanding=True)
)
_SPAN = "node_id = :node AND starts_at >= :first AND starts_at < :last"
_DELETE_HOURS = text(f"DELETE FROM hourly WHERE {_SPAN}")
_DELETE_DAYS = text(f"DELETE FROM daily WHERE {_SPAN}")

_NAMES = names_of(SUMMED)
#: An hour in which the kept raw data begin is not joined with what was summed up of it before.
HOUR_OF = f"CASE WHEN measured_at / {HOUR} * {HOUR} < :kept THEN :kept ELSE measured_at / {HOUR} * {HOUR} END"
_KEPT = KEPT.format(table="measurement", node=":node", first=":first", last=":last")
SUM_HOURS = sum_up(SUMMED, HOUR_OF, _KEPT)
SUM_DAY = sum_up(SUMMED, "CAST(:first AS BIGINT)", _KEPT)
_INSERT_HOURS = text(
    f"INSERT INTO hourly (node_id, starts_at, {', '.join(_NAMES)}) SELECT :node, sums.* FROM ({SUM_HOURS}) AS sums"
)
_INSERT_DAY = text(
    f"INSERT INTO daily (node_id, ends_at, zone, starts_at, {', '.join(_NAMES)})"
    f" SELECT :node, :last, :zone, sums.* FROM ({SUM_DAY}) AS sums"
)
