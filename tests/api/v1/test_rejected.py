"""What could not be stored is shown as it came, with its reason."""

import pytest
from flask.testing import FlaskClient

from isems.api.app import create_app
from isems.config import Config
from isems.domain.payload import Source
from isems.domain.rejection import Reason, Rejected
from isems.storage.database import Database
from isems.storage.rejected import insert_permanently, insert_rejected
from tests.api.stored import NOON
from tests.api.v1.asking import get, problem


@pytest.fixture
def client_of_five(database: Database) -> FlaskClient:
    """Five pieces: two of node a, one whose bytes are no text, one that was cut, one kept by an upgrade."""
    pieces = [
        Rejected(b"a;1;x", Reason.TIME_UNREADABLE, "the time is 'x', expected epoch seconds", "a"),
        Rejected(b"a;1;2", Reason.CLOCK_UNSET, "the clock was never set", "a"),
        Rejected(b"\xff\0", Reason.ENCODING, "no UTF-8"),
        Rejected(b"x" * 5000, Reason.TOO_LONG, "5000 bytes, expected fewer"),
    ]
    with database.write() as connection:
        for second, piece in enumerate(pieces):
            insert_rejected(connection, Source.POLL, "10.0.0.1", [piece], NOON + second)
        insert_rejected(connection, Source.POLL, "10.0.0.1", [pieces[0]], NOON + 10)
        lost = Rejected(b"old", Reason.TIME_SKIPPED, "no such hour", "b")
        insert_permanently(connection, Source.IMPORT, "upgrade", [lost], NOON + 3)
    return create_app(Config(database_url="unused"), database).test_client()


def test_a_piece_is_shown_with_how_often_it_came(client_of_five: FlaskClient) -> None:
    body = get(client_of_five, "/api/v1/rejected")
    assert [piece["raw"] for piece in body["rejected"]] == ["a;1;x", "old", "x" * 4096, "\ufffd\0", "a;1;2"]
    assert body["rejected"][0] == {
        "reason": "time_unreadable",
        "detail": "the time is 'x', expected epoch seconds",
        "raw": "a;1;x",
        "is_cut": False,
        "node": "a",
        "source": "poll",
        "address": "10.0.0.1",
        "times": 2,
        "first_at": "2026-01-10T12:00:00Z",
        "last_at": "2026-01-10T12:00:10Z",
    }
    assert [piece["is_cut"] for piece in body["rejected"]] == [False, False, True, False, False]
    assert (body["dropped"], body["next"]) == ({}, None)


@pytest.mark.parametrize("query", ["", "node=a", "reason=clock_unset", "node=b"])
def test_following_the_links_gives_every_piece_once(client_of_five: FlaskClient, query: str) -> None:
    for limit in (1, 2, 3, 5):
        _follow(client_of_five, limit, query)


def _follow(client_of_five: FlaskClient, limit: int, query: str) -> None:
    whole = get(client_of_five, f"/api/v1/rejected?{query}")["rejected"]
    found, link = [], f"<?limit={limit}&{query}>"
    while link:
        response = client_of_five.get(f"/api/v1/rejected{link[1:].partition('>')[0]}")
        found += response.get_json()["rejected"]
        link = response.headers.get("Link", "")
    assert found == whole


def test_pieces_are_chosen_by_node_and_reason(client_of_five: FlaskClient) -> None:
    def raws(query: str) -> list[str]:
        return [piece["raw"] for piece in get(client_of_five, f"/api/v1/rejected?{query}")["rejected"]]

    assert raws("node=a") == ["a;1;x", "a;1;2"]
    assert raws("node=a&reason=clock_unset") == ["a;1;2"]
    assert raws("reason=encoding") == ["\ufffd\0"]
    assert raws("node=10.0.0.1") == []


def test_what_had_to_make_room_is_counted(database: Database) -> None:
    with database.write() as connection:
        for number in range(5):
            piece = Rejected(b"%d" % number, Reason.REVISION, "unknown", "a")
            insert_rejected(connection, Source.POLL, "x", [piece], NOON + number, max_per_origin=2)
    body = get(create_app(Config(database_url="unused"), database).test_client(), "/api/v1/rejected")
    assert ([piece["raw"] for piece in body["rejected"]], body["dropped"]) == (["4", "3"], {"revision": 3})


@pytest.mark.parametrize("cursor", ["WzFd", "WyJhIiwxXQ==", "WzkyMjMzNzIwMzY4NTQ3NzU4MDgsMV0=", "Wy0xLDFd"])
def test_a_cursor_that_is_not_ours_is_refused(client: FlaskClient, cursor: str) -> None:
    assert problem(client, f"/api/v1/rejected?cursor={cursor}")[:2] == ("cursor", cursor)


def test_an_unknown_reason_is_answered_with_the_known_ones(client: FlaskClient) -> None:
    assert "clock_ahead, conflict" in problem(client, "/api/v1/rejected?reason=bad")[2]
