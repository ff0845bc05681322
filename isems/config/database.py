"""The database: SQLite or PostgreSQL, in every usual spelling of its URL."""

from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from isems.config.values import base_folder

#: What may be written before :// in DATABASE_URL; only one driver of each is installed.
SQLITE_NAMES = ("sqlite", "sqlite+pysqlite")
POSTGRESQL_NAMES = ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")


def parse_database_url(text: str) -> str:
    """Give the URL as SQLAlchemy takes it; raises ValueError with what was expected."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        url = URL.create("unreadable")
    if url.drivername in SQLITE_NAMES:
        return _sqlite_url(url)
    if url.drivername in POSTGRESQL_NAMES:
        return _postgresql_url(url)
    raise ValueError("a URL of SQLite or PostgreSQL, such as sqlite:///isems.db or postgresql://user@host/isems")


def _sqlite_url(url: URL) -> str:
    if url.host or url.database in (None, "", ":memory:") or str(url.database).startswith("file:"):
        raise ValueError("the path of a SQLite file after sqlite:///, such as sqlite:///isems.db")
    path = base_folder() / str(url.database)  # an absolute path wins over the base
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"a file in a folder that exists, not {str(path)!r}")
    return sqlite_url(path, url)


def sqlite_url(path: Path, url: URL = URL.create("sqlite")) -> str:  # noqa: B008 (immutable)
    """Give the URL of a SQLite file, whatever characters its path holds; options are those of `url`."""
    return url.set(drivername="sqlite", database=str(path)).render_as_string(hide_password=False)


def _postgresql_url(url: URL) -> str:
    if find_spec("psycopg") is None:
        raise ValueError("the package psycopg to be installed: it is what PostgreSQL is reached with")
    if isinstance(password := url.query.get("password"), str):  # where it stands otherwise, messages leave it out
        url = url.set(password=password).difference_update_query(["password"])
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
