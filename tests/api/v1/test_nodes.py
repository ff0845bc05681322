"""The nodes: which, in which order, page by page, and each by whatever its name is."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from isems.api.app import create_app
from isems.config import Config
from isems.storage.database import Database
from tests.api.stored import NOON, line, store
from tests.api.v1.asking import get, problem, quoted


def client_of(database: Database) -> FlaskClient:
    return create_app(Config(database_url="unused"), database).test_client()


def names(client: FlaskClient, query: str = "") -> list[str]:
    return [node["node"] for node in get(client, f"/api/v1/nodes?{query}")["nodes"]]


def test_no_node_is_an_empty_list(database: Database) -> None:
    body = get(client_of(database), "/api/v1/nodes")
    assert (body["nodes"], body["next"], body["inactive"]) == ([], None, 0)
    assert body["states"] == {"crit": 0, "lost": 0, "warn": 0, "late": 0, "silent": 0, "fine": 0}


def test_a_node_is_given_with_its_newest_values_as_they_were_sent(database: Database) -> None:
    store(database, [line(time=NOON - 60, battery="12.5"), line(battery="13.047", celsius="200")])
    (node,) = get(client_of(database), "/api/v1/nodes")["nodes"]
    assert node["node"] == "Dach"
    assert node["newest"] == {
        "measured_at": "2026-01-10T12:00:00Z",
        "minutes_until_shutdown": 1440,
        "power_save_level": 0,
        "panel_open_circuit_volts": 19.5,
        "panel_mpp_volts": 15.25,
        "battery_volts": 13.047,
        "state_of_charge_percent": 87,
        "state_of_health_percent": 100,
        "battery_celsius": 200,
        "charge_end_volts": 14.073,
        "status": "0x900",
        "time_repaired": False,
        "untrusted": ["battery_celsius"],
    }
    assert node["configuration"] == {
        "isems_revision": "1",
        "firmware": "ATmega8_A_1",
        "low_voltage_disconnect_volts": 11.9,
        "rated_battery_amp_hours": 17,
        "rated_panel_watts": 50,
        "latitude": 52.507309,
        "longitude": 13.458635,
        "dialect": "router",
    }
    assert (node["first_seen_at"], node["is_active"]) == ("2026-01-10T12:01:00Z", False)


def test_a_placeholder_does_not_pass_for_a_nodes_configuration(database: Database) -> None:
    store(database, [line(), line(time=NOON + 60, firmware="0", disconnect="0", amp_hours="0", watts="0")])
    (node,) = get(client_of(database), "/api/v1/nodes")["nodes"]
    assert node["newest"]["measured_at"] == "2026-01-10T12:01:00Z"
    assert node["configuration"]["firmware"] == "ATmega8_A_1"


@pytest.mark.parametrize("path", ["/api/v1/nodes", "/v1/nodes", "/api/v1/nodes/Dach", "/v1/node?node=Dach"])
def test_every_path_answers_with_and_without_the_prefix(client: FlaskClient, lite: Database, path: str) -> None:
    store(lite, [line()])
    assert "Dach" in str(get(client, path))


# Order and choice


@pytest.fixture
def four(lite: Database) -> FlaskClient:
    store(
        lite,
        [
            line("b", NOON, battery="12.9"),
            line("a", NOON - 60, battery="13.5"),
            line("d", NOON - 600, battery="11.0"),
            # Its controller is silent: 0 V is no measurement.
            line("c", NOON - 300, battery="0", status="010"),
        ],
    )
    return client_of(lite)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("name", "abcd"), ("battery_volts", "dbac"), ("measured_at", "dcab")],
)
def test_nodes_are_given_in_the_order_that_was_asked_for(four: FlaskClient, sort: str, expected: str) -> None:
    assert "".join(names(four, f"sort={sort}")) == expected


def client_at_noon(database: Database) -> FlaskClient:
    return create_app(Config(database_url="unused"), database, clock=lambda: NOON + 60).test_client()


@pytest.fixture
def fleet(lite: Database) -> FlaskClient:
    """One minute old but for one, which is given up; by what is left above 11.9 V in the order of the alphabet."""
    fine = "100"
    store(
        lite,
        [
            line("e", battery="13.0", status=fine),
            line("d", battery="12.5", status=fine),
            line("c", battery="", status=fine),
            line("b", battery="12.05"),
            line("a", battery="12.0"),
            line("f", NOON - 60 * 86_400, battery="11.0"),
        ],
    )
    return client_at_noon(lite)


def test_the_worst_node_is_first_and_among_equals_the_one_with_the_least_left(fleet: FlaskClient) -> None:
    nodes = get(fleet, "/api/v1/nodes")["nodes"]
    assert [(one["node"], one["state"]) for one in nodes] == [
        ("a", "crit"),
        ("b", "crit"),
        ("c", "warn"),
        ("d", "fine"),
        ("e", "fine"),
        # Of no use to anybody who asks for the worst few.
        ("f", "crit"),
    ]


@pytest.mark.parametrize("query", ["", "limit=1", "limit=2&sort=name"])
def test_each_page_tells_how_many_active_nodes_of_each_state_all_pages_have(fleet: FlaskClient, query: str) -> None:
    path = f"/api/v1/nodes?{query}"
    while path:
        response = fleet.get(path)
        body = response.get_json()
        assert body["states"] == {"crit": 2, "lost": 0, "warn": 1, "late": 0, "silent": 0, "fine": 2}
        assert body["inactive"] == 1
        link = response.headers.get("Link", "")
        path = f"/api/v1/nodes{link[1:].partition('>')[0]}" if link else ""


def test_only_the_nodes_that_are_asked_for_are_counted(fleet: FlaskClient) -> None:
    body = get(fleet, "/api/v1/nodes?state=crit")
    assert (body["states"]["crit"], body["states"]["fine"], body["inactive"]) == (2, 0, 1)
    assert get(fleet, "/api/v1/nodes?prefix=d")["states"]["fine"] == 1


@pytest.mark.parametrize("sort", ["state", "name", "battery_volts", "measured_at"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_following_the_links_gives_every_node_once(four: FlaskClient, sort: str, limit: int) -> None:
    path, found, pages = f"/api/v1/nodes?sort={sort}&limit={limit}", [], 0
    while path:
        response = four.get(path)
        body: dict[str, Any] = response.get_json()
        found += [node["node"] for node in body["nodes"]]
        pages += 1
        link = response.headers.get("Link", "")
        assert link.endswith('>; rel="next"') is (body["next"] is not None) is bool(link)
        path = f"/api/v1/nodes{link[1:].partition('>')[0]}" if link else ""
    assert found == names(four, f"sort={sort}")
    assert pages == -(-4 // limit)


@pytest.mark.parametrize("cursor", ["x", "WzE=", "bnVsbA==", "W10=", "é", "WyJuYW1lIixmYWxzZSwwLCJhIl0=x"])
def test_a_cursor_that_is_not_ours_is_refused(four: FlaskClient, cursor: str) -> None:
    parameter, value, _ = problem(four, f"/api/v1/nodes?cursor={quoted(cursor)}")
    assert (parameter, value) == ("cursor", cursor)


def test_a_cursor_of_another_order_is_refused(four: FlaskClient) -> None:
    cursor = get(four, "/api/v1/nodes?sort=name&limit=1")["next"]
    assert problem(four, f"/api/v1/nodes?sort=measured_at&cursor={cursor}")[0] == "cursor"


def test_a_prefix_is_no_pattern(database: Database) -> None:
    store(database, [line("a%b"), line("axb"), line("A%b"), line("a%c")])
    assert names(client_of(database), "prefix=a%25&sort=name") == ["a%b", "a%c"]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ("13,52,14,53", ["Berlin"]),
        ("-180,-90,180,90", ["Auckland", "Berlin", "Fiji"]),
        ("170,-40,-170,0", ["Auckland", "Fiji"]),
        ("-180,-40,-170,0", ["Fiji"]),
    ],
)
def test_a_box_holds_the_nodes_inside_also_across_the_date_line(lite: Database, box: str, expected: list[str]) -> None:
    store(
        lite,
        [
            line("Berlin"),
            line("Auckland", latitude="-36.8", longitude="174.7"),
            line("Fiji", latitude="-17", longitude="-179.5"),
            line("Nowhere", latitude="0", longitude="0"),
            line("Unknown", latitude="", longitude=""),
        ],
    )
    assert names(client_of(lite), f"sort=name&bbox={box}") == expected


@pytest.mark.parametrize(
    ("query", "parameter", "expected"),
    [
        ("limit=0", "limit", "a whole number from 1 to 1000"),
        ("limit=1001", "limit", "a whole number from 1 to 1000"),
        ("limit=+5", "limit", "a whole number from 1 to 1000"),
        ("limit=", "limit", "a whole number from 1 to 1000"),
        ("limit=1&limit=2", "limit", "to be given once"),
        ("sort=volts", "sort", "one of state, name, battery_volts, measured_at"),
        ("bbox=1,2,3", "bbox", "west,south,east,north in degrees, such as 13.0,52.3,13.8,52.7"),
        ("bbox=1,2,3,nan", "bbox", "west,south,east,north in degrees, such as 13.0,52.3,13.8,52.7"),
        ("bbox=1,9,3,2", "bbox", "west,south,east,north in degrees, such as 13.0,52.3,13.8,52.7"),
        ("prefix=", "prefix", "a text of 1 to 255 bytes"),
        ("lmit=5", "lmit", "one of the parameters sort, state, prefix, bbox, limit, cursor"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_was_expected(
    client: FlaskClient, query: str, parameter: str, expected: str
) -> None:
    assert (problem(client, f"/api/v1/nodes?{query}")[::2]) == (parameter, expected)


# One node


@pytest.mark.parametrize(
    "name", ["Dach", "a/b", "/a", "a//b", "two words", "50%", "a%20b", "Süd", "a?b", "a;b", "..", "measurements", "a,b"]
)
def test_a_node_is_found_by_whatever_name_it_has(lite: Database, name: str) -> None:
    store(lite, [line(name, battery="12.5"), line("other")])
    client = client_of(lite)
    for path in (f"/api/v1/nodes/{quoted(name)}", f"/api/v1/node?node={quoted(name)}"):
        body = get(client, path)
        assert (body["node"], body["newest"]["battery_volts"]) == (name, 12.5)


def test_a_name_that_a_path_cannot_carry_is_found_by_the_parameter(database: Database) -> None:
    store(database, [line("a/measurements"), line("a")])
    assert get(client_of(database), "/api/v1/node?node=a/measurements")["node"] == "a/measurements"


@pytest.mark.parametrize(
    "path", ["/api/v1/nodes/none", "/api/v1/node?node=none", "/api/v1/nodes/%00", "/v1/nodes/a%FF"]
)
def test_an_unknown_node_is_404(database: Database, path: str) -> None:
    store(database, [line()])
    assert get(client_of(database), path, 404)["title"] == "Not Found"


def test_a_node_tells_when_it_was_first_and_last_measured(database: Database) -> None:
    store(database, [line(time=NOON - 86_400, shutdown="0"), line(time=NOON, shutdown="0")])
    body = get(client_of(database), "/api/v1/nodes/Dach")
    assert body["first_measured_at"] == "2026-01-09T12:00:00Z"
    assert body["newest"]["measured_at"] == body["heard_at"] == "2026-01-10T12:00:00Z"
    assert body["is_shared"] is False
    store(database, [line(time=NOON - 600, shutdown="0")], now=NOON + 1800, is_live=True)
    assert get(client_of(database), "/api/v1/nodes/Dach")["heard_at"] == "2026-01-10T12:30:00Z"


def test_a_missing_parameter_is_named(client: FlaskClient) -> None:
    assert problem(client, "/api/v1/node")[0] == "node"


# How it is answered


@pytest.mark.parametrize("path", ["/api/v1/nodes?sort=name", "/api/v1/nodes/Dach", "/api/v1/rejected"])
def test_what_the_client_has_is_not_sent_again_until_something_is_written(database: Database, path: str) -> None:
    store(database, [line()])
    client = client_of(database)
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert client.head(path).headers["ETag"] == tag
    store(database, [line(time=NOON + 60), "rubbish"])
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_the_same_tag_is_not_given_for_another_question(client: FlaskClient, lite: Database) -> None:
    store(lite, [line("a"), line("b")])
    tag = client.get("/api/v1/nodes?limit=1&sort=name").headers["ETag"]
    for path in ("/api/v1/nodes?limit=2&sort=name", "/api/v1/nodes/a"):
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_other_methods_are_refused_with_those_that_are_allowed(client: FlaskClient) -> None:
    response = client.post("/api/v1/nodes")
    assert (response.status_code, response.mimetype) == (405, "application/problem+json")
    assert response.allow == {"GET", "HEAD", "OPTIONS"}
    assert client.options("/api/v1/nodes").allow == {"GET", "HEAD", "OPTIONS"}


def test_an_unknown_path_is_a_problem_too(client: FlaskClient) -> None:
    assert get(client, "/api/v1/nothing", 404)["status"] == 404
