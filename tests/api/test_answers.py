"""How bodies leave: compressed where it pays, and not at all where the client has them."""

import gzip
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from isems.api.app import create_app
from isems.config import Config
from isems.ingest import ingest
from isems.storage.database import Database
from tests.api.stored import NOON, line, store
from tests.samples import log_payload, minutes, moment

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


# 304 without a look at the data


def test_an_unchanged_answer_is_known_until_anything_is_written(tmp_path: Path) -> None:
    """A late row, older than all that the client has, makes another answer."""
    url = f"sqlite:///{tmp_path}/isems.db"
    database, writer = Database(url), Database(url)
    client = create_app(Config(database_url=url), database).test_client()
    lines = log_payload(minutes(3))
    ingest(writer, lines, moment(NOON + 300))
    (name,) = {m.node for m in minutes(3)}
    first = client.get(f"/measurements/{name}/latest")
    asked = {"If-None-Match": first.headers["ETag"]}
    for _ in range(2):
        again = client.get(f"/measurements/{name}/latest", headers=asked)
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get(f"/measurements/{name}/latest", headers={"If-None-Match": '"other"'}).status_code == 200
    ingest(writer, log_payload(minutes(1, first=NOON - 86_400)), moment(NOON + 400))
    after = client.get(f"/measurements/{name}/latest", headers=asked)
    assert after.status_code == 200
    assert len(after.get_json()["measurements"]) == 4
    writer.close()
    database.close()


def test_the_version_of_the_data_changes_with_every_commit_and_no_read(database_url: str) -> None:
    database, writer = Database(database_url), Database(database_url)
    versions = []
    for second in range(3):
        ingest(writer, log_payload(minutes(1, first=NOON + second)), moment(NOON + 300))
        versions += [database.data_version(), database.data_version()]
    assert versions[::2] == versions[1::2]
    assert len(set(versions)) == 3
    writer.close()
    database.close()
