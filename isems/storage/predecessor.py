"""The predecessor's table and its replacement: read in order of `id`, moved in batches, exchanged in one transaction.

Until the exchange the old table stays as it is, so that programs which still write into it go on, and every move can
be interrupted anywhere: the rows of a batch and the note of how far it came are one transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select, text
from sqlalchemy.exc import OperationalError

from isems.domain.measurement import Measurement
from isems.storage import schema
from isems.storage.database import database_of
from isems.storage.inbox import LIST
from isems.storage.measurements import Inserted, encode_batch, identify, insert_rows, note_configurations
from isems.storage.rows import Row
from isems.storage.writer_memory import memory_of

#: Its versions, all with the same table but for `status` and an index.
VERSIONS = ("ae0a32b43c39", "256a79be1bd8", "ef784e202371")
#: Where rows are collected until they take the old table's place.
NEW = "measurement_new"
#: Where PostgreSQL keeps the old table; SQLite has a copy of the file instead.
OLD = "measurement_before_upgrade"
#: Below every id.
FIRST_ID = -(2**63)
#: Characters of times that are compared as texts on SQLite.
TIME = "%Y-%m-%d %H:%M:%S"

progress_table = Table("upgrade_progress", MetaData(), Column("value", Text, nullable=False))


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a move came; kept in the database, in the transaction of the rows themselves."""

    #: The schema of the tables that were begun.
    version: str
    zone: str
    #: The backup of this upgrade; None where there is nothing to copy.
    backup: str | None
    #: All rows up to this id are done.
    last_id: int = FIRST_ID
    moved: int = 0
    #: Rows equal to another one but for fractions of a second.
    duplicate: int = 0
    rejected: dict[str, int] = {}
    #: Rows in doubled hours, and how many of them were found to be of the second pass.
    doubled: int = 0
    second: int = 0

    @property
    def done(self) -> int:
        """The rows that were dealt with."""
        return self.moved + self.duplicate + sum(self.rejected.values())


def read_progress(connection: Connection) -> Progress | None:
    """Give how far a move came; None where none was begun."""
    if not inspect(connection).has_table(progress_table.name):
        return None
    value = connection.execute(select(progress_table.c.value)).scalar()
    return None if value is None else msgspec.json.decode(value, type=Progress)


def save_progress(connection: Connection, progress: Progress) -> None:
    """Note how far a move came."""
    progress_table.create(connection, checkfirst=True)
    connection.execute(progress_table.delete())
    connection.execute(progress_table.insert().values(value=msgspec.json.encode(progress).decode()))


def create_tables(connection: Connection) -> None:
    """Create this program's tables beside the old one; those of a move that was given up are dropped."""
    ours = [one for one in schema.metadata.sorted_tables if one not in (schema.measurement, schema.alembic_version)]
    new = schema.measurement.to_metadata(MetaData(), name=NEW)
    new.drop(connection, checkfirst=True)
    schema.metadata.drop_all(connection, tables=ours)
    schema.metadata.create_all(connection, tables=ours)
    new.create(connection)
    database_of(connection).known_ids.clear()  # of rows that are gone
    memory_of(connection).clear()


def count_rows(connection: Connection) -> int:
    """Count the old table's rows."""
    return int(connection.execute(text("SELECT count(*) FROM measurement")).scalar_one())


def select_settled_id(connection: Connection) -> int:
    """Give an id up to which no row will be added any more.

    PostgreSQL gives out ids before their rows are committed: so this waits for those who are at it.
    """
    if not database_of(connection).is_sqlite:
        connection.exec_driver_sql("LOCK TABLE measurement IN SHARE MODE")
    newest: int | None = connection.execute(text("SELECT max(id) FROM measurement")).scalar()
    return FIRST_ID if newest is None else newest


def lock_out_writers(connection: Connection) -> None:
    """Keep every other program from the old table until the transaction ends; SQLite's write lock does already."""
    if not database_of(connection).is_sqlite:
        connection.exec_driver_sql("LOCK TABLE measurement IN ACCESS EXCLUSIVE MODE")


def select_rows(
    connection: Connection, columns: Sequence[str], after: int, until: int, limit: int
) -> Sequence[Sequence[Any]]:
    """Give old rows in order of id; a column that an older version lacks is NULL, times are text."""
    there = {column["name"] for column in inspect(connection).get_columns("measurement")}
    wanted = ", ".join(_column(name) if name in there else "NULL" for name in columns)
    statement = text(f"SELECT {wanted} FROM measurement WHERE id > :after AND id <= :until ORDER BY id LIMIT :limit")
    values = {"after": after, "until": until, "limit": limit}
    if not database_of(connection).is_sqlite:
        connection.exec_driver_sql("SET LOCAL datestyle = 'ISO'")
        with _along_the_key(connection):
            return connection.execute(statement, values).all()
    try:
        return connection.execute(statement, values).all()
    except OperationalError:
        with _any_text(connection):
            return connection.execute(statement, values).all()


@contextmanager
def _along_the_key(connection: Connection) -> Iterator[None]:
    """Keep PostgreSQL from sorting all that is left of the table for each batch, as it does without statistics."""
    connection.exec_driver_sql("SET LOCAL enable_sort = off")
    yield
    connection.exec_driver_sql("SET LOCAL enable_sort = on")


def _column(name: str) -> str:
    return 'CAST("timestamp" AS TEXT)' if name == "timestamp" else f'"{name}"'


@contextmanager
def _any_text(connection: Connection) -> Iterator[None]:
    """Read texts that are no UTF-8 too, which SQLite holds where another program wrote them."""
    driver: Any = connection.connection.driver_connection
    driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = str


def select_between(connection: Connection, node: str, begin: datetime, end: datetime) -> list[tuple[int, str]]:
    """Give id and time of a node's old rows from `begin` to before `end` (local times), in order of id."""
    found = connection.execute(
        text(
            'SELECT id, CAST("timestamp" AS TEXT) FROM measurement WHERE "nodeId" = :node'
            f' AND "timestamp" >= {_bound(connection, "begin")} AND "timestamp" < {_bound(connection, "end")}'
            " ORDER BY id"
        ),
        {"node": node, "begin": begin.strftime(TIME), "end": end.strftime(TIME)},
    )
    return [(row[0], row[1]) for row in found]


def select_neighbour(connection: Connection, node: str, of: datetime, *, before: bool) -> str | None:
    """Give the time of the node's old row next to a local time: the last before it, or the first not before it."""
    comparison, order = ("<", "DESC") if before else (">=", "ASC")
    statement = (
        f'SELECT CAST("timestamp" AS TEXT) FROM measurement WHERE "nodeId" = :node'
        # Of the table: PostgreSQL would take the text for meant, which no index has in order.
        f' AND "timestamp" {comparison} {_bound(connection, "of")} ORDER BY measurement."timestamp" {order} LIMIT 1'
    )
    found: str | None = connection.execute(text(statement), {"node": node, "of": of.strftime(TIME)}).scalar()
    return found


def _bound(connection: Connection, name: str) -> str:
    return f":{name}" if database_of(connection).is_sqlite else f"CAST(:{name} AS timestamp)"


def count_between(connection: Connection, ranges: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """Count the old rows in each range of local times; reads the table once."""
    counts = ", ".join(f"count(*) FILTER (WHERE {_within(one)})" for one in ranges)
    return list(connection.exec_driver_sql(f"SELECT {counts} FROM measurement").one()) if counts else []


def count_outside(connection: Connection, begin: datetime, end: datetime) -> int:
    """Count the old rows that have no time, or one before or after these local times."""
    statement = (
        'SELECT count(*) FROM measurement WHERE "timestamp" IS NULL'
        f" OR \"timestamp\" < '{begin:{TIME}}' OR \"timestamp\" > '{end:{TIME}}'"
    )
    return int(connection.exec_driver_sql(statement).scalar_one())


def count_steps_back(connection: Connection, ranges: Sequence[tuple[datetime, datetime]]) -> int:
    """Count the old rows in ranges of local times that are earlier than the same node's row before them."""
    if not ranges:
        return 0
    statement = (
        'SELECT count(*) FROM (SELECT "timestamp" AS at,'
        ' lag("timestamp") OVER (PARTITION BY "nodeId" ORDER BY id) AS earlier'
        f" FROM measurement WHERE {' OR '.join(map(_within, ranges))}) AS step"
        " WHERE at < earlier AND at > earlier - interval '2 hours'"
    )
    return int(connection.exec_driver_sql(statement).scalar_one())


def _within(one: tuple[datetime, datetime]) -> str:
    return f"(\"timestamp\" >= '{one[0]:{TIME}}' AND \"timestamp\" < '{one[1]:{TIME}}')"


def insert_moved(connection: Connection, measurements: Sequence[Measurement], now: int) -> Inserted:
    """Store a batch where the new rows are collected.

    Two records of one node and second that are not equal are a conflict, the first stays. What was neither stored nor
    refused was there already; `duplicates` does not tell which ones those are.
    """
    inserted = identify(connection, measurements, now)
    batch = encode_batch(connection, measurements, inserted)
    if not batch.rows:
        return inserted
    inserted.stored = insert_rows(connection, batch.rows, NEW)
    if inserted.stored < len(batch.rows):
        stored = [_select_stored(connection, row) for row in batch.rows]
        pairs = zip(batch.indices, batch.rows, stored, strict=True)
        inserted.conflicts = [index for index, row, known in pairs if known[2:] != row[2:]]
    return inserted


_STORED = text(f"SELECT {LIST} FROM {NEW} WHERE node_id = :node AND measured_at = :time")


def _select_stored(connection: Connection, row: Row) -> Row:
    return tuple(connection.execute(_STORED, {"node": row[0], "time": row[1]}).one())


def replace_measurement(connection: Connection) -> None:
    """Put the collected rows in the old table's place, so that whoever still writes the old columns is refused.

    The database is of this program's version then.
    """
    if database_of(connection).is_sqlite:
        # Views of other programs may name the old columns; they are theirs to mend.
        connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
        # Debian's SQLite writes over what is deleted: the journal would grow by the whole old table.
        connection.exec_driver_sql("PRAGMA secure_delete = OFF").close()
        connection.exec_driver_sql("DROP TABLE measurement")
    else:
        _rename(connection, "measurement", _free_name(connection))
    _rename(connection, NEW, "measurement")
    if database_of(connection).is_sqlite:
        connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")
    progress_table.drop(connection, checkfirst=True)
    connection.exec_driver_sql(schema.CREATE_EVERY_MEASUREMENT)
    connection.execute(schema.alembic_version.update().values(version_num=schema.HEAD))
    note_configurations(connection, connection.execute(select(schema.node.c.id)).scalars().all())


def _rename(connection: Connection, old: str, new: str) -> None:
    key = inspect(connection).get_pk_constraint(old)["name"]
    connection.exec_driver_sql(f'ALTER TABLE "{old}" RENAME TO "{new}"')
    if not database_of(connection).is_sqlite and key == f"{old}_pkey":
        connection.exec_driver_sql(f'ALTER INDEX "{key}" RENAME TO "{new}_pkey"')


def _free_name(connection: Connection) -> str:
    """Give a name for the old table under which no earlier one is kept."""
    taken = set(inspect(connection).get_table_names())
    names = (OLD if number == 1 else f"{OLD}_{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def read_session_zone(connection: Connection) -> str:
    """Give PostgreSQL's TimeZone for sessions like this one: the predecessor's times were turned into it."""
    return str(connection.exec_driver_sql("SHOW TimeZone").scalar_one())
