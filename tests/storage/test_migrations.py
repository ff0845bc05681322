"""The migration chain: an older database arrives at the same schema as a new one, or stays exactly as it was."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from isems.errors import StorageError
from isems.storage import schema
from isems.storage.database import Database, older_versions, read_version
from isems.storage.measurements import insert_measurements
from isems.storage.newest import count_measurements
from isems.storage.upgrade import run_migrations, upgrade_database
from tests.samples import NOON, minutes

PREDECESSOR = ["ae0a32b43c39", "256a79be1bd8", "ef784e202371"]
#: Older versions of this program.
OURS = ["5f0c1d8e7a21", "8b3d90c4e65f", "c4a91e07d3b2", "7d2e90b4c815"]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database without a table, which no other test has used."""
    database = Database(database_url)
    yield database
    database.close()


def migrate(database: Database, version: str) -> None:
    with database.write_any_version() as connection:
        run_migrations(connection, version)


def describe_schema(connection: Connection) -> dict[str, Any]:
    """Every table with its columns, types, defaults, keys and indexes, as the database itself tells them."""
    found = inspect(connection)
    return {
        table: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], str(c["default"])) for c in found.get_columns(table)
            ],
            "key": found.get_pk_constraint(table),
            "unique": sorted(str(sorted(u.items(), key=str)) for u in found.get_unique_constraints(table)),
            "foreign": sorted(str(key) for key in found.get_foreign_keys(table)),
            "checks": sorted(str(check) for check in found.get_check_constraints(table)),
            "indexes": sorted(str(index) for index in found.get_indexes(table)),
        }
        for table in found.get_table_names()
    } | {view: "".join((found.get_view_definition(view) or "").split()) for view in found.get_view_names()}


def sqlite_statements(connection: Connection) -> set[tuple[str, str]]:
    """The statements SQLite keeps, without their white space: they also tell WITHOUT ROWID and AUTOINCREMENT."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {(name, "".join(sql.split())) for name, sql in rows}


def test_the_chain_leads_to_the_same_schema_as_a_new_database(database: Database) -> None:
    with database.write_any_version() as connection:
        run_migrations(connection, schema.HEAD)
        migrated = describe_schema(connection)
        statements = sqlite_statements(connection) if database.is_sqlite else set()
        connection.rollback()  # both databases take a schema back
    with database.read() as connection:
        created = describe_schema(connection)
        if database.is_sqlite:
            assert statements == sqlite_statements(connection)
    assert set(created) == {*schema.metadata.tables, "every_measurement"}
    assert migrated == created


def test_a_database_of_an_older_version_of_this_program_keeps_its_measurements(database: Database) -> None:
    migrate(database, "5f0c1d8e7a21")
    with database.write_any_version() as connection:
        connection.execute(text("INSERT INTO node (id, name, first_seen_at) VALUES (1, 'Dach', 0)"))
        columns = "node_id, measured_at, configuration_id, battery_millivolts, time_repaired"
        connection.execute(text(f"INSERT INTO measurement ({columns}) VALUES (1, {NOON}, 1, 12345, false)"))
    assert upgrade_database(database) == ("5f0c1d8e7a21", schema.HEAD)
    with database.read() as connection:
        assert connection.execute(text("SELECT battery_millivolts FROM every_measurement")).scalars().all() == [12345]


def test_the_chain_continues_the_predecessors(database: Database) -> None:
    assert older_versions() == {*PREDECESSOR, *OURS}
    for version in [*PREDECESSOR, *OURS]:
        migrate(database, version)
        with database.write_any_version() as connection:
            assert read_version(connection) == version


def test_the_predecessors_schema_is_the_one_it_had(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    migrate(database, PREDECESSOR[-1])
    with database.write_any_version() as connection:
        described = describe_schema(connection)["measurement"]
    columns = {name: kind for name, kind, _, _ in described["columns"]}
    assert columns["nodeId"] == "VARCHAR"
    assert columns["timestamp"] == "DATETIME"
    assert columns["isPowerSaveMode"] == "BOOLEAN"
    assert columns["status"] == "INTEGER"
    assert sum(kind == "FLOAT" for kind in columns.values()) == 13
    assert "latest_by_node_id" in str(described["indexes"])
    assert "node_timestamp" in str(described["unique"])
    database.close()


@pytest.mark.parametrize("version", PREDECESSOR)
def test_an_empty_predecessor_database_is_upgraded_and_works(database: Database, version: str) -> None:
    migrate(database, version)
    assert upgrade_database(database) == (version, schema.HEAD)
    assert upgrade_database(database) == (schema.HEAD, schema.HEAD)
    with database.write() as connection:
        assert insert_measurements(connection, minutes(5), NOON).stored == 5


def test_an_upgraded_file_has_what_a_new_one_has(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    migrate(database, PREDECESSOR[-1])
    upgrade_database(database)
    database.close()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_the_upgrade_creates_what_is_not_there(database: Database) -> None:
    assert upgrade_database(database) == (None, schema.HEAD)
    with database.read() as connection:
        assert count_measurements(connection) == 0


def insert_old_row(database: Database) -> None:
    with database.write_any_version() as connection:
        statement = 'INSERT INTO measurement ("nodeId", timestamp, latitude) VALUES (:node, :time, 52.5)'
        connection.execute(text(statement), {"node": "Elektra-Dach", "time": "2026-01-10 01:00:00"})


@pytest.mark.parametrize("version", PREDECESSOR)
def test_a_predecessor_database_with_measurements_is_left_as_it_is(database: Database, version: str) -> None:
    migrate(database, version)
    insert_old_row(database)
    with database.write_any_version() as connection:
        before = describe_schema(connection)
    with pytest.raises(StorageError, match=r"holds 1 measurements of the predecessor.*nothing was changed"):
        upgrade_database(database)
    with database.write_any_version() as connection:
        assert read_version(connection) == version
        assert describe_schema(connection) == before
        assert connection.execute(text('SELECT "nodeId", latitude FROM measurement')).all() == [("Elektra-Dach", 52.5)]


@pytest.mark.parametrize("version", PREDECESSOR)
def test_a_refused_upgrade_changes_no_byte_of_the_file(sqlite_url: str, version: str) -> None:
    database = Database(sqlite_url)
    migrate(database, version)
    insert_old_row(database)
    database.close()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    with pytest.raises(StorageError, match="nothing was changed"):
        upgrade_database(Database(sqlite_url))
    assert path.read_bytes() == before
