"""What the API says of itself is true: asked for what it allows and for what it forbids, it answers as described."""

from collections.abc import Iterator
from html.parser import HTMLParser

import hypothesis
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from isems.api.app import create_app
from isems.api.context import DEMO
from isems.api.v1.docs import TEXTS
from isems.api.v1.measurements import MeasurementsParameters
from isems.api.v1.openapi import describe_api
from isems.api.v1.parameters import parameters_of
from isems.config import Config
from isems.storage.database import Database
from tests.api.stored import NOON, line, store
from tests.api.v1.asking import get, quoted

DOCUMENT = "/api/v1/openapi.json"
#: What their schema lets pass may still be none: a day in February, a zone, a box upside down, 255 characters of two bytes.
HARD_TO_DESCRIBE = ("from", "to", "tz", "cursor", "bbox", "node", "nodes", "prefix")
NAMES = ("Dach", "a/b", "x,y", "50%")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled_app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Some nodes with an hour each, and rejected lines; once for all questions."""
    if request.param == "sqlite":
        yield from _fill(f"sqlite:///{tmp_path_factory.mktemp('described') / 'isems.db'}")
    else:
        with request.getfixturevalue("postgres_server").empty_database() as url:
            yield from _fill(url)


def _fill(url: str) -> Iterator[Flask]:
    database = Database(url)
    store(database, [line(name, NOON + 60 * n) for name in NAMES for n in range(60)], now=NOON + 4000)
    store(database, [line(battery="x"), line(time=5)])
    yield create_app(Config(database_url="unused"), database)
    database.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_as_described(filled_app: Flask, mode: GenerationMode) -> None:
    """Asked for what is allowed it answers, for what is not it refuses, and each time in the form described."""
    schema = schemathesis.openapi.from_wsgi(DOCUMENT, filled_app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 8
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not operation.definition.raw["parameters"]:
            continue  # there is nothing to ask wrongly
        cases = operation.as_strategy(generation_mode=mode)
        _ask_all_kinds(cases, mode)
        if mode is GenerationMode.POSITIVE:
            _ask_all_kinds(st.builds(_name_node, cases, st.sampled_from(NAMES)), mode)


def _name_node(case: schemathesis.Case, name: str) -> schemathesis.Case:
    """Ask for a node that there is: no generator would think of one."""
    if "node" in case.path_parameters:
        case.path_parameters["node"] = quoted(name)
    if "node" in case.query:
        case.query["node"] = name
    if "nodes" in case.query:
        case.query |= {"nodes": [name], "node": [name]}
    return case


def _ask_all_kinds(cases: SearchStrategy[schemathesis.Case], mode: GenerationMode) -> None:
    @hypothesis.given(case=cases)
    @hypothesis.settings(
        max_examples=12,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    def ask(case: schemathesis.Case) -> None:
        response = case.call(headers={"Accept-Encoding": "identity"})
        case.validate_response(response, excluded_checks=[positive_data_acceptance])
        if mode is GenerationMode.POSITIVE and response.status_code == 400:
            assert response.json()["parameter"] in HARD_TO_DESCRIBE

    ask()


def test_every_declared_parameter_is_described_with_its_default() -> None:
    paths = describe_api()["paths"]
    described = {one["name"]: one for one in paths["/nodes/{node}/measurements"]["get"]["parameters"]}
    assert list(described) == ["node", *parameters_of(MeasurementsParameters)]
    assert described["node"]["in"] == "path"
    assert described["max_points"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 500}
    assert "Also: start." in described["from"]["description"]
    assert all(one["description"] for path in paths.values() for one in path["get"]["parameters"])


def test_the_document_is_the_same_with_and_without_the_prefix_and_has_a_tag(client: FlaskClient) -> None:
    first, second = client.get(DOCUMENT), client.get("/v1/openapi.json")
    assert first.data == second.data
    assert client.get(DOCUMENT, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert get(client, DOCUMENT)["openapi"] == "3.1.0"


# The page


class _Page(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(client: FlaskClient, language: str = "en") -> _Page:
    response = client.get("/api/v1/docs", headers={"Accept-Language": language})
    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["Content-Language"] == language
    return _Page(response.text)


def test_the_page_tells_of_every_path_parameter_and_body(client: FlaskClient) -> None:
    page, document = page_of(client), describe_api()
    for path, methods in document["paths"].items():
        assert f"GET {path}" in page.text
        assert all(one["description"] in page.text for one in methods["get"]["parameters"])
    for name, body in document["components"]["schemas"].items():
        assert name in page.text
        assert all(field in page.text for field in body.get("properties", {}))


def test_the_page_loads_nothing_and_runs_nothing(client: FlaskClient) -> None:
    page = page_of(client)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe", "object"})
    links = [attributes.get("href") or "" for tag, attributes in page.elements if tag == "a"]
    ids = {f"#{attributes['id']}" for _, attributes in page.elements if "id" in attributes}
    assert set(links) - ids == {"openapi.json"}


def test_the_page_is_sent_small_and_once(client: FlaskClient) -> None:
    first = client.get("/api/v1/docs", headers={"Accept-Encoding": "gzip"})
    assert len(first.data) < len(client.get("/api/v1/docs").data) / 3
    assert first.vary.to_header() == "Accept-Encoding, Accept-Language"
    had = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/api/v1/docs", headers=had).status_code == 304
    assert client.get("/api/v1/docs", headers=had | {"Accept-Language": "de"}).status_code == 200


def test_what_is_around_the_description_is_in_the_readers_language(client: FlaskClient) -> None:
    for language, texts in TEXTS.items():
        page = page_of(client, language)
        assert ("html", {"lang": language}) in page.elements
        assert texts["title"] in page.text
        assert texts["bodies"] in page.text
    assert TEXTS["de"].keys() == TEXTS["en"].keys()


def test_the_page_says_that_the_nodes_are_simulated_only_where_they_are(app: Flask, client: FlaskClient) -> None:
    assert "Simulation" not in page_of(client).text
    app.extensions[DEMO] = True
    assert "Simulation: Diese Knoten gibt es nicht." in page_of(client, "de").text
