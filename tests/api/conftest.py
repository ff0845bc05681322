"""The application over a database, as most tests want it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from isems.api.app import create_app
from isems.api.context import DASHBOARD
from isems.config import Config
from isems.storage.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, of each kind."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def app(lite: Database) -> Flask:
    """Without a dashboard, whether this checkout has built one or not."""
    app = create_app(Config(database_url="unused"), lite)
    app.extensions[DASHBOARD] = Path("not built")
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
