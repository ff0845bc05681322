"""What could not be stored, kept as it came: one row for each distinct piece, with how often it came."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from sqlalchemy import Connection, Select, bindparam, delete, func, or_, select

from isems.domain.payload import Source
from isems.domain.rejection import Reason, Rejected
from isems.storage.database import Upsert
from isems.storage.node_states import count_conflicts
from isems.storage.nodes import find_nodes
from isems.storage.schema import rejected as table
from isems.storage.schema import rejected_dropped as dropped

MAX_RAW_BYTES = 4096
MAX_PER_ORIGIN = 1000
MAX_IN_ALL = 100_000

_KEEP = Upsert(table, key=["digest"], replace=["last_at", "detail"], add=["times"])
_COUNT_DROPPED = Upsert(dropped, key=["reason"], replace=[], add=["times"])
_FIRST_AND_LAST = select(
    select(func.coalesce(func.min(table.c.id), 0)).scalar_subquery(),
    select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery(),
)
_IS_BOUNDED = table.c.is_permanent.is_(False)
_IS_OF_ORIGIN = table.c.origin == bindparam("origin")
_COUNT = select(func.count()).select_from(table).where(_IS_BOUNDED)
_COUNT_OF_ORIGIN = _COUNT.where(_IS_OF_ORIGIN)
_OLDEST = (
    select(table.c.id, table.c.reason, table.c.times)
    .where(_IS_BOUNDED)
    .order_by(table.c.last_at, table.c.id)
    .limit(bindparam("excess"))
)
_OLDEST_OF_ORIGIN = _OLDEST.where(_IS_OF_ORIGIN)
_NEW_CONFLICTS = (
    select(table.c.node, func.count().label("times"))
    .where(table.c.id > bindparam("after"), table.c.reason == bindparam("reason"), table.c.node.is_not(None))
    .group_by(table.c.node)
)
_DELETE = delete(table).where(table.c.id == bindparam("dropped_id"))


class StoredRejection(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected piece of input with how often and when it came (epoch seconds)."""

    id: int
    source: str
    address: str
    node: str | None
    reason: str
    detail: str
    raw: bytes
    times: int
    first_at: int
    last_at: int


def insert_rejected(
    connection: Connection,
    source: Source,
    address: str,
    rejected: Sequence[Rejected],
    now: int,
    *,
    max_per_origin: int = MAX_PER_ORIGIN,
    max_in_all: int = MAX_IN_ALL,
) -> None:
    """Keep rejected input within the limits; the oldest goes first, and is counted."""
    cut = [msgspec.structs.replace(piece, raw=piece.raw[:MAX_RAW_BYTES]) for piece in rejected]
    rows = [_row(source, address, piece, now) for piece in cut]
    if not rows:
        return
    _, last_before = connection.execute(_FIRST_AND_LAST).one()
    _KEEP.execute(connection, _count_equal(rows))
    first, last = connection.execute(_FIRST_AND_LAST).one()
    if last == last_before:
        return  # all of it was known, so nothing became more
    if any(piece.reason is Reason.CONFLICT for piece in rejected):
        _note_conflicts(connection, last_before)
    for origin in {str(row["origin"]) for row in rows}:
        _trim(connection, max_per_origin, _COUNT_OF_ORIGIN, _OLDEST_OF_ORIGIN, {"origin": origin})
    if last - first >= max_in_all:  # else there cannot be so many, and they need not be counted
        _trim(connection, max_in_all, _COUNT, _OLDEST, {})


def _note_conflicts(connection: Connection, last_before: int) -> None:
    """Count the new conflicts with their nodes, where they stay counted when their rows are dropped."""
    found = connection.execute(_NEW_CONFLICTS, {"after": last_before, "reason": Reason.CONFLICT.value}).all()
    counts: dict[str, int] = {row.node: row.times for row in found}
    count_conflicts(
        connection, [(node_id, counts[name]) for name, node_id in find_nodes(connection, list(counts)).items()]
    )


def insert_permanently(
    connection: Connection, source: Source, address: str, rejected: Sequence[Rejected], now: int
) -> None:
    """Keep what an upgrade could not carry over: whole, and outside the limits."""
    if rejected:
        rows = [_row(source, address, piece, now) | {"is_permanent": True} for piece in rejected]
        _KEEP.execute(connection, _count_equal(rows))


def _row(source: Source, address: str, piece: Rejected, now: int) -> dict[str, object]:
    origin = piece.node or address
    identity = "\0".join((source, origin, piece.reason)).encode("utf-8", "surrogatepass")
    return {
        "digest": blake2b(identity + b"\0" + piece.raw, digest_size=16).digest(),
        "source": source.value,
        "address": address,
        "node": piece.node,
        "origin": origin,
        "reason": piece.reason.value,
        "detail": piece.detail,
        "raw": piece.raw,
        "times": 1,
        "first_at": now,
        "last_at": now,
        "is_permanent": False,
    }


def _count_equal(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Unite equal rows: one statement cannot change a row twice on PostgreSQL."""
    times = Counter(row["digest"] for row in rows)
    distinct: dict[object, dict[str, object]] = {}
    for row in rows:
        distinct.setdefault(row["digest"], row)
    return [row | {"times": times[digest]} for digest, row in distinct.items()]


def _trim(
    connection: Connection, limit: int, count: Select[int], oldest: Select[int, str, int], scope: dict[str, str]
) -> None:
    """Drop the oldest rows of a scope beyond the limit."""
    excess = connection.execute(count, scope).scalar_one() - limit
    if excess <= 0:
        return
    found = connection.execute(oldest, {**scope, "excess": excess}).all()
    connection.execute(_DELETE, [{"dropped_id": row.id} for row in found])
    reasons = Counter(row.reason for row in found)
    _COUNT_DROPPED.execute(connection, [{"reason": reason, "times": times} for reason, times in reasons.items()])


def select_rejected(connection: Connection, limit: int = 1000) -> list[StoredRejection]:
    """Give rejected input, the latest first."""
    fields = [table.c[field] for field in StoredRejection.__struct_fields__]
    rows = connection.execute(select(*fields).order_by(table.c.last_at.desc(), table.c.id.desc()).limit(limit))
    return [StoredRejection(**row._mapping) for row in rows]


def select_rejected_page(
    connection: Connection,
    *,
    before: tuple[int, int] | None = None,
    node: str | None = None,
    reason: str | None = None,
    limit: int,
) -> list[StoredRejection]:
    """Give rejected input, the latest first; `before` is `last_at` and id of the last piece that was given.

    Each kind of row is asked for by itself, so that an index gives the order and no more than a page is read.
    """
    found: list[StoredRejection] = []
    for is_permanent in (False, True):
        statement = select(*(table.c[field] for field in StoredRejection.__struct_fields__))
        statement = statement.where(table.c.is_permanent.is_(is_permanent))
        if node is not None:
            statement = statement.where(table.c.origin == node, table.c.node == node)
        if reason is not None:
            statement = statement.where(table.c.reason == reason)
        if before is not None:
            last_at, last_id = before
            is_earlier = or_(table.c.last_at < last_at, table.c.id < last_id)
            statement = statement.where(table.c.last_at <= last_at, is_earlier)
        rows = connection.execute(statement.order_by(table.c.last_at.desc(), table.c.id.desc()).limit(limit))
        found += [StoredRejection(**row._mapping) for row in rows]
    return sorted(found, key=lambda piece: (piece.last_at, piece.id), reverse=True)[:limit]


def count_rejected(connection: Connection) -> int:
    """Tell how many distinct pieces are kept."""
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def count_dropped(connection: Connection) -> dict[Reason, int]:
    """Tell how many distinct pieces were dropped for want of room, by reason."""
    return {Reason(row.reason): row.times for row in connection.execute(select(dropped))}
