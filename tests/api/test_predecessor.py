"""The two endpoints that the existing phone app lives on."""

import json
import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from isems.api.app import create_app
from isems.config import Config
from isems.storage.database import Database
from isems.storage.nodes import find_node
from tests.api.stored import NOON, line, store

DAY = 86_400
KEYS = {
    *("id", "nodeId", "isemsRevision", "timestamp", "openMPPTFirmwareVersion", "timeToShutdown", "isPowerSaveMode"),
    *("openCircuitVoltage", "mppVoltage", "batteryVoltage", "batteryChargeEstimate", "batteryHealthEstimate"),
    *("batteryTemperature", "lowVoltageDisconnectVoltage", "temperatureCorrectedVoltage", "rateBatteryCapacity"),
    *("ratedSolarModuleCapacity", "latitude", "longitude", "status"),
}


def client_of(database: Database, zone: str = "Europe/Berlin") -> FlaskClient:
    return create_app(Config(database_url="unused", timezone=ZoneInfo(zone)), database).test_client()


def strict(text: str) -> Any:
    """JSON as the standard has it: Python's own reader would let NaN and Infinity pass."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def get(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    response = client.get(path)
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    body = strict(response.text)
    assert body.keys() == {"measurements"}
    measurements: list[dict[str, Any]] = body["measurements"]
    return measurements


def test_an_empty_database_gives_an_empty_list(database: Database) -> None:
    assert get(client_of(database), "/measurements/latest") == []
    assert get(client_of(database), "/measurements/latest?all=true") == []


def test_a_record_is_given_with_the_predecessors_keys_and_the_values_that_were_sent(database: Database) -> None:
    """Defect 24: on PostgreSQL /measurements/latest never answered."""
    store(database, [line(power_save="3")])
    expected = {
        "id": (1 << 32) | NOON,
        "nodeId": "Dach",
        "isemsRevision": "1",
        "timestamp": "2026-01-10T13:00:00+01:00",
        "openMPPTFirmwareVersion": "ATmega8_A_1",
        "timeToShutdown": 1440,
        "isPowerSaveMode": True,
        "openCircuitVoltage": 19.5,
        "mppVoltage": 15.25,
        "batteryVoltage": 13.047,
        "batteryChargeEstimate": 87,
        "batteryHealthEstimate": 100,
        "batteryTemperature": 21,
        "lowVoltageDisconnectVoltage": 11.9,
        "temperatureCorrectedVoltage": 14.073,
        "rateBatteryCapacity": 17,
        "ratedSolarModuleCapacity": 50,
        "latitude": 52.507309,
        "longitude": 13.458635,
        "status": "0x900",
    }
    for path in ("/measurements/latest?all=true", "/measurements/Dach/latest"):
        assert get(client_of(database), path) == [expected]


def test_what_is_unknown_is_null_but_charge_and_status_which_the_app_cannot_do_without(database: Database) -> None:
    store(database, ["Dach;1;" + str(NOON) + ";" + ";nil" * 15])
    (measurement,) = get(client_of(database), "/measurements/Dach/latest")
    assert measurement.keys() == KEYS
    assert measurement.pop("batteryChargeEstimate") == 0
    assert measurement.pop("status") == "0x000"
    known = {key for key, value in measurement.items() if value not in (None, "")}
    assert known == {"id", "nodeId", "isemsRevision", "timestamp"}


@pytest.mark.parametrize(
    ("sent", "served"),
    [
        ("300", "0x300"),
        ("0", "0x000"),
        ("000", "0x000"),
        ("0B2", "0x0b2"),
        ("FFE", "0xffe"),
        ("0x900", "0x900"),
        ("1900", "0x900"),
        ("FFFFFFFF", "0xfff"),
        ("zz", "0x000"),
        ("", "0x000"),
    ],
)
def test_status_is_always_a_string_of_three_lower_case_digits(lite: Database, sent: str, served: str) -> None:
    store(lite, [line(status=sent)])
    assert get(client_of(lite), "/measurements/Dach/latest")[0]["status"] == served


@pytest.mark.parametrize(("level", "is_saving"), [("0", False), ("1", True), ("6", True), ("nil", None)])
def test_any_power_save_level_above_zero_is_power_saving(lite: Database, level: str, is_saving: bool | None) -> None:
    store(lite, [line(power_save=level)])
    assert get(client_of(lite), "/measurements/Dach/latest")[0]["isPowerSaveMode"] is is_saving


def test_ids_are_distinct_stable_and_safe_for_javascript(database: Database) -> None:
    store(database, [line(node, NOON + second) for node in ("a", "b", "c") for second in range(3)])
    client = client_of(database)
    served = [one for node in ("a", "b", "c") for one in get(client, f"/measurements/{node}/latest")]
    with database.read() as connection:
        numbers = {node: find_node(connection, node) or 0 for node in ("a", "b", "c")}
    times = {one["id"]: int(datetime.fromisoformat(one["timestamp"]).timestamp()) for one in served}
    assert len(times) == 9
    assert all(one["id"] == numbers[one["nodeId"]] << 32 | times[one["id"]] for one in served)
    assert all(type(identity) is int and identity < 2**53 for identity in times)

    store(database, [line("d"), *(line(node, NOON - 60) for node in ("a", "b", "c"))])
    again = [one for node in ("a", "b", "c") for one in get(client, f"/measurements/{node}/latest")]
    assert times.items() <= {one["id"]: times.get(one["id"]) for one in again}.items()


@pytest.mark.parametrize(
    ("zone", "utc", "served"),
    [
        ("Europe/Berlin", "2026-01-10T12:00:00", "2026-01-10T13:00:00+01:00"),
        ("Europe/Berlin", "2026-07-10T12:00:00", "2026-07-10T14:00:00+02:00"),
        ("Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T02:30:00+02:00"),
        ("Europe/Berlin", "2026-10-25T01:30:00", "2026-10-25T02:30:00+01:00"),
        ("UTC", "2026-07-10T12:00:00", "2026-07-10T12:00:00+00:00"),
        ("Asia/Kathmandu", "2026-07-10T12:00:00", "2026-07-10T17:45:00+05:45"),
    ],
)
def test_times_carry_the_offset_of_their_zone_and_day(lite: Database, zone: str, utc: str, served: str) -> None:
    """Defect 26: times had no offset, so that nobody could tell what they meant."""
    measured_at = int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp())
    store(lite, [line(time=measured_at)], now=measured_at)
    (measurement,) = get(client_of(lite, zone), "/measurements/Dach/latest")
    assert measurement["timestamp"] == served
    assert datetime.fromisoformat(served).timestamp() == measured_at


def test_both_passes_of_the_autumn_hour_are_served_and_told_apart(database: Database) -> None:
    """Defects 16 and 17: an hour was lost, or the whole batch."""
    start = int(datetime(2026, 10, 24, 23, tzinfo=UTC).timestamp())
    assert store(database, [line(time=start + 60 * n) for n in range(240)], now=start + DAY).stored == 240
    served = get(client_of(database), "/measurements/Dach/latest")
    assert len({one["timestamp"] for one in served}) == 240
    assert len({one["timestamp"][:-6] for one in served}) == 180


def test_the_newest_1440_of_a_node_are_given_newest_first(database: Database) -> None:
    times = [NOON - 60 * n for n in range(1500)]
    store(database, [line(time=at) for at in sorted(times)])
    store(database, [line("other", NOON + 30)])
    served = get(client_of(database), "/measurements/Dach/latest")
    assert [int(datetime.fromisoformat(one["timestamp"]).timestamp()) for one in served] == times[:1440]
    assert {one["nodeId"] for one in served} == {"Dach"}


def test_late_records_do_not_become_the_newest(database: Database) -> None:
    """Defect 12: late records were dropped; here they are stored and leave the newest the newest."""
    store(database, [line(time=NOON)])
    store(database, [line(time=NOON - 3600)])
    client = client_of(database)
    assert [one["id"] & 0xFFFFFFFF for one in get(client, "/measurements/latest?all=true")] == [NOON]
    assert len(get(client, "/measurements/Dach/latest")) == 2


def test_inactive_nodes_are_hidden_unless_all_are_asked_for(database: Database) -> None:
    now = int(time.time())
    store(database, [line("old", now - 31 * DAY), line("young", now - 29 * DAY)], now=now)
    client = client_of(database)
    assert [one["nodeId"] for one in get(client, "/measurements/latest")] == ["young"]
    assert [one["nodeId"] for one in get(client, "/measurements/latest?all=true")] == ["old", "young"]
    assert len(get(client, "/measurements/old/latest")) == 1


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_age_of_a_node_does_not_depend_on_the_servers_time_zone(
    lite: Database, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defect 26: the cutoff compared the server's local time with Berlin's."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        now = int(time.time())
        store(lite, [line("old", now - 30 * DAY - 3600), line("young", now - 30 * DAY + 3600)], now=now)
        assert [one["nodeId"] for one in get(client_of(lite), "/measurements/latest")] == ["young"]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("query", ["?all=false", "?all=", "?all", "?other=true"])
def test_only_all_true_asks_for_all(lite: Database, query: str) -> None:
    store(lite, [line()], now=NOON)
    assert get(client_of(lite), f"/measurements/latest{query}") == []


def test_a_node_that_still_delivers_is_active_however_far_its_clock_is_behind(database: Database) -> None:
    now = int(time.time())
    behind = now - 400 * DAY
    store(database, [line("live", behind)], now=now - 60, is_live=True)
    store(database, [line("imported", behind)], now=now - 60)
    store(database, [line("silent", behind - 600)], now=now - 31 * DAY, is_live=True)
    assert [one["nodeId"] for one in get(client_of(database), "/measurements/latest")] == ["live"]


def test_delivering_old_news_again_keeps_no_node_active(database: Database) -> None:
    now = int(time.time())
    old = [line("Dach", now - 60 * DAY)]
    store(database, old, now=now - 50 * DAY, is_live=True)
    assert store(database, old, now=now, is_live=True).duplicate == 1
    assert get(client_of(database), "/measurements/latest") == []


def test_how_long_a_node_stays_active_is_a_setting(lite: Database) -> None:
    now = int(time.time())
    store(lite, [line("Dach", now - 3600)], now=now)
    for days, count in ((0.03, 0), (0.05, 1)):
        config = Config(database_url="unused", hide_inactive_after_days=days)
        assert len(get(create_app(config, lite).test_client(), "/measurements/latest")) == count


def test_an_unknown_node_is_a_404_in_plain_text(database: Database) -> None:
    """Defect 26: an unknown node was a 200 with an empty list."""
    response = client_of(database).get("/measurements/nobody/latest")
    assert (response.status_code, response.mimetype) == (404, "text/plain")
    assert "nobody" in response.text


@pytest.mark.parametrize("name", ["a%00b", "%00", "%ED%A0%80", "%FF", "a%0Ab", "x" * 5000, "%F0%9F%8C%9E"])
def test_a_name_that_no_node_can_have_is_unknown_too(database: Database, name: str) -> None:
    response = client_of(database).get(f"/measurements/{name}/latest")
    assert (response.status_code, response.mimetype) == (404, "text/plain")


def test_a_name_is_never_shown_as_html(client: FlaskClient) -> None:
    response = client.get("/measurements/%3Cscript%3Ealert(1)%3C%2Fscript%3E/latest")
    assert response.mimetype == "text/plain"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "-nan", "1e999", "Infinity"])
def test_no_node_can_make_the_answer_invalid_json(database: Database, value: str) -> None:
    """Defects 18 and 25: one node's `inf` or `nan` broke the answer for all."""
    store(database, [line(latitude=value, battery=value, charge=value)])
    (measurement,) = get(client_of(database), "/measurements/latest?all=true")
    assert measurement["latitude"] is None
    assert measurement["batteryVoltage"] is None
    assert measurement["batteryChargeEstimate"] == 0


def test_not_even_an_infinite_number_in_the_database_makes_invalid_json(database: Database) -> None:
    store(database, [line()])
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE configuration SET latitude = 9e999" if database.is_sqlite else INFINITE)
    (measurement,) = get(client_of(database), "/measurements/Dach/latest")
    assert measurement["latitude"] is None


INFINITE = "UPDATE configuration SET latitude = 'Infinity'"


def test_the_order_of_nodes_is_that_of_their_names(database: Database) -> None:
    store(database, [line(node) for node in ("b", "Ä", "a", "B")])
    assert [one["nodeId"] for one in get(client_of(database), "/measurements/latest?all=true")] == ["B", "a", "b", "Ä"]
