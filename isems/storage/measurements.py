"""The measurements: stored once, whoever brings them and in whatever order."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, bindparam, text

from isems.domain.measurement import Measurement
from isems.storage.configurations import Placed, is_placeholder, place_configuration, read_configurations
from isems.storage.database import database_of
from isems.storage.nodes import identify_nodes, note_configuration
from isems.storage.rows import Row, decode, encode, encode_exactly, merge
from isems.storage.schema import measurement as table

COLUMNS = tuple(column.name for column in table.columns)
LIST = ", ".join(COLUMNS)
#: A stored range is read as a whole when it spans no more than this for each new record, else key by key.
DENSE_SECONDS = 300
#: PostgreSQL takes rows as one array a column.
_ARRAY_TYPES = {"BIGINT": "bigint[]", "INTEGER": "integer[]", "BOOLEAN": "boolean[]", "TEXT": "text[]"}

SQLITE_INSERT = f"INSERT INTO measurement ({LIST}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT DO NOTHING"
POSTGRES_INSERT = "INSERT INTO measurement ({}) SELECT * FROM unnest({}) ON CONFLICT DO NOTHING".format(
    LIST, ", ".join(f"%s::{_ARRAY_TYPES[str(column.type).split('(')[0]]}" for column in table.columns)
)


class Inserted(msgspec.Struct):
    """What became of a batch; the four counts and `beyond_limit` add up to its length."""

    stored: int = 0
    duplicate: int = 0
    completed: int = 0
    #: Indices of records whose node and second are taken by different values: not stored.
    conflicts: list[int] = msgspec.field(default_factory=list)
    #: Indices of records of new nodes beyond the limit: not stored.
    beyond_limit: list[int] = msgspec.field(default_factory=list)
    #: Ids of the nodes that the batch named.
    node_ids: dict[str, int] = msgspec.field(default_factory=dict)


def insert_measurements(connection: Connection, measurements: Sequence[Measurement], now: int) -> Inserted:
    """Store a batch; idempotent, in any order, from any source.

    A record equal to the stored one in all fields known to both is a duplicate, or completes it where it knows
    more; a different one is a conflict and overwrites nothing. Every `measured_at` must be known.
    """
    inserted = Inserted(node_ids=identify_nodes(connection, dict.fromkeys(m.node for m in measurements), now))
    rows, indices = _encode_batch(connection, measurements, inserted)
    if not rows:
        return inserted
    inserted.stored = _insert_rows(connection, rows)
    if inserted.stored < len(rows):
        _compare_with_stored(connection, measurements, rows, indices, inserted)
    _note_configurations(connection, measurements, inserted)
    return inserted


def _encode_batch(
    connection: Connection, measurements: Sequence[Measurement], inserted: Inserted
) -> tuple[list[Row], Sequence[int]]:
    ids = inserted.node_ids
    distinct = {id(m.configuration): (m.configuration, m.node) for m in measurements if m.node in ids}
    # By identity: a batch's configurations are few shared objects, and hashing eight fields a line is dear.
    placed = {key: place_configuration(connection, ids[name], conf) for key, (conf, name) in distinct.items()}
    if len(ids) == len({m.node for m in measurements}) and not any(place.exact for place in placed.values()):
        config_ids = {key: place.configuration_id for key, place in placed.items()}
        rows = [encode(ids[m.node], config_ids[id(m.configuration)], m) for m in measurements]
        return rows, range(len(rows))
    inserted.beyond_limit = [index for index, m in enumerate(measurements) if m.node not in ids]
    indices = [index for index, m in enumerate(measurements) if m.node in ids]
    return [_encode_one(ids, placed, measurements[index]) for index in indices], indices


def _encode_one(ids: dict[str, int], placed: dict[int, Placed], measurement: Measurement) -> Row:
    place = placed[id(measurement.configuration)]
    if not place.exact:
        return encode(ids[measurement.node], place.configuration_id, measurement)
    return encode_exactly(ids[measurement.node], place.configuration_id, measurement, place.exact)


def _insert_rows(connection: Connection, rows: list[Row]) -> int:
    """Insert what is not there yet; gives how many rows that were."""
    if database_of(connection).is_sqlite:
        return connection.exec_driver_sql(SQLITE_INSERT, rows).rowcount
    columns = tuple(list(column) for column in zip(*rows, strict=True))
    return connection.exec_driver_sql(POSTGRES_INSERT, columns).rowcount


def _compare_with_stored(
    connection: Connection,
    measurements: Sequence[Measurement],
    rows: list[Row],
    indices: Sequence[int],
    inserted: Inserted,
) -> None:
    """Sort out the rows that were not inserted: each is equal to what is stored, completes it, or conflicts."""
    stored = _select_stored(connection, rows)
    equal = 0
    for index, row in zip(indices, rows, strict=True):
        known = stored[row[:2]]
        if known[2:13] == row[2:13] and known[14] == row[14]:
            equal += 1
            continue
        united = _unite(connection, measurements[index], known)
        if united is None:
            inserted.conflicts.append(index)
        elif united[2:] == known[2:]:
            inserted.duplicate += 1
        else:
            _update_row(connection, united)
            stored[row[:2]] = united
            inserted.completed += 1
    inserted.duplicate += equal - inserted.stored


def _unite(connection: Connection, measurement: Measurement, known: Row) -> Row | None:
    configuration = read_configurations(connection, {known[2]})[known[2]]
    united = merge(decode(measurement.node, configuration, known), measurement)
    if united is None:
        return None
    place = place_configuration(connection, known[0], united.configuration)
    return encode_exactly(known[0], place.configuration_id, united, place.exact)


def _update_row(connection: Connection, row: Row) -> None:
    values = dict(zip(COLUMNS, row, strict=True))
    key = (table.c.node_id == values.pop("node_id"), table.c.measured_at == values.pop("measured_at"))
    connection.execute(table.update().where(*key).values(values))


def _select_stored(connection: Connection, rows: list[Row]) -> dict[tuple[int, int], Row]:
    """Give the stored rows at the keys of these, among others perhaps."""
    times: dict[int, list[int]] = {}
    for row in rows:
        times.setdefault(row[0], []).append(row[1])
    stored: dict[tuple[int, int], Row] = {}
    for node_id, wanted in times.items():
        for row in select_times(connection, node_id, wanted):
            stored[row[:2]] = row
    return stored


_RANGE = text(f"SELECT {LIST} FROM measurement WHERE node_id = :node AND measured_at BETWEEN :first AND :last")
_KEYS = text(f"SELECT {LIST} FROM measurement WHERE node_id = :node AND measured_at IN :times").bindparams(
    bindparam("times", expanding=True)
)
#: Keys in one statement; SQLite allows 32766 variables.
CHUNK = 10_000


def select_times(connection: Connection, node_id: int, times: list[int]) -> list[Row]:
    """Give a node's rows at these times, and perhaps some between them."""
    first, last = min(times), max(times)
    if last - first <= DENSE_SECONDS * len(times):
        found = connection.execute(_RANGE, {"node": node_id, "first": first, "last": last})
        return [tuple(row) for row in found]
    rows: list[Row] = []
    for start in range(0, len(times), CHUNK):
        found = connection.execute(_KEYS, {"node": node_id, "times": times[start : start + CHUNK]})
        rows.extend(tuple(row) for row in found)
    return rows


def _note_configurations(connection: Connection, measurements: Sequence[Measurement], inserted: Inserted) -> None:
    """Let a node's newest record, if it is this batch's and no placeholder, tell the node's configuration."""
    if not inserted.stored and not inserted.completed:
        return
    newest: dict[str, Measurement] = {}
    for measurement in measurements:
        if is_placeholder(measurement.configuration) or measurement.node not in inserted.node_ids:
            continue
        known = newest.get(measurement.node)
        if known is None or (measurement.measured_at or 0) > (known.measured_at or 0):
            newest[measurement.node] = measurement
    for name, measurement in newest.items():
        node_id = inserted.node_ids[name]
        if _is_newest(connection, node_id, measurement.measured_at or 0):
            place = place_configuration(connection, node_id, measurement.configuration)
            if not place.exact:
                note_configuration(connection, node_id, place.configuration_id)


def _is_newest(connection: Connection, node_id: int, measured_at: int) -> bool:
    newest = connection.execute(
        text(
            "SELECT m.measured_at FROM measurement m JOIN configuration c ON c.id = m.configuration_id"
            " WHERE m.node_id = :node AND m.measured_at > :time AND NOT c.is_placeholder LIMIT 1"
        ),
        {"node": node_id, "time": measured_at},
    )
    return newest.first() is None


def decode_rows(connection: Connection, name: str, rows: Sequence[Row]) -> list[Measurement]:
    """Give the measurements of a node's rows."""
    configurations = read_configurations(connection, {row[2] for row in rows})
    return [decode(name, configurations[row[2]], row) for row in rows]
