"""The measurements: stored once, whoever brings them and in whatever order."""

from collections.abc import Iterable, Sequence, Set
from operator import attrgetter, itemgetter
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, text

from isems.domain.measurement import Measurement
from isems.storage import inbox
from isems.storage.bulk import BulkInsert, PostgresInsert
from isems.storage.configurations import (
    Placed,
    is_placeholder,
    place_configuration,
    place_configurations,
    read_configurations,
)
from isems.storage.database import database_of, raw_sqlite
from isems.storage.inbox import COLUMNS, LIST, Key
from isems.storage.nodes import identify_nodes, note_configuration, select_reconfigured
from isems.storage.partitions import make_parts
from isems.storage.rollups import note_changes, remember_marks
from isems.storage.rows import Row, decode, encode, encode_exactly, encode_rows, has_own_configuration, merge
from isems.storage.schema import measurement as table
from isems.storage.writer_memory import memory_of

#: Under this name a writing connection remembers the configuration that is noted with each node.
NOTED = "noted"
#: A stored range is read as a whole when it spans no more than this for each new record, else key by key.
DENSE_SECONDS = 300


class Inserted(msgspec.Struct):
    """What became of a batch: indices into it; whatever is in none of the lists was stored."""

    #: How many were stored.
    stored: int = 0
    duplicates: list[int] = msgspec.field(default_factory=list)
    #: Their stored record learnt something from them.
    completions: list[int] = msgspec.field(default_factory=list)
    #: Their node and second are taken by different values: not stored.
    conflicts: list[int] = msgspec.field(default_factory=list)
    #: Of new nodes beyond the limit: not stored.
    beyond_limit: list[int] = msgspec.field(default_factory=list)
    #: Older than what is kept of their node's raw data: not stored, since roll-ups of that time are final.
    too_old: list[int] = msgspec.field(default_factory=list)
    #: Ids of the nodes that the batch named.
    node_ids: dict[str, int] = msgspec.field(default_factory=dict)
    #: Ids of the nodes of which something new was stored.
    told_more: set[int] = msgspec.field(default_factory=set)

    @property
    def duplicate(self) -> int:
        """How many were there already."""
        return len(self.duplicates)

    @property
    def completed(self) -> int:
        """How many completed what was there."""
        return len(self.completions)


def insert_measurements(connection: Connection, measurements: Sequence[Measurement], now: int) -> Inserted:
    """Store a batch; idempotent, in any order, from any source.

    A record equal to the stored one in all fields known to both is a duplicate, or completes it where it knows
    more; a different one is a conflict and overwrites nothing. Every `measured_at` must be known.
    """
    batch = encode_batch(connection, measurements, inserted := identify(connection, measurements, now))
    perhaps_stored = _perhaps_stored(connection, batch.rows)
    if perhaps_stored and _leave_out_pruned(connection, batch, perhaps_stored, inserted):
        perhaps_stored = _perhaps_stored(connection, batch.rows)
    if not batch.rows:
        return inserted
    new = dict(zip(map(_key_of, batch.rows), batch.rows, strict=True))
    stored = _select_stored(connection, new.keys(), perhaps_stored)
    if stored or len(new) < len(batch.rows):
        new = _compare(connection, measurements, batch, stored, inserted)
    if new:
        _insert_new(connection, new)
        if perhaps_stored:
            note_changes(connection, new)
    inserted.stored = len(new)
    inserted.told_more = {node_id for node_id, _ in new}
    if inserted.completions:
        memory_of(connection).pop(NOTED, None)
        note_configurations(connection, {row[0] for row in batch.rows})
    elif new and batch.telling:
        _note_changes(connection, batch.telling)
    return inserted


def _insert_new(connection: Connection, new: dict[Key, Row]) -> None:
    rows = list(new.values())
    if inbox.is_for_inbox(connection, rows):
        inbox.put(connection, new)
    else:
        insert_rows(connection, rows)
        inbox.note_newest(connection, rows)


def _note_changes(connection: Connection, pairs: set[tuple[int, int]]) -> None:
    """Note the configurations of nodes that tell another one than is noted; asks only for what it does not remember."""
    noted: dict[int, int] = memory_of(connection).setdefault(NOTED, {})
    if noted.items() >= pairs:
        return
    changed = set(select_reconfigured(connection, pairs))
    note_configurations(connection, changed)
    # Of a node that told another one its newest record decided, which may be neither of these.
    noted.update(pair for pair in pairs if pair[0] not in changed)
    for node_id in changed:
        noted.pop(node_id, None)


_key_of = itemgetter(0, 1)
_pair_of = itemgetter(0, 2)
_node_of = attrgetter("node")


def identify(connection: Connection, measurements: Sequence[Measurement], now: int) -> Inserted:
    """Begin the account of a batch with the ids of its nodes, and the records of nodes beyond the limit."""
    names = dict.fromkeys(map(_node_of, measurements))
    inserted = Inserted(node_ids=identify_nodes(connection, names, now))
    if len(inserted.node_ids) < len(names):
        inserted.beyond_limit = [i for i, one in enumerate(measurements) if one.node not in inserted.node_ids]
    return inserted


class Batch(NamedTuple):
    """Rows ready to be inserted."""

    rows: list[Row]
    #: Of the measurement that each row was made from.
    indices: list[int]
    #: Pairs of a node and a configuration that may pass for that node's.
    telling: set[tuple[int, int]]


def encode_batch(connection: Connection, measurements: Sequence[Measurement], inserted: Inserted) -> Batch:
    """Make rows of the measurements whose nodes are known."""
    ids = inserted.node_ids
    indices = list(range(len(measurements)))
    if inserted.beyond_limit:
        indices = [index for index in indices if measurements[index].node in ids]
        measurements = [measurements[index] for index in indices]
    distinct = {id(m.configuration): m for m in measurements}
    placed = place_configurations(connection, [(ids[m.node], m.configuration) for m in distinct.values()])
    silent = {placed[key].configuration_id for key, m in distinct.items() if is_placeholder(m.configuration)}
    if any(place.exact for place in placed.values()):
        rows = [_encode_one(ids[m.node], placed[id(m.configuration)], m) for m in measurements]
    else:
        rows = encode_rows(ids, {key: place.configuration_id for key, place in placed.items()}, measurements)
    telling = set(map(_pair_of, rows))
    if silent:
        telling = {pair for pair in telling if pair[1] not in silent}
    return Batch(rows, indices, telling)


def _leave_out_pruned(connection: Connection, batch: Batch, suspects: Sequence[Row], inserted: Inserted) -> bool:
    """Leave out records that are older than their node's kept raw data; True where there are any."""
    marks = remember_marks(connection, {row[0] for row in suspects})
    kept_since = {node_id: mark.kept_since for node_id, mark in marks.items() if mark and mark.kept_since is not None}
    if not any(row[0] in kept_since and row[1] < kept_since[row[0]] for row in suspects):
        return False
    kept = []
    for index, row in zip(batch.indices, batch.rows, strict=True):
        if row[0] in kept_since and row[1] < kept_since[row[0]]:
            inserted.too_old.append(index)
        else:
            kept.append((index, row))
    batch.indices[:] = [index for index, _ in kept]
    batch.rows[:] = [row for _, row in kept]
    return True


def _encode_one(node_id: int, place: Placed, measurement: Measurement) -> Row:
    if not place.exact:
        return encode(node_id, place.configuration_id, measurement)
    return encode_exactly(node_id, place.configuration_id, measurement, place.exact)


_BULK = BulkInsert(table.name, COLUMNS)
_POSTGRES = PostgresInsert(table)


def insert_rows(connection: Connection, rows: list[Row], into: str = table.name) -> int:
    """Insert what is not there yet; gives how many rows that were."""
    if database_of(connection).is_sqlite:
        bulk = _BULK if into == table.name else BulkInsert(into, COLUMNS)
        return bulk.execute(raw_sqlite(connection), rows)
    if into == table.name:
        make_parts(connection, (row[1] for row in rows))
    return _POSTGRES.execute(connection, rows, into)


def _compare(
    connection: Connection,
    measurements: Sequence[Measurement],
    batch: Batch,
    stored: dict[Key, Row],
    inserted: Inserted,
) -> dict[Key, Row]:
    """Give the rows to insert; any other is equal to what is known at its key, completes it, or conflicts."""
    new: dict[Key, Row] = {}
    for index, row in zip(batch.indices, batch.rows, strict=True):
        key = row[:2]
        known = stored.get(key) or new.get(key)
        if known is None:
            new[key] = row
        elif known[2:13] == row[2:13] and known[14] == row[14]:
            inserted.duplicates.append(index)
        else:
            older = _decode_row(connection, measurements[index].node, known)
            united = merge(older, measurements[index])
            if united is None:
                inserted.conflicts.append(index)
            elif united == older:
                inserted.duplicates.append(index)
            else:
                inserted.completions.append(index)
                fuller = _encode_united(connection, row[0], united)
                if key in stored:
                    _update(connection, fuller)
                (stored if key in stored else new)[key] = fuller
    return new


def _decode_row(connection: Connection, name: str, row: Row) -> Measurement:
    return decode_rows(connection, name, [row])[0]


def _encode_united(connection: Connection, node_id: int, united: Measurement) -> Row:
    place = place_configuration(connection, node_id, united.configuration)
    return encode_exactly(node_id, place.configuration_id, united, place.exact)


def _update(connection: Connection, row: Row) -> None:
    note_changes(connection, [row[:2]])
    if inbox.replace(connection, row):
        return
    values = dict(zip(COLUMNS, row, strict=True))
    key = (table.c.node_id == values.pop("node_id"), table.c.measured_at == values.pop("measured_at"))
    connection.execute(table.update().where(*key).values(values))


def _select_stored(connection: Connection, keys: Set[Key], perhaps_stored: Sequence[Row]) -> dict[Key, Row]:
    """Give the stored rows at these keys, among others perhaps."""
    times: dict[int, list[int]] = {}
    for row in perhaps_stored:
        times.setdefault(row[0], []).append(row[1])
    found: list[Row] = []
    loose: list[Key] = []
    for node_id, wanted in times.items():
        if len(wanted) >= WORTH_A_STATEMENT:
            found += _select_sorted_times(connection, node_id, wanted)
        else:
            loose += [(node_id, time) for time in wanted]
    if loose:
        found += _select_sorted_keys(connection, loose)
    stored = {row[:2]: row for row in found}
    return stored if inbox.is_empty(connection) else stored | inbox.find(connection, keys)


def _perhaps_stored(connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
    return inbox.may_be_sorted(connection, rows) if database_of(connection).is_sqlite else rows


#: Fewer records of one node are looked up together with other nodes'.
WORTH_A_STATEMENT = 20
_PREFIXED = ", ".join(f"m.{column}" for column in COLUMNS)
#: CROSS JOIN fixes the order: each key is sought.
SQLITE_KEYS = (
    f"SELECT {_PREFIXED} FROM json_each(?) wanted CROSS JOIN measurement m"
    " ON m.node_id = json_extract(wanted.value, '$[0]') AND m.measured_at = json_extract(wanted.value, '$[1]')"
)
POSTGRES_KEYS = (
    f"SELECT {_PREFIXED} FROM unnest(%s::integer[], %s::bigint[]) wanted(node_id, measured_at)"
    " JOIN measurement m USING (node_id, measured_at)"
)


def _select_sorted_keys(connection: Connection, keys: list[Key]) -> list[Row]:
    if database_of(connection).is_sqlite:
        found = connection.exec_driver_sql(SQLITE_KEYS, (msgspec.json.encode(keys).decode(),))
    else:
        node_ids, times = zip(*keys, strict=True)
        found = connection.exec_driver_sql(POSTGRES_KEYS, (list(node_ids), list(times)))
    return [tuple(row) for row in found.all()]


_RANGE = text(f"SELECT {LIST} FROM measurement WHERE node_id = :node AND measured_at BETWEEN :first AND :last")
_KEYS = text(f"SELECT {LIST} FROM measurement WHERE node_id = :node AND measured_at IN :times").bindparams(
    bindparam("times", expanding=True)
)
#: Keys in one statement; SQLite allows 32766 variables.
CHUNK = 10_000


def select_times(connection: Connection, node_id: int, times: list[int]) -> list[Row]:
    """Give a node's rows at these times, and perhaps some between them, to whoever is writing."""
    waiting = inbox.find(connection, {(node_id, time) for time in times})
    return [*_select_sorted_times(connection, node_id, times), *waiting.values()]


def _select_sorted_times(connection: Connection, node_id: int, times: list[int]) -> list[Row]:
    first, last = min(times), max(times)
    if last - first <= DENSE_SECONDS * len(times):
        found = connection.execute(_RANGE, {"node": node_id, "first": first, "last": last})
        return [tuple(row) for row in found.all()]
    rows: list[Row] = []
    for start in range(0, len(times), CHUNK):
        found = connection.execute(_KEYS, {"node": node_id, "times": times[start : start + CHUNK]})
        rows.extend(tuple(row) for row in found.all())
    return rows


_BETWEEN = text(
    f"SELECT {LIST} FROM every_measurement WHERE node_id = :node AND measured_at BETWEEN :first AND :last"
    " ORDER BY measured_at"
)


def select_between(connection: Connection, name: str, node_id: int, first: int, last: int) -> list[Measurement]:
    """Give a node's measurements from `first` to `last`, both included, in the order of time."""
    found = connection.execute(_BETWEEN, {"node": node_id, "first": first, "last": last})
    return decode_rows(connection, name, [tuple(row) for row in found.all()])


_WITH_TICKS = text(
    f"SELECT {LIST} FROM every_measurement WHERE node_id = :node AND measured_at >= :first AND shutdown_ticks = :ticks"
)


def select_with_ticks(connection: Connection, name: str, node_id: int, ticks: int, first: int) -> list[Measurement]:
    """Give a node's measurements from `first` on that show these ticks of its counter; reads all from then on."""
    found = connection.execute(_WITH_TICKS, {"node": node_id, "first": first, "ticks": ticks})
    return decode_rows(connection, name, [tuple(row) for row in found.all()])


#: CROSS JOIN fixes the order: from the node's newest row back to the first that tells a configuration.
_NEWEST_IN = (
    "SELECT * FROM (SELECT m.configuration_id, m.exact, m.measured_at FROM {} m CROSS JOIN configuration c"
    " WHERE m.node_id = :node AND c.id = m.configuration_id AND NOT c.is_placeholder"
    " ORDER BY m.measured_at DESC LIMIT 1) AS newest"
)
_NEWEST_CONFIGURATION = text(
    f"{_NEWEST_IN.format('measurement')} UNION ALL {_NEWEST_IN.format('inbox')} ORDER BY measured_at DESC LIMIT 1"
)


def note_configurations(connection: Connection, node_ids: Iterable[int]) -> None:
    """Note for each of these nodes the configuration of its newest row that tells one."""
    for node_id in node_ids:
        newest = connection.execute(_NEWEST_CONFIGURATION, {"node": node_id}).first()
        if newest is not None and not has_own_configuration(newest.exact):
            note_configuration(connection, node_id, newest.configuration_id)


def decode_rows(connection: Connection, name: str, rows: Sequence[Row]) -> list[Measurement]:
    """Give the measurements of a node's rows."""
    configurations = read_configurations(connection, {row[2] for row in rows})
    return [decode(name, configurations[row[2]], row) for row in rows]
