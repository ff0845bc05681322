"""How the collector fares, in one answer."""

from flask.testing import FlaskClient

from isems import __version__
from isems.api.app import create_app
from isems.config import Config
from isems.storage.database import Database
from tests.api.stored import NOON, line, store
from tests.api.v1.asking import get, problem


def test_an_empty_collector_has_a_status(database: Database) -> None:
    body = get(create_app(Config(database_url="unused"), database).test_client(), "/api/v1/status")
    assert (body["program"]["version"], body["program"]["database"]) == (__version__, database.kind)
    assert body["nodes"] == {"known": 0, "active": 0}
    assert body["rejected"] == {"kept": 0, "dropped": 0}
    assert body["waiting"] == {"undecided_bytes": 0, "backlog_samples": 0}
    assert (body["mqtt"], body["is_simulation"], body["time_zone"]) == ({}, False, "Europe/Berlin")
    assert body["storage"]["database_bytes"] > 0


def test_nodes_and_rejected_input_are_counted(database: Database) -> None:
    store(database, [line("old", NOON - 40 * 86_400)], now=NOON - 40 * 86_400)
    store(database, [line("new", NOON), line("new", NOON, battery="9"), "new;1;yesterday"], now=NOON)
    client = create_app(Config(database_url="unused"), database, clock=lambda: NOON + 60).test_client()
    body = get(client, "/api/v1/status")
    assert body["nodes"] == {"known": 2, "active": 1}
    assert body["rejected"] == {"kept": 2, "dropped": 0}


def test_there_is_nothing_to_choose(client: FlaskClient) -> None:
    assert problem(client, "/api/v1/status?verbose=1")[2] == "one of the parameters (there is none)"
