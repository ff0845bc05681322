"""The built dashboard as files, and the old pages that lead to it."""

import gzip
import re
from base64 import b64encode
from hashlib import sha256
from os import SEEK_CUR
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from isems.api.app import create_app
from isems.api.context import DASHBOARD
from isems.api.dashboard import POLICY
from isems.config import Config, MapArchive, MapTiles
from isems.domain.finding import Key, Severity
from isems.storage.database import Database
from tests.api.stored import line, store
from tests.map_files import BROTLI, MVT, PNG, SCHEMA, make_archive, make_png, make_vectors

PAGE = b'<!doctype html><script type="module" src="./assets/index-1a2b.js"></script>'
SCRIPT = b"console.log(1);" * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build, with a file beside it that is nobody's business."""
    folder = tmp_path / "dashboard_build"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "assets" / "index-1a2b.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "assets" / "icon-3c4d.svg").write_bytes(b"<svg/>")
    (folder / "licences.txt").write_text("© somebody", encoding="utf-8")
    (tmp_path / "secret.js").write_bytes(b"secret")
    (tmp_path / "secret.js.gz").write_bytes(gzip.compress(b"secret"))
    return folder


@pytest.fixture
def built(app: Flask, folder: Path) -> FlaskClient:
    app.extensions[DASHBOARD] = folder
    return app.test_client()


def test_of_styles_in_the_page_only_those_of_the_build_are_allowed(built: FlaskClient, folder: Path) -> None:
    style = "\n:root { --font: 'a' }\n"
    (folder / "index.html").write_text(f"<!doctype html><style>{style}</style><p>", encoding="utf-8")
    policy = built.get("/").headers["Content-Security-Policy"]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy == f"{POLICY}; style-src 'self' 'sha256-{digest}'"


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_the_page_is_at_the_root_with_and_without_the_prefix(built: FlaskClient, prefix: str) -> None:
    response = built.get(f"{prefix}/")
    assert (response.status_code, response.mimetype, response.data) == (200, "text/html", PAGE)
    script = urljoin(f"http://localhost{prefix}/", "./assets/index-1a2b.js")
    assert built.get(script).data == SCRIPT


def test_the_page_lets_nothing_in_from_elsewhere_and_runs_nothing_inline(built: FlaskClient) -> None:
    headers = built.get("/").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("url", "policy"),
    [
        ("https://tiles.example:8443/{z}/{x}/{y}.png", f"{POLICY}; img-src 'self' https://tiles.example:8443"),
        ("/tiles/{z}/{x}/{y}.png", POLICY),
    ],
)
def test_pictures_come_from_the_host_of_the_map_and_no_other(
    lite: Database, folder: Path, url: str, policy: str
) -> None:
    app = create_app(Config(database_url="unused", map_tiles=MapTiles(url, "nobody")), lite)
    app.extensions[DASHBOARD] = folder
    assert app.test_client().get("/").headers["Content-Security-Policy"] == policy


def test_the_page_is_asked_for_each_time_and_answers_304_where_it_is_the_same(built: FlaskClient) -> None:
    first = built.get("/")
    assert first.headers["Cache-Control"] == "no-cache"
    again = built.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_file_named_by_its_content_is_kept_for_ever(built: FlaskClient) -> None:
    response = built.get("/assets/index-1a2b.js")
    assert response.mimetype == "text/javascript"
    cache = response.cache_control
    assert (cache.max_age, cache.immutable, cache.public) == (31_536_000, True, True)


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, deflate", "gzip"), ("", None), ("gzip;q=0", None), ("br", None)]
)
def test_a_file_is_sent_as_it_was_compressed_at_the_build(
    built: FlaskClient, accepted: str, encoding: str | None
) -> None:
    response = built.get("/assets/index-1a2b.js", headers={"Accept-Encoding": accepted})
    assert response.headers.get("Content-Encoding") == encoding
    assert "Accept-Encoding" in response.vary
    assert response.mimetype == "text/javascript"
    assert (gzip.decompress(response.data) if encoding else response.data) == SCRIPT


def test_a_file_that_was_not_compressed_is_sent_as_it_is(built: FlaskClient) -> None:
    response = built.get("/assets/icon-3c4d.svg", headers={"Accept-Encoding": "gzip"})
    assert (response.data, response.mimetype) == (b"<svg/>", "image/svg+xml")
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_the_licences_of_what_is_built_in_are_a_text(built: FlaskClient, prefix: str) -> None:
    response = built.get(f"{prefix}/licences.txt")
    assert (response.text, response.content_type) == ("© somebody", "text/plain; charset=utf-8")


@pytest.mark.parametrize("accepted", ["", "gzip"])
@pytest.mark.parametrize(
    "path",
    [
        *("/assets/../../secret.js", "/assets/%2e%2e/%2e%2e/secret.js", "/assets/..%2f..%2fsecret.js"),
        *("/assets//etc/passwd", "/assets/%2fetc/passwd", "/assets/none.js", "/assets/", "/assets/x%00.js"),
    ],
)
def test_nothing_outside_the_build_is_given(built: FlaskClient, path: str, accepted: str) -> None:
    response = built.get(path, headers={"Accept-Encoding": accepted})
    assert response.status_code == 404
    assert b"secret" not in response.data


#: Before the only tile of the map; nobody has time to read that for each part of it.
GAP = 3_000_000_000
TILE = make_png(200, 30, 30)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A map of some gigabytes, nearly all of it holes in the file."""
    whole = make_archive(TILE, PNG, {}, gap=GAP)
    path = tmp_path / "map.pmtiles"
    with path.open("wb") as file:
        file.write(whole.removesuffix(TILE))
        file.seek(GAP, SEEK_CUR)
        file.write(TILE)
    return path


@pytest.fixture
def mapped(lite: Database, archive: Path) -> FlaskClient:
    config = Config(database_url="unused", map_tiles=MapArchive(archive, "© us"))
    return create_app(config, lite).test_client()


def ask(mapped: FlaskClient, method: str = "GET", prefix: str = "", **headers: str) -> TestResponse:
    """Ask for the map, and close it, as a server does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    # A server's own file wrapper may know no places in a file.
    server = {"wsgi.file_wrapper": iter}
    return mapped.open(f"{prefix}/map.pmtiles", method=method, headers=named, environ_overrides=server, buffered=True)


def bytes_read() -> int:
    """Give how many bytes this process has read from files so far."""
    return int(Path("/proc/self/io").read_text(encoding="utf-8").split()[1])


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_any_part_of_a_map_file_is_sent_without_reading_the_rest(
    mapped: FlaskClient, archive: Path, prefix: str
) -> None:
    size, before = archive.stat().st_size, bytes_read()
    response = ask(mapped, prefix=prefix, Range=f"bytes={size - len(TILE)}-{size - 1}")
    assert (response.status_code, response.data) == (206, TILE)
    assert response.headers["Content-Range"] == f"bytes {size - len(TILE)}-{size - 1}/{size}"
    assert ask(mapped, Range="bytes=0-6").data == b"PMTiles"
    head = ask(mapped, "HEAD")
    assert (head.content_length, head.headers["Accept-Ranges"]) == (size, "bytes")
    assert bytes_read() - before < 1_000_000


def test_a_part_of_a_map_file_that_is_not_there_is_refused(mapped: FlaskClient, archive: Path) -> None:
    size = archive.stat().st_size
    for wanted in (f"bytes={size}-", "bytes=7-3", "bytes=0-1,5-9"):
        response = ask(mapped, Range=wanted)
        assert (response.status_code, response.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_a_map_file_is_known_by_its_tag_until_it_is_replaced(mapped: FlaskClient, archive: Path) -> None:
    tag = ask(mapped, Range="bytes=0-6").headers["ETag"]
    assert not tag.startswith("W/")  # of a weak one no part is sent
    known = ask(mapped, If_None_Match=tag)
    assert (known.status_code, known.data) == (304, b"")
    assert ask(mapped, Range="bytes=0-6", If_Range=tag).status_code == 206
    archive.write_bytes(make_archive(TILE, PNG, {}))
    assert ask(mapped, If_None_Match=tag).status_code == 200
    whole = ask(mapped, Range="bytes=0-6", If_Range=tag)
    assert (whole.status_code, whole.data) == (200, archive.read_bytes())
    archive.unlink()
    assert ask(mapped).status_code == 404


def test_a_map_file_tells_whom_it_is_due_to_as_soon_as_it_is_there(lite: Database, tmp_path: Path) -> None:
    path = tmp_path / "late.pmtiles"
    client = create_app(Config(database_url="unused", map_tiles=MapArchive(path, "")), lite).test_client()
    path.write_bytes(make_archive(make_vectors({}), MVT, SCHEMA))
    assert client.get("/v1/status").json["map_tiles"]["attribution"] == "© OpenStreetMap"


VECTORS, PICTURE = make_vectors({}), make_png(0, 0, 0)
WHOLE = make_archive(PICTURE, PNG, {})


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (None, "No such file"),
        (b"", "it is none"),
        (b"SQLite format 3\0" * 100, "it is none"),
        (make_archive(PICTURE, PNG, {}, version=2), "it is of version 2"),
        (WHOLE[:-1], f"it is cut off, {len(WHOLE) - 1} of {len(WHOLE)} bytes are there"),
        (make_archive(PICTURE, PNG, {"attribution": 1}), "its metadata are unreadable"),
        (make_archive(VECTORS, MVT, SCHEMA, compression=BROTLI), "browsers cannot unpack it"),
        (make_archive(PICTURE, 6, {}), "its tiles are neither pictures"),
        (make_archive(VECTORS, MVT, {"vector_layers": [{"id": "water"}, {"id": "transportation"}]}), "transportation"),
    ],
)
def test_a_file_that_makes_no_map_is_told_of_and_the_service_goes_on(
    content: bytes | None, trouble: str, lite: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "berlin.pmtiles"
    if content is not None:
        path.write_bytes(content)
    client = create_app(Config(database_url="unused", map_tiles=MapArchive(path, "")), lite).test_client()
    (told,) = caplog.messages
    assert told.startswith(f"the map is drawn without {path}, which ISEMS_MAP_TILES names: ")
    assert trouble in told
    assert client.get("/v1/status").json["map_tiles"] == {"url": "map.pmtiles", "attribution": ""}


def test_where_a_map_file_is_is_nobodys_business(mapped: FlaskClient, client: FlaskClient) -> None:
    assert mapped.get("/v1/status").json["map_tiles"] == {"url": "map.pmtiles", "attribution": "© us"}
    assert "img-src" not in mapped.get("/").headers["Content-Security-Policy"]
    assert client.get("/map.pmtiles").status_code == 404


def test_without_a_build_the_page_says_how_to_make_one(client: FlaskClient) -> None:
    assert "make setup" in client.get("/").text
    assert "make setup" in client.get("/", headers={"Accept-Language": "de"}).text
    assert client.get("/assets/index-1a2b.js").status_code == 404
    assert client.get("/licences.txt").status_code == 404


def test_the_page_needs_no_database(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'gone' / 'isems.db'}")
    (tmp_path / "gone").rmdir()
    app = create_app(Config(database_url="unused"), database)
    app.extensions[DASHBOARD] = folder
    assert app.test_client().get("/").data == PAGE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/list", "/#/"),
        ("/map", "/#/map"),
        ("/details/Elektra-Dach", "/#/nodes/Elektra-Dach"),
        ("/details/Elektra-Dach/charts", "/#/nodes/Elektra-Dach"),
        ("/details/S%C3%BCd%20%231", "/#/nodes/S%C3%BCd%20%231"),
        ("/details/a%2Fb", "/#/nodes/a%2Fb"),
        ("/details/a/b/charts", "/#/nodes/a%2Fb"),
        ("/details/%3Cscript%3E%0D%0AX:%201", "/#/nodes/%3Cscript%3E%0D%0AX%3A%201"),
        ("/details/http:%2F%2Felsewhere.example%2F", "/#/nodes/http%3A%2F%2Felsewhere.example%2F"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_page_of_the_predecessors_app_leads_to_ours(built: FlaskClient, old: str, new: str, prefix: str) -> None:
    asked = f"http://localhost{prefix}{old}"
    response = built.get(asked, environ_overrides={"REQUEST_URI": prefix + old})
    assert response.status_code == 302
    assert urljoin(asked, response.headers["Location"]) == f"http://localhost{prefix}{new}"


def test_a_prefix_that_a_proxy_took_off_is_kept(built: FlaskClient) -> None:
    # The browser asked for /isems/details/Dach, and the proxy for /details/Dach.
    location = built.get("/details/Dach", environ_overrides={"REQUEST_URI": "/details/Dach"}).headers["Location"]
    assert urljoin("http://localhost/isems/details/Dach", location) == "http://localhost/isems/#/nodes/Dach"


@pytest.mark.parametrize("name", ["list", "map", "assets", "details"])
def test_no_page_hides_the_data_of_a_node(built: FlaskClient, lite: Database, name: str) -> None:
    store(lite, [line(name)])
    assert built.get(f"/measurements/{name}/latest").status_code == 200
    assert built.get(f"/v1/nodes/{name}").status_code == 200


def test_the_dashboard_has_words_for_every_finding_and_state() -> None:
    # Its own compiler holds that each of these has words in both languages.
    types = (Path(__file__).resolve().parents[2] / "frontend" / "src" / "api" / "types.ts").read_text(encoding="utf-8")
    lists = {
        name: re.findall(r'"(\w+)"', values)
        for name, values in re.findall(r"export const (\w+) = \[(.*?)\] as const", types, re.DOTALL)
    }
    assert set(lists["FINDING_KEYS"]) == set(Key)
    assert lists["STATES"] == list(Severity)
