"""Small facts that processes share: a name, a JSON value."""

from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from isems.storage.database import Upsert
from isems.storage.schema import source_state as table

_SELECT = select(table.c.value).where(table.c.name == bindparam("name"))
_SAVE = Upsert(table, key=["name"], replace=["value"])


def read_state(connection: Connection, name: str) -> Any:
    """Give the value kept under a name, or None."""
    value = connection.execute(_SELECT, {"name": name}).scalar()
    return None if value is None else msgspec.json.decode(value)


def save_state(connection: Connection, name: str, value: Any) -> None:
    """Keep a value under a name."""
    _SAVE.execute(connection, [{"name": name, "value": msgspec.json.encode(value).decode()}])
