"""A payload in a table: what every one that waits somewhere is kept with."""

from typing import Any

from sqlalchemy import Row

from isems.domain.payload import Payload, Source


def to_columns(payload: Payload) -> dict[str, Any]:
    """Give the columns that every table of payloads has."""
    return {
        "source": payload.source.value,
        "address": payload.address,
        "received_at": payload.received_at,
        "data": payload.data,
    }


def from_row(row: Row[Any], **known: Any) -> Payload:
    """Give the payload of a row that has those columns, with what else is known of it."""
    return Payload(
        source=Source(row.source), address=row.address, received_at=row.received_at, data=bytes(row.data), **known
    )
