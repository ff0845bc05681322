"""The database: created once, never touched when it is another's, locked for one writer, one view for readers."""

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from isems.errors import SchemaOutdatedError, StorageError
from isems.storage import schema
from isems.storage.database import Database, read_version
from isems.storage.measurements import insert_measurements
from isems.storage.newest import count_measurements
from isems.storage.nodes import identify_nodes
from isems.storage.upgrade import run_migrations, upgrade_database
from isems.storage.writer_memory import known_ids
from tests.samples import NOON, measurement, minutes

processes = multiprocessing.get_context("spawn")


@pytest.fixture
def empty_database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def everything_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def make_version(url: str, version: str) -> None:
    """A database of an older version, made by the migrations up to there."""
    database = Database(url)
    with database.write_any_version() as connection:
        run_migrations(connection, version)
    database.close()


# -- created once ---------------------------------------------------------------------------------


def test_the_first_read_creates_an_empty_database(empty_database: Database) -> None:
    with empty_database.read() as connection:
        assert read_version(connection) == schema.HEAD
        assert set(inspect(connection).get_table_names()) == set(schema.metadata.tables)


def test_making_the_object_opens_nothing(sqlite_url: str) -> None:
    Database(sqlite_url)
    assert not path_of(sqlite_url).exists()


def test_a_new_sqlite_file_is_in_wal_mode_and_can_give_space_back(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    database.make_ready()
    database.close()
    with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)  # INCREMENTAL


def create_and_store(url: str, node: str, barrier: "multiprocessing.synchronize.Barrier") -> None:
    database = Database(url)
    barrier.wait(60)
    with database.write() as connection:
        insert_measurements(connection, minutes(20, node), NOON)
    database.close()


def test_processes_that_create_it_at_the_same_time_all_succeed(database_url: str) -> None:
    barrier = processes.Barrier(3)
    workers = [processes.Process(target=create_and_store, args=(database_url, f"n{i}", barrier)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 3
    database = Database(database_url)
    with database.read() as connection:
        assert count_measurements(connection) == 60
        if database.is_sqlite:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    database.close()


def test_threads_that_create_it_at_the_same_time_all_succeed(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(6)]
    run_together([database.make_ready for database in databases])
    with databases[0].read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
    for database in databases:
        database.close()


def run_together(works: list[Callable[[], None]]) -> None:
    """Run all at once, one thread each; the first error of any is raised."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        barrier.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(run, work) for work in works]:
            future.result(60)


# -- another's database, or another version's -----------------------------------------------------


@pytest.mark.parametrize("version", ["ae0a32b43c39", "256a79be1bd8", "ef784e202371"])
def test_an_older_database_is_refused_with_the_command_that_upgrades_it(database_url: str, version: str) -> None:
    make_version(database_url, version)
    database = Database(database_url)
    for use in (database.read, database.write):
        with pytest.raises(SchemaOutdatedError, match=f"{version}.*run 'flask db upgrade'"), use():
            pass
    with database.write_any_version() as connection:
        assert read_version(connection) == version
        assert inspect(connection).get_table_names() == ["alembic_version", "measurement"]
    database.close()


def test_a_refused_older_file_keeps_every_byte(sqlite_url: str) -> None:
    make_version(sqlite_url, "ef784e202371")
    before = everything_of(path_of(sqlite_url).parent)
    database = Database(sqlite_url)
    with pytest.raises(SchemaOutdatedError):
        database.make_ready()
    database.close()
    assert everything_of(path_of(sqlite_url).parent) == before


def test_a_refused_foreign_file_keeps_every_byte(sqlite_url: str) -> None:
    with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
        connection.executescript(
            "PRAGMA auto_vacuum = FULL; CREATE TABLE customer (name); INSERT INTO customer VALUES (1)"
        )
    before = everything_of(path_of(sqlite_url).parent)
    database = Database(sqlite_url)
    for _ in range(2):
        with pytest.raises(StorageError, match="no database of ISEMS: it holds the table customer"):
            database.make_ready()
    database.close()
    assert everything_of(path_of(sqlite_url).parent) == before


def test_a_foreign_database_is_refused_by_the_upgrade_too(empty_database: Database) -> None:
    with empty_database.write_any_version() as connection:
        connection.execute(text("CREATE TABLE customer (name text)"))
    with pytest.raises(StorageError, match="holds the table customer"):
        upgrade_database(empty_database)
    with empty_database.write_any_version() as connection:
        assert inspect(connection).get_table_names() == ["customer"]


def test_a_newer_version_is_neither_opened_nor_called_outdated(empty_database: Database) -> None:
    empty_database.make_ready()
    with empty_database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ffff00000000'"))
    later = Database(empty_database.url.render_as_string(hide_password=False))
    with pytest.raises(StorageError, match="ffff00000000, which this program does not know") as caught:
        later.make_ready()
    assert not isinstance(caught.value, SchemaOutdatedError)
    with pytest.raises(StorageError, match="ffff00000000"):
        upgrade_database(later)
    with later.write_any_version() as connection:
        assert read_version(connection) == "ffff00000000"
    later.close()


def test_a_file_that_is_no_database_is_a_storage_error(sqlite_url: str) -> None:
    path_of(sqlite_url).write_bytes(b"this is a text of no use, and long enough to be read as a header.. " * 20)
    with pytest.raises(StorageError, match="not a database"):
        Database(sqlite_url).make_ready()


@pytest.mark.parametrize("place", ["no/such/folder/isems.db", "{folder}/missing/isems.db"])
def test_an_absent_folder_is_a_storage_error_that_names_the_file(tmp_path: Path, place: str) -> None:
    path = place.format(folder=tmp_path)
    with pytest.raises(StorageError, match=f"the folder of the database {path} does not exist"):
        Database(f"sqlite:///{path}").make_ready()


def test_a_folder_in_the_place_of_the_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be used"):
        Database(f"sqlite:///{tmp_path}").make_ready()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://isems:s3cret@127.0.0.1:1/isems?connect_timeout=2",
        "postgresql+psycopg://127.0.0.1:1/isems?user=isems&password=s3cret&connect_timeout=2",
    ],
)
def test_a_server_that_is_not_there_is_a_storage_error_without_the_password(url: str) -> None:
    pytest.importorskip("psycopg")
    database = Database(url)
    with pytest.raises(StorageError, match=r"127\.0\.0\.1") as caught:
        database.make_ready()
    assert "s3cret" not in str(caught.value) + database.place


# -- transactions ---------------------------------------------------------------------------------


def store_and_fail(database: Database, node: str) -> None:
    with database.write() as connection:
        insert_measurements(connection, minutes(10, node), NOON)
        raise RuntimeError("after the insert")


def test_a_write_that_fails_stores_nothing_and_leaves_no_id_behind(database: Database) -> None:
    with pytest.raises(RuntimeError):
        store_and_fail(database, "a")
    with database.write() as connection:
        assert count_measurements(connection) == 0
        assert known_ids(connection).get("a") is None
        assert insert_measurements(connection, minutes(5, "b"), NOON).stored == 5
        assert insert_measurements(connection, minutes(5, "a"), NOON).stored == 5
    with database.read() as connection:
        orphans = "SELECT count(*) FROM measurement WHERE node_id NOT IN (SELECT id FROM node)"
        assert connection.execute(text(orphans)).scalar() == 0


def test_an_id_is_known_to_others_only_once_it_is_committed(database: Database) -> None:
    with database.write() as connection:
        known_ids(connection).remember({"a": 7})
        assert known_ids(connection).get("a") == 7
        assert "a" not in database.known_ids
    with database.write() as connection:
        assert known_ids(connection).get("a") == 7


def test_an_error_of_the_database_is_a_storage_error(database: Database) -> None:
    with pytest.raises(StorageError, match="no_such_table"), database.read() as connection:
        connection.execute(text("SELECT * FROM no_such_table"))


def test_threads_that_write_fail_and_read_at_once_lose_nothing(database: Database) -> None:
    database.make_ready()

    def write(name: str) -> None:
        for start in range(0, 60, 10):
            with database.write() as connection:
                insert_measurements(connection, minutes(10, name, NOON + 60 * start), NOON)

    def fail(name: str) -> None:
        for _ in range(6):
            with pytest.raises(RuntimeError):
                store_and_fail(database, name)

    def read() -> None:
        for _ in range(20):
            with database.read() as connection:
                assert count_measurements(connection) % 10 == 0

    run_together([*(lambda n=n: write(f"w{n}") for n in range(3)), lambda: fail("w1"), lambda: fail("f"), read])
    with database.read() as connection:
        assert count_measurements(connection) == 180
        assert connection.execute(text("SELECT name FROM node ORDER BY name")).scalars().all() == ["w0", "w1", "w2"]


def test_a_reader_sees_one_moment_while_a_writer_works(database: Database) -> None:
    with database.write() as connection:
        insert_measurements(connection, minutes(5), NOON)
    with database.read() as reader:
        assert count_measurements(reader) == 5
        with database.write() as writer:
            insert_measurements(writer, minutes(5, first=NOON + 600), NOON)
            assert count_measurements(reader) == 5
        assert count_measurements(reader) == 5
    with database.read() as reader:
        assert count_measurements(reader) == 10


def test_a_new_process_reads_while_another_writes(sqlite_url: str) -> None:
    writer, reader = Database(sqlite_url), Database(sqlite_url)
    with writer.write() as connection:
        insert_measurements(connection, minutes(5), NOON)
    with writer.write() as connection:
        insert_measurements(connection, minutes(5, "b"), NOON)
        started = time.monotonic()
        with reader.read() as view:
            assert count_measurements(view) == 5
        assert time.monotonic() - started < 2
    writer.close()
    reader.close()


def hold_lock(path: str, is_held: "multiprocessing.synchronize.Event", seconds: float) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        is_held.set()
        time.sleep(seconds)
        connection.execute("COMMIT")


def test_a_file_locked_by_another_process_is_waited_for(sqlite_url: str) -> None:
    """Defect 21: locked for longer than five seconds, the importer died; here any wait up to a minute is waited out."""
    database = Database(sqlite_url)
    database.make_ready()
    is_held = processes.Event()
    other = processes.Process(target=hold_lock, args=(str(path_of(sqlite_url)), is_held, 1.0))
    other.start()
    assert is_held.wait(30)
    with database.write() as connection:
        assert insert_measurements(connection, minutes(5), NOON).stored == 5
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 60_000
    other.join(10)
    database.close()


def test_a_commit_that_waited_too_long_leaves_nothing_behind(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there can be no write-ahead log, a reader may hold up a commit; the next transaction must be a new one."""
    monkeypatch.setattr("isems.storage.sqlite_file.BUSY_SECONDS", 0.1)
    monkeypatch.setattr(Database, "switch_to_wal", lambda database: None)
    database = Database(sqlite_url)
    database.make_ready()
    with closing(sqlite3.connect(path_of(sqlite_url), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM node").fetchall()
        with pytest.raises(StorageError, match="locked"), database.write() as connection:
            insert_measurements(connection, minutes(5), NOON)
    with database.write() as connection:
        assert insert_measurements(connection, minutes(5), NOON).stored == 5
    database.close()


def test_two_transactions_with_the_same_nodes_in_opposite_order_do_not_stop_each_other(database: Database) -> None:
    database.make_ready()
    names = [f"n{i}" for i in range(30)]

    def store(order: list[str]) -> None:
        for at in range(NOON, NOON + 180, 60):
            with database.write() as connection:
                for name in order:  # one insert each, as a payload of several nodes is stored
                    insert_measurements(connection, [measurement(name, at)], NOON)

    run_together([lambda: store(names), lambda: store(names[::-1]), lambda: store(names)])
    with database.read() as connection:
        assert count_measurements(connection) == 90


def test_writers_do_not_step_over_a_limit_together(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isems.storage.nodes.MAX_NODES", 5)
    database.make_ready()

    def introduce(name: str) -> None:
        with database.write() as connection:
            identify_nodes(connection, [name], NOON)

    run_together([lambda n=n: introduce(f"n{n}") for n in range(10)])
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM node")).scalar() == 5


def test_the_time_zone_of_the_session_changes_nothing(postgresql_url: str) -> None:
    """Defect 25: with a session in UTC a known line was not recognised, and ended the import."""
    for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu"):
        database = Database(f"{postgresql_url}&options=-c%20timezone%3D{zone}")
        with database.write() as connection:
            assert connection.execute(text("SHOW timezone")).scalar() == zone
            inserted = insert_measurements(connection, minutes(30), NOON)
        assert (inserted.stored, inserted.duplicate) == ((30, 0) if zone == "UTC" else (0, 30))
        database.close()


def test_a_server_with_a_stricter_default_isolation_loses_no_count(postgresql_url: str) -> None:
    setting = "options=-c%20default_transaction_isolation%3Dserializable"
    database = Database(f"{postgresql_url}&{setting}")
    database.make_ready()
    results = []

    def store() -> None:
        with database.write() as connection:
            results.append(insert_measurements(connection, minutes(200), NOON))

    run_together([store] * 4)
    assert sorted(r.stored for r in results) == [0, 0, 0, 200]
    assert sorted(r.duplicate for r in results) == [0, 200, 200, 200]
    database.close()


def test_a_server_that_is_not_there_is_told_in_one_line() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/isems")
    with pytest.raises(StorageError) as refused:
        database.make_ready()
    assert "\n" not in str(refused.value)
    assert "cannot be used" in str(refused.value)
    database.close()
