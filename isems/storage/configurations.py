"""The configurations: one row for each distinct one, since these nearly never change."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from isems.domain.measurement import Configuration, Dialect
from isems.storage.database import insert_into
from isems.storage.rows import CONFIGURATION_FIELDS
from isems.storage.schema import configuration as table
from isems.storage.writer_memory import known_ids

#: Configurations that one node may bring; further ones are kept in their rows (`measurement.exact`).
MAX_PER_NODE = 1000
#: Ids in one statement; SQLite allows 32766 variables.
CHUNK = 10_000


class Placed(NamedTuple):
    """Where a configuration is stored: a row, and what of it does not fit that row."""

    configuration_id: int
    exact: dict[str, Any]


def place_configurations(connection: Connection, wanted: Iterable[tuple[int, Configuration]]) -> dict[int, Placed]:
    """Find the row of each configuration, or make it for the node of this id; by the `id()` of the configuration.

    By identity, because a batch's configurations are few shared objects, and hashing eight fields a line is dear.
    """
    known = known_ids(connection)
    placed: dict[int, Placed] = {}
    for node_id, configuration in wanted:
        found = known.get(configuration)
        placed[id(configuration)] = (
            _place_unknown(connection, node_id, configuration) if found is None else Placed(found, {})
        )
    return placed


def place_configuration(connection: Connection, node_id: int, configuration: Configuration) -> Placed:
    """Find the row of one configuration, or make it."""
    return place_configurations(connection, [(node_id, configuration)])[id(configuration)]


def _place_unknown(connection: Connection, node_id: int, configuration: Configuration) -> Placed:
    key = _key(configuration)
    configuration_id = _select_id(connection, key)
    if configuration_id is None:
        if _count(connection, node_id) >= MAX_PER_NODE:
            return _place_beyond_limit(connection, node_id, configuration)
        configuration_id = _insert(connection, node_id, key, configuration)
    known_ids(connection).remember({configuration: configuration_id})
    return Placed(configuration_id, {})


def is_placeholder(configuration: Configuration) -> bool:
    """Tell what must not pass for a node's configuration: a silent controller's, or one without firmware."""
    return configuration.firmware in (None, "", "0")


def read_configurations(connection: Connection, ids: set[int]) -> dict[int, Configuration]:
    """Give the configurations of these ids; a row never changes, so it is read once."""
    known = known_ids(connection)
    found = {one: configuration for one in ids if (configuration := known.get(("configuration", one))) is not None}
    wanted = list(ids - found.keys())
    for start in range(0, len(wanted), CHUNK):
        rows = connection.execute(_SELECT.where(table.c.id.in_(wanted[start : start + CHUNK])))
        new = {row[0]: _decode(tuple(row)) for row in rows}
        known.remember({("configuration", one): configuration for one, configuration in new.items()})
        found |= new
    return found


_SELECT = select(table.c.id, *(table.c[field] for field in CONFIGURATION_FIELDS), table.c.dialect)


def _decode(row: tuple[Any, ...]) -> Configuration:
    return Configuration(*(*row[1:-1], Dialect(row[-1])))


def _key(configuration: Configuration) -> str:
    """One text for all that is equal: 12 is 12.0 and -0.0 is 0.0."""
    values = msgspec.structs.astuple(configuration)
    return msgspec.json.encode([v if v is None or isinstance(v, str) else v + 0.0 for v in values]).decode()


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
    configuration_id: int = connection.execute(select(table.c.id).where(table.c.key == key)).scalar_one()
    return configuration_id


def _place_beyond_limit(connection: Connection, node_id: int, configuration: Configuration) -> Placed:
    """Refer to the node's first configuration and say in the row what differs: nothing is lost, nothing grows."""
    first = connection.execute(select(func.min(table.c.id)).where(table.c.node_id == node_id)).scalar_one()
    base = read_configurations(connection, {first})[first]
    differing = {
        field: getattr(configuration, field)
        for field in configuration.__struct_fields__
        if getattr(configuration, field) != getattr(base, field)
    }
    return Placed(first, differing)
