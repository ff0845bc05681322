"""HTTP push as nodes and people do it: over real sockets, to each server, byte by byte as a board sends it."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isems.storage.database import Database
from isems.storage.rejected import select_rejected
from tests.api.stored import line
from tests.end_to_end.test_serve import Running, get, measurements, started
from tests.published import stored
from tests.services import NGINX, free_port, require_service, start_nginx

ROOT = Path(__file__).resolve().parents[2]
TOKEN, BOUND = "geheim-0123456789abcdef", "geheim-bound-0123456789"
HOF = "Alte Gärtnerei/Hof 2"
SAMPLE = b'{"batteryVoltage":12.876,"status":"500","timeToShutdown":2976,"batteryChargeEstimate":99}'


def send(port: int, target: str, body: bytes, *headers: str, length: int | None = None) -> tuple[int, dict[str, Any]]:
    """POST these very bytes; give the status and what the answer tells."""
    lines = [f"POST {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if not any(header.startswith("Transfer-Encoding") for header in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    with socket.create_connection(("127.0.0.1", port), timeout=40) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        text = response.read()
    kind = str(response.getheader("Content-Type"))
    return response.status, json.loads(text) if "json" in kind else {"text": text.decode()}


def as_a_board(port: int, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """The firmware of 2020 names its header with a colon too many, to which its library adds the usual one of forms."""
    names = ("User-Agent: ESP32 HTTP Client/1.0", "Content-Type:: application/json")
    return send(port, target, body, *names, "Content-Type: application/x-www-form-urlencoded")


def at(seconds_ago: int, node: str = "Dach") -> bytes:
    return line(node, int(time.time()) - seconds_ago).encode()


def counted(answer: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    status, told = answer
    assert status == 202, told
    return {key: value for key, value in told.items() if value}


@contextmanager
def serving(tmp_path: Path, url: str) -> Iterator[tuple[Running, int]]:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN}\n{BOUND}=Alte%20Gärtnerei/Hof%202\n", encoding="utf-8")
    environment = {"DATABASE_URL": url, "ISEMS_PORT": "0", "ISEMS_CLOCK_TRUSTED": "yes", "ISEMS_LOG_LEVEL": "DEBUG"}
    with started("serve", "--demo=auto", ISEMS_PUSH_TOKENS_FILE=str(tokens), **environment) as service:
        yield service, int(service.wait_for(r"serving on http://127\.0\.0\.1:(\d+)")[1])


def test_boards_and_people_push_to_isems_serve(tmp_path: Path, sqlite_url: str) -> None:
    with serving(tmp_path, sqlite_url) as (service, port):
        five = b"\n".join(at(15 * n) for n in range(5))
        assert counted(send(port, f"/api/push/{TOKEN}/isems/Dach/data", five)) == {"stored": 5}
        assert counted(send(port, f"/push/{TOKEN}/data", five)) == {"duplicate": 5}
        assert counted(send(port, f"/push/{TOKEN}/data", b"no record")) == {
            "rejected": 1,
            "reasons": {"no_format": 1},
        }
        # As curl does it, which says that everything is a form.
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/push/{TOKEN}/data", data=at(0, "Keller"))
        with urllib.request.urlopen(request, timeout=40) as response:
            assert (response.status, json.loads(response.read())["stored"]) == (202, 1)
        # A node id that is not encoded, with everything that an owner may put there.
        for node in (HOF, "was ist das?", "a#b", "50% Sonne/Süd", 'a"b<c>\\d', "HTTP/1.1", "two  blanks ", "data"):
            token = BOUND if node == HOF else TOKEN
            path = f"/api/push/{token}/isems/testdrive/foobar/{node}/data"
            assert counted(send(port, path, at(0, node))) == {"stored": 1}, node
            told = counted(as_a_board(port, path, SAMPLE))
            told.pop("reasons", None)
            assert sum(told.values()) == 1, node
        assert send(port, f"/push/{BOUND}/isems/Dach/data", at(1))[0] == 403
        assert send(port, f"/push/{TOKEN}x/isems/Dach/data", at(1))[0] == 403
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(at(90)), at(90))
        assert counted(send(port, f"/push/{TOKEN}/data", chunked, "Transfer-Encoding: chunked")) == {"stored": 1}
        assert {one["nodeId"] for one in measurements(port)} >= {"Dach", "Keller", HOF, "a#b"}
        code, _ = service.end()
        assert code == 0
        assert "SIMULATED" not in service.text
        assert "Traceback" not in service.text
        assert "127.0.0.1: tried to push with a token that ISEMS_PUSH_TOKENS does not name" in service.text
        assert "geheim" not in service.text
    database = Database(sqlite_url)
    names = [name for name, _ in stored(database, "measurement")]
    assert names.count("Dach") == 6
    assert stored(database, "inbox") == []
    with database.read() as connection:
        kept = select_rejected(connection)
    database.close()
    assert "127.0.0.1 /data" in {one.address for one in kept}
    assert "geheim" not in repr(kept)


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path, database_url: str) -> None:
    told, now = 0, int(time.time())
    with serving(tmp_path, database_url) as (service, port):
        for n in range(20):
            told += counted(send(port, f"/push/{TOKEN}/data", line("Dach", now - n).encode()))["stored"]
        service.process.kill()
        service.process.wait(40)
    assert told == 20
    database = Database(database_url)
    assert len(stored(database)) == 20
    database.close()


def test_a_body_too_large_is_a_problem_before_it_is_read(tmp_path: Path, sqlite_url: str) -> None:
    with serving(tmp_path, sqlite_url) as (_, port):
        status, told = send(port, f"/push/{TOKEN}/data", b"", length=(1 << 20) + 1)
        assert (status, told["status"], told["title"]) == (413, 413, "Request Entity Too Large")
        whole = at(0) + b"\n" * ((1 << 20) - len(at(0)))
        assert counted(send(port, f"/push/{TOKEN}/data", whole)) == {"stored": 1}


@contextmanager
def flask_run(url: str, folder: Path) -> Iterator[tuple[int, Path]]:
    """`flask run` with the file that its log goes into."""
    port, output = free_port(), folder / "flask.log"
    environment = os.environ | {"DATABASE_URL": url, "ISEMS_PUSH_TOKENS": TOKEN, "ISEMS_CLOCK_TRUSTED": "yes"}
    command = [sys.executable, "-m", "flask", "run", "--port", str(port)]
    with output.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while "Running on" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        yield port, output
    finally:
        process.terminate()
        process.wait(40)


def test_flask_run_takes_the_same_and_its_log_shows_no_token(tmp_path: Path, sqlite_url: str) -> None:
    with flask_run(sqlite_url, tmp_path) as (port, output):
        path = f"/api/push/{TOKEN}/isems/Gartenhaus-Süd/50%/data"
        assert counted(send(port, path, at(0, "Gartenhaus-Süd/50%"))) == {"stored": 1}
        assert send(port, f"/api/%70ush%2F{TOKEN}/Dach/data", at(0))[0] == 202
        assert send(port, f"/push/{TOKEN}x/data", at(0))[0] == 403
        assert send(port, f"/push/{TOKEN}/isems/two blanks/data", at(0))[0] == 400
        assert send(port, f"/push/{TOKEN}/data", b"", length=(1 << 20) + 1)[0] == 413
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(at(90)), at(90))
        assert counted(send(port, f"/push/{TOKEN}/data", chunked, "Transfer-Encoding: chunked")) == {"stored": 1}
    log = output.read_text()
    assert "/push/***/isems/" in log
    assert "Bad request syntax" in log
    assert "geheim" not in log
    assert "Traceback" not in log


NGINX_SETTINGS = """
{user}
daemon off;
pid nginx.pid;
events {{ worker_connections 64; }}
error_log error.log info;
http {{
    access_log access.log;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
        location / {{ proxy_pass http://127.0.0.1:{backend}; }}
    }}
}}
"""


def test_the_readmes_lines_keep_the_token_out_of_nginxs_logs(tmp_path: Path, sqlite_url: str) -> None:
    program, port = require_service(NGINX), free_port()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (location,) = re.findall(r"```nginx\n(.*?)```", readme, re.DOTALL)
    with serving(tmp_path, sqlite_url) as (service, backend):
        settings = NGINX_SETTINGS.format(
            user="user root;" if os.geteuid() == 0 else "",
            port=port,
            backend=backend,
            location=location.replace(":5000", f":{backend}"),
        )
        with start_nginx(program, tmp_path, settings, port):
            for node in ("Dach", "Gartenhaus-Süd", "a//b", "a/../b"):
                path = f"/api/push/{TOKEN}/isems/{node}/data"
                assert counted(send(port, path, at(0, node))) == {"stored": 1}
            assert counted(send(port, f"/api/push/{TOKEN}/data", b"no record"))["rejected"] == 1
            get(port, "/healthz")
            assert service.end()[0] == 0
            assert send(port, f"/api/push/{TOKEN}/data", at(0))[0] == 502
    logs = {name: (tmp_path / name).read_text() for name in ("access.log", "error.log", "nginx.log")}
    assert "GET /healthz" in logs["access.log"]
    assert "geheim" not in "".join(logs.values())


@pytest.mark.parametrize("tokens", ["geheim", "geheim-0123456789abcdef=%00"])
def test_a_wrong_setting_is_told_in_one_line_without_the_token(tokens: str, sqlite_url: str) -> None:
    with started("serve", DATABASE_URL=sqlite_url, ISEMS_PUSH_TOKENS=tokens) as service:
        assert service.process.wait(40) == 2
        service.wait_for(r"\AError: ISEMS_PUSH_TOKENS is \(not shown\), expected [^\n]*\Z")
        assert "geheim" not in service.text
