"""Pushing by HTTP: what is taken in, for whom, and that the answer is true."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from werkzeug.test import TestResponse

from isems.api.app import create_app
from isems.api.context import GATE
from isems.api.push import MAX_BODY_BYTES
from isems.api.push_gate import Gate
from isems.api.push_store import Store, store_at_once, store_in_groups
from isems.config import Config
from isems.domain.payload import Payload
from isems.errors import StorageError
from isems.ingest import IngestResult
from isems.storage import sqlite_file
from isems.storage.database import Database
from isems.storage.rejected import StoredRejection, select_rejected
from tests.api.stored import line
from tests.published import stored

FREE, DACH, PAIR = "free-0123456789abcdef", "dach-0123456789abcdef", "pair-0123456789abcdef"
TOKENS = f"{FREE},{DACH}=Dach,{PAIR}=Dach\n{PAIR}=Alte%20G%C3%A4rtnerei/Hof 2"
#: As `data.json` without a time; what becomes of it is a matter of the rules for times.
SAMPLE = b'{"batteryVoltage":12.876,"status":"500","timeToShutdown":2976,"batteryChargeEstimate":99}'


def config_of(url: str, tokens: str = TOKENS, **more: str) -> Config:
    return Config.from_environment(
        {"DATABASE_URL": url, "ISEMS_PUSH_TOKENS": tokens, "ISEMS_CLOCK_TRUSTED": "yes", **more}
    )


Connect = Callable[..., FlaskClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A client of the application over a database, by its URL and further settings."""
    opened = []

    def connect(url: str, **settings: str) -> FlaskClient:
        config = config_of(url, **settings)
        served, database = Database(url), Database(url, is_durable=True)
        opened.extend((served, database))
        return create_app(config, served, store_at_once(config, database)).test_client()

    yield connect
    for database in opened:
        database.close()


@pytest.fixture
def client(connect: Connect, sqlite_url: str) -> FlaskClient:
    return connect(sqlite_url)


def at(seconds_ago: int, node: str = "Dach", **fields: str) -> str:
    return line(node, int(time.time()) - seconds_ago, **fields)


def post(client: FlaskClient, path: str, data: bytes | str = b"", **more: Any) -> TestResponse:
    return client.post(f"/push/{path}", data=data, **more)


def counts(response: TestResponse) -> dict[str, Any]:
    """What the answer tells, without what is none."""
    assert (response.status_code, response.mimetype) == (202, "application/json"), response.text
    told = response.get_json()
    assert set(told) == {"stored", "duplicate", "completed", "rejected", "undecided", "reasons"}
    return {key: value for key, value in told.items() if value}


def problem(response: TestResponse) -> dict[str, Any]:
    assert response.mimetype == "application/problem+json", response.text
    told: dict[str, Any] = response.get_json()
    assert told["status"] == response.status_code
    assert set(told) == {"type", "title", "status", "detail"}
    return told


def rejected(url: str) -> list[StoredRejection]:
    database = Database(url)
    with database.read() as connection:
        found = select_rejected(connection)
    database.close()
    return found


def nodes(url: str) -> list[str]:
    database = Database(url)
    found = [name for name, _ in stored(database)]
    database.close()
    return found


# -- what is taken in -----------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_lines_are_stored_once_and_told(connect: Connect, sqlite_url: str, prefix: str) -> None:
    client = connect(sqlite_url)
    lines = "\n".join(at(15 * n) for n in range(5))
    path = f"{prefix}/push/{FREE}/isems/Dach/data"
    assert counts(client.post(path, data=lines)) == {"stored": 5}
    assert counts(client.post(path, data=lines)) == {"duplicate": 5}
    assert counts(client.post(path, data=f"{lines}\nDach;1;rest")) == {
        "duplicate": 5,
        "rejected": 1,
        "reasons": {"field_count": 1},
    }
    assert nodes(sqlite_url) == ["Dach"] * 5


def test_the_answer_comes_from_each_database(connect: Connect, database_url: str) -> None:
    client = connect(database_url)
    assert counts(post(client, f"{FREE}/Dach/data", at(0))) == {"stored": 1}
    assert len(client.get("/measurements/Dach/latest").get_json()["measurements"]) == 1


def test_a_sample_is_accounted_for(client: FlaskClient) -> None:
    told = counts(post(client, f"{FREE}/isems/testdrive/foobar/Dach/data", SAMPLE, content_type="application/json"))
    told.pop("reasons", None)
    assert sum(told.values()) == 1


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json", "multipart/form-data", ""]
)
def test_the_body_tells_its_format_whatever_the_header_says(client: FlaskClient, content_type: str) -> None:
    assert counts(post(client, f"{FREE}/data", at(0), content_type=content_type)) == {"stored": 1}


@pytest.mark.parametrize("data", [b"", b"\n", b"<html>", b"{", b"\xff\xfe", b"\0", b"[1, 2]"])
def test_what_is_no_payload_is_kept_with_its_sender_and_harms_nothing(
    connect: Connect, sqlite_url: str, data: bytes
) -> None:
    client = connect(sqlite_url)
    answer = post(client, f"{FREE}/isems/Dach/data", data, environ_overrides={"REMOTE_ADDR": "10.0.0.7"})
    assert counts(answer) == {"rejected": 1, "reasons": {"no_format": 1}}
    (kept,) = rejected(sqlite_url)
    assert (kept.source, kept.address, kept.node, kept.raw) == ("push", "10.0.0.7 /isems/Dach/data", "Dach", data)


def test_a_sample_that_no_path_names_a_node_for_is_kept_as_rejected(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    for path in (f"{FREE}/data", f"{FREE}/isems/testdrive/foobar//data", f"{DACH}/data"):
        assert counts(post(client, path, SAMPLE)) == {"rejected": 1, "reasons": {"node_name": 1}}
    assert {one.raw for one in rejected(sqlite_url)} == {SAMPLE}


# -- the node in the path -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "node"),
    [
        ("Dach", "Dach"),
        ("isems/Dach", "Dach"),
        ("/isems/Dach", "Dach"),
        ("isems/testdrive/foobar/Dach", "Dach"),
        ("/isems/testdrive/foobar/Dach", "Dach"),
        ("isems/testdrive/Dach", "testdrive/Dach"),
        ("isems/testdrive/foobar/a/b", "a/b"),
        ("isems/data", "data"),
        ("data/data", "data/data"),
        ("isems", "isems"),
        ("a//b", "a//b"),
        ("/a", "/a"),
        ("//a", "//a"),
        ("%2Fa", "/a"),
        ("isems/%2Fa", "/a"),
        ("isems%2FDach", "Dach"),
        ("isems/a;b", "a;b"),
        ("isems/a%3Fb%23", "a?b#"),
        ("isems/two%20words", "two words"),
        ("isems/Gartenhaus-S%C3%BCd", "Gartenhaus-Süd"),
        ("isems/50%25", "50%"),
        ("isems/50%", "50%"),
        ("isems/a+b", "a+b"),
    ],
)
def test_the_path_names_the_node_with_any_prefix_or_none(
    connect: Connect, sqlite_url: str, path: str, node: str
) -> None:
    client = connect(sqlite_url)
    answer = client.post(  # as it was sent, which werkzeug's own client would tidy up
        "/push/x", data=at(0, node), environ_overrides={"REQUEST_URI": f"/api/push/{FREE}/{path}/data?x=/data"}
    )
    assert counts(answer) == {"stored": 1}
    assert nodes(sqlite_url) == [node]


def test_other_prefixes_are_those_of_mqtt(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url, ISEMS_MQTT_PREFIXES="mesh/x/,mesh/")
    for path in ("mesh/Dach", "mesh/x/Dach", "/mesh/x/Dach"):
        assert "rejected" not in counts(post(client, f"{FREE}/{path}/data", at(0)))
    assert counts(post(client, f"{FREE}/isems/Dach/data", at(0)))["reasons"] == {"node_foreign": 1}


@pytest.mark.parametrize("path", ["a%00b", "a%0Ab", "%FF", "x" * 256, "%C3%A4" * 128])
def test_a_path_that_no_node_can_be_named_by_is_kept_with_its_payload(
    connect: Connect, database_url: str, path: str
) -> None:
    client = connect(database_url)
    for data in (SAMPLE, at(0).encode()):
        assert counts(post(client, f"{FREE}/isems/{path}/data", data)) == {"rejected": 1, "reasons": {"topic": 1}}
    kept = rejected(database_url)
    assert len(kept) == 2
    assert all(one.address.isprintable() and len(one.address) < 500 for one in kept)
    assert all(one.detail.startswith("the path names no node: ") for one in kept)


def test_a_record_of_another_node_than_the_paths_is_kept_as_foreign(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    answer = post(client, f"{FREE}/isems/Dach/data", f"{at(0)}\n{at(0, 'Keller')}")
    assert counts(answer) == {"stored": 1, "rejected": 1, "reasons": {"node_foreign": 1}}
    assert nodes(sqlite_url) == ["Dach"]


@pytest.mark.parametrize(
    "path", ["", "/", "x", "data", "/dat", "/Data", "/data/", "/isems/Dach", "/isems/Dach/data.json", "/Dachdata"]
)
def test_no_other_path_is_known(client: FlaskClient, path: str) -> None:
    told = problem(post(client, f"{FREE}{path}", at(0)))
    assert told["status"] in ((404,) if path.startswith("/") or not path else (403,))


def test_a_path_that_holds_the_token_twice_makes_no_node_of_it(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    spelt = "".join(f"%{ord(character):02X}" for character in FREE)
    for path in (f"push/{FREE}/Dach/data", f"{FREE}/data", f"a{spelt}b/data"):
        told = problem(post(client, f"{FREE}/{path}", SAMPLE))
        assert told == told | {"status": 404, "detail": "the path holds the token twice"}
    assert rejected(sqlite_url) == []


def test_a_server_before_us_may_put_the_token_into_the_path(client: FlaskClient) -> None:
    answer = post(
        client, f"{FREE}/isems/50%25/data", at(0, "50%"), environ_overrides={"REQUEST_URI": "/secretly/50%25/data"}
    )
    assert counts(answer) == {"stored": 1}


# -- tokens ---------------------------------------------------------------------------------------


def test_without_tokens_nothing_is_there(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url, tokens="")
    for method in ("POST", "GET", "PUT"):
        for path in ("/push", "/push/", f"/push/{FREE}/data", f"/api/push/{FREE}/isems/Dach/data"):
            assert problem(client.open(path, method=method, data=at(0)))["status"] == 404


def test_every_wrong_token_gets_the_same_answer_and_stores_nothing(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    wrong = [FREE[:-1], f"{FREE}x", FREE.upper(), "x", "", "%00", "%FF", "ä", "x" * 5000, f"%20{FREE}", DACH[::-1]]
    answers = [post(client, f"{token}/isems/Dach/data", at(0)) for token in wrong]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.data for answer in answers}) == 1
    assert {str(answer.headers) for answer in answers} == {str(answers[0].headers)}
    assert problem(answers[0])["title"] == "Forbidden"
    assert rejected(sqlite_url) == []
    assert nodes(sqlite_url) == []


def test_a_token_is_compared_with_all_and_in_a_time_that_tells_nothing(
    connect: Connect, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append((len(ours), len(theirs)))
        return ours == theirs

    monkeypatch.setattr("isems.api.push_gate.compare_digest", compare)
    client = connect(sqlite_url)
    for token in (FREE, PAIR, "x", "x" * 5000):
        post(client, f"{token}/data", at(0))
        assert compared == [(32, 32)] * 3
        compared.clear()


def test_a_bound_token_speaks_for_its_nodes_only(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    hof = "Alte Gärtnerei/Hof 2"
    for token, node in ((DACH, "Dach"), (PAIR, "Dach"), (PAIR, hof)):
        assert "rejected" not in counts(post(client, f"{token}/isems/{node}/data", at(0, node)))
    for token, node in ((DACH, hof), (DACH, "Keller"), (PAIR, "Keller"), (DACH, "%FF"), (DACH, "x" * 300)):
        told = problem(post(client, f"{token}/isems/{node}/data", at(0, node)))
        assert told == told | {"status": 403, "detail": "the token may not push for this node"}
    assert rejected(sqlite_url) == []
    assert set(nodes(sqlite_url)) == {"Dach", hof}


@pytest.mark.parametrize(("token", "speakers"), [(DACH, "'Dach'"), (PAIR, "2 other nodes")])
def test_where_the_lines_name_the_node_a_bound_token_keeps_others_out(
    connect: Connect, sqlite_url: str, token: str, speakers: str
) -> None:
    client = connect(sqlite_url)
    answer = post(client, f"{token}/data", f"{at(0)}\n{at(0, 'Keller')}\n{at(15)}")
    assert counts(answer) == {"stored": 2, "rejected": 1, "reasons": {"node_foreign": 1}}
    (kept,) = rejected(sqlite_url)
    assert kept.detail == f"a record of 'Keller' came where only {speakers} may speak"
    assert kept.raw.startswith(b"Keller;1;")


def test_a_free_token_brings_the_lines_of_any_node(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    assert counts(post(client, f"{FREE}/data", f"{at(0)}\n{at(0, 'Keller')}")) == {"stored": 2}
    assert set(nodes(sqlite_url)) == {"Dach", "Keller"}


def test_a_name_with_a_percent_sign_is_found_by_its_token_as_a_board_sends_it(
    connect: Connect, sqlite_url: str
) -> None:
    client = connect(sqlite_url, tokens=f"{DACH}=a%2520b")
    environ = {"REQUEST_URI": f"/push/{DACH}/isems/a%20b/data"}
    assert counts(client.post("/push/x", data=at(0, "a%20b"), environ_overrides=environ)) == {"stored": 1}


# -- limits ---------------------------------------------------------------------------------------


@contextmanager
def gated(url: str, store: Store | None = None) -> Iterator[tuple[FlaskClient, list[float]]]:
    """The application with a clock that is set by hand, and a store that costs nothing."""
    now = [1000.0]
    config = config_of(url)
    app = create_app(config, store=store or (lambda _: IngestResult(stored=1)))
    app.extensions[GATE] = Gate(config, app.extensions[GATE].store, clock=lambda: now[0])
    yield app.test_client(), now


def test_too_many_payloads_of_a_token_and_node_have_to_wait_and_others_not(sqlite_url: str) -> None:
    stored: list[Payload] = []

    def store(payload: Payload) -> IngestResult:
        stored.append(payload)
        return IngestResult(stored=1)

    with gated(sqlite_url, store) as (client, now):
        answers = [post(client, f"{PAIR}/isems/Dach/data", b"x") for _ in range(150)]
        assert [answer.status_code for answer in answers] == [202] * 120 + [429] * 30
        assert problem(answers[-1])["detail"] == "too many requests with this token for this node: wait 1 s"
        assert answers[-1].headers["Retry-After"] == "1"
        assert len(stored) == 120
        for path in (f"{PAIR}/Alte Gärtnerei/Hof 2/data", f"{PAIR}/data", f"{DACH}/Dach/data", f"{FREE}/Dach/data"):
            assert post(client, path, b"x").status_code == 202
        now[0] += 1
        assert [post(client, f"{PAIR}/Dach/data", b"x").status_code for _ in range(2)] == [202, 429]


def test_a_board_that_pushes_once_in_65_seconds_never_waits(sqlite_url: str) -> None:
    with gated(sqlite_url) as (client, now):
        for _ in range(300):
            assert post(client, f"{DACH}/Dach/data", b"x").status_code == 202
            now[0] += 1.1


def test_wrong_tokens_of_an_address_have_to_wait_and_hold_up_no_right_one(sqlite_url: str) -> None:
    def send(token: str, address: str) -> int:
        return post(client, f"{token}/data", b"x", environ_overrides={"REMOTE_ADDR": address}).status_code

    with gated(sqlite_url) as (client, now):
        assert [send(f"wrong-{n}", "10.0.0.7") for n in range(22)] == [403] * 20 + [429] * 2
        assert [send("wrong", "10.0.0.8"), send(FREE, "10.0.0.7")] == [403, 202]
        # Who has a network of IPv6 has more addresses than anybody could count.
        assert [send("wrong", f"fd00::{n:x}") for n in range(22)] == [403] * 20 + [429] * 2
        others = ["fd00:0:0:1::1", "", "::ffff:10.0.0.9"]
        assert [send("wrong", address) for address in others] == [403] * 3
        assert send("wrong", "::ffff:10.0.0.7") == 429
        now[0] += 6
        assert [send("wrong", "10.0.0.7"), send("wrong", "10.0.0.7")] == [403, 429]


def test_a_wrong_token_is_logged_once_an_hour_by_its_address(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with gated(sqlite_url) as (client, now):
        for _ in range(10):
            post(client, f"{FREE}x/data", b"x")
        assert [record.getMessage() for record in caplog.records] == [
            "127.0.0.1: tried to push with a token that ISEMS_PUSH_TOKENS does not name"
        ]
        now[0] += 3600
        post(client, f"{FREE}x/data", b"x")
        assert len(caplog.records) == 2


def test_a_body_may_have_a_mebibyte_and_no_more(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    log = "\n".join(at(60 * n) for n in range(8000)).encode()
    log += b"\n" * (MAX_BODY_BYTES - len(log))
    told = problem(post(client, f"{FREE}/data", log + b"\n"))
    assert told == told | {"status": 413, "detail": f"expected a body of at most {MAX_BODY_BYTES} bytes"}
    assert counts(post(client, f"{FREE}/data", log)) == {"stored": 8000}


def test_a_compressed_body_is_refused_and_not_kept_as_garbage(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    assert problem(post(client, f"{FREE}/data", b"x", headers={"Content-Encoding": "gzip"}))["status"] == 415
    assert rejected(sqlite_url) == []
    assert counts(post(client, f"{FREE}/data", at(0), headers={"Content-Encoding": "identity"})) == {"stored": 1}


def test_a_body_in_chunks_is_refused_where_the_server_does_not_unite_them(connect: Connect, sqlite_url: str) -> None:
    client = connect(sqlite_url)
    chunked = {"Transfer-Encoding": "chunked"}
    assert problem(client.post(f"/push/{FREE}/data", headers=chunked))["status"] == 411
    assert rejected(sqlite_url) == []


class Broken:
    """A body whose sender has gone, as uwsgi hands it over."""

    def read(self, *_: object) -> bytes:
        raise OSError("error during read(5) on wsgi.input")

    readline = readlines = __iter__ = read


def test_a_body_that_ends_early_is_the_senders_trouble(client: FlaskClient) -> None:
    answer = post(client, f"{FREE}/data", environ_overrides={"wsgi.input": Broken(), "CONTENT_LENGTH": "5"})
    assert problem(answer)["status"] == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "BREW"])
def test_other_methods_are_told_the_right_one(client: FlaskClient, method: str) -> None:
    answer = client.open(f"/api/push/{FREE}/isems/Dach/data", method=method)
    assert problem(answer)["status"] == 405
    assert "POST" in answer.headers["Allow"]


# -- a database that cannot be used ---------------------------------------------------------------


def check_unavailable(answer: TestResponse, words: str) -> None:
    told = problem(answer)
    assert told["status"] == 503
    assert words in told["detail"]
    assert int(answer.headers["Retry-After"]) > 0


def test_an_old_database_is_told_and_nothing_taken(connect: Connect, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.write_any_version() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('ef784e202371')")
    database.close()
    client = connect(sqlite_url)
    check_unavailable(post(client, f"{FREE}/data", at(0)), "run 'flask db upgrade'")


def test_a_locked_database_is_told_and_the_next_payload_taken(
    connect: Connect, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.05)
    client = connect(sqlite_url)
    other = Database(sqlite_url)
    with other.write():
        check_unavailable(post(client, f"{FREE}/data", at(0)), "locked")
    assert counts(post(client, f"{FREE}/data", at(0))) == {"stored": 1}
    other.close()


def test_no_room_for_what_waits_for_the_clock_is_told(sqlite_url: str) -> None:
    def store(_: Payload) -> IngestResult:
        raise StorageError("268435456 bytes of input wait for this machine's clock to be right, no more fits")

    with gated(sqlite_url, store) as (client, _):
        check_unavailable(post(client, f"{FREE}/data", at(0)), "wait for this machine's clock")


def test_what_only_a_right_clock_can_judge_waits_and_is_told(
    connect: Connect, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isems.sources.own_clock.is_kernel_synchronised", lambda: False)
    client = connect(sqlite_url, ISEMS_CLOCK_TRUSTED="no")
    assert counts(post(client, f"{DACH}/data", f"{at(-7200)}\n{at(-7200, 'Keller')}")) == {
        "undecided": 1,
        "rejected": 1,
        "reasons": {"node_foreign": 1},
    }


def synchronous(database: Database) -> int:
    with database.read() as connection:
        level: int = connection.execute(text("PRAGMA synchronous")).scalar_one()
        return level


def test_what_a_server_without_our_threads_stores_survives_a_power_cut(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Database] = []

    def remember(*arguments: Any, **options: Any) -> Database:
        made.append(Database(*arguments, **options))
        return made[-1]

    monkeypatch.setattr("isems.api.app.Database", remember)
    client = create_app(config_of(sqlite_url)).test_client()
    serving, taking = made
    assert taking.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    assert counts(post(client, f"{FREE}/data", at(0))) == {"stored": 1}
    assert serving.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    full, normal = 2, 1
    assert (synchronous(taking), synchronous(serving)) == (full, normal)
    serving.close()
    taking.close()


def test_a_database_that_is_not_durable_is_not_pushed_into(sqlite_url: str) -> None:
    config, database = config_of(sqlite_url), Database(sqlite_url)
    with pytest.raises(ValueError, match="durably"):
        store_at_once(config, database)
    with pytest.raises(ValueError, match="durably"), store_in_groups(config, database):
        pass


def test_payloads_that_come_together_are_each_answered_for_itself(sqlite_url: str) -> None:
    config, database = config_of(sqlite_url), Database(sqlite_url, has_inbox=True, is_durable=True)
    told: dict[int, dict[str, Any]] = {}
    with store_in_groups(config, database) as store:
        app = create_app(config, store=store)

        def send(number: int) -> None:
            body = "no record" if number % 5 == 0 else at(0, f"Node {number}")
            told[number] = counts(post(app.test_client(), f"{FREE}/data", body))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    bad = {"rejected": 1, "reasons": {"no_format": 1}}
    assert told == {number: bad if number % 5 == 0 else {"stored": 1} for number in range(40)}
    assert len(stored(database, "measurement")) == 32
    database.close()


# -- whatever comes -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    url = f"sqlite:///{tmp_path_factory.mktemp('push') / 'isems.db'}"
    config, database = config_of(url), Database(url, is_durable=True)
    app = create_app(config, store=store_at_once(config, database))
    # Without limits, so that every example reaches the database.
    app.extensions[GATE].count_payload = lambda *_: None
    yield app
    database.close()


PIECES = [
    FREE,
    DACH,
    "/",
    "//",
    "data",
    "isems",
    "/push/",
    "%00",
    "%2F",
    "%",
    "?",
    "#",
    "..",
    "ä",
    "\n",
    "\x85",
    "\udcff",
]
PATHS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join))
BODIES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([SAMPLE, SAMPLE[:-1], b"Dach;1;5;ESP_2.0;1;0;0;0;0;0;0;0;0;0;0;0;0;0;0"]),
    st.text(alphabet='{}[]":;,1\n').map(str.encode),
)


@settings(max_examples=150)
@given(PATHS, PATHS, BODIES)
def test_whatever_comes_is_answered_and_breaks_nothing(hostile: Flask, decoded: str, sent: str, body: bytes) -> None:
    uri = f"/push/{FREE}/{sent}/data".encode("utf-8", "surrogateescape").decode("latin-1")
    path = f"/push/{decoded}".encode("utf-8", "surrogateescape").decode("latin-1")
    for environ in ({"PATH_INFO": path, "REQUEST_URI": uri}, {"PATH_INFO": path, "REQUEST_URI": "", "RAW_URI": ""}):
        answer = hostile.test_client().post("/push/x", data=body, environ_overrides=environ)
        assert answer.status_code in (202, 400, 403, 404, 429), answer.text
        told = msgspec.json.decode(answer.data)
        if answer.status_code == 202:
            told.pop("reasons")
            assert sum(told.values()) >= 1 or not body.strip()


@given(st.dictionaries(st.text(), BODIES.map(str), max_size=3))
def test_an_object_of_anything_is_answered(hostile: Flask, members: dict[str, str]) -> None:
    body = json.dumps(members | {"batteryVoltage": 12.5})
    answer = hostile.test_client().post(f"/push/{FREE}/Dach/data", data=body)
    assert answer.status_code == 202


def test_a_fault_of_ours_is_a_problem_that_tells_nothing(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    def store(_: Payload) -> IngestResult:
        raise RuntimeError("a fault")

    with gated(sqlite_url, store) as (client, _), caplog.at_level(logging.DEBUG):
        answer = post(client, f"{FREE}/isems/Dach/data", at(0))
        assert problem(answer)["status"] == 500
        assert "a fault" not in answer.text
    (record,) = caplog.records
    assert record.exc_info
    assert FREE not in caplog.text
    assert "/push/***/isems/Dach/data" in record.getMessage()
