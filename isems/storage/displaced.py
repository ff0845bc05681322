"""Rows that stand under a wrong time: taken out, to be stored again under the right one."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from isems.domain.measurement import SHUTDOWN_MARKS, Measurement
from isems.storage import inbox
from isems.storage.inbox import LIST
from isems.storage.measurements import DENSE_SECONDS, decode_rows, select_times
from isems.storage.nodes import find_node
from isems.storage.rollups import note_changes
from isems.storage.rows import Row, merge

#: Rows of one run that are moved at once: two months of a router's records.
MAX_MOVED = 90_000
SECONDS_PER_TICK = 15
#: Ticks that are marks, no counts.
TICK_MARKS = tuple(minutes and minutes * 60 // SECONDS_PER_TICK for minutes in SHUTDOWN_MARKS)


def take_displaced(
    connection: Connection, name: str, displaced: Sequence[tuple[Measurement, int]]
) -> list[Measurement]:
    """Take out a node's rows that stand under a time now known to be wrong, and give them with the right one.

    `displaced` are records as sent, with the offset of their run; a row is taken when it is equal to such a record
    and its time was not repaired. Older rows of the same run, which the node no longer has, are taken with them:
    those that precede it without a gap of more than five minutes.
    """
    taken: list[Measurement] = []
    if displaced:
        inbox.settle(connection)  # all are in one place then
    by_offset: dict[int, list[Measurement]] = {}
    for measurement, offset in displaced:
        by_offset.setdefault(offset, []).append(measurement)
    # The earliest run first: what precedes a later one without a gap is by then no other run's.
    for offset, sent in sorted(by_offset.items(), key=lambda run: min(m.measured_at or 0 for m in run[1])):
        for row in _take_rows(connection, name, sent):
            time = (row.measured_at or 0) + offset
            taken.append(msgspec.structs.replace(row, measured_at=time, time_repaired=True))
    return taken


def _take_rows(connection: Connection, name: str, sent: list[Measurement]) -> list[Measurement]:
    node_id = find_node(connection, name)
    if node_id is None:
        return []
    wanted = {m.measured_at or 0: m for m in sent}
    found = [row for row in select_times(connection, node_id, list(wanted)) if row[1] in wanted and not row[13]]
    decoded = decode_rows(connection, name, found)
    misplaced = [m for m in decoded if merge(m, wanted[m.measured_at or 0]) is not None]
    if not misplaced:
        return []
    first_at = min(m.measured_at or 0 for m in misplaced)
    misplaced += _select_before(connection, name, node_id, next(row for row in found if row[1] == first_at))
    remove_rows(connection, node_id, [m.measured_at or 0 for m in misplaced])
    return misplaced


def remove_rows(connection: Connection, node_id: int, times: Sequence[int]) -> None:
    """Remove a node's rows of these times, from where they will be stored again or have a better one."""
    inbox.settle(connection)  # all are in one place then
    note_changes(connection, [(node_id, time) for time in times])
    keys = [{"node": node_id, "time": time} for time in times]
    connection.execute(text("DELETE FROM measurement WHERE node_id = :node AND measured_at = :time"), keys)


def _select_before(connection: Connection, name: str, node_id: int, first: Row) -> list[Measurement]:
    """Give the unrepaired rows that lead up to `first` without a gap and are of the same boot, newest first."""
    rows = connection.execute(
        text(
            f"SELECT {LIST} FROM measurement WHERE node_id = :node AND measured_at < :time"
            " ORDER BY measured_at DESC LIMIT :limit"
        ),
        {"node": node_id, "time": first[1], "limit": MAX_MOVED},
    )
    run: list[Row] = []
    for row in rows:
        if row[13] or not _precedes(row, first):
            break
        first = tuple(row)
        run.append(first)
    return decode_rows(connection, name, run)


def _precedes(row: Sequence[Any], after: Row) -> bool:
    """Tell whether the shutdown counter saw the time between two rows pass: else another boot's true rows, into whose
    range a wrong clock fell, would be moved with this one's.
    """
    passed: int = after[1] - row[1]
    if passed > DENSE_SECONDS:
        return False
    if row[3] in TICK_MARKS or after[3] in TICK_MARKS:
        return bool(row[3] == after[3])
    counted: int = (row[3] - after[3]) * SECONDS_PER_TICK
    return abs(counted - passed) <= 120
