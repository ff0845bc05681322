"""Real services for the tests: Debian's own programs, started by the tests and removed with them."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ROOT = Path(__file__).resolve().parent.parent
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


def find_mosquitto() -> Path | None:
    """The broker; Debian keeps it off the PATH of ordinary users."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else None


def find_openssl() -> Path | None:
    """What makes certificates."""
    found = shutil.which("openssl")
    return Path(found) if found else None


def find_mosquitto_clients() -> Path | None:
    """The folder of mosquitto_pub and mosquitto_sub."""
    found = shutil.which("mosquitto_sub")
    return Path(found).parent if found else None


def find_nginx() -> Path | None:
    """An installed nginx, or the one that `make test-services` unpacked."""
    places = (Path("/usr/sbin/nginx"), ROOT / ".services" / "usr" / "sbin" / "nginx")
    return next((place for place in places if place.exists()), None)


def find_chromium() -> Path | None:
    """The browser."""
    found = shutil.which("chromium")
    return Path(found) if found else None


POSTGRESQL = Service("PostgreSQL", find_postgresql)
UWSGI = Service("uwsgi", find_uwsgi)
MOSQUITTO = Service("mosquitto", find_mosquitto)
MOSQUITTO_CLIENTS = Service("mosquitto-clients", find_mosquitto_clients)
NGINX = Service("nginx", find_nginx)
OPENSSL = Service("openssl", find_openssl)
CHROMIUM = Service("chromium", find_chromium)
SERVICES = (POSTGRESQL, UWSGI, MOSQUITTO, MOSQUITTO_CLIENTS, NGINX, OPENSSL, CHROMIUM)


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


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


#: As the predecessor's deployment had it, with everything that nginx writes in one folder.
NGINX_SETTINGS = """
{user}
daemon off;
pid nginx.pid;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    gzip on;
    upstream isems-data-collector {{ server unix://{backend}; }}
    server {{
        listen 127.0.0.1:{port};
        location /api/ {{
            rewrite /api/(.*) /$1 break;
            uwsgi_pass isems-data-collector;
            include {parameters};
            add_header Access-Control-Allow-Origin *;
        }}
    }}
}}
"""


@contextmanager
def run_nginx(program: Path, folder: Path, backend: Path) -> Iterator[int]:
    """An nginx of its own in front of uwsgi's socket; gives its port on 127.0.0.1."""
    port = free_port()
    settings = NGINX_SETTINGS.format(
        user="user root;" if os.geteuid() == 0 else "",  # its worker must get into the folder
        backend=backend,
        port=port,
        parameters=program.parents[2] / "etc" / "nginx" / "uwsgi_params",
    )
    with start_nginx(program, folder, settings, port):
        yield port


@contextmanager
def start_nginx(program: Path, folder: Path, settings: str, port: int) -> Iterator[None]:
    """An nginx with these settings, by which it listens on this port of 127.0.0.1."""
    (folder / "nginx.conf").write_text(settings)
    with (folder / "nginx.log").open("wb") as log:
        command = [program, "-p", folder, "-c", "nginx.conf", "-e", "stderr"]
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_port(port, server, folder / "nginx.log")
        yield
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)


def _await_port(port: int, server: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(output.read_text(errors="replace"))


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


@dataclass
class Broker:
    """A mosquitto of its own on a port of its own, which keeps sessions while it is down."""

    program: Path
    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(self.program), "-c", str(self.folder / "mosquitto.conf")]
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self.process.poll() is None, (self.folder / "output").read_text(errors="replace")
            time.sleep(0.02)
        raise RuntimeError("mosquitto does not listen")

    def stop(self) -> None:
        """As a system does that is shut down: what it holds is written to disk."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_SECONDS)


@contextmanager
def run_mosquitto(folder: Path, *settings: str, is_per_listener: bool = False) -> Iterator[Broker]:
    """A broker that holds what a subscriber has not acknowledged; `settings` are further lines of its configuration.

    With `is_per_listener` each listener of them has a login of its own.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lines = [
        *(["per_listener_settings true"] if is_per_listener else []),
        f"listener {port} 127.0.0.1",
        "persistence true",
        f"persistence_location {folder}/",
        "max_queued_messages 100000",
        "log_type error",
        *(["user root"] if os.geteuid() == 0 else []),
        *(settings or ["allow_anonymous true"]),
    ]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    with running_broker(Broker(require_service(MOSQUITTO), folder, port)) as broker:
        yield broker


@contextmanager
def running_broker(broker: Broker) -> Iterator[Broker]:
    """Run a broker whose settings are in its folder."""
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def publish(port: int, messages: Iterable[tuple[str, bytes]], *, retain: bool = False) -> None:
    """Publish at QoS 1, many on their way at once, and return when the broker has acknowledged all."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages = 100
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        sent = [client.publish(topic, data, qos=1, retain=retain) for topic, data in messages]
        deadline = time.monotonic() + START_SECONDS
        for one in sent:
            one.wait_for_publish(max(0.0, deadline - time.monotonic()))
        assert all(one.is_published() for one in sent), "the broker has not acknowledged what was published"
    finally:
        client.disconnect()
        client.loop_stop()
