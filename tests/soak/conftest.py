"""Databases for the long runs: millions of rows, so on the disk of the checkout and not in a /tmp that may be memory."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]

EmptyDatabase = Callable[[], AbstractContextManager[str]]


@contextmanager
def sqlite_on_disk() -> Iterator[str]:
    """The URL of a SQLite file that does not exist yet, in a folder that is gone afterwards."""
    with TemporaryDirectory(prefix=".soak-", dir=ROOT) as folder:
        yield f"sqlite:///{folder}/isems.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest) -> EmptyDatabase:
    """Gives the URL of an empty database as often as it is called, each gone afterwards; once on each kind."""
    if request.param == "sqlite":
        return sqlite_on_disk
    found: EmptyDatabase = request.getfixturevalue("postgres_server").empty_database
    return found
