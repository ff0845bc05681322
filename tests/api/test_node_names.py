"""Nodes are called what their owners like: every name leads to its node, over both servers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from isems.api.app import create_app
from isems.api.server import web_server
from isems.config import Config
from isems.storage.database import Database
from tests.api.asking import ask, ask_json
from tests.api.stored import line, store

NAMES = [
    *("Elektra-Dach", "a/b", "/a", "a/", "a//b", "//", "two words", " lead", "trail ", "50%", "100%25", "a%20b"),
    *(
        "%2F",
        "Gartenhaus-Süd",
        "шлюз",
        "☀",
        "a?b",
        "?",
        "a#b",
        "#",
        "a;b",
        ";",
        "a&b=c",
        "a+b",
        "..",
        ".",
        "../..",
        "a/../b",
    ),
    *(
        "latest",
        "a/latest",
        "latest/latest",
        "/latest",
        "api",
        "measurements",
        "x/measurements/y",
        'quo"te',
        "<b>",
        "a\\b",
    ),
    *("null", "[::1]", "http://[", "a@b:80", "~", "ä" * 127),
]
#: What a request line cannot hold as it is.
IMPOSSIBLE_RAW = set('?# "<>\\')


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """A test's requests are no news."""


def serve_waitress(app: Flask) -> AbstractContextManager[int]:
    return web_server(app, Config(database_url="unused", port=0))


@contextmanager
def serve_werkzeug(app: Flask) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('names') / 'isems.db'}")
    result = store(database, [line(name) for name in NAMES])
    assert (result.stored, result.rejected) == (len(NAMES), 0)
    yield create_app(Config(database_url="unused"), database)
    database.close()


Server = Callable[[Flask], AbstractContextManager[int]]


@pytest.fixture(scope="module", params=[serve_waitress, serve_werkzeug], ids=["isems serve", "flask run"])
def port(app: Flask, request: pytest.FixtureRequest) -> Iterator[int]:
    server: Server = request.param
    with server(app) as port:
        yield port


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_every_name_finds_its_node_percent_encoded(port: int, prefix: str) -> None:
    """Defect 19: the node a/b was stored, and its endpoint answered 404."""
    found = {name: ask(port, f"{prefix}/measurements/{quote(name, safe='')}/latest".encode()) for name in NAMES}
    assert found == {name: (200, [name]) for name in NAMES}


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_slashes_may_be_left_as_they_are(port: int, prefix: str) -> None:
    found = {name: ask(port, f"{prefix}/measurements/{quote(name, safe='/')}/latest".encode()) for name in NAMES}
    assert found == {name: (200, [name]) for name in NAMES}


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_name_that_a_request_line_can_hold_finds_its_node_raw(port: int, prefix: str) -> None:
    # What is also another name, percent-encoded, means that one.
    names = [name for name in NAMES if not IMPOSSIBLE_RAW & set(name) and name not in ("%2F", "100%25")]
    assert {"50%", "a%20b", "a/b", "Gartenhaus-Süd", ".."} <= set(names)
    found = {name: ask(port, f"{prefix}/measurements/{name}/latest".encode()) for name in names}
    assert found == {name: (200, [name]) for name in names}


@pytest.mark.parametrize("after", ["", "/measurements"])
@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_every_name_finds_its_node_in_the_new_paths_too(port: int, prefix: str, after: str) -> None:
    def find(target: str) -> tuple[int, str | None]:
        status, body = ask_json(port, target.encode())
        return status, body and body["node"]

    known = {name: (200, name) for name in NAMES}
    encoded = {name: quote(name, safe="") for name in NAMES}
    assert {name: find(f"{prefix}/nodes/{text}{after}") for name, text in encoded.items()} == known
    assert {name: find(f"{prefix}/node{after}?node={text}") for name, text in encoded.items()} == known


def test_raw_names_that_are_another_name_encoded_find_themselves_where_that_other_is_not_known(port: int) -> None:
    assert ask(port, b"/measurements/100%25/latest") == (200, ["100%25"])
    assert ask(port, b"/measurements/%2F/latest")[0] in (200, 404)


@pytest.mark.parametrize("target", [b"/measurements//latest", b"/measurements/latest/", b"/measurements", b"/nothing"])
def test_paths_without_a_name_are_not_found(port: int, target: bytes) -> None:
    assert ask(port, target)[0] == 404


@pytest.mark.parametrize("target", [b"//[", b"/measurements/%/latest", b"//x/../.."])
def test_an_odd_target_is_the_clients_mistake_never_ours(port: int, target: bytes) -> None:
    assert 400 <= ask(port, target)[0] < 500


def test_an_absolute_target_is_understood(port: int) -> None:
    assert ask(port, b"http://localhost/measurements/Elektra-Dach/latest?x=1") == (200, ["Elektra-Dach"])
