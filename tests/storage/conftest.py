"""A ready and empty database of each kind; PostgreSQL's is emptied after each test, since making one is slow."""

from collections.abc import Iterator

import pytest

from isems.storage import schema
from isems.storage.database import Database
from tests.services import PostgresServer


@pytest.fixture(scope="session")
def lasting_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database with tables, for all tests of this folder."""
    with postgres_server.empty_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "sqlite-inbox", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database with empty tables; a test that asks for it runs once on each kind."""
    is_sqlite = request.param != "postgresql"
    url = request.getfixturevalue("sqlite_url" if is_sqlite else "lasting_url")
    database = Database(url, has_inbox=request.param == "sqlite-inbox")
    database.make_ready()
    yield database
    if not is_sqlite:
        _empty(database)
    database.close()


def _empty(database: Database) -> None:
    with database.write() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            if table is not schema.alembic_version:
                connection.execute(table.delete())
