"""One field of many nodes, in the same buckets."""

import csv
import io
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from isems.api.app import create_app
from isems.config import Config
from isems.domain.buckets import DAY
from isems.storage.database import Database
from isems.storage.rollups import roll_up
from tests.api.stored import NOON, line, store
from tests.api.v1.asking import get, problem

PATH = "/api/v1/measurements"
BERLIN = ZoneInfo("Europe/Berlin")
QUERY = f"field=battery_volts&from={NOON}&to={NOON + 120}&step=1m"


@pytest.fixture
def three(database: Database) -> FlaskClient:
    """Three nodes: the second has a gap, the third's id holds a comma and looks like a formula."""
    lines = [line("a", NOON, battery="12"), line("a", NOON + 60, battery="12.5"), line("b", NOON + 60, battery="13")]
    store(database, [*lines, line("=c,d", NOON, battery="14")])
    return create_app(Config(database_url="unused"), database).test_client()


def test_nodes_are_compared_in_the_same_buckets_in_the_order_asked_for(three: FlaskClient) -> None:
    body = get(three, f"{PATH}?{QUERY}&nodes=b,a&node=%3Dc,d")
    assert body["starts_at"] == ["2026-01-10T12:00:00Z", "2026-01-10T12:01:00Z"]
    assert (body["field"], body["step"], body["to"]) == ("battery_volts", "1m", "2026-01-10T12:02:00Z")
    assert [one["node"] for one in body["nodes"]] == ["b", "a", "=c,d"]
    assert [one["mean"] for one in body["nodes"]] == [[None, 13], [12, 12.5], [14, None]]
    assert body["nodes"][0] == {
        "node": "b",
        "kept_since": None,
        "frozen_time_zones": [],
        "count": [0, 1],
        "min": [None, 13],
        "max": [None, 13],
        "mean": [None, 13],
        "last": [None, 13],
        "status": [None, "0x900"],
    }


def test_a_node_that_is_named_twice_is_given_once(three: FlaskClient) -> None:
    assert [one["node"] for one in get(three, f"{PATH}?{QUERY}&nodes=a,a&node=a")["nodes"]] == ["a"]


def test_every_other_form_has_a_row_for_each_node_and_bucket(three: FlaskClient) -> None:
    query = f"{PATH}?{QUERY}&nodes=a,b&node=%3Dc,d"
    rows = get(three, f"{query}&format=rows")["rows"]
    assert [(row["node"], row["starts_at"][11:16], row["battery_volts_mean"]) for row in rows] == [
        ("a", "12:00", 12),
        ("a", "12:01", 12.5),
        ("b", "12:00", None),
        ("b", "12:01", 13),
        ("=c,d", "12:00", 14),
        ("=c,d", "12:01", None),
    ]
    table = list(csv.DictReader(io.StringIO(three.get(f"{query}&format=csv").text)))
    assert table[0].keys() == rows[0].keys()
    # A spreadsheet must not run a node's name.
    assert [row["node"] for row in table[4:]] == ["'=c,d", "'=c,d"]


def test_a_node_whose_records_are_gone_is_compared_by_the_hour(database: Database) -> None:
    store(database, [line("a", NOON + 60 * minute) for minute in range(180)] + [line("b", NOON)], now=NOON + 10_800)
    with database.write() as connection:
        (pruned,) = connection.exec_driver_sql("SELECT id FROM node WHERE name = 'a'").scalars()
        roll_up(connection, pruned, BERLIN)
        connection.exec_driver_sql(f"UPDATE rolled_up SET kept_since = {NOON + 7200}")
        connection.exec_driver_sql(f"DELETE FROM measurement WHERE node_id = {pruned} AND measured_at < {NOON + 7200}")
    client = create_app(Config(database_url="unused"), database).test_client()
    query = f"{PATH}?field=battery_volts&to={NOON + 10_800}"
    body = get(client, f"{query}&from={NOON}&nodes=b,a")
    assert (body["step"], [one["count"] for one in body["nodes"]]) == ("1h", [[1, 0, 0], [60, 60, 60]])
    assert get(client, f"{query}&from={NOON}&nodes=b")["step"] == "1m"
    assert get(client, f"{query}&from={NOON + 7200}&nodes=b,a")["step"] == "1m"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("nodes=a", "field"),
        ("field=status&nodes=a", "field"),
        ("field=battery_volts", "nodes"),
        ("field=battery_volts&nodes=", "nodes"),
        ("field=battery_volts&nodes=a,,b", "nodes"),
        (f"field=battery_volts&nodes={','.join(map(str, range(101)))}", "nodes"),
        (f"field=battery_volts&{'&'.join(f'node={n}' for n in range(101))}", "node"),
        ("field=battery_volts&nodes=a&step=raw", "step"),
    ],
)
def test_a_wrong_parameter_is_named(client: FlaskClient, query: str, parameter: str) -> None:
    assert problem(client, f"{PATH}?{query}")[0] == parameter


def test_too_much_for_one_answer_is_refused_with_a_way_out(client: FlaskClient, lite: Database) -> None:
    store(lite, [line(str(number)) for number in range(100)])
    nodes = ",".join(map(str, range(100)))
    body = get(client, f"{PATH}?field=battery_volts&nodes={nodes}&from=now-7d&step=5m", 413)
    assert "a longer step, a shorter range or fewer nodes" in body["detail"]


@pytest.mark.parametrize("form", ["columns", "csv"])
def test_an_unknown_node_is_named(three: FlaskClient, form: str) -> None:
    assert "'nobody'" in get(three, f"{PATH}?{QUERY}&nodes=a,nobody&format={form}", 404)["detail"]


def test_what_would_read_too_many_single_records_is_refused_with_a_way_out(
    three: FlaskClient, database: Database
) -> None:
    store(database, [line("a", NOON - 700 * DAY), line("b", NOON - 700 * DAY)])
    query = f"nodes=a,b&field=battery_volts&from={NOON - 701 * DAY}&to={NOON + 61}&step=1d"
    told = get(three, f"{PATH}?{query}", 413)
    assert "1400 days of single records" in told["detail"]
    assert "ask again when history is rolled up" in told["detail"]
