"""What became of a node over time: how much of each day is here, and what it ran with."""

import time
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from isems.api.app import create_app
from isems.config import Config
from isems.domain.buckets import begin_of_day
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.rollups import roll_up
from isems.storage.schema import measurement as table
from tests.api.v1.asking import get, problem
from tests.samples import configuration, measurement, minutes

BERLIN = ZoneInfo("Europe/Berlin")
PATH = "/api/v1/nodes/Elektra-Dach"


def client_of(database: Database) -> FlaskClient:
    return create_app(Config(database_url="unused", timezone=BERLIN), database).test_client()


@pytest.mark.parametrize("is_rolled_up", [True, False])
def test_a_day_tells_how_many_records_are_here_and_how_many_were_made(database: Database, is_rolled_up: bool) -> None:
    today = begin_of_day(int(time.time()), BERLIN)
    yesterday = begin_of_day(today - 3600, BERLIN)
    before = begin_of_day(yesterday - 3600, BERLIN)
    with database.write() as connection:
        # From six in the evening on; all of yesterday but two hours.
        insert_measurements(connection, minutes((yesterday - before) // 60 - 18 * 60, first=before + 18 * 3600), before)
        insert_measurements(connection, minutes((today - yesterday) // 60 - 120, first=yesterday + 7200), before)
        while is_rolled_up and roll_up(connection, 1, BERLIN):
            pass
    body = get(client_of(database), f"{PATH}?days=3")
    assert (body["record_interval_seconds"], body["time_zone"]) == (60, "Europe/Berlin")
    evening, whole = (yesterday - before) // 60 - 18 * 60, (today - yesterday) // 60
    days = body["completeness"]
    assert [(one["received"], one["expected"]) for one in days[:2]] == [(evening, evening), (whole - 120, whole)]
    assert days[2]["received"] == 0
    assert 0 <= days[2]["expected"] <= 25 * 60


def test_days_whose_records_are_gone_are_still_told_of(database: Database) -> None:
    today = begin_of_day(int(time.time()), BERLIN)
    first = begin_of_day(today - 500 * 86_400, BERLIN)
    kept = begin_of_day(today - 10 * 86_400, BERLIN)
    old = configuration(firmware="1.0")
    with database.write() as connection:
        records = [measurement(at=at + 43_200, configuration=old) for at in range(first, today - 90_000, 86_400)]
        insert_measurements(connection, [*records, *minutes(60, first=today - 7200)], today)
        while roll_up(connection, 1, BERLIN):
            pass
        connection.exec_driver_sql(f"UPDATE rolled_up SET kept_since = {kept}")
        connection.execute(table.delete().where(table.c.measured_at < kept))
    body = get(client_of(database), f"{PATH}?days=30")
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first))
    assert body["first_measured_at"] == body["configurations"][0]["since"] == begin
    assert [one["configuration"]["firmware"] for one in body["configurations"]] == ["1.0", "ATmega8_A_1"]
    assert [one["received"] for one in body["completeness"][:25]] == [1] * 25


def test_of_a_node_that_sent_little_nobody_knows_what_to_expect(lite: Database) -> None:
    with lite.write() as connection:
        insert_measurements(connection, [measurement(at=int(time.time()) - 60)], 0)
    body = get(client_of(lite), f"{PATH}?days=1")
    assert [(one["received"], one["expected"]) for one in body["completeness"]] == [(1, None)]


@pytest.mark.parametrize("is_rolled_up", [True, False])
def test_a_changed_configuration_is_told_with_the_moment_of_its_first_record(
    database: Database, is_rolled_up: bool
) -> None:
    start = begin_of_day(int(time.time()) - 5 * 86_400, BERLIN)
    old, new = configuration(firmware="1.0"), configuration(firmware="2.0")
    silent = configuration(firmware="0")
    with database.write() as connection:
        for day in range(4):
            for hour in range(24):
                at = start + day * 86_400 + hour * 3600
                now = silent if hour == 12 else new if (day, hour) >= (2, 7) else old
                insert_measurements(connection, [measurement(at=at, configuration=now)], at)
        while is_rolled_up and roll_up(connection, 1, BERLIN):
            pass
    changes = get(client_of(database), PATH)["configurations"]
    assert [one["configuration"]["firmware"] for one in changes] == ["1.0", "2.0"]
    seconds = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (start, start + 2 * 86_400 + 7 * 3600)]
    assert [one["since"] for one in changes] == seconds


@pytest.mark.parametrize("days", ["0", "367", "1.5", "x"])
def test_a_wrong_number_of_days_is_named(client: FlaskClient, days: str) -> None:
    assert problem(client, f"{PATH}?days={days}") == ("days", days, "a whole number from 1 to 366")
