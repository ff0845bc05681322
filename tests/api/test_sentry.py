"""Errors go to Sentry, nodes' data and secrets do not."""

import gzip
import json
import os
import subprocess
import sys
import textwrap
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "0123456789abcdef"


class Sentry(ThreadingHTTPServer):
    """Takes whatever comes and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.bodies: list[str] = []

    @property
    def dsn(self) -> str:
        return f"http://{KEY}@127.0.0.1:{self.server_port}/7"

    def events(self) -> list[dict[str, Any]]:
        """The events among what came: an envelope is lines of JSON."""
        lines = [json.loads(line) for body in self.bodies for line in body.splitlines() if line.startswith("{")]
        return [line for line in lines if "event_id" in line and "level" in line]


class _Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(self.headers["Content-Encoding"], bytes)
        assert isinstance(self.server, Sentry)
        self.server.bodies.append(unpack(data).decode())
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """A test's requests are no news."""


@contextmanager
def running() -> Iterator[Sentry]:
    with Sentry() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    with running() as server:
        yield server


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=30, check=False
    )


FAILING = """
    import logging, sys, threading
    from app import app
    assert threading.active_count() == 1, threading.enumerate()

    @app.get("/fault")
    def fault():
        secret_of_a_node = "Elektra-Dach;1;1768046400"
        raise RuntimeError("the route broke")

    client = app.test_client()
    headers = {"Cookie": "session=keks", "X-Forwarded-For": "198.51.100.7", "Authorization": "Bearer token-of-mine"}
    assert client.get("/fault", headers=headers).status_code == 500
    logging.getLogger("isems.collector").info("10.0.0.1: answers again (Elektra-Dach)")
    logging.getLogger("isems.collector").error("10.0.0.2: poll failed by a fault in this program")
    assert client.get("/measurements/nobody/latest").status_code == 404
"""


def test_an_error_in_a_route_and_a_logged_one_arrive_and_nothing_of_nodes_or_people(
    sentry: Sentry, tmp_path: Path
) -> None:
    done = run(FAILING, SENTRY_DSN=sentry.dsn, DATABASE_URL=f"sqlite:///{tmp_path / 'isems.db'}")
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    route, logged = sorted(sentry.events(), key=lambda event: "logentry" in event)
    assert route["exception"]["values"][-1]["value"] == "the route broke"
    assert "poll failed by a fault" in json.dumps(logged["logentry"])
    everything = "\n".join(sentry.bodies)
    for private in ("Elektra-Dach", "keks", "token-of-mine", "198.51.100.7", str(tmp_path)):
        assert private not in everything


def test_a_database_password_is_not_sent(sentry: Sentry) -> None:
    program = """
        import logging
        from app import app

        @app.get("/fault")
        def fault():
            url = app.extensions["isems.config"].database_url
            raise RuntimeError("the route broke")

        app.test_client().get("/fault")
    """
    done = run(program, SENTRY_DSN=sentry.dsn, DATABASE_URL="postgresql://isems:geheim@127.0.0.1/isems")
    assert done.returncode == 0, done.stderr
    assert len(sentry.events()) == 1
    assert "geheim" not in "\n".join(sentry.bodies)


def test_where_there_are_no_threads_an_error_is_sent_at_once(sentry: Sentry) -> None:
    # Inside uwsgi there is a module of this name.
    program = """
        import sys, threading, types
        sys.modules["uwsgi"] = types.SimpleNamespace(opt={"master": True})
        import os, logging
        from app import app
        logging.getLogger("isems").error("sent at once")
        assert threading.active_count() == 1
        os._exit(0)  # no chance to send it later
    """
    done = run(program, SENTRY_DSN=sentry.dsn)
    assert done.returncode == 0, done.stderr
    assert [event["logentry"]["message"] for event in sentry.events()] == ["sent at once"]


def test_a_sentry_that_is_away_harms_nobody() -> None:
    with running() as server:
        dsn = server.dsn
    done = run("from app import app; import logging; logging.error('x'); print('done')", SENTRY_DSN=dsn)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert KEY not in done.stderr


def test_without_a_dsn_sentry_is_not_even_imported() -> None:
    program = "import sys; from app import app; print([name for name in sys.modules if name.startswith('sentry')])"
    assert run(program).stdout == "[]\n"


def test_a_wrong_dsn_is_refused_without_being_shown() -> None:
    done = run("import app", SENTRY_DSN=f"https://{KEY}@sentry.example/project")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: SENTRY_DSN is (not shown), expected ")
    assert done.stderr.count("\n") == 1


PUSHING = """
    import logging
    from app import app
    from isems.api.context import GATE

    def fail(payload):
        raise RuntimeError("the store broke")

    gate = app.extensions[GATE]
    real, gate.store = gate.store, fail
    client = app.test_client()
    token = "TOKEN"
    spelt = "/api/%70ush%2F" + token + "/isems/Elektra-Dach/data"
    referer = {"Referer": "http://localhost/api/push/" + token + "/data"}
    logging.getLogger("werkzeug").warning('"POST %s HTTP/1.1" 202 -', spelt)
    logging.getLogger("waitress").warning("Client disconnected while serving /push/" + token + "/data")
    path = "/api/push/" + token + "/isems/Elektra-Dach/data"
    assert client.post(path, data="x", headers=referer).status_code == 500
    logging.getLogger("waitress").error("Exception while serving %s", path)
    assert client.post("/api/push/" + token + "x/data", data="x").status_code == 403
    gate.store = real
    assert client.post(path, data="x").status_code == 202
    logging.getLogger("isems.collector").error("a later error, with all that was logged before it")
"""


def test_a_push_token_is_in_no_report_no_log_and_no_answer(sentry: Sentry, tmp_path: Path) -> None:
    token = "geheim-0123456789"
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path / 'isems.db'}", "ISEMS_PUSH_TOKENS": token}
    done = run(PUSHING.replace("TOKEN", token), SENTRY_DSN=sentry.dsn, **environment)
    assert done.returncode == 0, done.stderr
    events = sentry.events()
    assert len(events) == 3, events
    (fault,) = (event for event in events if "exception" in event)
    assert fault["exception"]["values"][-1]["value"] == "the store broke"
    # It is still told what was asked for, and by which page.
    assert fault["request"]["url"].endswith("/push/***/isems/Elektra-Dach/data")
    everything = "\n".join([*sentry.bodies, done.stdout, done.stderr])
    assert "***/data" in everything
    assert "geheim" not in everything
