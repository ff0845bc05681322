"""Small facts that processes share: a name, a JSON value."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from isems.storage.database import insert_into
from isems.storage.schema import source_state as table


def read_state(connection: Connection, name: str) -> Any:
    """Give the value kept under a name, or None."""
    value = connection.execute(select(table.c.value).where(table.c.name == name)).scalar()
    return None if value is None else msgspec.json.decode(value)


def save_state(connection: Connection, name: str, value: Any) -> None:
    """Keep a value under a name."""
    values = {"name": name, "value": msgspec.json.encode(value).decode()}
    insert = insert_into(connection, table).values(values)
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=values))
