"""One database, SQLite or PostgreSQL: connections, transactions, and the age of its schema."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from isems.errors import SchemaOutdatedError, StorageError
from isems.storage import schema

#: How long a writer waits for another process's transaction, a VACUUM or a backup included.
BUSY_SECONDS = 60
#: Any number will do, as long as every process asks for the same one.
SCHEMA_LOCK = 0x15E35


class Database:
    """Opens no connection before the first `read` or `write`; safe to share between threads."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if self.is_sqlite else create_engine(url, pool_pre_ping=True)
        #: Ids known to be committed; see `nodes` and `configurations`.
        self.known_ids: dict[Any, Any] = {}
        self._is_ready = False

    @property
    def place(self) -> str:
        """The database for messages: never with a password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection with one consistent view of the data."""
        self.make_ready()
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection that holds the write lock; commits at the end, rolls back on an error."""
        self.make_ready()
        try:
            with self._transaction("BEGIN IMMEDIATE") as connection:
                yield connection
        except BaseException:
            self.known_ids.clear()  # they may have been rolled back
            raise

    @contextmanager
    def write_any_version(self) -> Iterator[Connection]:
        """Give a connection with the write lock to a database of any version, for upgrades."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            self._lock_schema(connection)
            yield connection

    def _lock_schema(self, connection: Connection) -> None:
        if not self.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")

    def make_ready(self) -> None:
        """Create the tables in an empty database.

        Raises SchemaOutdatedError for an older database: only `flask db upgrade` touches that.
        """
        if self._is_ready:
            return
        with self._transaction("BEGIN") as connection:
            version = read_version(connection)
        if version is None:
            with self.write_any_version() as connection:
                if read_version(connection) is None:
                    if tables := inspect(connection).get_table_names():
                        raise StorageError(f"{self.place} is no database of ISEMS: it holds the table {tables[0]}")
                    create_schema(connection)
            version = schema.HEAD
        if version != schema.HEAD:
            raise SchemaOutdatedError(
                f"the database {self.place} is of version {version}, this program needs {schema.HEAD}: "
                "run 'flask db upgrade'"
            )
        self._is_ready = True

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        try:
            with (
                self.engine.connect().execution_options(isems_begin=begin) as connection,
                connection.begin(),
            ):
                connection.info["database"] = self
                yield connection
        except OperationalError as error:
            raise StorageError(f"the database {self.place} cannot be used: {error.orig}") from error
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise StorageError(f"the database {self.place} refused: {cause}") from error


def database_of(connection: Connection) -> Database:
    """Give the database that a connection belongs to."""
    database: Database = connection.info["database"]
    return database


def insert_into(connection: Connection, table: Table) -> sqlite.Insert:
    """Begin an INSERT that can be followed by ON CONFLICT; both databases spell it the same."""
    if database_of(connection).is_sqlite:
        return sqlite.insert(table)
    return cast(sqlite.Insert, postgresql.insert(table))


def read_version(connection: Connection) -> str | None:
    """Give the schema's version; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(select(schema.alembic_version.c.version_num)).scalar()


def create_schema(connection: Connection) -> None:
    """Create every table and note the version."""
    schema.metadata.create_all(connection)
    connection.execute(schema.alembic_version.insert().values(version_num=schema.HEAD))


def _sqlite_engine(url: str) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:" and not Path(path).parent.is_dir():
        raise StorageError(f"the folder of the database {path} does not exist")
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    for pragma in (
        "auto_vacuum = INCREMENTAL",  # before the first table, or it has no effect
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = OFF",
        "journal_size_limit = 16777216",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("isems_begin", "BEGIN"))
