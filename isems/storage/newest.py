"""The newest measurements, read without touching the history behind them."""

from collections.abc import Container, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, text

from isems.domain.measurement import Measurement, Trace
from isems.storage.configurations import read_configurations
from isems.storage.database import database_of, raw_sqlite
from isems.storage.inbox import COLUMNS, LIST
from isems.storage.measurements import decode_rows
from isems.storage.rows import TRACE_COLUMNS, Row, decode, decode_traces
from isems.storage.writer_memory import is_writing


class Stored(msgspec.Struct, frozen=True):
    """A measurement with the number of its node."""

    node_id: int
    measurement: Measurement


NEWEST = f"SELECT {LIST} FROM every_measurement WHERE node_id = %s ORDER BY measured_at DESC LIMIT %s"


def select_newest(connection: Connection, name: str, node_id: int, limit: int) -> list[Stored]:
    """Give the newest measurements of one node, newest first."""
    statement = NEWEST.replace("%s", "?") if database_of(connection).is_sqlite else NEWEST
    found = connection.exec_driver_sql(statement, (node_id, limit)).all()
    return [Stored(node_id, m) for m in decode_rows(connection, name, [tuple(row) for row in found])]


_PREFIXED = ", ".join(f"m.{column}" for column in COLUMNS)
#: CROSS JOIN fixes the order: without it SQLite scans the whole of measurement.
SQLITE_LATEST = (
    f"SELECT n.name, n.delivered_at, {_PREFIXED} FROM node n CROSS JOIN measurement m ON m.node_id = n.id"
    " AND m.measured_at = (SELECT max(measured_at) FROM measurement WHERE node_id = n.id)"
)
SQLITE_INBOX = (
    f"SELECT n.name, n.delivered_at, {_PREFIXED} FROM json_each(?) wanted"
    " CROSS JOIN inbox m ON m.id = wanted.value CROSS JOIN node n ON n.id = m.node_id"
)
POSTGRES_LATEST = (
    f"SELECT n.name, n.delivered_at, {_PREFIXED} FROM node n CROSS JOIN LATERAL"
    " (SELECT * FROM measurement WHERE node_id = n.id ORDER BY measured_at DESC LIMIT 1) m"
)


class _Newest(NamedTuple):
    """The newest row of a node, and its newest live delivery."""

    name: str
    delivered_at: int | None
    row: Row

    def is_active(self, since: int) -> bool:
        heard_at: int = max(self.row[1], self.delivered_at or 0)
        return heard_at >= since


def select_newest_of_each(
    connection: Connection, active_since: int | None = None, node_ids: Container[int] | None = None
) -> list[Stored]:
    """Give the newest measurement of every node, by name; with `node_ids` of these only.

    With `active_since` only of nodes whose newest measurement, or newest live delivery, is younger than that.
    """
    found = [
        one
        for one in _select_latest(connection)
        if (active_since is None or one.is_active(active_since)) and (node_ids is None or one.row[0] in node_ids)
    ]
    configurations = read_configurations(connection, {one.row[2] for one in found})
    return [Stored(row[0], decode(name, configurations[row[2]], row)) for name, _, row in found]


def count_nodes(connection: Connection, active_since: int) -> tuple[int, int]:
    """Count the nodes that have a measurement, and those of them that are active, as above."""
    newest = _select_latest(connection)
    return len(newest), sum(one.is_active(active_since) for one in newest)


def _select_latest(connection: Connection) -> list[_Newest]:
    newest: dict[str, _Newest] = {}
    for name, delivered_at, *row in _select_latest_rows(connection):
        if name not in newest or newest[name].row[1] < row[1]:
            newest[name] = _Newest(name, delivered_at, tuple(row))
    return [newest[name] for name in sorted(newest)]


def _select_latest_rows(connection: Connection) -> list[Row]:
    """Give the newest row of each node, on SQLite perhaps an older one too."""
    if not database_of(connection).is_sqlite:
        return [tuple(row) for row in connection.exec_driver_sql(POSTGRES_LATEST).all()]
    raw = raw_sqlite(connection)
    rows: list[Row] = raw.execute(SQLITE_LATEST).fetchall()
    if ids := _find_newest_in_inbox(connection):
        rows += raw.execute(SQLITE_INBOX, (msgspec.json.encode(ids).decode(),)).fetchall()
    return rows


_TRACE = ", ".join(TRACE_COLUMNS)
#: All rows of a node in one text: at each row that it fetches, the driver lets another thread go first.
SQLITE_TRACES = (
    f"SELECT wanted.value, (SELECT json_group_array(json_array({_TRACE})) FROM (SELECT {_TRACE} FROM measurement"
    " WHERE node_id = wanted.value ORDER BY measured_at DESC LIMIT ?)) FROM json_each(?) wanted"
)
#: The inbox has no index, and is looked through once for all nodes.
SQLITE_INBOX_TRACES = (
    f"SELECT node_id, json_group_array(json_array({_TRACE})) FROM inbox"
    " WHERE node_id IN (SELECT value FROM json_each(?)) GROUP BY node_id"
)
POSTGRES_TRACES = (
    f"SELECT wanted.id, json_agg(json_build_array({_TRACE}))::text FROM unnest(%s::integer[]) wanted(id) CROSS JOIN LATERAL"
    f" (SELECT {_TRACE} FROM measurement WHERE node_id = wanted.id ORDER BY measured_at DESC LIMIT %s) m GROUP BY wanted.id"
)
_time_of = attrgetter("measured_at")


def select_traces(connection: Connection, node_ids: Sequence[int], limit: int) -> dict[int, list[Trace]]:
    """Give the traces of the newest measurements of each of these nodes that has any, newest first."""
    found: dict[int, list[Trace]] = {}
    for node_id, rows in _select_trace_rows(connection, node_ids, limit):
        found.setdefault(node_id, []).extend(decode_traces(rows))
    return {node_id: sorted(traces, key=_time_of, reverse=True)[:limit] for node_id, traces in found.items() if traces}


def _select_trace_rows(connection: Connection, node_ids: Sequence[int], limit: int) -> list[Row]:
    """Give the newest rows of a node together, as `decode_traces` takes them; on SQLite all from the inbox as well."""
    if not database_of(connection).is_sqlite:
        return [tuple(row) for row in connection.exec_driver_sql(POSTGRES_TRACES, (list(node_ids), limit)).all()]
    raw, wanted = raw_sqlite(connection), msgspec.json.encode(node_ids).decode()
    sorted_in: list[Row] = raw.execute(SQLITE_TRACES, (limit, wanted)).fetchall()
    return sorted_in + raw.execute(SQLITE_INBOX_TRACES, (wanted,)).fetchall()


class _InboxIndex(msgspec.Struct):
    """Which row of the inbox is each node's newest, as far as a connection has read it."""

    #: Tells one filling of the inbox from the next: a record comes but once.
    first: Row | None = None
    last_id: int = 0
    #: Time and row, by node.
    newest: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict)


def _find_newest_in_inbox(connection: Connection) -> list[int]:
    """Give the ids of rows; a connection that only reads looks at each row once, since rows only follow each other."""
    raw = raw_sqlite(connection)
    first = raw.execute("SELECT id, node_id, measured_at FROM inbox ORDER BY id LIMIT 1").fetchone()
    index: _InboxIndex = connection.info.get("inbox_index") or _InboxIndex()
    if index.first != first or is_writing(connection):
        index = _InboxIndex(first)
    for row_id, node_id, at in raw.execute("SELECT id, node_id, measured_at FROM inbox WHERE id > ?", (index.last_id,)):
        index.last_id = row_id
        if node_id not in index.newest or at > index.newest[node_id][0]:
            index.newest[node_id] = (at, row_id)
    if not is_writing(connection):  # what it sees may be rolled back
        connection.info["inbox_index"] = index
    return [row_id for _, row_id in index.newest.values()]


#: Not of the view: that would read all of the node's rows.
_FIRST = text(
    "SELECT min(first) FROM (SELECT min(measured_at) AS first FROM measurement WHERE node_id = :node"
    " UNION ALL SELECT min(measured_at) FROM inbox WHERE node_id = :node) AS firsts"
)


_FIRST_DAY = text("SELECT starts_at, ends_at FROM daily WHERE node_id = :node ORDER BY starts_at LIMIT 1")


def select_first_time(connection: Connection, node_id: int) -> int | None:
    """Give when a node's oldest measurement was taken, in epoch seconds; of a day that was pruned, its begin."""
    first: int | None = connection.execute(_FIRST, {"node": node_id}).scalar()
    day = connection.execute(_FIRST_DAY, {"node": node_id}).first()
    is_pruned = day is not None and (first is None or day.ends_at <= first)
    return day.starts_at if day is not None and is_pruned else first


_FIRST_CONFIGURED = text(
    "SELECT min(measured_at) FROM every_measurement WHERE node_id = :node AND configuration_id = :configuration"
    " AND measured_at >= :first AND measured_at < :end"
)


def select_first_configured(
    connection: Connection, node_id: int, configuration_id: int, first: int, end: int
) -> int | None:
    """Give when a node first showed a configuration from `first` to before `end`; reads all records in between."""
    span = {"node": node_id, "configuration": configuration_id, "first": first, "end": end}
    found: int | None = connection.execute(_FIRST_CONFIGURED, span).scalar()
    return found


def count_measurements(connection: Connection) -> int:
    """Count all rows; reads the whole table, for tests and reports only."""
    return int(connection.exec_driver_sql("SELECT count(*) FROM every_measurement").scalar_one())
