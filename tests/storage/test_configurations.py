"""Configurations: one row for each distinct one, and only a real one becomes a node's."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from sqlalchemy import text

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.storage.configurations import read_configurations
from isems.storage.database import Database
from isems.storage.measurements import Inserted, insert_measurements
from isems.storage.newest import select_newest
from isems.storage.nodes import find_node
from tests.samples import NO_CONFIGURATION, NOON, ROUTER, configuration, measurement, sparse

NEWER = configuration(rated_battery_amp_hours=24.0)
SILENT = Configuration("1", "0", 0.0, 0.0, 0.0, 0.0, 0.0, Dialect.ROUTER)
JSON = Configuration(None, None, 11.9, 12.0, 20.0, 52.5, 13.4, Dialect.BOARD)


def store(database: Database, *measurements: Measurement) -> Inserted:
    with database.write() as connection:
        return insert_measurements(connection, measurements, NOON)


def count_rows(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM configuration")).scalar_one())


def noted(database: Database, name: str = "Elektra-Dach") -> Configuration | None:
    """The configuration that the node is said to have."""
    with database.read() as connection:
        statement = text("SELECT configuration_id FROM node WHERE name = :name")
        configuration_id = connection.execute(statement, {"name": name}).scalar_one()
        if configuration_id is None:
            return None
        return read_configurations(connection, {configuration_id})[configuration_id]


def read(database: Database, name: str = "Elektra-Dach") -> list[Measurement]:
    with database.read() as connection:
        node_id = find_node(connection, name)
        assert node_id is not None
        return [stored.measurement for stored in select_newest(connection, name, node_id, 10_000)]


def test_nodes_with_the_same_configuration_share_one_row(database: Database) -> None:
    store(database, *(measurement(name, configuration=configuration()) for name in "abc"))
    assert count_rows(database) == 1
    assert noted(database, "c") == ROUTER


def test_unknown_values_are_equal_to_unknown_values(database: Database) -> None:
    for name in "ab":
        database.known_ids.clear()
        store(database, sparse(name, configuration=configuration(latitude=None, longitude=None)))
    assert count_rows(database) == 1


def test_equal_numbers_are_one_configuration_however_they_are_written(database: Database) -> None:
    for latitude in (0.0, -0.0, 0):
        database.known_ids.clear()
        store(database, measurement(f"at {latitude}", configuration=configuration(latitude=latitude)))
    assert count_rows(database) == 1


def test_writers_at_the_same_time_make_one_row(database: Database) -> None:
    databases = [Database(database.url.render_as_string(hide_password=False)) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda i: store(databases[i], measurement(f"n{i}")), range(6)))
    assert count_rows(database) == 1
    for one in databases:
        one.close()


def test_the_newest_record_tells_the_configuration(database: Database) -> None:
    store(database, measurement(at=NOON))
    store(database, measurement(at=NOON + 60, configuration=NEWER))
    assert noted(database) == NEWER
    store(database, measurement(at=NOON + 120))
    assert noted(database) == ROUTER


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_an_old_configuration_that_comes_late_does_not_replace_the_newer(
    database: Database, is_one_batch: bool
) -> None:
    batch = [measurement(at=NOON, configuration=NEWER), measurement(at=NOON - 60)]
    for part in [batch] if is_one_batch else [[one] for one in batch]:
        store(database, *part)
    assert noted(database) == NEWER


@pytest.mark.parametrize("placeholder", [SILENT, JSON, NO_CONFIGURATION, configuration(firmware="")])
def test_a_placeholder_never_becomes_a_nodes_configuration(database: Database, placeholder: Configuration) -> None:
    store(database, measurement(at=NOON, configuration=placeholder))
    assert noted(database) is None
    store(database, measurement(at=NOON + 60))
    store(database, measurement(at=NOON + 120, configuration=placeholder))
    assert noted(database) == ROUTER
    store(database, measurement(at=NOON + 90, configuration=NEWER))
    assert noted(database) == NEWER
    assert read(database)[0].configuration == placeholder


def test_a_refused_record_does_not_tell_the_configuration(database: Database) -> None:
    store(database, measurement(at=NOON + 60))
    inserted = store(database, measurement(at=NOON), measurement(at=NOON + 60, configuration=NEWER))
    assert inserted.conflicts == [1]
    assert noted(database) == ROUTER


def test_a_partial_duplicate_does_not_make_the_configuration_poorer(database: Database) -> None:
    store(database, measurement(at=NOON + 60))
    partial = configuration(latitude=None, longitude=None)
    inserted = store(database, measurement(at=NOON), measurement(at=NOON + 60, configuration=partial))
    assert (inserted.stored, inserted.duplicate) == (1, 1)
    assert noted(database) == ROUTER


def test_a_completed_record_completes_the_nodes_configuration(database: Database) -> None:
    store(database, measurement(configuration=configuration(latitude=None)))
    inserted = store(database, measurement(configuration=configuration(firmware=None)))
    assert inserted.completed == 1
    assert noted(database) == ROUTER


def test_a_node_with_random_configurations_is_capped_and_read_back_exactly(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isems.storage.configurations.MAX_PER_NODE", 5)
    chance = random.Random(1)
    sent = [
        measurement(
            at=NOON + i,
            configuration=Configuration(
                chance.choice([None, "1"]),
                f"firmware {chance.random()}",
                *(chance.choice([None, chance.uniform(-1e9, 1e300)]) for _ in range(5)),
                chance.choice(list(Dialect)),
            ),
            battery_volts=chance.uniform(0, 20),
            status=chance.choice([None, 2**70]),
        )
        for i in range(60)
    ]
    store(database, sent[0])
    for start in range(0, 60, 20):
        store(database, *sent[start : start + 20])
    assert count_rows(database) == 5
    assert read(database)[::-1] == sent
    assert store(database, *sent).duplicate == 60
    assert noted(database) == sent[0].configuration
    store(database, measurement("another"))
    assert noted(database, "another") == ROUTER


def test_beyond_the_cap_a_configuration_that_another_node_brings_later_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isems.storage.configurations.MAX_PER_NODE", 1)
    batch = [measurement(at=NOON), measurement(at=NOON + 60, configuration=NEWER)]
    store(database, *batch)
    store(database, measurement("another", configuration=NEWER))
    inserted = store(database, *batch)
    assert (inserted.duplicate, inserted.completed) == (2, 0)
    assert read(database)[::-1] == batch


def test_more_configurations_than_a_statement_takes_variables_are_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isems.storage.configurations.CHUNK", 7)
    sent = [measurement(at=NOON + i, configuration=configuration(latitude=i / 8)) for i in range(20)]
    store(database, *sent)
    assert read(database)[::-1] == sent


def assert_order_does_not_matter(database: Database, orders: Sequence[Sequence[Measurement]]) -> None:
    for number, order in enumerate(orders):
        for one in order:
            store(database, msgspec.structs.replace(one, node=f"n{number}"))
    assert {noted(database, f"n{number}") for number in range(len(orders))} == {NEWER}


def test_the_configuration_does_not_depend_on_the_order_of_arrival(database: Database) -> None:
    records = [
        measurement(at=NOON),
        measurement(at=NOON + 60, configuration=NEWER),
        measurement(at=NOON + 120, configuration=SILENT),
        measurement(at=NOON - 60, configuration=JSON),
    ]
    chance = random.Random(2)
    assert_order_does_not_matter(database, [chance.sample(records, 4) for _ in range(12)])


def test_a_configuration_that_comes_late_is_not_taken_for_the_noted_one(database: Database) -> None:
    old, new = configuration(latitude=1.0), configuration(latitude=2.0)
    store(database, measurement(at=NOON, configuration=new))
    store(database, measurement(at=NOON - 60, configuration=old))
    assert noted(database) == new
    store(database, measurement(at=NOON + 60, configuration=old))
    assert noted(database) == old
