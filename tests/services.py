"""Real services for the tests: Debian's own programs, started by the tests and removed with them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

START_SECONDS = 60


@dataclass(frozen=True)
class Service:
    """A program the tests use when it is there."""

    name: str
    find: Callable[[], Path | None]

    @property
    def missing(self) -> str:
        return f"{self.name} is not installed: `make test-services` installs it"


def find_postgresql() -> Path | None:
    """The folder of the newest PostgreSQL's programs; Debian keeps them off the PATH."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    servers = sorted((int(f.parent.name), f) for f in folders if (f / "initdb").exists())
    if servers:
        return servers[-1][1]
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).resolve().parent if elsewhere else None


def find_uwsgi() -> Path | None:
    """Debian's uwsgi, if its plugin for Debian's Python is there too."""
    found = shutil.which("uwsgi")
    return Path(found) if found and Path("/usr/lib/uwsgi/plugins/python3_plugin.so").exists() else None


POSTGRESQL = Service("PostgreSQL", find_postgresql)
UWSGI = Service("uwsgi", find_uwsgi)
SERVICES = (POSTGRESQL, UWSGI)


def require_service(service: Service) -> Path:
    """Where the service's programs are; without them the test is skipped, or fails where CI=true."""
    found = service.find()
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(service.missing, pytrace=False)
    pytest.skip(service.missing)


def describe_skipped(reports: Iterable[pytest.TestReport]) -> list[str]:
    """One line for each service whose tests were skipped: how many, and the command that installs it."""
    reasons = [str(report.longrepr) for report in reports]
    counts = {service: sum(service.missing in reason for reason in reasons) for service in SERVICES}
    return [f"{number} tests skipped: {service.missing}" for service, number in counts.items() if number]


@dataclass
class PostgresServer:
    """A running server that only its unix socket reaches; hands out empty databases."""

    folder: Path
    numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database of this server."""
        return f"postgresql+psycopg://postgres@/{database}?host={quote(str(self.folder), safe='')}&port=5432"

    @contextmanager
    def empty_database(self) -> Iterator[str]:
        """A new database's URL; the database is dropped afterwards, whoever is still connected."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        # Here and not above: 32-bit ARM has no psycopg, and only tests with a server come here.
        import psycopg

        with psycopg.connect(
            host=str(self.folder), port=5432, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


@contextmanager
def run_postgres(programs: Path) -> Iterator[PostgresServer]:
    """A server of its own, on a socket in a folder of its own, gone at the end."""
    # PostgreSQL refuses to run as root.
    as_postgres = {"user": "postgres", "group": "postgres", "extra_groups": []}
    identity: dict[str, Any] = as_postgres if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="isems-pg-"))
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        # The output goes into a file: a server that inherited a pipe would keep its reader waiting for ever.
        with (folder / "output").open("ab") as output:
            command = [str(programs / program), "-D", str(data), *arguments]
            done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=False, **identity)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{(folder / 'output').read_text(errors='replace')}")

    try:
        if identity:
            shutil.chown(folder, "postgres", "postgres")
        run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c port=5432 -c fsync=off"
        run("pg_ctl", "start", "--wait", f"--timeout={START_SECONDS}", "-o", settings)
        try:
            yield PostgresServer(folder)
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=immediate")
    finally:
        shutil.rmtree(folder)
