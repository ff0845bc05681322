"""What holds for every route, and what the factory may not do."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from isems.api.app import create_app
from isems.api.context import DASHBOARD, DEMO
from isems.config import Config
from isems.storage import sqlite_file
from isems.storage.database import Database
from tests.api.stored import NOON, line, store

ROOT = Path(__file__).resolve().parent.parent.parent
DATA_PATHS = [
    *("/measurements/latest", "/measurements/latest?all=true", "/measurements/Dach/latest"),
    *("/readyz", "/metrics"),
]


def client_of(database: Database) -> FlaskClient:
    app = create_app(Config(database_url="unused"), database)
    app.extensions[DASHBOARD] = Path("not built")
    return app.test_client()


def run_python(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# -- routes ---------------------------------------------------------------------------------------


def without_disk(body: bytes) -> bytes:
    """Leave out what time and other programs change meanwhile."""
    return re.sub(rb"((?:disk_free_bytes|days_until_full|age_seconds)\W+)[0-9.]+", rb"\1", body)


def test_every_route_answers_the_same_with_and_without_the_prefix(app: Flask, lite: Database) -> None:
    store(lite, [line()])
    client = app.test_client()
    # Those of the dashboard are not data: test_dashboard.py.
    rules = [str(rule) for rule in app.url_map.iter_rules() if not rule.endpoint.startswith("dashboard.")]
    assert len(rules) >= 5
    asked = {
        "/v1/node": "/v1/node?node=Dach",
        "/v1/node/measurements": "/v1/node/measurements?node=Dach",
        "/v1/measurements": "/v1/measurements?nodes=Dach&field=battery_volts",
    }
    for path in [asked.get(rule, rule.replace("<node:name>", "Dach")) for rule in rules]:
        plain, prefixed = client.get(path), client.get(f"/api{path}")
        assert plain.status_code == prefixed.status_code == 200, path
        assert without_disk(plain.data) == without_disk(prefixed.data), path


def test_the_bare_prefix_is_the_page(client: FlaskClient) -> None:
    assert client.get("/api").data == client.get("/").data


@pytest.mark.parametrize(
    "path", ["/apimeasurements/latest", "/api/api/measurements/latest", "/API/measurements/latest"]
)
def test_only_the_prefix_itself_is_taken_off(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/measurements/latest", "/measurements/Dach/latest", "/"])
def test_nothing_can_be_changed(client: FlaskClient, path: str, method: str) -> None:
    assert client.open(path, method=method).status_code == 405


def test_health_asks_nothing_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'gone' / 'isems.db'}")
    (tmp_path / "gone").rmdir()
    assert client_of(database).get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("is_development", "origin"), [pytest.param(True, "*", id="development"), pytest.param(False, None, id="else")]
)
def test_other_pages_may_read_the_data_in_development_only(
    lite: Database, is_development: bool, origin: str | None
) -> None:
    client = create_app(Config(database_url="unused", is_development=is_development), lite).test_client()
    for path in ("/measurements/latest", "/measurements/nobody/latest", "/nothing"):
        response = client.get(path, headers={"Origin": "http://elsewhere.example"})
        assert response.headers.get("Access-Control-Allow-Origin") == origin


# -- a database that cannot be used ---------------------------------------------------------------


def make_old(database: Database) -> None:
    with database.write_any_version() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('ef784e202371')")


def test_an_old_database_is_a_503_with_the_same_sentence_everywhere(database: Database) -> None:
    make_old(database)
    client = client_of(database)
    answers = [client.get(prefix + path) for path in [*DATA_PATHS, "/"] for prefix in ("", "/api")]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.mimetype for answer in answers} == {"text/plain"}
    (sentence,) = {answer.text for answer in answers}
    assert "run 'flask db upgrade'" in sentence
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert client.get("/healthz").status_code == 200


def test_an_upgrade_beside_us_ends_the_503_without_a_restart(database: Database) -> None:
    make_old(database)
    client = client_of(database)
    assert client.get("/readyz").status_code == 503
    with database.write_any_version() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    assert client.get("/readyz").status_code == 200


def check_unusable(database: Database) -> None:
    client = client_of(database)
    for path in DATA_PATHS:
        response = client.get(path)
        assert (response.status_code, response.mimetype) == (503, "text/plain"), path
        assert "geheim" not in response.text


def test_a_database_whose_folder_is_gone_is_a_503(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'gone' / 'isems.db'}")
    (tmp_path / "gone").rmdir()
    check_unusable(database)


def test_a_file_that_is_no_database_is_a_503(tmp_path: Path) -> None:
    path = tmp_path / "isems.db"
    path.write_bytes(b"no database at all, but long enough to be one" * 100)
    check_unusable(Database(f"sqlite:///{path}"))
    assert path.read_bytes().startswith(b"no database")


def test_a_postgresql_that_is_not_there_is_a_503_without_its_password(tmp_path: Path) -> None:
    check_unusable(Database(f"postgresql+psycopg://isems:geheim@/isems?host={tmp_path}&connect_timeout=2"))


def test_a_database_that_stays_locked_is_a_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.05)
    database = Database(f"sqlite:///{tmp_path / 'isems.db'}")
    database.make_ready()
    database.close()
    other = sqlite3.connect(tmp_path / "isems.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        check_unusable(database)
    finally:
        other.close()
    assert client_of(database).get("/readyz").status_code == 200
    database.close()


def test_who_reads_does_not_wait_for_who_writes(lite: Database) -> None:
    store(lite, [line()])
    with lite.write():
        assert client_of(lite).get("/measurements/Dach/latest").status_code == 200


# -- the factory ----------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite:///{}/isems.db", "postgresql+psycopg://nobody@/isems?host={}"])
def test_the_factory_opens_no_connection_and_starts_no_thread(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url.format(tmp_path))
    before = threading.enumerate()
    app = create_app()
    database: Database = app.extensions["isems.database"]
    assert database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    assert threading.enumerate() == before
    assert list(tmp_path.iterdir()) == []


def test_the_application_works_in_processes_forked_after_it_was_loaded(database_url: str) -> None:
    database = Database(database_url)
    store(database, [line()])
    database.close()
    program = """
        import os, threading
        from app import app
        assert threading.active_count() == 1
        children = []
        for _ in range(2):
            child = os.fork()
            if child == 0:
                codes = [app.test_client().get("/measurements/Dach/latest").status_code for _ in range(20)]
                os._exit(0 if codes == [200] * 20 else 1)
            children.append(child)
        print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
    """
    done = run_python(program, DATABASE_URL=database_url)
    assert (done.stdout, done.stderr) == ("[0, 0]\n", "")


# -- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "language", "words"),
    [
        ("", "en", "The newest measurement|Newest measurement"),
        ("de-DE,de;q=0.9,en;q=0.8", "de", "Neueste Messung"),
        ("fr", "en", "Newest measurement"),
        ("en-GB,de;q=0.5", "en", "Newest measurement"),
    ],
)
def test_the_page_speaks_the_browsers_language(client: FlaskClient, accepted: str, language: str, words: str) -> None:
    response = client.get("/", headers={"Accept-Language": accepted})
    assert f'<html lang="{language}">' in response.text
    assert any(word in response.text for word in words.split("|"))
    assert response.headers["Content-Language"] == language
    assert "Accept-Language" in response.vary


def test_the_page_says_that_nodes_are_simulated_only_where_they_are(app: Flask) -> None:
    said = {"en": "Simulation: these nodes do not exist", "de": "Simulation: Diese Knoten gibt es nicht"}
    for language, sentence in said.items():
        app.extensions[DEMO] = True
        assert sentence in app.test_client().get("/", headers={"Accept-Language": language}).text
        app.extensions[DEMO] = False
        assert "Simulation" not in app.test_client().get("/", headers={"Accept-Language": language}).text


def test_the_page_lets_nothing_in_and_shows_no_text_of_a_node(client: FlaskClient, lite: Database) -> None:
    hostile = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{version}"]
    assert store(lite, [line(name) for name in hostile]).stored == 3
    response = client.get("/")
    assert "alert" not in response.text
    assert "3 nodes" in response.text
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    # Nothing is loaded from anywhere.
    assert "http" not in response.text
    assert "src=" not in response.text


def test_a_hostile_name_stays_a_string_of_json(client: FlaskClient, lite: Database) -> None:
    store(lite, [line("</script><b>", NOON)])
    response = client.get("/measurements/latest?all=true")
    assert (response.mimetype, response.headers["X-Content-Type-Options"]) == ("application/json", "nosniff")
    assert response.get_json()["measurements"][0]["nodeId"] == "</script><b>"


# -- wrong settings -------------------------------------------------------------------------------


def test_a_server_that_imports_app_with_a_wrong_setting_hears_of_it_in_one_line() -> None:
    done = run_python("import app", ISEMS_PORT="http")
    assert done.returncode == 2
    assert done.stderr == "Error: ISEMS_PORT is 'http', expected a whole number from 0 to 65535\n"


def test_the_copy_of_the_checkout_needs_no_installation(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "isems", tmp_path / "isems", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", tmp_path)
    program = "import sys; sys.path.insert(0, sys.argv[1]); import app; print(app.app.extensions['isems.config'].database_url)"
    done = run_python(program, str(tmp_path))
    assert done.stdout.strip() == f"sqlite:///{tmp_path / 'isems.db'}", done.stderr


PATHS = (
    *(
        "/measurements/latest",
        "/measurements/Dach/latest",
        "/metrics",
        "/readyz",
        "/version",
        "/v1/status",
        "/v1/nodes",
    ),
    *("/v1/nodes/Dach", "/v1/nodes/Dach/measurements?step=1h", "/v1/nodes/Dach/measurements?format=csv"),
    *("/v1/measurements?nodes=Dach&field=battery_volts", "/v1/rejected"),
)


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_takes_a_connection_while_it_has_one(database: Database, path: str) -> None:
    """With as many threads as connections they would wait for each other."""
    store(database, [line("Dach")])
    taken = most = 0

    def take(*_: object) -> None:
        nonlocal taken, most
        taken += 1
        most = max(most, taken)

    def give_back(*_: object) -> None:
        nonlocal taken
        taken -= 1

    event.listen(database.engine, "checkout", take)
    event.listen(database.engine, "checkin", give_back)
    assert create_app(Config(database_url="unused"), database).test_client().get(path).text
    assert (taken, most) == (0, 1)
