"""Small facts that processes share: a name, a JSON value."""

from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select

from isems.storage.database import Upsert
from isems.storage.schema import source_state as table

_SELECT = select(table.c.value).where(table.c.name == bindparam("name"))
_SELECT_SOME = select(table).where(table.c.name.like(bindparam("beginning"))).order_by(table.c.name)
_DELETE = delete(table).where(table.c.name == bindparam("name"))
_SAVE = Upsert(table, key=["name"], replace=["value"])


def read_state(connection: Connection, name: str) -> Any:
    """Give the value kept under a name, or None."""
    value = connection.execute(_SELECT, {"name": name}).scalar()
    return None if value is None else msgspec.json.decode(value)


def save_state(connection: Connection, name: str, value: Any) -> None:
    """Keep a value under a name."""
    _SAVE.execute(connection, [{"name": name, "value": msgspec.json.encode(value).decode()}])


def select_states(connection: Connection, beginning: str) -> dict[str, Any]:
    """Give all values whose names begin so, by name."""
    rows = connection.execute(_SELECT_SOME, {"beginning": f"{beginning}%"})
    return {row.name: msgspec.json.decode(row.value) for row in rows if row.name.startswith(beginning)}


def delete_state(connection: Connection, name: str) -> None:
    """Forget what is kept under a name."""
    connection.execute(_DELETE, {"name": name})
