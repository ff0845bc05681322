"""Samples without a time that have waited in a broker, until the node's next payload tells when they were taken."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select

from isems.domain.payload import Payload
from isems.storage.payloads import from_row, to_columns
from isems.storage.schema import backlog as table

#: Samples of all nodes; the real ones have 450 bytes.
MAX_ROWS = 300_000
#: The expiry of a sample that came while our own clock was not trusted.
NEVER = 2**53


class Waiting(NamedTuple):
    """A sample that waits, as it came, and what its counter shows."""

    id: int
    ticks: int
    payload: Payload
    #: Whether our own clock was trusted when it came.
    is_receipt_trusted: bool


#: Two statements in one: SQLite reads the whole table for two extremes of one.
_ENDS = select(select(func.min(table.c.id)).scalar_subquery(), select(func.max(table.c.id)).scalar_subquery())


def has_room(connection: Connection, max_rows: int = MAX_ROWS) -> bool:
    """Tell whether one more may wait; counts only when there could be too many."""
    first, last = connection.execute(_ENDS).one()
    if first is None or last - first < max_rows - 1:
        return True
    return connection.execute(select(func.count()).select_from(table)).scalar_one() < max_rows


def insert_backlog(connection: Connection, node: str, ticks: int, payload: Payload, expires_at: int) -> None:
    """Let a sample wait for its node's next payload."""
    values = {"node": node, "ticks": ticks, "expires_at": expires_at, **to_columns(payload)}
    connection.execute(insert(table).values(values))


def select_last(connection: Connection, node: str) -> tuple[int, bytes] | None:
    """Give the ticks and the bytes of what began to wait last of a node."""
    last = select(table.c.ticks, table.c.data).where(table.c.node == node).order_by(table.c.id.desc()).limit(1)
    row = connection.execute(last).first()
    return None if row is None else (row.ticks, bytes(row.data))


def is_waiting(connection: Connection, node: str, ticks: int, data: bytes) -> bool:
    """Tell whether this very sample waits already."""
    same = exists().where(table.c.node == node, table.c.ticks == ticks, table.c.data == data)
    return bool(connection.execute(select(same)).scalar())


def move_to_end(connection: Connection, node: str, ticks: int, data: bytes) -> None:
    """Let a sample that waits already be the last that came of its node."""
    same = table.c.ticks == ticks, table.c.data == data
    connection.execute(insert(table).values(_take(connection, node, *same)[-1]))


def move_behind(connection: Connection, node: str, ticks: int) -> None:
    """Let what waits already and shows less than these ticks follow what shows them."""
    if rows := _take(connection, node, table.c.ticks < ticks):
        connection.execute(insert(table), rows)


def _take(connection: Connection, node: str, *which: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Take out some of what waits of a node; gives rows to be inserted anew, in their order."""
    taken = connection.execute(delete(table).where(table.c.node == node, *which).returning(*table.columns)).mappings()
    rows = sorted(taken.all(), key=lambda row: int(row["id"]))
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


def delete_backlog(connection: Connection, node: str, last_id: int) -> None:
    """Forget what waits of a node up to a certain piece of it."""
    connection.execute(delete(table).where(table.c.node == node, table.c.id <= last_id))


def select_backlog(connection: Connection, node: str) -> list[Waiting]:
    """Give all that waits of a node, in the order in which it came."""
    rows = connection.execute(select(table).where(table.c.node == node).order_by(table.c.id)).all()
    return [
        Waiting(
            row.id,
            row.ticks,
            from_row(row, node_hint=row.node, is_live=False, is_queued=True),
            row.expires_at != NEVER,
        )
        for row in rows
    ]


def select_expired(connection: Connection, now: int, limit: int) -> Sequence[str]:
    """Give nodes of which something waits that no later payload can tell about any more."""
    expired = select(table.c.node).where(table.c.expires_at < now).distinct().limit(limit)
    return connection.execute(expired).scalars().all()


def count_backlog(connection: Connection) -> int:
    """Tell how many samples wait."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
