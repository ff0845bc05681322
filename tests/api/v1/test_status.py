"""How the collector fares, in one answer."""

import threading
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from isems import __version__
from isems.api.app import create_app
from isems.config import Config, PushToken, parse_broker
from isems.domain.polling import PollTarget
from isems.ingest import IngestResult
from isems.storage.counters import write_counts
from isems.storage.database import Database
from isems.storage.locks import hold_lock
from isems.storage.poll_targets import save_targets
from isems.storage.replicas import BrokerState, lock_of, save_broker_state
from isems.storage.rollups import roll_up
from tests.api.stored import NOON, line, store
from tests.api.v1.asking import get, problem

BERLIN = ZoneInfo("Europe/Berlin")


def test_an_empty_collector_has_a_status(database: Database) -> None:
    body = get(create_app(Config(database_url="unused"), database).test_client(), "/api/v1/status")
    assert (body["program"]["version"], body["program"]["database"]) == (__version__, database.kind)
    assert body["nodes"] == {"known": 0, "active": 0}
    assert body["rejected"] == {"kept": 0, "dropped": 0, "times": {}}
    assert body["configured"] == {"addresses": 0, "broker": None, "has_push": False}
    assert body["polling"] == {"answering": 0, "failing": 0, "overdue": 0, "answered_at": None, "troubles": []}
    assert [one["rows"] for one in body["rows_per_day"]] == [0] * 14
    assert body["waiting"] == {"undecided_bytes": 0, "backlog_samples": 0}
    assert (body["mqtt"], body["is_simulation"], body["time_zone"]) == ({}, False, "Europe/Berlin")
    assert body["storage"]["database_bytes"] > 0


def test_nodes_and_rejected_input_are_counted(database: Database) -> None:
    store(database, [line("old", NOON - 40 * 86_400)], now=NOON - 40 * 86_400)
    store(database, [line("new", NOON), line("new", NOON, battery="9"), "new;1;yesterday"], now=NOON)
    client = create_app(Config(database_url="unused"), database, clock=lambda: NOON + 60).test_client()
    body = get(client, "/api/v1/status")
    assert body["nodes"] == {"known": 2, "active": 1}
    assert (body["rejected"]["kept"], body["rejected"]["dropped"]) == (2, 0)


def test_what_is_configured_is_named_without_its_secrets(lite: Database) -> None:
    config = Config(
        database_url="unused",
        router_ips=("192.0.2.1", "192.0.2.2"),
        broker=parse_broker("mqtt://user:password@broker.example"),
        push_tokens=(PushToken(b"digest"),),
    )
    body = get(create_app(config, lite, store=lambda _: IngestResult()).test_client(), "/api/v1/status")
    assert body["configured"] == {"addresses": 2, "broker": "broker.example:1883", "has_push": True}


def test_an_address_that_fails_is_told_with_its_error(database: Database) -> None:
    config = Config(database_url="unused", router_ips=("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    with database.write() as connection:
        save_targets(
            connection,
            [
                PollTarget(address="192.0.2.1", polled_at=NOON, answered_at=NOON),
                PollTarget(address="192.0.2.2", polled_at=NOON, answered_at=NOON - 3600, error="no answer in 30 s"),
            ],
        )
    client = create_app(config, database, clock=lambda: NOON + 60).test_client()
    polling = get(client, "/api/v1/status")["polling"]
    assert (polling["answering"], polling["failing"], polling["answered_at"]) == (1, 1, "2026-01-10T12:00:00Z")
    assert polling["troubles"] == [
        {
            "address": "192.0.2.2",
            "polled_at": "2026-01-10T12:00:00Z",
            "answered_at": "2026-01-10T11:00:00Z",
            "error": "no answer in 30 s",
        }
    ]


@pytest.mark.parametrize(("later", "overdue"), [(7200, 0), (7260, 1), (9000, 1), (9060, 2)])
def test_what_answered_when_it_was_last_polled_long_ago_does_not_count_as_well(
    lite: Database, later: int, overdue: int
) -> None:
    """The process that polls may have died: what it stored last is not how things are."""
    config = Config(database_url="unused", router_ips=("192.0.2.1", "192.0.2.2"))
    with lite.write() as connection:
        polled = PollTarget(address="192.0.2.1", polled_at=NOON, answered_at=NOON, wait_seconds=60)
        rare = PollTarget(address="192.0.2.2", polled_at=NOON, error="no answer in 30 s", wait_seconds=3000)
        save_targets(connection, [polled, rare])
    client = create_app(config, lite, clock=lambda: NOON + later).test_client()
    polling = get(client, "/api/v1/status")["polling"]
    assert polling["overdue"] == overdue
    assert (polling["answering"], polling["failing"]) == (overdue == 0, overdue < 2)
    assert len(polling["troubles"]) == polling["failing"]


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_rows_are_counted_by_local_day(database: Database, is_rolled_up: bool) -> None:
    midnight = NOON - 13 * 3600  # in Berlin
    store(database, [line("a", midnight + 60 * n) for n in range(-1500, 200)], now=NOON)
    store(database, [line("b", midnight - 60), line("b", midnight)], now=NOON)
    if is_rolled_up:
        with database.write() as connection:
            for node_id in (1, 2):
                while roll_up(connection, node_id, BERLIN):
                    pass
    client = create_app(Config(database_url="unused"), database, clock=lambda: NOON).test_client()
    days = get(client, "/api/v1/status")["rows_per_day"]
    assert [tuple(one.values()) for one in days[-4:]] == [
        ("2026-01-07", 0),
        ("2026-01-08", 60),
        ("2026-01-09", 1441),
        ("2026-01-10", 201),
    ]


def test_rejected_input_is_counted_by_reason_each_time_it_comes(database: Database) -> None:
    for _ in range(2):
        store(database, [line("new", NOON), "new;1;yesterday"], now=NOON)
    with database.write() as connection:
        write_counts(connection)
    client = create_app(Config(database_url="unused"), database, clock=lambda: NOON).test_client()
    assert get(client, "/api/v1/status")["rejected"]["times"] == {"field_count": 2}


def test_who_has_the_status_of_this_minute_gets_it_again_once_anything_was_written(lite: Database) -> None:
    now = iter([NOON + 61, NOON + 80, NOON + 100])
    client = create_app(Config(database_url="unused"), lite, clock=lambda: next(now)).test_client()
    store(lite, [line(time=NOON)])
    had = {"If-None-Match": client.get("/api/v1/status").headers["ETag"]}
    assert client.get("/api/v1/status", headers=had).status_code == 304
    store(lite, [line(time=NOON + 90)], now=NOON + 95)
    assert client.get("/api/v1/status", headers=had).get_json()["rows_per_day"][-1]["rows"] == 2


def test_a_subscriber_that_died_is_told_at_once_though_nothing_was_written(lite: Database) -> None:
    client = create_app(Config(database_url="unused"), lite, clock=lambda: NOON).test_client()
    state = BrokerState(is_well=True, sentence="receiving", since=NOON, broker="broker.example:1883")
    with lite.write() as connection:
        save_broker_state(connection, "1", state)
    with hold_lock(lite, lock_of("1"), threading.Event(), lambda: None):
        had = {"If-None-Match": client.get("/api/v1/status").headers["ETag"]}
        assert client.get("/api/v1/status", headers=had).status_code == 304
    assert not client.get("/api/v1/status", headers=had).get_json()["mqtt"]["1"]["is_well"]


def test_there_is_nothing_to_choose(client: FlaskClient) -> None:
    assert problem(client, "/api/v1/status?verbose=1")[2] == "one of the parameters (there is none)"
