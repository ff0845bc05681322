"""Fixtures for all tests: a clean environment, and both databases."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from isems.storage.database import Database
from tests.certificates import Certificates, make_certificates
from tests.services import OPENSSL, POSTGRESQL, PostgresServer, describe_skipped, require_service, run_postgres

# No deadline: the time of one example says more about the machine's other work than about the code. In CI
# the same examples every time, so that a change is judged by what it changed.
hypothesis.settings.register_profile("isems", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("isems")

OURS = ("ISEMS_", "FLASK_", "DATABASE_URL", "MQTT_SERVER", "SENTRY_DSN", "HIDE_INACTIVE_AFTER_DAYS", "PG")


@pytest.fixture(autouse=True)
def _no_settings_of_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell has set must not decide a test, nor a test write into a real database."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module", autouse=True)
def _no_thread_left_behind() -> Iterator[None]:
    """A writer that nobody closed is found in the file that left it, not by a test of another that counts threads."""
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("isems")]
    assert left == []


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for the whole run, started by the first test that asks for it."""
    with run_postgres(require_service(POSTGRESQL)) as server:
        yield server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of all kinds, made once."""
    require_service(OPENSSL)
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'isems.db'}"


@pytest.fixture
def postgresql_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with postgres_server.empty_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; a test that asks for it runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "sqlite-inbox", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database, of each kind; a process that goes on collecting has an inbox on SQLite."""
    kind, _, inbox = request.param.partition("-")
    opened = Database(request.getfixturevalue(f"{kind}_url"), has_inbox=bool(inbox))
    yield opened
    opened.close()


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Database]:
    """An empty SQLite database, where the kind makes no difference."""
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not tested for want of a service: a skipped group must not look like a passed one."""
    for line in describe_skipped(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line, yellow=True)
