"""The table `measurement` of PostgreSQL in parts: a month each, or as an extension of the server does it.

It is one table unless the operator says otherwise (`isems db partition`), because a small installation only loses by it
(docs/scaling.md). There is no part for what fits into none: with one PostgreSQL would look into every part to find a
node's newest record. So whoever inserts makes the parts that are missing.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from isems.errors import StorageError
from isems.storage.schema import CREATE_EVERY_MEASUREMENT

DAY = 86_400
#: Years that have months; what a wrong clock wrote before or after them has a part on either side.
FIRST_YEAR, LAST_YEAR = 2015, 2099


class Layout(StrEnum):
    """How the table is divided."""

    MONTHS = "months"
    TIMESCALEDB = "timescaledb"
    CITUS = "citus"


class Part(NamedTuple):
    """A part of the table: from `first` to before `last`, in epoch seconds or as PostgreSQL calls the ends."""

    name: str
    first: int | str
    last: int | str


def part_of(at: int) -> Part:
    """Give the part that a time belongs to: months are those of UTC."""
    beginning, end = _begin_of(FIRST_YEAR, 1), _begin_of(LAST_YEAR + 1, 1)
    if at < beginning:
        return Part("measurement_early", "MINVALUE", beginning)
    if at >= end:
        return Part("measurement_late", end, "MAXVALUE")
    day = datetime.fromtimestamp(at, UTC)
    year, month = day.year, day.month
    return Part(f"measurement_{year}_{month:02}", _begin_of(year, month), _begin_of(year + month // 12, month % 12 + 1))


def _begin_of(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp())


#: Of these names those that no table has, if the table is in parts that we made.
_MISSING = (
    "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL"
    " AND EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass('measurement'))"
)


def make_parts(connection: Connection, times: Iterable[int]) -> None:
    """Make the parts that these times need and that are not there; nothing where the table is no table of months."""
    days = {at // DAY for at in times}
    parts = {part.name: part for part in (part_of(day * DAY) for day in days)}
    for name in connection.exec_driver_sql(_MISSING, (list(parts),)).scalars().all():
        _make_part(connection, parts[name])


def _make_part(connection: Connection, part: Part) -> None:
    """Made apart and then attached: so nobody who reads holds it up, nor is held up."""
    connection.exec_driver_sql(f"CREATE TABLE {part.name} (LIKE measurement INCLUDING ALL)")
    connection.exec_driver_sql(
        f"ALTER TABLE measurement ATTACH PARTITION {part.name} FOR VALUES FROM ({part.first}) TO ({part.last})"
    )


def partition(connection: Connection, layout: Layout) -> None:
    """Divide the table, with all that is in it, on a connection that holds the write lock.

    Raises StorageError where the server cannot, or it is divided already; nothing is changed then. For PostgreSQL only.
    """
    if _is_divided(connection):
        raise StorageError("the table measurement is divided already")
    if layout is Layout.MONTHS:
        _divide_by_months(connection)
        return
    for function, statement in _EXTENSIONS[layout]:
        if connection.exec_driver_sql("SELECT to_regproc(%s)", (function,)).scalar() is None:
            raise StorageError(f"the database has no function {function}: 'CREATE EXTENSION {layout}' in it first")
        connection.exec_driver_sql(statement).close()


#: Of either extension: a function, and what it is called with. Untested here (docs/scaling.md).
_EXTENSIONS = {
    Layout.TIMESCALEDB: [
        (
            "create_hypertable",
            "SELECT create_hypertable('measurement', 'measured_at', chunk_time_interval => 2592000, migrate_data => true)",
        )
    ],
    Layout.CITUS: [
        ("create_reference_table", "SELECT create_reference_table('node')"),
        ("create_reference_table", "SELECT create_reference_table('configuration')"),
        ("create_distributed_table", "SELECT create_distributed_table('measurement', 'node_id')"),
    ],
}

#: In parts of ours, or in those of an extension: by triggers and children, or by a list of its own.
_DIVIDED = (
    "SELECT relkind = 'p' OR EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid)"
    " FROM pg_class c WHERE c.oid = to_regclass('measurement')"
)


def _is_divided(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql(_DIVIDED).scalar())


def _divide_by_months(connection: Connection) -> None:
    for statement in (
        "DROP VIEW every_measurement",
        "ALTER TABLE measurement RENAME TO measurement_whole",
        "ALTER INDEX measurement_pkey RENAME TO measurement_whole_pkey",
        "CREATE TABLE measurement (LIKE measurement_whole INCLUDING DEFAULTS, PRIMARY KEY (node_id, measured_at))"
        " PARTITION BY RANGE (measured_at)",
    ):
        connection.exec_driver_sql(statement).close()
    days = connection.exec_driver_sql(f"SELECT DISTINCT measured_at / {DAY} FROM measurement_whole").scalars().all()
    make_parts(connection, (day * DAY for day in days))
    for statement in (
        "INSERT INTO measurement SELECT * FROM measurement_whole ORDER BY node_id, measured_at",
        "DROP TABLE measurement_whole",
        CREATE_EVERY_MEASUREMENT,
    ):
        connection.exec_driver_sql(statement).close()
