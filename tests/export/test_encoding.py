"""What was stored is what is read back from the text, whatever a node sent."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isems.domain.limits import list_untrusted
from isems.domain.measurement import SHUTDOWN_UNSET, Configuration, Dialect, Measurement
from isems.export import CSV, NDJSON, TextFormat, choose, read_pieces
from isems.export.encoding import COLUMNS, CONFIGURATION, VALUES, Encoder
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.rows import encode_exactly
from tests.samples import NOON, ROUTER, configuration, measurement, minutes, sparse
from tests.samples import VALUES as HEALTHY

TEXTS = ("node", "isems_revision", "firmware")
#: One database serves all examples; each uses nodes of its own.
on_one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
examples = count()


def store(database: Database, measurements: Sequence[Measurement]) -> None:
    with database.write() as connection:
        assert insert_measurements(connection, measurements, NOON).stored == len(measurements)


def export(database: Database, form: TextFormat, *names: str) -> str:
    pieces = read_pieces(database, choose(database, names, 0, 10**11), form)
    return b"".join(piece.data for piece in pieces).decode()


def read_csv(text: str) -> list[dict[str, Any]]:
    """Read it as a stranger would, who was told that an apostrophe marks text and blanks separate names."""
    records: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    for record in records:
        for name, cell in record.items():
            if name in TEXTS:
                record[name] = cell.removeprefix("'") or None
            elif name not in ("measured_at", "status", "untrusted", "dialect"):
                record[name] = {"true": True, "false": False, "": None}.get(cell, cell)
        record["untrusted"] = record["untrusted"].split()
        record["status"] = record["status"] or None
    return records


def read_ndjson(text: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in text.split("\n") if line]


def as_measurement(record: dict[str, Any]) -> Measurement:
    def number(value: Any) -> float | None:
        return None if value is None else float(value)

    texts = {"isems_revision", "firmware", "dialect"}
    of_configuration = {name: record[name] if name in texts else number(record[name]) for name in CONFIGURATION}
    return Measurement(
        record["node"],
        int(datetime.fromisoformat(record["measured_at"]).timestamp()),
        Configuration(**of_configuration | {"dialect": Dialect(record["dialect"])}),
        *(number(record[name]) for name in VALUES),
        None if record["status"] is None else int(record["status"], 16),
        record["time_repaired"],
    )


#: Whatever a name or a text may hold; CSV alone does not tell an unknown text from an empty one to every reader.
names = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20)
hostile = st.sampled_from(
    ["=1+1", "-2", "@x", "'quoted", "''", 'a"b', "a,b", " a ", "50 %", "%s", "a\r\nb", "\tx", "+"]
)
numbers = st.one_of(st.none(), st.integers(0, 100).map(float), st.floats(allow_nan=False, allow_infinity=False))
measurements = st.builds(
    Measurement,
    st.just("replaced"),
    st.integers(1_483_228_801, 4_102_444_800),
    st.builds(
        Configuration,
        st.none() | texts | hostile,
        st.none() | texts | hostile,
        *[numbers] * 5,
        st.sampled_from(Dialect),
    ),
    *[numbers] * len(VALUES),
    st.none() | st.integers(0, 2**70),
    st.booleans(),
)


@pytest.mark.parametrize(("form", "read"), [(CSV, read_csv), (NDJSON, read_ndjson)], ids=["csv", "ndjson"])
@on_one_database
@given(names | hostile.filter(str.isprintable), measurements)
def test_whatever_was_stored_is_read_back(
    lite: Database, form: TextFormat, read: Callable[[str], list[dict[str, Any]]], beginning: str, sent: Measurement
) -> None:
    sent = msgspec.structs.replace(sent, node=f"{beginning} {next(examples)}")
    with lite.write() as connection:
        insert_measurements(connection, [sent], NOON)

    (record,) = read(export(lite, form, sent.node))

    assert as_measurement(record) == sent
    assert record["untrusted"] == list_untrusted(sent)


@given(measurements)
@settings(max_examples=200)
def test_the_fast_way_names_what_cannot_be_trusted(sent: Measurement) -> None:
    row = encode_exactly(1, 1, sent, {})
    if row[-1] is None:
        line = Encoder(NDJSON).encode("Dach", [row], {1: sent.configuration})
        assert msgspec.json.decode(line)["untrusted"] == list_untrusted(sent)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"status": 0x010, "battery_volts": 0.0},
        {"status": 0x010, "battery_volts": None},
        {"status": 0x010},
        {"minutes_until_shutdown": float(SHUTDOWN_UNSET)},
        {"state_of_health_percent": 101.0},
        {"state_of_health_percent": -1.0},
        {"battery_celsius": -40.01},
        {"battery_celsius": 85.0},
        {"battery_celsius": 127.0},
        {"configuration": configuration(latitude=0.0, longitude=0.0)},
        {"configuration": configuration(latitude=91.0)},
        {"configuration": configuration(longitude=None)},
    ],
)
def test_each_line_names_what_cannot_be_trusted(lite: Database, odd: dict[str, Any]) -> None:
    sent = measurement(**odd)
    store(lite, [sent])
    for found in (read_csv(export(lite, CSV)), read_ndjson(export(lite, NDJSON))):
        assert found[0]["untrusted"] == list_untrusted(sent)


def test_a_line_is_plain_to_read(lite: Database) -> None:
    store(lite, [measurement(), sparse("Keller", battery_volts=12.5)])
    header, first, second, end = export(lite, CSV).split("\n")
    assert header == ",".join(COLUMNS)
    assert first == (
        "Elektra-Dach,2024-06-15T11:14:00Z,0,0,19.412,16.2,14.073,88,97,21.5,14.4,0x900,false,,"
        "1,ATmega8_A_1,11.9,12,20,52.507309,13.458635,router"
    )
    assert second == "Keller,2024-06-15T11:14:00Z,,,,,12.5,,,,,,false,,,,,,,,,unknown"
    assert end == ""


def test_no_cell_is_taken_for_a_formula(lite: Database) -> None:
    store(lite, [measurement(f"{begin}cmd|'/c calc'!A1") for begin in "=+-@＝＋－＠'"])
    cells = [row["node"] for row in csv.DictReader(io.StringIO(export(lite, CSV)))]
    assert sorted(cells) == sorted(f"'{begin}cmd|'/c calc'!A1" for begin in "=+-@＝＋－＠'")


def test_both_databases_give_the_same_text(database: Database) -> None:
    odd = [
        measurement("Dach", battery_volts=1e300),
        measurement("Dach", NOON + 1, status=2**40 + 0x900, time_repaired=True),
    ]
    store(database, [*odd, *minutes(20, "Dach", NOON + 60), *minutes(20, "Keller")])
    lines = export(database, CSV).splitlines()
    assert len(lines) == 43
    assert lines[1].startswith("Dach,2024-06-15T11:14:00Z,0,0,19.412,16.2,1e+300,88,")
    assert ",0x10000000900,true,," in lines[2]
    assert [line.partition(",")[0] for line in lines[1:]] == ["Dach"] * 22 + ["Keller"] * 20


def test_every_field_of_a_measurement_has_its_column() -> None:
    fields = {*Measurement.__struct_fields__, *Configuration.__struct_fields__} - {"configuration"}
    assert {*COLUMNS} == fields | {"untrusted"}
    assert HEALTHY.keys() <= {*COLUMNS}
    assert ROUTER.__struct_fields__ == CONFIGURATION
