"""How bodies leave: compressed where it pays, and not at all where the client has them."""

import gzip

import pytest
from flask.testing import FlaskClient

from isems.storage.database import Database
from tests.api.stored import NOON, line, store

PATH = "/measurements/Dach/latest"


@pytest.fixture
def filled(lite: Database) -> Database:
    store(lite, [line(time=NOON - 60 * n) for n in range(20)])
    return lite


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "*"])
def test_a_large_body_is_gzipped_for_who_takes_it(client: FlaskClient, filled: Database, accepted: str) -> None:
    plain, small = client.get(PATH), client.get(PATH, headers={"Accept-Encoding": accepted})
    assert small.headers["Content-Encoding"] == "gzip"
    assert int(small.headers["Content-Length"]) == len(small.data) < len(plain.data) / 3
    assert gzip.decompress(small.data) == plain.data
    assert "Accept-Encoding" in small.vary
    assert "Accept-Encoding" in plain.vary


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "*;q=0"])
def test_who_takes_no_gzip_gets_none(client: FlaskClient, filled: Database, accepted: str) -> None:
    response = client.get(PATH, headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers
    assert response.data.startswith(b"{")


def test_a_small_body_is_left_as_it_is(client: FlaskClient) -> None:
    response = client.get("/measurements/latest", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("shape", ["{}", '"other", {}', '"a", {} , W/"b"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_client_has_is_not_sent_again(client: FlaskClient, filled: Database, shape: str, method: str) -> None:
    tag = client.get(PATH).headers["ETag"]
    response = client.open(PATH, method=method, headers={"If-None-Match": shape.format(tag)})
    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == tag
    assert "Accept-Encoding" in response.vary


def test_a_tag_is_weak_and_found_without_its_mark_too(client: FlaskClient, filled: Database) -> None:
    tag = client.get(PATH).headers["ETag"]
    assert tag.startswith('W/"')
    assert client.get(PATH, headers={"If-None-Match": tag.removeprefix("W/")}).status_code == 304


def test_the_tag_of_the_gzipped_body_stands_for_the_plain_one(client: FlaskClient, filled: Database) -> None:
    zipped = client.get(PATH, headers={"Accept-Encoding": "gzip"})
    assert client.get(PATH, headers={"If-None-Match": zipped.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", [PATH, "/measurements/latest?all=true"])
def test_a_new_record_changes_the_tag(client: FlaskClient, filled: Database, path: str) -> None:
    tag = client.get(path).headers["ETag"]
    store(filled, [line(time=NOON + 60)])
    response = client.get(path, headers={"If-None-Match": tag})
    assert response.status_code == 200
    assert response.headers["ETag"] != tag


def test_head_tells_what_get_would_send_and_sends_nothing(client: FlaskClient, filled: Database) -> None:
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        got, head = client.get(PATH, headers=headers), client.head(PATH, headers=headers)
        assert (head.status_code, head.data) == (200, b"")
        assert dict(head.headers) == dict(got.headers)


def test_caches_must_ask_again(client: FlaskClient, filled: Database) -> None:
    assert client.get(PATH).headers["Cache-Control"] == "no-cache"
