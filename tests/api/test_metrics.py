"""/metrics: trusted values in base units, nothing old, and counts of all processes."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from flask import Flask
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from isems.api.app import create_app
from isems.collector import Collector
from isems.config import Broker, Config, PushToken
from isems.domain.clock import Moment, Uptime
from isems.domain.payload import Payload, Source
from isems.domain.polling import PollTarget
from isems.ingest import ingest, store_payloads
from isems.storage.counters import count, write_counts
from isems.storage.database import Database
from isems.storage.inbox import settle_database
from isems.storage.measurements import insert_measurements
from isems.storage.poll_targets import save_targets
from isems.storage.schema import HEAD
from tests.api.stored import line
from tests.samples import measurement, sparse

CONFIG = Config(database_url="sqlite:///unused.db")
DAY = 86_400


@pytest.fixture
def now() -> int:
    return int(time.time())


def scrape(database: Database, config: Config = CONFIG) -> dict[str, Metric]:
    answer = create_app(config, database).test_client().get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.get_data(as_text=True)))
    assert len({family.name for family in families}) == len(families)
    return {family.name: family for family in families}


def values(metrics: dict[str, Metric], name: str, *labels: str) -> dict[tuple[str, ...], float]:
    return {tuple(one.labels[label] for label in labels): one.value for one in metrics[name].samples}


def store(database: Database, *measurements, now: int) -> None:  # type: ignore[no-untyped-def]
    with database.write() as connection:
        insert_measurements(connection, measurements, now)


def test_the_newest_values_are_there_in_base_units(database: Database, now: int) -> None:
    store(database, measurement("Dach", now - 90, battery_volts=1.0), measurement("Dach", now - 30), now=now)
    metrics = scrape(database)
    expected = {
        "isems_node_last_sample_timestamp_seconds": now - 30,
        "isems_battery_voltage_volts": 14.073,
        "isems_panel_open_circuit_voltage_volts": 19.412,
        "isems_panel_mpp_voltage_volts": 16.2,
        "isems_battery_charge_end_voltage_volts": 14.4,
        "isems_battery_charge_ratio": 0.88,
        "isems_battery_health_ratio": 0.97,
        "isems_battery_temperature_celsius": 21.5,
        "isems_node_power_save_level": 0,
        "isems_node_shutdown_seconds": 0,
        "isems_battery_low_voltage_disconnect_volts": 11.9,
    }
    assert {name: values(metrics, name, "node") for name in expected} == {
        name: {("Dach",): value} for name, value in expected.items()
    }
    flags = values(metrics, "isems_node_status", "node", "flag")
    assert {flag for (_, flag), value in flags.items() if value} == {"charging", "healthy"}
    assert len(flags) == 11


def test_of_a_silent_node_only_the_time_is_told(database: Database, now: int) -> None:
    store(database, measurement("Alt", now - 3700), measurement("Neu", now - 3500), now=now)
    metrics = scrape(database)
    assert values(metrics, "isems_node_last_sample_timestamp_seconds", "node") == {
        ("Alt",): now - 3700,
        ("Neu",): now - 3500,
    }
    assert values(metrics, "isems_battery_voltage_volts", "node").keys() == {("Neu",)}
    assert {node for node, _ in values(metrics, "isems_node_status", "node", "flag")} == {"Neu"}
    rare = msgspec.structs.replace(CONFIG, poll_interval=3600)
    assert values(scrape(database, rare), "isems_battery_voltage_volts", "node").keys() == {("Alt",), ("Neu",)}


def test_what_cannot_be_believed_is_left_out(database: Database, now: int) -> None:
    silent = measurement("Stumm", now, status=0x010, battery_volts=0.0)
    odd = measurement("Schief", now, battery_celsius=127.0, state_of_health_percent=255.0)
    store(database, silent, odd, sparse("Leer", now, battery_volts=12.5), now=now)
    metrics = scrape(database)
    assert values(metrics, "isems_battery_voltage_volts", "node") == {("Schief",): 14.073, ("Leer",): 12.5}
    for name in ("isems_battery_temperature_celsius", "isems_battery_health_ratio"):
        assert values(metrics, name, "node") == {}
    flags = values(metrics, "isems_node_status", "node", "flag")
    assert flags["Stumm", "no_solar_communication"] == 1
    assert "Leer" not in {node for node, _ in flags}


def test_what_is_found_at_a_node_is_what_the_api_says(database: Database, now: int) -> None:
    low = measurement("Tief", now - 20, battery_volts=11.95, status=0x480)
    store(database, low, measurement("Weg", now - 2 * DAY), measurement("Gut", now - 10), now=now)
    told = {*values(scrape(database), "isems_node_finding", "node", "key", "severity").items()}
    nodes = create_app(CONFIG, database).test_client().get("/api/v1/nodes").get_json()["nodes"]
    assert told == {((node["node"], one["key"], one["severity"]), 1) for node in nodes for one in node["findings"]}
    assert {("Tief", "near_disconnect", "crit"), ("Weg", "lost", "lost")} <= {labels for labels, _ in told}
    few = scrape(database, msgspec.structs.replace(CONFIG, metrics_max_nodes=1))
    assert {node for (node,) in values(few, "isems_node_finding", "node")} == {"Gut"}


def test_beyond_the_limit_nodes_are_left_out_and_counted(database: Database, now: int) -> None:
    store(database, *(measurement(name, now) for name in "abcde"), now=now)
    metrics = scrape(database, msgspec.structs.replace(CONFIG, metrics_max_nodes=2))
    assert values(metrics, "isems_battery_voltage_volts", "node").keys() == {("a",), ("b",)}
    assert values(metrics, "isems_collector_nodes") == {(): 5}
    assert values(metrics, "isems_collector_nodes_left_out") == {(): 3}


@contextmanager
def process_on(url: str) -> Iterator[Database]:
    """A database as another process opens it, rests and ends."""
    database = Database(url)
    yield database
    settle_database(database)
    database.close()


def take_in(database: Database, source: Source, *lines: str, now: int) -> None:
    payload = Payload(data="\n".join(lines).encode(), source=source, address="x", received_at=now)
    ingest(database, payload, Moment(now, True, Uptime("boot", 1000)))


def test_records_are_counted_by_source_and_result_whichever_process_took_them(database_url: str, now: int) -> None:
    with process_on(database_url) as one:
        take_in(one, Source.MQTT, line(time=now - 60), line(time=now), "junk", now=now)
    with process_on(database_url) as other:
        take_in(other, Source.MQTT, line(time=now), now=now + 5)
        take_in(other, Source.PUSH, line("Keller", time=now), "junk", "rubbish", now=now + 7)
    with process_on(database_url) as reader:
        metrics = scrape(reader)
    assert values(metrics, "isems_collector_rows", "source", "result") == {
        ("mqtt", "stored"): 2,
        ("mqtt", "rejected"): 1,
        ("mqtt", "duplicate"): 1,
        ("push", "stored"): 1,
        ("push", "rejected"): 2,
    }
    assert values(metrics, "isems_collector_rejected", "reason") == {("field_count",): 3}
    assert values(metrics, "isems_collector_newest_timestamp_seconds", "source") == {
        ("mqtt",): now,
        ("push",): now + 7,
    }


def test_polls_are_counted_with_their_time(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    config = msgspec.structs.replace(CONFIG, router_ips=(address,))
    collector = Collector(config, database)
    asyncio.run(collector.poll_once(lambda report: None))
    collector.close()
    metrics = scrape(database, config)
    assert values(metrics, "isems_collector_polls", "result") == {("failed",): 1}
    assert values(metrics, "isems_collector_poll_addresses", "result") == {
        ("failed",): 1,
        ("answered",): 0,
        ("overdue",): 0,
    }
    seconds = values(metrics, "isems_collector_poll_seconds", "result")
    assert 0 <= seconds[("failed",)] < 30


def test_addresses_that_nobody_polls_any_more_do_not_count_as_answering(lite: Database) -> None:
    config = msgspec.structs.replace(CONFIG, router_ips=("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    ago = {"192.0.2.1": 0, "192.0.2.2": 8000, "192.0.2.3": 3 * 86_400}
    with lite.write() as connection:
        at = int(time.time())
        save_targets(
            connection, [PollTarget(address=one, polled_at=at - old, answered_at=at - old) for one, old in ago.items()]
        )
    counted = values(scrape(lite, config), "isems_collector_poll_addresses", "result")
    assert counted == {("answered",): 1, ("failed",): 0, ("overdue",): 2}


def test_what_a_transaction_that_failed_did_is_not_counted(lite: Database, now: int) -> None:
    payload = Payload(data=line(time=now).encode(), source=Source.POLL, address="x", received_at=now)

    def fail() -> None:
        with lite.write() as connection:
            store_payloads(connection, [payload], Moment(now, True, Uptime("boot", 1000)))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    settle_database(lite)
    assert values(scrape(lite), "isems_collector_rows", "source", "result") == {}


def test_what_is_counted_several_times_in_a_transaction_is_counted_once(lite: Database) -> None:
    for _ in range(2):
        with lite.write() as connection:
            count(connection, {"polls/answered": 1})
            count(connection, {"polls/answered": 1, "polls/failed": 1})
    assert lite.tally.pending()["polls/answered"] == 3
    with lite.write() as connection:
        write_counts(connection)
        write_counts(connection)
    assert values(scrape(lite), "isems_collector_polls", "result") == {("answered",): 4, ("failed",): 2}


def test_counting_writes_nothing_of_its_own(lite: Database, now: int) -> None:
    """An SD card wears by it: within a minute, one page is changed at most once."""
    for second in range(20):
        take_in(lite, Source.POLL, line(time=now - second), now=now)
    counted = values(scrape(lite), "isems_collector_rows", "source", "result")
    assert counted == {("poll", "stored"): 1}  # written with the first; the rest waits for the next minute
    assert lite.tally.pending()["rows/poll/stored"] == 19


def test_the_collector_tells_how_it_fares(database: Database) -> None:
    metrics = scrape(database)
    assert values(metrics, "isems_build_info", "schema", "database") == {(HEAD, database.kind): 1}
    assert values(metrics, "isems_database_bytes")[()] > 50_000
    assert len(values(metrics, "isems_database_disk_free_bytes")) == database.is_sqlite
    for name in ("undecided_bytes", "backlog_samples", "inbox_rows"):
        assert values(metrics, f"isems_collector_{name}") == {(): 0}


def test_no_secret_is_told(lite: Database) -> None:
    config = msgspec.structs.replace(
        CONFIG,
        broker=Broker(host="broker", port=1883, user="reader", password="hunter2"),
        push_tokens=(PushToken(b"\1" * 32),),
        router_ips=("http://admin:hunter2@127.0.0.1/",),
    )
    text = create_app(config, lite).test_client().get("/metrics").get_data(as_text=True)
    assert not any(secret in text for secret in ("hunter2", "reader", "admin", "broker"))


def test_both_paths_and_gzip_work(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/api/metrics").status_code == 200
    assert client.get("/metrics", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
