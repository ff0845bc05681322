"""insert_measurements: stored once, whoever brings them and in whatever order, and counted exactly."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, permutations
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, text

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.storage.database import Database
from isems.storage.measurements import Inserted, insert_measurements
from isems.storage.newest import count_measurements, select_newest
from isems.storage.nodes import find_node
from tests.samples import FIELDS, NO_CONFIGURATION, NOON, ROUTER, measurement, minutes, sparse

CONFIGURED = [field for field in Configuration.__struct_fields__ if field != "dialect"]
#: One database serves all examples; each uses nodes of its own.
on_one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
examples = count()


def store(database: Database, measurements: Sequence[Measurement]) -> Inserted:
    with database.write() as connection:
        return insert_measurements(connection, measurements, NOON)


def counts(inserted: Inserted) -> tuple[int, int, int, list[int]]:
    return inserted.stored, inserted.duplicate, inserted.completed, inserted.conflicts


def read_node(connection: Connection, name: str) -> list[Measurement]:
    """All of a node's measurements, oldest first."""
    node_id = find_node(connection, name)
    assert node_id is not None
    return [stored.measurement for stored in select_newest(connection, name, node_id, 100_000)][::-1]


def read(database: Database, name: str = "Elektra-Dach") -> list[Measurement]:
    with database.read() as connection:
        return read_node(connection, name)


# -- an oracle: the same rules over a plain dict --------------------------------------------------


def known_of(one: Measurement) -> dict[str, Any]:
    """What a record knows, field by field; the dialect is a reading of it, no field."""
    values = {field: getattr(one, field) for field in FIELDS}
    values |= {field: getattr(one.configuration, field) for field in CONFIGURED}
    return {field: value for field, value in values.items() if value is not None}


class Model:
    """What must be stored after any sequence of records, and what must be said of each."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int | None], dict[str, Any]] = {}
        self.dialects: dict[tuple[str, int | None], Dialect] = {}

    def insert(self, batch: Sequence[Measurement]) -> tuple[int, int, int, list[int]]:
        said = [self._insert_one(one) for one in batch]
        conflicts = [index for index, word in enumerate(said) if word == "conflict"]
        return said.count("stored"), said.count("duplicate"), said.count("completed"), conflicts

    def _insert_one(self, one: Measurement) -> str:
        key, new = (one.node, one.measured_at), known_of(one)
        dialect = one.configuration.dialect
        if key not in self.rows:
            self.rows[key], self.dialects[key] = new, dialect
            return "stored"
        old = self.rows[key]
        if any(old[field] != new[field] for field in old.keys() & new.keys()):
            return "conflict"
        learnt = new.keys() - old.keys()
        learns_dialect = self.dialects[key] is Dialect.UNKNOWN and dialect is not Dialect.UNKNOWN
        self.rows[key] = old | {field: new[field] for field in learnt}
        if learns_dialect:
            self.dialects[key] = dialect
        return "completed" if learnt or learns_dialect else "duplicate"


def assert_holds(database: Database, model: Model) -> None:
    names = {name for name, _ in model.rows}
    with database.read() as connection:
        read_back = {(name, m.measured_at): m for name in names for m in read_node(connection, name)}
    assert {key: known_of(m) for key, m in read_back.items()} == model.rows
    assert {key: m.configuration.dialect for key, m in read_back.items()} == model.dialects


NUMBERS = [None, 0.0, -0.0, 14.073, 14.07, 52.507309, -3.25, 99999.0, 4294967296.0, 1e300, 5e-324, 1 / 3]
STATUSES = [None, 0, 0x900, 0xFFF, 2**31 - 1, 2**31, 2**63, 2**128 - 1]
values = {field: st.sampled_from(STATUSES if field == "status" else NUMBERS) for field in FIELDS}
configurations = st.builds(
    Configuration,
    st.sampled_from([None, "1"]),
    st.sampled_from([None, "", "0", "ATmega8_A_1", "Übersetzung 1.2"]),
    *[st.sampled_from([None, 11.9, 1e300])] * 5,
    dialect=st.sampled_from(list(Dialect)),
)
records = st.builds(
    measurement,
    node=st.sampled_from(["a", "b", "c/ä %"]),
    at=st.sampled_from([*range(NOON, NOON + 300, 60), 0, 2**31, 2**40]),
    configuration=st.one_of(st.just(ROUTER), st.just(NO_CONFIGURATION), configurations),
    time_repaired=st.booleans(),
    # Few values differ in one record, or nearly all pairs would conflict.
    battery_volts=values["battery_volts"],
    status=values["status"],
    state_of_charge_percent=st.sampled_from([None, 88.0]),
    minutes_until_shutdown=st.sampled_from([None, 0.25]),
)
batches = st.lists(st.lists(records, max_size=12), max_size=5)


def renamed(batch: list[Measurement], example: int) -> list[Measurement]:
    return [msgspec.structs.replace(one, node=f"{example} {one.node}") for one in batch]


@given(batches)
@on_one_database
def test_any_batches_are_counted_and_kept_as_the_oracle_says(database: Database, batches: Any) -> None:
    example, model = next(examples), Model()
    batches = [renamed(batch, example) for batch in batches]
    for batch in batches:
        inserted = store(database, batch)
        assert counts(inserted) == model.insert(batch)
        assert not inserted.beyond_limit
        assert inserted.stored + inserted.duplicate + inserted.completed + len(inserted.conflicts) == len(batch)
    assert_holds(database, model)
    for batch in batches:  # again, by a process that remembers nothing
        database.known_ids.clear()
        inserted = store(database, batch)
        assert counts(inserted) == model.insert(batch)
        assert inserted.stored == inserted.completed == 0
    assert_holds(database, model)


@given(st.data())
@on_one_database
def test_the_order_and_the_batches_in_which_parts_of_records_come_do_not_matter(database: Database, data: Any) -> None:
    example, rows = next(examples), minutes(4)
    parts = [
        sparse(
            f"{example}",
            whole.measured_at,
            configuration=ROUTER,
            **{f: getattr(whole, f) for f in data.draw(st.sets(st.sampled_from(FIELDS)))},
        )
        for whole in data.draw(st.lists(st.sampled_from(rows), min_size=1, max_size=10))
    ]
    ends = sorted(data.draw(st.lists(st.integers(0, len(parts)), max_size=3)))
    for start, end in zip([0, *ends], [*ends, len(parts)], strict=True):
        assert not store(database, parts[start:end]).conflicts
    sorted_parts = [msgspec.structs.replace(p, node=f"{example} sorted") for p in parts]
    store(database, sorted(sorted_parts, key=lambda part: part.measured_at or 0))
    assert list(map(known_of, read(database, f"{example}"))) == list(map(known_of, read(database, f"{example} sorted")))


finite = st.one_of(
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-1000, 1000, places=3).map(float),
    st.integers(-(2**70), 2**70).map(float),
)


@given(
    measured_at=st.integers(-(2**62), 2**62),
    numbers=st.fixed_dictionaries({field: finite for field in FIELDS if field != "status"}),
    status=st.one_of(st.none(), st.integers(0, 2**128 - 1)),
    settings_=st.fixed_dictionaries(dict.fromkeys(CONFIGURED[2:], finite)),
    firmware=st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=64)),
    dialect=st.sampled_from(list(Dialect)),
    time_repaired=st.booleans(),
)
@on_one_database
def test_what_was_sent_is_what_is_read_back(
    database: Database, measured_at: int, numbers: Any, settings_: Any, firmware: Any, dialect: Any, **rest: Any
) -> None:
    name = f"exact {next(examples)}"
    conf = Configuration("1", firmware, **settings_, dialect=dialect)
    sent = sparse(name, measured_at, configuration=conf, **numbers, **rest)
    assert store(database, [sent]).stored == 1
    assert read(database, name) == [sent]
    assert counts(store(database, [sent])) == (0, 1, 0, [])


@pytest.mark.parametrize("volts", [14.073, 0.001, 0.1 + 0.2, -0.0, 2147483.647, 2147483.648, 1e300, 5e-324, -1e-9])
def test_a_voltage_is_read_back_exactly(database: Database, volts: float) -> None:
    store(database, [measurement(battery_volts=volts, panel_mpp_volts=volts)])
    assert [(m.battery_volts, m.panel_mpp_volts) for m in read(database)] == [(volts, volts)]


@pytest.mark.parametrize("status", [None, 0, 0xFFF, 2**31 - 1, 2**31, 0xFFFFFFFF, 2**63, 2**128 - 1])
def test_a_status_of_any_width_is_read_back_exactly(database: Database, status: int | None) -> None:
    """Defects 6, 25: a status of 18 digits ended the import, one of 32 bits ended it on PostgreSQL."""
    store(database, [measurement(status=status)])
    assert [m.status for m in read(database)] == [status]


def test_a_wide_status_still_shows_its_flags_to_plain_sql(database: Database) -> None:
    store(database, [measurement(status=0xF_0000_0900)])
    with database.read() as connection:
        assert connection.execute(text("SELECT status FROM every_measurement")).scalar() == 0x900


# -- named cases ----------------------------------------------------------------------------------


def test_a_line_twice_in_one_batch_is_stored_once(database: Database) -> None:
    """Defect 8: a(t), a(t) in one batch ended the importer."""
    assert counts(store(database, [measurement(), measurement()])) == (1, 1, 0, [])
    assert counts(store(database, [measurement(), measurement(at=NOON + 60), measurement()])) == (1, 2, 0, [])


def test_a_future_time_stamp_hides_nothing_that_comes_after_it(database: Database) -> None:
    """Defect 11: after one record of 2038 the next ten were dropped."""
    jump = measurement(at=2_145_916_800)
    batch = [measurement(), jump, *minutes(10, first=NOON + 60)]
    assert counts(store(database, batch)) == (12, 0, 0, [])
    assert counts(store(database, minutes(10, first=NOON + 660))) == (10, 0, 0, [])


def test_late_records_are_stored(database: Database) -> None:
    """Defect 12: what was older than the newest was dropped."""
    assert counts(store(database, [measurement(at=NOON), measurement(at=NOON + 120)])) == (2, 0, 0, [])
    assert counts(store(database, [measurement(at=NOON + 60)])) == (1, 0, 0, [])
    assert counts(store(database, minutes(60, first=NOON - 3600))) == (60, 0, 0, [])
    assert [m.measured_at for m in read(database)] == list(range(NOON - 3600, NOON + 121, 60))


def test_a_node_behind_another_in_one_batch_loses_nothing(database: Database) -> None:
    """Defect 14: b's line was compared with the newest of a."""
    assert counts(store(database, [measurement("a", NOON + 3660), measurement("b", NOON)])) == (2, 0, 0, [])
    assert [m.measured_at for m in read(database, "b")] == [NOON]


def test_a_known_record_of_one_node_costs_another_nothing(database: Database) -> None:
    """Defect 15: with b's line known already, a's was lost."""
    store(database, [measurement("b", NOON)])
    assert counts(store(database, [measurement("a", NOON), measurement("b", NOON)])) == (1, 1, 0, [])
    assert len(read(database, "a")) == 1


def test_the_night_when_clocks_go_back_is_stored_whole(database: Database) -> None:
    """Defects 16, 17: of four hours around 2026-10-25 02:00 in Berlin, one or all were lost."""
    night = minutes(240, first=1_792_884_600)  # 2026-10-25T01:30+02:00
    for start in range(0, 240, 15):
        assert store(database, night[start : start + 15]).stored == 15
    assert counts(store(database, night)) == (0, 240, 0, [])
    other = [msgspec.structs.replace(one, node="other") for one in night]
    assert counts(store(database, other)) == (240, 0, 0, [])
    assert read(database, "other") == other


def test_the_fuller_record_wins_in_either_order(database: Database) -> None:
    full, partial = measurement(), sparse(battery_volts=14.073)
    assert counts(store(database, [partial])) == (1, 0, 0, [])
    assert counts(store(database, [full])) == (0, 0, 1, [])
    assert read(database) == [full]
    assert counts(store(database, [partial])) == (0, 1, 0, [])
    assert read(database) == [full]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_records_that_complement_each_other_become_one(database: Database, order: tuple[int, ...]) -> None:
    parts = [
        sparse(battery_volts=14.073, charge_end_volts=14.4),
        sparse(battery_volts=14.073, state_of_charge_percent=88.0, configuration=ROUTER),
        sparse(panel_mpp_volts=1e300, status=0x900),
    ]
    assert counts(store(database, [parts[i] for i in order])) == (1, 0, 2, [])
    values = {"battery_volts": 14.073, "charge_end_volts": 14.4, "state_of_charge_percent": 88.0}
    united = sparse(**values, panel_mpp_volts=1e300, status=0x900, configuration=ROUTER)
    assert read(database) == [united]
    assert counts(store(database, parts)) == (0, 3, 0, [])


def test_a_conflict_overwrites_nothing_and_is_told_by_its_place(database: Database) -> None:
    store(database, [measurement()])
    other = measurement(battery_volts=12.0)
    batch = [measurement(at=NOON + 60), other, measurement(), measurement(at=NOON + 60, status=0)]
    assert counts(store(database, batch)) == (1, 1, 0, [1, 3])
    assert read(database) == [measurement(), measurement(at=NOON + 60)]


def test_an_unknown_value_completed_with_a_conflict_elsewhere_stays_unknown(database: Database) -> None:
    partial = measurement(battery_celsius=None)
    store(database, [partial])
    assert counts(store(database, [measurement(battery_volts=1.0)])) == (0, 0, 0, [0])
    assert read(database) == [partial]


def test_zero_is_a_value_and_no_unknown(database: Database) -> None:
    store(database, [measurement(battery_celsius=0.0, status=0)])
    assert counts(store(database, [measurement(battery_celsius=0.5, status=0)])) == (0, 0, 0, [0])
    assert counts(store(database, [measurement(battery_celsius=None, status=None)])) == (0, 1, 0, [])


def test_a_repaired_time_does_not_make_another_record(database: Database) -> None:
    store(database, [measurement(time_repaired=True)])
    assert counts(store(database, [measurement(time_repaired=False)])) == (0, 1, 0, [])
    assert [m.time_repaired for m in read(database)] == [True]


def test_values_far_apart_in_time_are_compared_too(database: Database) -> None:
    """A batch that spans years is looked up key by key, more keys than one statement takes."""
    years = [measurement(at=at) for at in range(0, 4_000_000_000, 300_000)]
    assert len(years) > 10_000
    assert store(database, years).stored == len(years)
    years[7] = measurement(at=years[7].measured_at, battery_volts=1.0)
    assert counts(store(database, years)) == (0, len(years) - 1, 0, [7])


def test_a_whole_log_again_is_all_duplicates(database: Database) -> None:
    log = minutes(3660)
    assert counts(store(database, log)) == (3660, 0, 0, [])
    assert counts(store(database, log)) == (0, 3660, 0, [])
    assert counts(store(database, log[::-1])) == (0, 3660, 0, [])
    assert read(database) == log


def test_an_empty_batch_is_nothing(database: Database) -> None:
    assert counts(store(database, [])) == (0, 0, 0, [])


def test_nodes_beyond_the_limit_are_told_and_not_stored(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isems.storage.nodes.MAX_NODES", 2)
    store(database, [measurement("a")])
    inserted = store(database, [measurement(name, NOON + 60) for name in "abcda"])
    assert (inserted.stored, inserted.duplicate, inserted.beyond_limit) == (2, 1, [2, 3])
    assert set(inserted.node_ids) == {"a", "b"}
    again = store(database, [measurement(name, NOON + 120) for name in "cab"])
    assert (again.stored, again.beyond_limit) == (2, [0])
    only_new = store(database, [measurement("x")])
    assert (only_new.stored, only_new.beyond_limit, only_new.node_ids) == (0, [0], {})


def test_the_same_rows_from_many_at_once_are_counted_once(database: Database) -> None:
    """Between one writer's insert and its look at what was there already, no other must come."""
    databases = [Database(database.url.render_as_string(hide_password=False)) for _ in range(4)]
    log = minutes(400)

    def bring(index: int) -> Counter[str]:
        total: Counter[str] = Counter()
        order = log if index % 2 else log[::-1]
        for start in range(0, 400, 50):
            inserted = store(databases[index], order[start : start + 50])
            total.update(stored=inserted.stored, duplicate=inserted.duplicate, conflicts=len(inserted.conflicts))
        return total

    with ThreadPoolExecutor(4) as pool:
        total = sum(pool.map(bring, range(4)), Counter())
    assert total == Counter(stored=400, duplicate=1200)
    with database.read() as connection:
        assert count_measurements(connection) == 400
    for one in databases:
        one.close()


def test_a_batch_of_known_nodes_takes_a_handful_of_statements(database: Database) -> None:
    names = [f"n{i}" for i in range(100)]
    store(database, [measurement(name) for name in names])
    statements = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    store(database, [measurement(name, NOON + 60) for name in names])
    # On PostgreSQL also whether a month is missing, and a savepoint around the copy.
    assert len(statements) <= (5 if database.is_sqlite else 8), statements
