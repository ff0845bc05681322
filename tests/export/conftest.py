"""An empty database of each kind, without an inbox."""

from collections.abc import Iterator

import pytest

from isems.storage.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, of each kind."""
    database = Database(database_url)
    yield database
    database.close()
