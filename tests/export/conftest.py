"""An empty database."""

from collections.abc import Iterator

import pytest

from isems.storage.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, of each kind."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Database]:
    """An empty SQLite database, where the kind makes no difference."""
    database = Database(sqlite_url)
    yield database
    database.close()
