"""Every line that the real node programs printed is accounted for: stored, or rejected with a reason."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from isems.domain.payload import Payload, Source
from isems.ingest import IngestResult, read_payload, store_all
from isems.storage import schema
from isems.storage.database import Database
from tests.samples import moment

FOLDER = Path(__file__).parent / "data" / "firmware"
#: Files are read long after their last record.
IMPORTED_AT = 1_700_000_000
CSV_PATHS = ("/csv.log", "/csv", "/ffopenmppt.log")


def read_file(name: str) -> bytes:
    """The content of a file as the node gave it; large ones are kept gzipped."""
    path = FOLDER / name
    if not path.exists():
        path = FOLDER / f"{name}.gz"
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def read_records(name: str) -> Iterator[dict[str, object]]:
    """The records of a file of JSON lines."""
    return map(json.loads, read_file(name).splitlines())


def count_pieces(name: str) -> int:
    """How many lines or documents a file holds, counted without any of the program's own code."""
    if name.endswith((".json", ".html")):
        return 1
    if "ffopenmppt.log" in name:
        return sum(1 for line in read_file(name).splitlines() if line.strip())
    if name == "quirks/lines.jsonl":
        return len(read_file(name).splitlines())
    pieces = 0
    for record in read_records(name):
        text = str(record.get("payload") or record.get("body") or record.get("response"))
        is_log = record.get("path") in CSV_PATHS or str(record.get("topic")).endswith("/csvlog")
        pieces += text.rpartition("\r\n")[2].count("\n") + 1 if is_log else 1
    return pieces


def payloads_of(name: str) -> Iterator[Payload]:
    """A file's content as the collector's sources would hand it over."""
    if name.startswith("openwrt/") or name.endswith(".json"):
        yield Payload(data=read_file(name), source=Source.IMPORT, address=name, received_at=IMPORTED_AT, is_live=False)
        return
    for record in read_records(name):
        yield _payload_of(name, record)


def _payload_of(name: str, record: dict[str, object]) -> Payload:
    at = int(str(record.get("t", IMPORTED_AT)))
    if "line" in record:
        data = str(record["line"]).encode()
        return Payload(data=data, source=Source.IMPORT, address=name, received_at=at, is_live=False)
    if "response" in record:
        head, _, body = str(record["response"]).rpartition("\r\n\r\n")
        assert head == "" or head.startswith("HTTP/1.0 200 OK")
        return Payload(data=body.encode(), source=Source.POLL, address=str(record["path"]), received_at=at)
    if "topic" in record:
        topic, data = str(record["topic"]), str(record["payload"]).encode()
        hint = re.sub(r"^/?isems/(?:testdrive/foobar/)?|/(?:csvlog|data\.json)$", "", topic)
        return Payload(data=data, source=Source.MQTT, address=topic, received_at=at, node_hint=hint)
    hint = str(record["url"]).removesuffix("/data").rpartition("/foobar/")[2]
    data = str(record["body"]).encode()
    return Payload(data=data, source=Source.PUSH, address=hint, received_at=at, node_hint=hint)


def ingest_file(database: Database, name: str, every: int = 1) -> IngestResult:
    """Every so many of a file's payloads, each at its own time; one transaction, for speed."""
    total = IngestResult()
    with database.write() as connection:
        for payload in islice(payloads_of(name), 0, None, every):
            total.add(store_all(connection, [read_payload(payload)], moment(payload.received_at))[0])
    return total


def reasons_in(database: Database) -> dict[str, int]:
    """How often each reason was given, the pieces that had no room counted."""
    reasons: Counter[str] = Counter()
    with database.read() as connection:
        table = schema.rejected
        for reason, times in connection.execute(select(table.c.reason, table.c.times)):
            reasons[reason] += times
        for reason, times in connection.execute(select(schema.rejected_dropped)):
            reasons[reason] += times
    return dict(reasons)


def count_rows(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(schema.measurement)).scalar_one()


class Expected(NamedTuple):
    """What a file holds and what becomes of it; the rest is duplicates."""

    pieces: int
    stored: int = 0
    completed: int = 0
    rejected: dict[str, int] = {}  # noqa: RUF012 - never changed


PAGE = Expected(1, rejected={"no_format": 1})
CUT_JSON = Expected(1, rejected={"field_count": 1})
FILES = {
    "esp32/Balkon-Neukoelln-poll15.httpget.jsonl": Expected(2580, 518),
    "esp32/Balkon-Neukoelln.httpget.jsonl": Expected(420, 261, rejected={"no_format": 159}),
    "esp32/Balkon-Neukoelln.mqtt.jsonl": Expected(17520, 12655),
    "esp32/Dachluke-floattime.httpget.jsonl": Expected(11, 11),
    "esp32/Dachluke-floattime.mqtt.jsonl": Expected(792, 573),
    "esp32/ESP32-Meshnode-1-noserial.httpget.jsonl": Expected(12, rejected={"placeholder": 6, "no_format": 6}),
    "esp32/ESP32-Meshnode-1.httpget.jsonl": Expected(3800, 3165, rejected={"placeholder": 1, "no_format": 634}),
    "esp32/ESP32-Meshnode-Default.httpget.jsonl": Expected(420, 261, rejected={"no_format": 159}),
    "esp32/ESP32-Meshnode-Default.httppost.jsonl": Expected(2920, 2920),
    "esp32/ESP32-Meshnode-Default.mqtt.jsonl": Expected(2920, 2920),
    "esp32/FF-ESP-Unconfigured.httpget.jsonl": Expected(551, 551),
    "esp32/FF-ESP-Unconfigured.mqtt.jsonl": Expected(15125, 13116),
    "esp32/odd-values.mqtt.jsonl": Expected(1594, 797),
    "openwrt/Dach-Trunc/ffopenmppt.html": PAGE,
    "openwrt/Dach-Trunc/ffopenmppt.json": CUT_JSON,
    "openwrt/Dach-Trunc/ffopenmppt.log": Expected(6, 6),
    "openwrt/Elektra-Dach/ffopenmppt.html": PAGE,
    "openwrt/Elektra-Dach/ffopenmppt.json": Expected(1, 1),
    "openwrt/Elektra-Dach/ffopenmppt.log": Expected(2034, 2034),
    "openwrt/Elektra-Dach/ffopenmppt.log.gz": Expected(3660, 3660),
    "openwrt/Elektra-Dach/snapshots/after-2-days/ffopenmppt.html": PAGE,
    "openwrt/Elektra-Dach/snapshots/after-2-days/ffopenmppt.json": Expected(1, 1),
    "openwrt/Elektra-Dach/snapshots/after-2-days/ffopenmppt.log": Expected(2847, 2847),
    "openwrt/Elektra-Dach/snapshots/just-after-rotation/ffopenmppt.html": PAGE,
    "openwrt/Elektra-Dach/snapshots/just-after-rotation/ffopenmppt.json": Expected(1, 1),
    "openwrt/Elektra-Dach/snapshots/just-after-rotation/ffopenmppt.log": Expected(6, 6),
    "openwrt/Elektra-Dach/snapshots/just-after-rotation/ffopenmppt.log.gz": Expected(3660, 3660),
    "openwrt/Gartenhaus-Sued/ffopenmppt.html": PAGE,
    "openwrt/Gartenhaus-Sued/ffopenmppt.json": Expected(1, 1),
    "openwrt/Gartenhaus-Sued/ffopenmppt.log": Expected(64, 64),
    "openwrt/Gartenhaus-Sued/snapshots/last-before-low-voltage/ffopenmppt.html": PAGE,
    "openwrt/Gartenhaus-Sued/snapshots/last-before-low-voltage/ffopenmppt.json": Expected(1, 1),
    "openwrt/Gartenhaus-Sued/snapshots/last-before-low-voltage/ffopenmppt.log": Expected(1705, 1705),
    "openwrt/OpenWrt/ffopenmppt.html": PAGE,
    "openwrt/OpenWrt/ffopenmppt.json": Expected(1, 1),
    "openwrt/OpenWrt/ffopenmppt.log": Expected(356, 356),
    # As a file nobody tells when seconds since boot were; hand-made lines share one node and second.
    "quirks/lines.jsonl": Expected(73, 43, 1, {"placeholder": 2, "clock_unset": 8, "conflict": 3, "no_format": 1}),
    "quirks/openwrt-comma-invalid.json": Expected(1, 1),
    "quirks/openwrt-ok.json": Expected(1, 1),
    "quirks/openwrt-truncated.json": CUT_JSON,
}
#: Files that hold no input: descriptions, and the table of status codes that test_status reads.
NO_INPUT = ("README.md", "openwrt/Dach-Trunc/script_errors.txt", "quirks/status_vectors.json")
#: Read a second time in part only, for the sake of time; each payload by itself is the same case.
LONG = ("esp32/Balkon-Neukoelln.mqtt.jsonl", "esp32/FF-ESP-Unconfigured.mqtt.jsonl")
#: One of each kind: log, live CSV, sent and fetched pages, a clock not set, odd lines.
ON_BOTH_DATABASES = (
    "esp32/Dachluke-floattime.mqtt.jsonl",
    "esp32/ESP32-Meshnode-Default.httpget.jsonl",
    "esp32/FF-ESP-Unconfigured.httpget.jsonl",
    "openwrt/Gartenhaus-Sued/ffopenmppt.log",
    "openwrt/OpenWrt/ffopenmppt.json",
    "quirks/lines.jsonl",
)


def check_file(url: str, name: str) -> None:
    expected = FILES[name]
    database = Database(url)
    try:
        first = ingest_file(database, name)
        reasons = reasons_in(database)
        again = ingest_file(database, name, every=10 if name in LONG else 1)
        rows = count_rows(database)
    finally:
        database.close()
    rejected = sum(expected.rejected.values())
    duplicate = expected.pieces - expected.stored - expected.completed - rejected
    assert (first.stored, first.duplicate, first.completed, first.rejected, first.undecided) == (
        expected.stored,
        duplicate,
        expected.completed,
        rejected,
        0,
    )
    assert reasons == expected.rejected
    assert (again.stored, again.completed) == (0, 0)
    assert rows == expected.stored


def test_the_table_names_every_file() -> None:
    """No file can be left out by being forgotten."""
    kept = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    named = {name if (FOLDER / name).exists() else f"{name}.gz" for name in FILES}
    assert kept == named | set(NO_INPUT)


@pytest.mark.parametrize("name", FILES)
def test_the_table_counts_as_many_pieces_as_the_file_has_lines(name: str) -> None:
    """The expected numbers were not taken from the program: lines are counted here in another way."""
    assert count_pieces(name) == FILES[name].pieces


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("esp32/")])
def test_as_many_records_are_stored_as_there_are_different_lines_or_samples_without_one(name: str) -> None:
    """No board repeats a line but by overlap, so different lines are different records.

    Where a board sends lines too, each sample has the line of its cycle, which wins.
    """
    records = list(read_records(name))
    texts = [str(r.get("payload") or r.get("response") or "").rpartition("\r\n")[2] for r in records]
    lines = {line for text in texts for line in text.split("\n") if line.count(";") >= 18}
    different = len([line for line in lines if not line.endswith(";0" * 17)])
    assert FILES[name].stored == (different if lines else len(records))


@pytest.mark.parametrize("name", FILES)
def test_every_piece_is_stored_or_rejected_and_a_second_time_nothing_is_new(name: str, sqlite_url: str) -> None:
    check_file(sqlite_url, name)


@pytest.mark.parametrize("name", ON_BOTH_DATABASES)
def test_every_piece_is_accounted_for_on_both_databases(name: str, postgresql_url: str) -> None:
    check_file(postgresql_url, name)


def test_reading_all_files_of_a_router_in_any_order_stores_its_records_once(sqlite_url: str) -> None:
    """Log, archive, JSON and older snapshots of Elektra-Dach overlap; together they hold 5694 records."""
    names = [name for name in FILES if "/Elektra-Dach/" in name and not name.endswith(".html")]
    database = Database(sqlite_url)
    results = [ingest_file(database, name) for name in reversed(names)]
    assert sum(result.stored for result in results) == 5694 == count_rows(database)
    assert sum(result.rejected for result in results) == 0
    database.close()
