"""The nodes: a name and its number, which is never given away twice."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, func, or_, select, update

from isems.storage.database import database_of, insert_into
from isems.storage.schema import node
from isems.storage.writer_memory import known_ids

#: A sender that makes up names cannot fill the disk with them; 2 million ids fit the old API's `id`.
MAX_NODES = 100_000
#: `delivered_at` may be this old; it is compared with days, and every write of it costs a page.
DELIVERED_GRAIN = 3600
#: Names in one statement; SQLite allows 32766 variables.
CHUNK = 500


def identify_nodes(connection: Connection, names: Iterable[str], now: int) -> dict[str, int]:
    """Give the id of each name, a new one for a new name; names beyond MAX_NODES are left out."""
    known = known_ids(connection)
    ids = known.get_each(names)
    missing = [name for name, found in ids.items() if found is None]
    if not missing:
        return ids
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        found = _select_ids(connection, chunk)
        if new := [name for name in chunk if name not in found]:
            found |= _insert_nodes(connection, new, now)
        known.remember(found)
        ids |= found
    return {name: node_id for name, node_id in ids.items() if node_id is not None}


_BY_NAME = select(node.c.id).where(node.c.name == bindparam("name"))


def _select_ids(connection: Connection, names: list[str]) -> dict[str, int]:
    found = connection.execute(select(node.c.name, node.c.id).where(node.c.name.in_(names)))
    return {row.name: row.id for row in found}


def _insert_nodes(connection: Connection, names: list[str], now: int) -> dict[str, int]:
    room = MAX_NODES - (connection.execute(select(func.count()).select_from(node)).scalar() or 0)
    names = names[: max(0, room)]
    if not names:
        return {}
    statement = insert_into(connection, node).on_conflict_do_nothing(index_elements=["name"])
    connection.execute(statement, [{"name": name, "first_seen_at": now} for name in names])
    return _select_ids(connection, names)


def find_nodes(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Give the ids of those of the names that are known."""
    known = known_ids(connection)
    ids = {name: found for name in names if (found := known.get(name)) is not None}
    missing = [name for name in names if name not in ids]
    for start in range(0, len(missing), CHUNK):
        ids |= _select_ids(connection, missing[start : start + CHUNK])
    return ids


def find_node(connection: Connection, name: str) -> int | None:
    """Give the id of a name, or None where no node has it."""
    found: int | None = connection.execute(_BY_NAME, {"name": name}).scalar()
    return found


#: Of pairs of a node and a configuration, the nodes whose noted one is another.
SQLITE_OTHER = (
    "SELECT DISTINCT n.id FROM json_each(?) pair CROSS JOIN node n ON n.id = json_extract(pair.value, '$[0]')"
    " WHERE n.configuration_id IS NOT json_extract(pair.value, '$[1]')"
)
POSTGRES_OTHER = (
    "SELECT DISTINCT n.id FROM unnest(%s::integer[], %s::integer[]) pair(node_id, configuration_id)"
    " JOIN node n ON n.id = pair.node_id WHERE n.configuration_id IS DISTINCT FROM pair.configuration_id"
)


def select_reconfigured(connection: Connection, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Give the nodes that are paired with a configuration which is not the noted one; one statement for all."""
    node_ids, configuration_ids = zip(*pairs, strict=True)
    if database_of(connection).is_sqlite:
        text = msgspec.json.encode(list(zip(node_ids, configuration_ids, strict=True))).decode()
        return list(connection.exec_driver_sql(SQLITE_OTHER, (text,)).scalars())
    found = connection.exec_driver_sql(POSTGRES_OTHER, (list(node_ids), list(configuration_ids)))
    return list(found.scalars())


_DELIVERED = (
    update(node)
    .where(
        node.c.id == bindparam("node"),
        or_(node.c.delivered_at.is_(None), node.c.delivered_at < bindparam("now") - DELIVERED_GRAIN),
    )
    .values(delivered_at=bindparam("now"))
)


def note_deliveries(connection: Connection, node_ids: Sequence[int], now: int) -> None:
    """Note that nodes delivered something new, live."""
    if node_ids:
        connection.execute(_DELIVERED, [{"node": node_id, "now": now} for node_id in node_ids])


def is_delivery_due(delivered_at: int | None, now: int) -> bool:
    """Tell whether `note_deliveries` would write anything."""
    return delivered_at is None or delivered_at < now - DELIVERED_GRAIN


def note_configuration(connection: Connection, node_id: int, configuration_id: int) -> None:
    """Note a node's newest configuration."""
    is_other = or_(node.c.configuration_id.is_(None), node.c.configuration_id != configuration_id)
    connection.execute(update(node).where(node.c.id == node_id, is_other).values(configuration_id=configuration_id))
