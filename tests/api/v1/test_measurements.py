"""The history of a node: as it was sent, or in buckets in which no short dip is lost."""

import csv
import gzip
import io
import json
import time
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from isems.api.answers import MAX_STREAMS
from isems.api.app import create_app
from isems.api.v1 import measurements
from isems.config import Config
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.rollups import roll_up
from isems.storage.schema import measurement as table
from tests.api.stored import NOON, line, store
from tests.api.v1.asking import get, problem
from tests.samples import measurement, minutes

NODE = "Elektra-Dach"
COMPARED = f"/api/v1/measurements?nodes={NODE}&field=battery_volts&format=csv"
PATH = f"/api/v1/nodes/{NODE}/measurements"
BERLIN = ZoneInfo("Europe/Berlin")


def client_of(database: Database, zone: str = "Europe/Berlin") -> FlaskClient:
    return create_app(Config(database_url="unused", timezone=ZoneInfo(zone)), database).test_client()


def fill(database: Database, count: int, first: int = NOON, step: int = 60) -> FlaskClient:
    """So many minutes, whose voltage rises by a millivolt from 12 V."""
    with database.write() as connection:
        insert_measurements(connection, minutes(count, first=first, step=step), first)
    return client_of(database)


def ask(client: FlaskClient, **query: Any) -> Any:
    """The answer of NODE; `from_` is the parameter `from`."""
    return get(client, f"{PATH}?{urlencode({name.rstrip('_'): value for name, value in query.items()})}")


# Records


def test_records_are_given_as_sent_in_columns_of_one_length(database: Database) -> None:
    store(database, [line(NODE, NOON), line(NODE, NOON + 60, battery="", charge="", health="7000", status="")])
    body = ask(client_of(database), from_=NOON, to=NOON + 61, step="raw")
    assert (body["node"], body["step"], body["from"], body["to"]) == (
        *(NODE, "raw"),
        *("2026-01-10T12:00:00Z", "2026-01-10T12:01:01Z"),
    )
    assert body["columns"] == {
        "measured_at": ["2026-01-10T12:00:00Z", "2026-01-10T12:01:00Z"],
        "minutes_until_shutdown": [1440, 1440],
        "power_save_level": [0, 0],
        "panel_open_circuit_volts": [19.5, 19.5],
        "panel_mpp_volts": [15.25, 15.25],
        "battery_volts": [13.047, None],
        "state_of_charge_percent": [87, None],
        "state_of_health_percent": [100, 7000],
        "battery_celsius": [21, 21],
        "charge_end_volts": [14.073, 14.073],
        "status": ["0x900", None],
        "time_repaired": [False, False],
        "untrusted": [[], ["state_of_health_percent"]],
    }


def test_a_range_holds_its_begin_and_not_its_end(lite: Database) -> None:
    client = fill(lite, 10)
    body = ask(client, from_=NOON + 60, to=NOON + 180, step="raw", fields="battery_volts")
    assert body["columns"]["battery_volts"] == [12.001, 12.002]


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-01-10T12:00:00Z&to=2026-01-10T12:02:00Z",
        "from=2026-01-10T13:00:00%2B01:00&to=2026-01-10T13:02:00%2B01:00",
        "from=2026-01-10T13:00:00&to=2026-01-10T13:02:00",
        "from=2026-01-10T07:00:00&to=2026-01-10T07:02:00&tz=America/New_York",
        f"from={NOON}&to={NOON + 120}",
        f"start={NOON}&end={NOON + 120}",
        f"from={NOON - 0.5}&to={NOON + 119.5}",
    ],
)
def test_instants_may_be_written_in_many_ways(lite: Database, query: str) -> None:
    client = fill(lite, 10)
    body = get(client, f"{PATH}?{query}&fields=battery_volts&step=raw")
    assert body["columns"]["battery_volts"] == [12, 12.001]


def test_without_a_range_the_last_day_is_given(lite: Database) -> None:
    now = int(time.time())
    client = fill(lite, 3, first=now - 86_400 - 3540, step=3600)
    assert ask(client, fields="battery_volts")["columns"]["battery_volts"] == [12.001, 12.002]
    hour = ask(client, from_="now-3h", to="now-1h", fields="battery_volts")
    assert hour["columns"]["battery_volts"] == []
    assert hour["from"].endswith(":00Z")


@pytest.mark.parametrize("form", ["rows", "csv", "ndjson"])
def test_every_form_holds_what_the_columns_hold(database: Database, form: str) -> None:
    store(database, [line(NODE, NOON), line(NODE, NOON + 60, battery="", health="7000", mpp="15")])
    client = client_of(database)
    for step in ("raw", "1m"):
        query = f"{PATH}?from={NOON}&to={NOON + 120}&step={step}"
        columns = get(client, query)["columns"]
        expected = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        assert len(expected) == 2
        response = client.get(f"{query}&format={form}")
        if form == "rows":
            assert response.get_json()["rows"] == expected
        elif form == "ndjson":
            assert response.mimetype == "application/x-ndjson"
            assert [json.loads(text) for text in response.text.splitlines()] == expected
        else:
            assert response.mimetype == "text/csv"
            found = list(csv.DictReader(io.StringIO(response.text)))
            assert found == [{name: in_csv(value) for name, value in row.items()} for row in expected]


def in_csv(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else f"{value:g}" if isinstance(value, float) and value == int(value) else str(value)


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("text/csv", "text/csv"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
    ],
)
def test_the_header_accept_chooses_the_form_unless_the_query_does(lite: Database, accepted: str, expected: str) -> None:
    client = fill(lite, 1)
    response = client.get(PATH, headers={"Accept": accepted})
    assert response.mimetype == expected
    assert "Accept" in response.vary
    assert client.get(f"{PATH}?format=columns", headers={"Accept": accepted}).mimetype == "application/json"


# Buckets


def test_a_dip_of_one_minute_is_seen_in_a_year(database: Database) -> None:
    with database.write() as connection:
        insert_measurements(connection, minutes(3000, first=NOON), NOON)
        dip = measurement(NODE, NOON + 30_030, battery_volts=9.5, status=0x080)
        insert_measurements(connection, [dip], NOON)
        while roll_up(connection, 1, BERLIN):
            pass
    body = ask(client_of(database), from_=NOON - 360 * 86_400, to=NOON + 300_000, fields="battery_volts", step="7d")
    lows = [low for low in body["columns"]["battery_volts_min"] if low is not None]
    assert min(lows) == 9.5
    assert "0x980" in body["columns"]["status"]
    assert sum(body["columns"]["count"]) == 3001


def test_empty_buckets_are_gaps_and_no_zeros(database: Database) -> None:
    client = fill(database, 2)
    body = ask(client, from_=NOON - 60, to=NOON + 180, step="1m", fields="battery_volts")
    assert body["columns"] == {
        "starts_at": [f"2026-01-10T{time}:00Z" for time in ("11:59", "12:00", "12:01", "12:02")],
        "ends_at": [f"2026-01-10T{time}:00Z" for time in ("12:00", "12:01", "12:02", "12:03")],
        "count": [0, 1, 1, 0],
        "status": [None, "0x900", "0x900", None],
        "battery_volts_count": [0, 1, 1, 0],
        "battery_volts_min": [None, 12.0, 12.001, None],
        "battery_volts_max": [None, 12.0, 12.001, None],
        "battery_volts_mean": [None, 12.0, 12.001, None],
        "battery_volts_last": [None, 12.0, 12.001, None],
    }


def test_a_range_is_widened_to_whole_buckets_and_says_so(lite: Database) -> None:
    body = ask(fill(lite, 1), from_=NOON + 100, to=NOON + 3700, step="1h", fields="battery_volts")
    assert (body["from"], body["to"]) == ("2026-01-10T12:00:00Z", "2026-01-10T14:00:00Z")
    assert (body["step"], body["kept_since"], body["frozen_time_zones"]) == ("1h", None, [])


def test_days_begin_at_midnight_in_the_time_zone_that_was_asked_for(database: Database) -> None:
    client = fill(database, 2)
    for zone, begin in (("Europe/Berlin", "2026-01-09T23:00:00Z"), ("Asia/Kolkata", "2026-01-09T18:30:00Z")):
        body = ask(client, from_=NOON, to=NOON + 60, step="1d", tz=zone, fields="battery_volts")
        assert (body["time_zone"], body["columns"]["starts_at"], body["columns"]["count"]) == (zone, [begin], [2])


def test_values_that_cannot_be_believed_are_in_no_bucket(database: Database) -> None:
    store(database, [line(NODE, NOON, celsius="21"), line(NODE, NOON + 30, celsius="-142")])
    body = ask(client_of(database), from_=NOON, to=NOON + 60, step="1m", fields="battery_celsius")
    assert body["columns"]["battery_celsius_min"] == [21]
    assert (body["columns"]["count"], body["columns"]["battery_celsius_count"]) == ([2], [1])


@pytest.mark.parametrize(("max_points", "step"), [(10, "raw"), (9, "2m"), (3, "5m"), (2, "10m"), (1, "30d")])
def test_the_finest_that_fits_is_chosen(lite: Database, max_points: int, step: str) -> None:
    client = fill(lite, 10)
    body = ask(client, from_=NOON, to=NOON + 600, max_points=max_points, fields="battery_volts")
    assert body["step"] == step
    (length,) = {len(column) for column in body["columns"].values()}
    assert length <= max_points


def test_records_that_are_gone_are_not_passed_for_none(database: Database) -> None:
    """Before the kept raw data, `auto` gives buckets, and `raw` says since when it has all."""
    with database.write() as connection:
        insert_measurements(connection, minutes(200, first=NOON), NOON)
        roll_up(connection, 1, BERLIN)
        connection.exec_driver_sql(f"UPDATE rolled_up SET kept_since = {NOON + 3600}")
        connection.execute(table.delete().where(table.c.measured_at < NOON + 3600))
    client = client_of(database)
    body = ask(client, from_=NOON, to=NOON + 7200, fields="battery_volts")
    assert (body["step"], body["columns"]["count"]) == ("1h", [60, 60])
    assert body["kept_since"] == "2026-01-10T13:00:00Z"
    raw = ask(client, from_=NOON, to=NOON + 7200, fields="battery_volts", step="raw")
    assert (raw["kept_since"], raw["columns"]["measured_at"][0]) == ("2026-01-10T13:00:00Z", "2026-01-10T13:00:00Z")


# Limits


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("from=yesterday", "from"),
        ("from=5&to=5", "from"),
        ("from=6&to=5", "from"),
        ("start=6&to=5", "from"),
        ("to=10000-01-01", "to"),
        ("step=2d", "step"),
        ("fields=battery", "fields"),
        ("fields=", "fields"),
        ("fields=battery_volts,", "fields"),
        ("max_points=10001", "max_points"),
        ("max_points=0", "max_points"),
        ("tz=Berlin", "tz"),
        ("tz=", "tz"),
        ("format=xml", "format"),
        ("from=1&start=2", "start"),
        ("from=9999-12-30&to=9999-12-31T12:00:00Z&step=30d", "to"),
    ],
)
def test_a_wrong_parameter_is_named(lite: Database, query: str, parameter: str) -> None:
    assert problem(fill(lite, 1), f"{PATH}?{query}")[0] == parameter


def test_too_many_buckets_are_refused_with_a_way_out(lite: Database) -> None:
    body = get(fill(lite, 1), f"{PATH}?from=0&to=now&step=1m", 413)
    assert "ask for a longer step" in body["detail"]


def test_too_many_records_are_refused_with_a_way_out(lite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for form, most in (("columns", 9), ("csv", 10), ("ndjson", 10)):
        monkeypatch.setitem(measurements.MAX_RECORDS, form, most)
    client = fill(lite, 11)
    query = f"{PATH}?from={NOON}&step=raw&to="
    assert "isems export" in get(client, f"{query}{NOON + 600}", 413)["detail"]
    assert len(get(client, f"{query}{NOON + 540}")["columns"]["measured_at"]) == 9
    assert len(client.get(f"{query}{NOON + 600}&format=ndjson").text.splitlines()) == 10
    assert "ask for less" in get(client, f"{query}{NOON + 660}&format=csv", 413)["detail"]


def test_an_unknown_node_is_404_in_every_form(client: FlaskClient) -> None:
    for form in ("columns", "csv"):
        assert get(client, f"/api/v1/nodes/none/measurements?format={form}", 404)["status"] == 404
        assert get(client, f"/api/v1/node/measurements?node=a/b&format={form}", 404)["status"] == 404


def test_a_node_whose_name_holds_a_path_is_found_by_the_parameter(lite: Database) -> None:
    store(lite, [line("a/measurements")])
    client = client_of(lite)
    for path in ("node/measurements?node=a/measurements&", "nodes/a%2Fmeasurements/measurements?"):
        body = get(client, f"/api/v1/{path}from={NOON}&to={NOON + 1}")
        assert (body["node"], len(body["columns"]["measured_at"])) == ("a/measurements", 1)


# How it is sent


@pytest.mark.parametrize("form", ["columns", "rows", "csv", "ndjson"])
def test_what_the_client_has_is_not_sent_again_until_something_is_written(database: Database, form: str) -> None:
    client = fill(database, 3)
    path = f"{PATH}?from={NOON}&to={NOON + 600}&format={form}"
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert client.head(path).headers["ETag"] == tag
    writer = Database(database.url.render_as_string(hide_password=False))
    with writer.write() as connection:
        insert_measurements(connection, minutes(1, first=NOON + 500), NOON)
    writer.close()
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_what_is_streamed_is_gzipped_for_who_takes_it(lite: Database) -> None:
    client = fill(lite, 9000)
    path = f"{PATH}?from={NOON}&to={NOON + 9000 * 60}&step=raw&format=csv"
    plain, small = client.get(path), client.get(path, headers={"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.data) == plain.data
    assert len(plain.data.splitlines()) == 9001
    assert len(small.data) < len(plain.data) / 5


def test_a_slow_client_holds_no_transaction(lite: Database) -> None:
    client = fill(lite, 9000)
    path = f"{PATH}?from={NOON}&to={NOON + 9000 * 60}&step=raw&format=ndjson"
    response = client.get(path, buffered=False)
    pieces = iter(response.response)
    assert json.loads(next(pieces).splitlines()[0])["battery_volts"] == 12
    # While it waits, what was written can be brought into the file: a reader's transaction would keep it from there.
    with lite.write() as connection:
        insert_measurements(connection, minutes(1, first=NOON + 10_000 * 60), NOON)
    with lite.engine.connect() as connection:
        busy, pages, moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    assert (busy, pages - moved) == (0, 0)
    assert len(b"".join(pieces).splitlines()) == 9000 - 4000
    response.close()


@pytest.mark.parametrize("path", [f"/api/v1/nodes/{NODE}/measurements?step=raw&format=csv", COMPARED])
def test_long_answers_leave_room_for_others(lite: Database, path: str) -> None:
    client = fill(lite, 10)
    begun = [client.get(path) for _ in range(MAX_STREAMS)]
    refused = client.get(path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.mimetype == "application/problem+json"
    assert client.get(path.replace("csv", "columns")).status_code == 200
    begun[0].close()
    client.head(path).close()  # is never begun
    assert client.get(path).text.endswith("\n")  # read to its end
    begun += [client.get(path) for _ in range(2)]
    assert [response.status_code for response in begun[-2:]] == [200, 503]
