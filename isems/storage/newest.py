"""The newest measurements, read without touching the history behind them."""

import msgspec
from sqlalchemy import Connection, text

from isems.domain.measurement import Measurement
from isems.storage.configurations import read_configurations
from isems.storage.database import database_of
from isems.storage.measurements import COLUMNS, LIST, decode_rows
from isems.storage.rows import decode


class Stored(msgspec.Struct, frozen=True):
    """A measurement with the number of its node."""

    node_id: int
    measurement: Measurement


def select_newest(connection: Connection, name: str, node_id: int, limit: int) -> list[Stored]:
    """Give the newest measurements of one node, newest first."""
    found = connection.execute(
        text(f"SELECT {LIST} FROM measurement WHERE node_id = :node ORDER BY measured_at DESC LIMIT :limit"),
        {"node": node_id, "limit": limit},
    )
    return [Stored(node_id, m) for m in decode_rows(connection, name, [tuple(row) for row in found])]


_PREFIXED = ", ".join(f"m.{column}" for column in COLUMNS)
#: CROSS JOIN fixes the order: without it SQLite scans the whole of measurement.
SQLITE_LATEST = (
    f"SELECT n.name, n.delivered_at, {_PREFIXED} FROM node n CROSS JOIN measurement m ON m.node_id = n.id"
    " AND m.measured_at = (SELECT max(measured_at) FROM measurement WHERE node_id = n.id)"
)
POSTGRES_LATEST = (
    f"SELECT n.name, n.delivered_at, {_PREFIXED} FROM node n CROSS JOIN LATERAL"
    " (SELECT * FROM measurement WHERE node_id = n.id ORDER BY measured_at DESC LIMIT 1) m"
)


def select_newest_of_each(connection: Connection, active_since: int | None = None) -> list[Stored]:
    """Give the newest measurement of every node, by name.

    With `active_since` only of nodes whose newest measurement, or newest live delivery, is younger than that.
    """
    statement = SQLITE_LATEST if database_of(connection).is_sqlite else POSTGRES_LATEST
    found = [
        (name, tuple(row))
        for name, delivered_at, *row in connection.execute(text(statement))
        if active_since is None or max(row[1], delivered_at or 0) >= active_since
    ]
    configurations = read_configurations(connection, {row[2] for _, row in found})
    stored = [Stored(row[0], decode(name, configurations[row[2]], row)) for name, row in found]
    return sorted(stored, key=lambda one: one.measurement.node)


def count_measurements(connection: Connection) -> int:
    """Count all rows; reads the whole table, for tests and reports only."""
    return int(connection.execute(text("SELECT count(*) FROM measurement")).scalar_one())
