"""Payloads that wait until our own clock is trusted. Nothing here is ever dropped: when full, sources must stop."""

from hashlib import blake2b

import msgspec
from sqlalchemy import Connection, delete, func, select

from isems.domain.clock import Uptime
from isems.domain.payload import Payload, Source
from isems.errors import StorageError
from isems.storage.database import insert_into
from isems.storage.payloads import from_row, to_columns
from isems.storage.schema import undecided as table

MAX_BYTES = 256 * 1024 * 1024


class Undecided(msgspec.Struct, frozen=True):
    """A waiting payload."""

    id: int
    payload: Payload
    received: Uptime


def insert_undecided(connection: Connection, payload: Payload, received: Uptime, max_bytes: int = MAX_BYTES) -> None:
    """Keep a payload; a polled log that has grown replaces what was kept of it.

    Raises StorageError when there is no room: then the source must not take more in.
    """
    key = _log_key(payload, received)
    kept = _select_data(connection, payload, key)
    if kept is not None and kept.startswith(payload.data):
        return  # nothing new, and the first receipt is the nearer to the newest record
    if kept is not None and not payload.data.startswith(kept):
        key = _digest(payload.data)  # begins like the one kept, but is no continuation of it
        kept = _select_data(connection, payload, key)
    if count_bytes(connection) - len(kept or b"") + len(payload.data) > max_bytes:
        raise StorageError(
            f"{max_bytes} bytes of input wait for this machine's clock to be right, no more fits: set the clock"
        )
    values = to_columns(payload) | {
        "log_key": key,
        "format_hint": payload.format_hint,
        "node_hint": payload.node_hint,
        "sender_time": payload.sender_time,
        "is_live": payload.is_live,
        "boot": received.boot,
        "uptime": received.seconds,
    }
    insert = insert_into(connection, table).values(values)
    connection.execute(insert.on_conflict_do_update(index_elements=["source", "address", "log_key"], set_=values))


def count_bytes(connection: Connection) -> int:
    """Give the raw bytes that wait."""
    return int(connection.execute(select(func.coalesce(func.sum(func.length(table.c.data)), 0))).scalar_one())


def select_undecided(connection: Connection, limit: int = 10, after: int = 0) -> list[Undecided]:
    """Give waiting payloads with ids above `after`, the oldest first."""
    rows = connection.execute(select(table).where(table.c.id > after).order_by(table.c.id).limit(limit))
    return [
        Undecided(
            row.id,
            from_row(
                row,
                format_hint=row.format_hint,
                node_hint=row.node_hint,
                is_live=bool(row.is_live),
                sender_time=row.sender_time,
            ),
            Uptime(row.boot, row.uptime),
        )
        for row in rows
    ]


def delete_undecided(connection: Connection, undecided_id: int) -> bool:
    """Forget a payload that was judged; False where it was forgotten already."""
    return connection.execute(delete(table).where(table.c.id == undecided_id)).rowcount == 1


def _select_data(connection: Connection, payload: Payload, key: bytes) -> bytes | None:
    is_same = (table.c.source == payload.source.value, table.c.address == payload.address, table.c.log_key == key)
    data: bytes | None = connection.execute(select(table.c.data).where(*is_same)).scalar()
    return data


def _log_key(payload: Payload, received: Uptime) -> bytes:
    """The same for a log and its grown self: its first line. What is delivered once is only equal to itself."""
    if payload.source is Source.POLL:
        return _digest(payload.data.partition(b"\n")[0])
    if payload.source is Source.IMPORT:
        return _digest(payload.data)
    return _digest(payload.data + f"\n{received.boot} {received.seconds}".encode())


def _digest(identity: bytes) -> bytes:
    return blake2b(identity, digest_size=16).digest()
