"""The configurations: one row for each distinct one, since these nearly never change."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from isems.domain.measurement import Configuration, Dialect
from isems.storage.database import database_of, insert_into
from isems.storage.rows import CONFIGURATION_FIELDS
from isems.storage.schema import configuration as table

#: Configurations that one node may bring; further ones are kept in their rows (`measurement.exact`).
MAX_PER_NODE = 1000
#: Remembered in the process before the memory is emptied.
MAX_REMEMBERED = 20_000


class Placed(NamedTuple):
    """Where a configuration is stored: a row, and what of it does not fit that row."""

    configuration_id: int
    exact: dict[str, Any]


def place_configuration(connection: Connection, node_id: int, configuration: Configuration) -> Placed:
    """Find the row of a configuration, or make it."""
    known = database_of(connection).known_ids.setdefault("configuration", {})
    if (found := known.get(configuration)) is not None:
        return Placed(found, {})
    key = _key(configuration)
    configuration_id = _select_id(connection, key)
    if configuration_id is None:
        if _count(connection, node_id) >= MAX_PER_NODE:
            return _place_beyond_limit(connection, node_id, configuration)
        configuration_id = _insert(connection, node_id, key, configuration)
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known[configuration] = configuration_id
    return Placed(configuration_id, {})


def is_placeholder(configuration: Configuration) -> bool:
    """Tell what must not pass for a node's configuration: a silent controller's, or one without firmware."""
    return configuration.firmware in (None, "", "0")


def read_configurations(connection: Connection, ids: set[int]) -> dict[int, Configuration]:
    """Give the configurations of these ids."""
    columns = [table.c.id, *(table.c[field] for field in CONFIGURATION_FIELDS), table.c.dialect]
    found = connection.execute(select(*columns).where(table.c.id.in_(ids)))
    return {row[0]: Configuration(*row[1:-1], Dialect(row[-1])) for row in found}


def _key(configuration: Configuration) -> str:
    return msgspec.json.encode(msgspec.structs.astuple(configuration)).decode()


def _select_id(connection: Connection, key: str) -> int | None:
    found: int | None = connection.execute(select(table.c.id).where(table.c.key == key)).scalar()
    return found


def _count(connection: Connection, node_id: int) -> int:
    return connection.execute(select(func.count()).where(table.c.node_id == node_id)).scalar() or 0


def _insert(connection: Connection, node_id: int, key: str, configuration: Configuration) -> int:
    values = msgspec.structs.asdict(configuration) | {
        "key": key,
        "node_id": node_id,
        "dialect": configuration.dialect.value,
        "is_placeholder": is_placeholder(configuration),
    }
    connection.execute(insert_into(connection, table).values(values).on_conflict_do_nothing(index_elements=["key"]))
    return connection.execute(select(table.c.id).where(table.c.key == key)).scalar_one()


def _place_beyond_limit(connection: Connection, node_id: int, configuration: Configuration) -> Placed:
    """Refer to the node's first configuration and say in the row what differs: nothing is lost, nothing grows."""
    first = connection.execute(select(func.min(table.c.id)).where(table.c.node_id == node_id)).scalar_one()
    base = read_configurations(connection, {first})[first]
    differing = {
        field: getattr(configuration, field)
        for field in CONFIGURATION_FIELDS
        if getattr(configuration, field) != getattr(base, field)
    }
    return Placed(first, differing)
