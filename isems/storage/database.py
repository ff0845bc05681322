"""One database, SQLite or PostgreSQL: connections, transactions, and the age of its schema."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, Table, create_engine, inspect, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from isems.errors import SchemaOutdatedError, StorageError
from isems.storage import schema, sqlite_file
from isems.storage.tally import Tally
from isems.storage.writer_memory import MAX_REMEMBERED, Memory, keep_memory

log = logging.getLogger(__name__)

T = TypeVar("T")
S = TypeVar("S")

#: A link that is dead without a word is noticed after a minute, not after the system's quarter of an hour (libpq's names).
DEAD_LINK = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
#: Any number will do, as long as every process asks for the same one.
WRITE_LOCK = 0x15E35
#: What a transaction begins with. A reader sees one moment of the data. There is one writer at a time, on PostgreSQL
#: too: so counts and limits are exact, and no two batches wait for each other's rows for ever.
BEGIN_READ = {"sqlite": "BEGIN", "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"}
BEGIN_WRITE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"}


class _WorkFailedError(Exception):
    """One of several pieces of work failed; the transaction is rolled back."""


class Database:
    """Opens no connection before the first `read` or `write`; safe to share between threads.

    With `has_inbox`, what comes a few rows at a time goes to the inbox first (`storage.inbox`): for processes that go on
    collecting and will sort it in. With `is_durable`, what was committed survives a power cut at any moment: for input
    whose sender forgets it then.
    """

    def __init__(self, url: str, *, has_inbox: bool = False, is_durable: bool = False) -> None:
        self.url = make_url(url)
        self.kind = self.url.get_backend_name()
        self.is_sqlite = self.kind == "sqlite"
        # PostgreSQL needs none: it appends to its table anyway, and other programs read there.
        self.has_inbox = has_inbox and self.is_sqlite
        # PostgreSQL is, unless its own settings say otherwise.
        self.is_durable = is_durable or not self.is_sqlite
        self.engine = sqlite_file.open_engine(self.url, is_durable) if self.is_sqlite else _postgres_engine(self.url)
        #: Ids of committed rows by what they are known by; see `KnownIds`.
        self.known_ids: dict[Any, Any] = {}
        self.tally = Tally()
        self._is_ready = False
        self._watch: sqlite3.Connection | None = None
        self._watch_lock = Lock()

    @property
    def place(self) -> str:
        """The database for messages: never with a password."""
        url = self.url.update_query_dict({"password": "***"}) if "password" in self.url.query else self.url
        return url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection with one consistent view of the data."""
        self.make_ready()
        with self._transaction(BEGIN_READ[self.kind]) as connection:
            yield connection

    @contextmanager
    def read_any_version(self) -> Iterator[Connection]:
        """Give a connection with one consistent view of a database of any version, for upgrades."""
        with self._transaction(BEGIN_READ[self.kind]) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection that holds the write lock; commits at the end, rolls back on an error."""
        self.make_ready()
        with self.write_any_version() as connection:
            yield connection

    def write_each(
        self, items: Sequence[S], store: Callable[[Connection, Sequence[S]], Sequence[T]]
    ) -> list[T | Exception]:
        """Store items in one transaction; give what `store` gives for each, or the error that an item failed with.

        Where that fails, each is stored in a transaction of its own, so that one harms no other: `store` must leave no
        trace but in the database.
        """
        if not items:
            return []
        try:
            return list(self._write_together(items, store))
        except _WorkFailedError:
            return [self._write_alone(item, store) for item in items]
        except StorageError as error:
            return [error for _ in items]

    def _write_together(
        self, items: Sequence[S], store: Callable[[Connection, Sequence[S]], Sequence[T]]
    ) -> Sequence[T]:
        with self.write() as connection:
            try:
                return store(connection, items)
            except Exception as error:
                raise _WorkFailedError from error

    def _write_alone(self, item: S, store: Callable[[Connection, Sequence[S]], Sequence[T]]) -> T | Exception:
        try:
            with self.write() as connection:
                return store(connection, [item])[0]
        except Exception as error:  # noqa: BLE001  # handed to whom the item belongs to; nobody else may suffer
            return error

    @contextmanager
    def write_any_version(self) -> Iterator[Connection]:
        """Give a connection with the write lock to a database of any version, for upgrades."""
        new_ids: dict[Any, Any] = {}
        callbacks: list[Callable[[], None]] = []
        with self._transaction(BEGIN_WRITE[self.kind], keep_memory) as connection:
            connection.info["new_ids"] = new_ids
            connection.info["after_commit"] = callbacks
            connection.info["memory"] = Memory.of(connection, raw_sqlite(connection) if self.is_sqlite else None)
            yield connection
        if len(self.known_ids) + len(new_ids) > MAX_REMEMBERED:
            self.known_ids = {}
        self.known_ids.update(new_ids)
        for callback in callbacks:
            callback()

    def data_version(self) -> object:
        """Give a value that is another one once anything was committed, by whatever process; costs microseconds.

        It is to be taken before the data are read.
        """
        self.make_ready()
        if not self.is_sqlite:
            with self.read() as connection:
                return connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one()
        with self._watch_lock:
            try:
                # A connection of its own, because SQLite counts the commits of all others.
                self._watch = self._watch or sqlite_file.connect(self.url)
                return sqlite_file.ask(self._watch, "PRAGMA data_version")
            except sqlite3.Error as error:
                raise StorageError(f"the database {self.place} cannot be used: {error}") from error

    def make_ready(self) -> None:
        """Create the tables in an empty database; any other is left as it is.

        Raises SchemaOutdatedError for an older database: only `flask db upgrade` touches that.
        """
        if self._is_ready:
            return
        with self.read_any_version() as connection:
            version = read_version(connection)
        if version is None:
            self._create()
        elif version != schema.HEAD:
            raise self._wrong_version(version)
        if self.is_sqlite:
            self.switch_to_wal()
        self._is_ready = True

    def _create(self) -> None:
        with self.write_any_version() as connection:
            if read_version(connection) is not None:
                return  # another process was faster
            if tables := inspect(connection).get_table_names():
                raise StorageError(f"{self.place} is no database of ISEMS: it holds the table {tables[0]}")
            create_schema(connection)

    def _wrong_version(self, version: str) -> StorageError:
        if version in older_versions():
            return SchemaOutdatedError(
                f"the database {self.place} is of version {version}, this program needs {schema.HEAD}: "
                "run 'flask db upgrade'"
            )
        return StorageError(
            f"the database {self.place} is of version {version}, which this program does not know: "
            "it belongs to a newer program, or to another one"
        )

    def switch_to_wal(self) -> None:
        """Let readers and a writer work side by side; the file remembers it.

        SQLite does not wait here for another process that writes, so this does.
        """
        deadline = time.monotonic() + sqlite_file.BUSY_SECONDS
        while True:
            try:
                with self._transaction("") as connection:
                    mode = sqlite_file.ask(raw_sqlite(connection), "PRAGMA journal_mode = WAL")
                if mode != ("wal",):
                    log.warning("%s lies where no write-ahead log can be: readers and writers will wait", self.place)
                return
            except StorageError as error:
                if "locked" not in str(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(0.02)

    def execute_alone(self, *statements: str) -> None:
        """Run statements that SQLite refuses inside a transaction, on one connection."""
        with self._transaction("") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement).close()

    def close(self) -> None:
        """Close all connections."""
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self.engine.dispose()
        if self.is_sqlite and self._is_ready:
            sqlite_file.leave_journals(Path(str(self.url.database)))

    @contextmanager
    def _transaction(
        self, begin: str, committed: Callable[[Connection], None] = lambda connection: None
    ) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                with connection.begin():
                    if begin:
                        _begin(connection, begin)
                    info = connection.info
                    info.pop("memory", None)  # of a transaction that failed
                    info["database"] = self
                    info["new_ids"] = info["committed_ids"] = self.known_ids
                    yield connection
                committed(connection)
        except OperationalError as error:
            raise StorageError(f"the database {self.place} cannot be used: {_one_line(error.orig)}") from error
        except sqlite3.Error as error:  # of what is done without SQLAlchemy
            raise StorageError(f"the database {self.place} cannot be used: {_one_line(error)}") from error
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise StorageError(f"the database {self.place} refused: {_one_line(cause)}") from error


def _one_line(error: object) -> str:
    """PostgreSQL's client words a refusal in several lines; ours is one."""
    return " ".join(str(error).split())


def database_of(connection: Connection) -> Database:
    """Give the database that a connection belongs to."""
    database: Database = connection.info["database"]
    return database


def after_commit(connection: Connection, callback: Callable[[], None]) -> None:
    """Have something done once a writing connection's transaction is committed, and not if it fails."""
    connection.info["after_commit"].append(callback)


def raw_sqlite(connection: Connection) -> sqlite3.Connection:
    """Give the driver's own connection, for what is done so often that the way through SQLAlchemy would cost more."""
    raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return raw


def insert_into(connection: Connection, table: Table) -> sqlite.Insert:
    """Begin an INSERT that can be followed by ON CONFLICT; both databases spell it the same."""
    if database_of(connection).is_sqlite:
        return sqlite.insert(table)
    return cast(sqlite.Insert, postgresql.insert(table))


class Upsert:
    """An INSERT that changes the row which is there already; built once, and the same for both databases."""

    def __init__(self, table: Table, key: Sequence[str], replace: Sequence[str], add: Sequence[str] = ()) -> None:
        self._statements = {}
        for kind, insert in (("sqlite", sqlite.insert(table)), ("postgresql", postgresql.insert(table))):
            new = insert.excluded
            changes = {name: new[name] for name in replace} | {name: table.c[name] + new[name] for name in add}
            self._statements[kind] = insert.on_conflict_do_update(index_elements=key, set_=changes)

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, which all have the same columns."""
        connection.execute(self._statements[database_of(connection).kind], rows)


def read_version(connection: Connection) -> str | None:
    """Give the schema's version; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(select(schema.alembic_version.c.version_num)).scalar()


def create_schema(connection: Connection) -> None:
    """Create every table and note the version."""
    schema.metadata.create_all(connection)
    connection.exec_driver_sql(schema.CREATE_EVERY_MEASUREMENT)
    connection.execute(schema.alembic_version.insert().values(version_num=schema.HEAD))


def older_versions() -> set[str]:
    """Give the versions from which there is a way to this program's."""
    scripts = (Path(__file__).parent / "migrations" / "versions").glob("*_*.py")
    return {script.name.partition("_")[0] for script in scripts} - {schema.HEAD}


def _postgres_engine(url: URL) -> Engine:
    # Not the server's default: after waiting for the write lock, each statement must see what others wrote.
    wanted = {name: value for name, value in DEAD_LINK.items() if name not in url.query}
    return create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED", connect_args=wanted)


def _begin(connection: Connection, statement: str) -> None:
    # Called, and no listener to SQLAlchemy's event: where there is one, each transaction joins all listeners anew.
    if connection.dialect.name == "sqlite":
        raw = raw_sqlite(connection)
        raw.execute(statement).close()
        if statement == BEGIN_READ["sqlite"]:  # which puts off the look at the file to the first statement
            sqlite_file.ask(raw, "PRAGMA schema_version")
    else:
        connection.exec_driver_sql(statement).close()
