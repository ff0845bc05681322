"""The predecessor's deployment, step by step: Debian's Python and uwsgi, cron and systemd from other folders, one SQLite file."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError

import pytest

from isems.storage.database import Database
from tests.api.asking import ask
from tests.api.stored import line
from tests.end_to_end.test_push import send
from tests.map_files import PNG, make_archive, make_png
from tests.predecessor import history, make_database
from tests.published import messages, records_of, stored, wait_until
from tests.services import NGINX, UWSGI, Broker, free_port, publish, require_service, run_mosquitto, run_nginx

ROOT = Path(__file__).parents[2]
DEBIANS_PYTHON = Path("/usr/bin/python3")
PROCESSES = 4


class Deployment(NamedTuple):
    """A checkout with a virtual environment of Debian's Python, as the predecessor's README says."""

    checkout: Path
    venv: Path
    elsewhere: Path
    sockets: Path

    @property
    def socket(self) -> Path:
        """Where nginx reaches uwsgi."""
        return self.sockets / "uwsgi.sock"

    @property
    def database(self) -> str:
        return f"sqlite:///{self.checkout / 'deployed.db'}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.venv / 'bin'}:/usr/bin:/bin",
            "DATABASE_URL": self.database,
            "HOME": str(self.elsewhere),
        }

    @property
    def from_elsewhere(self) -> dict[str, str]:
        """What cron and systemd tell `flask`, which they start in another folder."""
        return {"FLASK_APP": str(self.checkout / "app.py")}

    def run(self, *command: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment | more
        where = cwd or self.checkout
        return subprocess.run(
            command, cwd=where, env=environment, capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """Steps one and two: the virtual environment, the requirements."""
    require_service(UWSGI)
    with tempfile.TemporaryDirectory(prefix="isems-deployment-") as folder:
        yield set_up(Path(folder))


def set_up(folder: Path) -> Deployment:
    folder.chmod(0o755)  # the web's user must get in; pytest's folders are private
    places = Deployment(*(folder / name for name in ("checkout", "venv", "elsewhere", "sockets")))
    for place in (places.checkout, places.elsewhere, places.sockets):
        place.mkdir()
    places.sockets.chmod(0o1777)  # as /tmp, where the predecessor had it
    for name in ("app.py", "requirements.txt"):
        shutil.copy(ROOT / name, places.checkout)
    shutil.copytree(ROOT / "isems", places.checkout / "isems", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([DEBIANS_PYTHON, "-m", "venv", places.venv], check=True, capture_output=True)
    pip = [places.venv / "bin" / "pip", "install", "--quiet", "-r", places.checkout / "requirements.txt"]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    return places


@contextmanager
def uwsgi(
    deployment: Deployment, wsgi_file: str = "app.py", *, logs_requests: bool = True, **more: str
) -> Iterator[str]:
    """Four processes without threads, configured as the predecessor's were; gives the base URL."""
    port = free_port()
    settings = {
        "plugin": "python3",
        "socket": str(deployment.socket),
        "http-socket": f"127.0.0.1:{port}",
        "master": "true",
        "processes": str(PROCESSES),
        "virtualenv": str(deployment.venv),
        "python-path": str(deployment.checkout),
        "wsgi-file": wsgi_file,
        "callable": "app",
        "die-on-term": "true",
        "disable-logging": "false" if logs_requests else "true",
    }
    if os.geteuid() == 0:
        settings |= {"uid": "www-data", "gid": "www-data"}  # as Debian runs it: who polls is another
    ini = deployment.elsewhere / "uwsgi.ini"
    ini.write_text("[uwsgi]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    output = deployment.elsewhere / "uwsgi.log"
    with output.open("wb") as log:
        command = [require_service(UWSGI), "--ini", ini]
        environment = deployment.environment | more
        server = subprocess.Popen(command, cwd=deployment.checkout, env=environment, stdout=log, stderr=log)
    try:
        base = f"http://127.0.0.1:{port}"
        _await(lambda: is_served(base + "/healthz"), server, output)
        yield base
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


@contextmanager
def subscriber(deployment: Deployment, broker: Broker) -> Iterator[Path]:
    """`flask subscribe` as systemd runs it, to which an exit code of 0 after SIGTERM is no failure; gives its log."""
    output = deployment.elsewhere / "subscriber.log"
    environment = deployment.environment | deployment.from_elsewhere | {"MQTT_SERVER": broker.address}
    with output.open("wb") as log:
        command = ["flask", "subscribe"]
        process = subprocess.Popen(command, cwd=deployment.elsewhere, env=environment, stdout=log, stderr=log)
    try:
        _await(lambda: "receiving by MQTT" in output.read_text(), process, output)
        yield output
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)
    assert code == 0, output.read_text()


def _await(is_true: Callable[[], bool], process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)


def is_served(url: str) -> bool:
    with suppress(OSError):
        get(url)
        return True
    return False


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
        return body


@contextmanager
def simulated_nodes(deployment: Deployment, port: int, count: int) -> Iterator[str]:
    """Some nodes to poll, simulated by the deployed program itself; gives ISEMS_ROUTER_IPS."""
    host = "127.85.0.1"
    command = ["python", "-m", "isems", "simulate", "--nodes", str(count), "--days", "1", "--host", host]
    command += ["--port", str(port), "--until-input-ends"]
    child = subprocess.Popen(
        command,
        cwd=deployment.checkout,
        env=deployment.environment | {"PATH": deployment.environment["PATH"]},
        executable=deployment.venv / "bin" / "python",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        addresses = [line.strip() for line in iter(child.stdout.readline, "ready\n")]
        assert len(addresses) == count
        yield ",".join(addresses)
    finally:
        child.stdin.close()
        child.wait(timeout=30)
        child.stdout.close()


@contextmanager
def meanwhile(*works: Callable[[], None]) -> Iterator[None]:
    """Do each of these again and again, in a thread of its own."""
    stop = threading.Event()

    def repeat(work: Callable[[], None]) -> None:
        while not stop.is_set():
            work()

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_upgraded_served_polled_and_subscribed_all_on_one_sqlite_file(deployment: Deployment, tmp_path: Path) -> None:
    """Defect 21: with "database is locked" the poll ended, and the subscriber lost the message and ended.

    Here cron polls and systemd's subscriber receives, both from another folder, while four processes serve. Where root
    runs the tests, these are another user's who may only read, as on Debian.
    """
    nginx = require_service(NGINX)
    make_database(deployment.database, [one.row for one in islice(history(5000, [int(time.time()) - 21_600]), 3000)])
    upgraded = deployment.run("flask", "db", "upgrade")
    assert " 3000 rows moved, 0 rejected" in upgraded.stdout, upgraded.stderr
    failures: list[str] = []
    served: list[int] = []
    sent: list[tuple[str, bytes]] = []
    begins = int(time.time()) - 7 * 86_400

    with ExitStack() as running:
        direct = running.enter_context(uwsgi(deployment))
        base = (
            f"http://127.0.0.1:{running.enter_context(run_nginx(nginx, deployment.elsewhere, deployment.socket))}/api"
        )
        addresses = running.enter_context(simulated_nodes(deployment, 8291, 12))
        broker = running.enter_context(run_mosquitto(tmp_path))
        subscribed = running.enter_context(ExitStack())
        received = subscribed.enter_context(subscriber(deployment, broker))

        def read_latest() -> None:
            try:
                served.append(len(json.loads(get(base + "/measurements/latest"))["measurements"]))
            except HTTPError as error:
                failures.append(f"{error.code}: {error.read().decode()}")
            except (OSError, ValueError) as error:
                failures.append(repr(error))

        def publish_a_minute_of_five_boards() -> None:
            minute = messages(begins + 12 * len(sent), 5)
            publish(broker.port, minute)
            sent.extend(minute)
            time.sleep(0.05)

        read_latest()
        with meanwhile(publish_a_minute_of_five_boards, *[read_latest] * 2 * PROCESSES):
            cron = deployment.from_elsewhere | {"ISEMS_ROUTER_IPS": addresses}
            polls = [deployment.run("flask", "update-data", cwd=deployment.elsewhere, **cron) for _ in range(3)]
        database = Database(deployment.database)
        running.callback(database.close)
        published = records_of(sent)
        boards = {name for name, _ in published}

        def stored_of_boards(table: str) -> list[tuple[str, int]]:
            return sorted(one for one in stored(database, table) if one[0] in boards)

        wait_until(lambda: len(stored_of_boards("every_measurement")) >= len(published))
        subscribed.close()
        assert stored_of_boards("measurement") == sorted(published)
        assert stored(database, "inbox") == []
        everything = stored(database)
        assert len(everything) == len(set(everything))

        said = "".join(poll.stdout + poll.stderr for poll in polls)
        assert ([poll.returncode for poll in polls], failures) == ([0, 0, 0], []), said
        log = (deployment.elsewhere / "uwsgi.log").read_text()
        assert "locked" not in said + log + received.read_text()
        assert len(set(re.findall(r"^\[pid: (\d+)\|.*GET /api/measurements/latest", log, re.MULTILINE))) == PROCESSES
        # Six nodes of the predecessor; then, while they were stored, five boards and the demo's, of which some may be dark.
        assert served[0] == 6
        assert max(served) >= 21
        answered = json.loads(get(base + "/measurements/latest"))["measurements"]
        assert boards < {one["nodeId"] for one in answered}
        # The usual nginx strips /api, another may not.
        assert json.loads(get(direct + "/api/measurements/latest"))["measurements"] == answered
        assert json.loads(get(direct + "/measurements/latest"))["measurements"] == answered
        name = urllib.request.quote(answered[0]["nodeId"], safe="")  # type: ignore[attr-defined]
        assert json.loads(get(f"{base}/measurements/{name}/latest"))["measurements"][0] == answered[0]


#: What nodes are called, and the ways to ask for them through nginx.
ASKED = {
    "Elektra-Dach": ["Elektra-Dach"],
    "a/b": ["a/b", "a%2Fb"],
    "a//b": ["a//b", "a%2F%2Fb"],
    "/a": ["/a", "%2Fa"],
    "a/": ["a/", "a%2F"],
    "a/../b": ["a/../b", "a%2F..%2Fb"],
    "two words": ["two%20words"],
    "Gartenhaus-Süd": ["Gartenhaus-Süd", "Gartenhaus-S%C3%BCd"],
    "50% Sonne/Süd": ["50%25%20Sonne/Süd", "50%25%20Sonne%2FS%C3%BCd"],
    "50%": ["50%25"],
    "a%20b": ["a%20b", "a%2520b"],
    "a?b": ["a%3Fb"],
    "a#b": ["a%23b"],
    "a+b": ["a+b", "a%2Bb"],
}


def test_every_name_finds_its_node_and_a_map_comes_in_parts_through_nginx_and_its_rewrite(
    deployment: Deployment, tmp_path: Path
) -> None:
    """nginx decodes the path, makes one of two slashes, resolves "..", and gives us that and the request as it came."""
    program = require_service(NGINX)
    log = tmp_path / "nodes.log"
    log.write_text("".join(f"{line(name)}\n" for name in [*ASKED, "b"]))
    database = {"DATABASE_URL": f"sqlite:///{deployment.elsewhere / 'named.db'}"}
    imported = deployment.run("python", "-m", "isems", "import", str(log), **database)
    assert f"{len(ASKED) + 1} stored" in imported.stdout, imported.stderr
    tiles = deployment.elsewhere / "map.pmtiles"
    tiles.write_bytes(make_archive(make_png(0, 0, 0), PNG, {}))
    served = uwsgi(deployment, **database, ISEMS_MAP_TILES=str(tiles))
    with served, run_nginx(program, tmp_path, deployment.socket) as port:

        def ask_for(path: str) -> tuple[int, list[str]]:
            return ask(port, f"/api/measurements/{path}".encode())

        status, names = ask_for("latest?all=true")
        assert (status, set(names)) == (200, {*ASKED, "b"})
        found = {name: [ask_for(f"{path}/latest") for path in ASKED[name]] for name in ASKED}
        assert found == {name: [(200, [name])] * len(paths) for name, paths in ASKED.items()}
        assert ask_for("nobody/latest")[0] == 404
        # What is no HTTP, nginx refuses itself.
        assert [ask_for(f"{name}/latest")[0] for name in ("two words", "50%")] == [400, 400]

        asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/map.pmtiles", headers={"Range": "bytes=100-219"})
        with urllib.request.urlopen(asked, timeout=30) as part:
            assert (part.status, part.read()) == (206, tiles.read_bytes()[100:220])
            assert part.headers["ETag"].startswith('"')  # strong, or the parts could not be told to be of one file


def test_boards_push_through_nginx_and_uwsgi_and_no_log_shows_their_token(
    deployment: Deployment, tmp_path: Path
) -> None:
    program = require_service(NGINX)
    folder = deployment.elsewhere / "pushed"
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "www-data", "www-data")  # who takes in must be allowed to write
    token = "geheim-0123456789abcdef"
    settings = {
        "DATABASE_URL": f"sqlite:///{folder / 'isems.db'}",
        "ISEMS_PUSH_TOKENS": token,
        "ISEMS_CLOCK_TRUSTED": "yes",
    }
    names = ["Dach", "Gartenhaus-Süd", "a/b", "a//b", "a/../b", "a%20b"]

    with (
        uwsgi(deployment, logs_requests=False, **settings) as base,
        run_nginx(program, tmp_path, deployment.socket) as port,
    ):
        direct = int(base.rpartition(":")[2])
        for name in names:
            body = line(name.replace("%20", " "), int(time.time())).encode()
            answers = [send(one, f"/api/push/{token}/isems/{name}/data", body) for one in (port, direct)]
            assert [status for status, _ in answers] == [202, 202]
            assert [(told["stored"], told["duplicate"]) for _, told in answers] == [(1, 0), (0, 1)], name
        assert send(port, f"/api/push/{token}x/Dach/data", b"x")[0] == 403
        chunks = b"3\r\nx;y\r\n0\r\n\r\n"
        # Through uwsgi's protocol nobody can tell whether they were united: better refused than an empty body kept.
        for one in (port, direct):
            assert send(one, f"/api/push/{token}/data", chunks, "Transfer-Encoding: chunked")[0] == 411
        assert send(direct, f"/api/push/{token}/data", b"", length=(1 << 20) + 1)[0] == 413
    for log in (deployment.elsewhere / "uwsgi.log", tmp_path / "nginx.log"):
        assert "geheim" not in log.read_text()
        assert "Traceback" not in log.read_text()


def test_an_error_under_uwsgi_without_threads_reaches_sentry(deployment: Deployment) -> None:
    events: list[bytes] = []

    class Sentry(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            events.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    sentry = HTTPServer(("127.0.0.1", 0), Sentry)
    threading.Thread(target=sentry.serve_forever, daemon=True).start()
    failing = deployment.checkout / "failing.py"
    failing.write_text("from app import app\n\n\n@app.get('/fail')\ndef fail():\n    raise RuntimeError('a fault')\n")
    try:
        dsn = f"http://key@127.0.0.1:{sentry.server_port}/1"
        with uwsgi(deployment, "failing.py", SENTRY_DSN=dsn) as base:
            with pytest.raises(urllib.error.HTTPError) as failed:
                get(base + "/fail")
            assert failed.value.code == 500
            failed.value.close()
            deadline = time.monotonic() + 10
            while not events and time.monotonic() < deadline:
                time.sleep(0.05)
    finally:
        sentry.shutdown()
        sentry.server_close()
    assert len(events) >= 1


def test_the_deployed_python_is_debians(deployment: Deployment) -> None:
    version = deployment.run("python", "-c", "import sys; print(sys.base_prefix)")
    assert version.stdout.strip() == "/usr", os.environ.get("PATH")
