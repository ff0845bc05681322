"""What could not be stored, kept as it came: one row for each distinct piece, with how often it came."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from sqlalchemy import Connection, delete, func, select

from isems.domain.payload import Source
from isems.domain.rejection import Reason, Rejected
from isems.storage.database import insert_into
from isems.storage.schema import rejected as table
from isems.storage.schema import rejected_dropped as dropped

MAX_RAW_BYTES = 4096
MAX_PER_ORIGIN = 1000
MAX_IN_ALL = 100_000


class StoredRejection(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected piece of input with how often and when it came (epoch seconds)."""

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
    _upsert(connection, rows)
    for origin in {str(row["origin"]) for row in rows}:
        _trim(connection, max_per_origin, origin)
    _trim(connection, max_in_all, None)


def insert_permanently(
    connection: Connection, source: Source, address: str, rejected: Sequence[Rejected], now: int
) -> None:
    """Keep what an upgrade could not carry over: whole, and outside the limits."""
    if rejected:
        _upsert(connection, [_row(source, address, piece, now) | {"is_permanent": True} for piece in rejected])


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


def _upsert(connection: Connection, rows: list[dict[str, object]]) -> None:
    insert = insert_into(connection, table)
    statement = insert.on_conflict_do_update(
        index_elements=["digest"],
        set_={
            "times": table.c.times + insert.excluded.times,
            "last_at": insert.excluded.last_at,
            "detail": insert.excluded.detail,
        },
    )
    connection.execute(statement, _count_equal(rows))


def _count_equal(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Unite equal rows: one statement cannot change a row twice on PostgreSQL."""
    times = Counter(row["digest"] for row in rows)
    distinct: dict[object, dict[str, object]] = {}
    for row in rows:
        distinct.setdefault(row["digest"], row)
    return [row | {"times": times[digest]} for digest, row in distinct.items()]


def _trim(connection: Connection, limit: int, origin: str | None) -> None:
    """Drop the oldest rows of an origin (None: of all) beyond the limit."""
    bounded = table.c.is_permanent.is_(False)
    scope = (bounded,) if origin is None else (bounded, table.c.origin == origin)
    count = connection.execute(select(func.count()).select_from(table).where(*scope)).scalar() or 0
    if count <= limit:
        return
    oldest = select(table.c.id, table.c.reason, table.c.times).where(*scope)
    oldest = oldest.order_by(table.c.last_at, table.c.id).limit(count - limit)
    found = connection.execute(oldest).all()
    connection.execute(delete(table).where(table.c.id.in_(select(oldest.subquery().c.id))))
    _count_dropped(connection, Counter(row.reason for row in found))


def _count_dropped(connection: Connection, reasons: Counter[str]) -> None:
    insert = insert_into(connection, dropped)
    statement = insert.on_conflict_do_update(
        index_elements=["reason"], set_={"times": dropped.c.times + insert.excluded.times}
    )
    connection.execute(statement, [{"reason": reason, "times": times} for reason, times in reasons.items()])


def select_rejected(connection: Connection, limit: int = 1000) -> list[StoredRejection]:
    """Give rejected input, the latest first."""
    fields = [table.c[field] for field in StoredRejection.__struct_fields__]
    rows = connection.execute(select(*fields).order_by(table.c.last_at.desc(), table.c.id.desc()).limit(limit))
    return [StoredRejection(**row._mapping) for row in rows]


def count_dropped(connection: Connection) -> dict[Reason, int]:
    """Tell how many distinct pieces were dropped for want of room, by reason."""
    return {Reason(row.reason): row.times for row in connection.execute(select(dropped))}
