"""What boards really sent, sent again: live, twice, and with an hour in which nobody received."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import pytest
from sqlalchemy import text

from isems.domain.payload import Payload
from isems.ingest import IngestResult, read_payload, store_all
from isems.storage.database import Database
from tests.samples import moment
from tests.test_firmware_data import FILES, payloads_of, reasons_in

PUBLISHED = [name for name in FILES if name.endswith((".mqtt.jsonl", ".httppost.jsonl"))]
HOUR = 3600
#: One shutdown tick: what the time of a repaired record may be off.
CADENCE = 15


def live(payloads: Iterable[Payload]) -> Iterator[Payload]:
    return iter(payloads)


def twice(payloads: Iterable[Payload]) -> Iterator[Payload]:
    """Each message is sent again, as a broker does that missed the acknowledgement."""
    for payload in payloads:
        yield payload
        yield msgspec.structs.replace(payload, received_at=payload.received_at + 2, is_redelivered=True)


def with_outage(payloads: Iterable[Payload], start: int) -> Iterator[Payload]:
    """For an hour nobody receives; then the broker sends all that it kept, and the first of it twice."""
    kept = []
    for payload in payloads:
        if start <= payload.received_at < start + HOUR:
            kept.append(payload)
            continue
        if payload.received_at >= start + HOUR:
            for one in [*kept[:5], *kept]:
                yield msgspec.structs.replace(one, received_at=start + HOUR, is_live=False, is_queued=True)
            kept = []
        yield payload


def receive(database: Database, payloads: Iterable[Payload]) -> IngestResult:
    total = IngestResult()
    with database.write() as connection:
        for payload in payloads:
            total.add(store_all(connection, [read_payload(payload)], moment(payload.received_at))[0])
    return total


class Counts(NamedTuple):
    """Of a replay: messages, those of them that waited, and what became of their records."""

    sent: int
    waited: int
    stored: int
    duplicate: int
    rejected: int


class StoredRow(NamedTuple):
    at: int
    ticks: int | None
    is_repaired: bool


def rows(database: Database) -> list[StoredRow]:
    statement = "SELECT measured_at, shutdown_ticks, time_repaired FROM every_measurement ORDER BY node_id, measured_at"
    with database.read() as connection:
        return [StoredRow(row[0], row[1], bool(row[2])) for row in connection.execute(text(statement))]


def replay(url: str, payloads: Iterable[Payload]) -> tuple[IngestResult, list[StoredRow], dict[str, int]]:
    database = Database(url)
    try:
        return receive(database, payloads), rows(database), reasons_in(database)
    finally:
        database.close()


def has_lines(payload: Payload) -> bool:
    return not payload.data.startswith(b"{")


def count_untimed(payloads: Iterable[Payload]) -> int:
    """How many samples show a counter that does not run."""
    return sum(b'"timeToShutdown":0,' in payload.data or b'"timeToShutdown":0}' in payload.data for payload in payloads)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_a_broker_sends_twice_is_stored_once(name: str, sqlite_url: str) -> None:
    """Ten hours of each file here, the whole of it in tests/soak."""
    check_twice(list(payloads_of(name))[:600], sqlite_url)


def check_twice(payloads: Sequence[Payload], sqlite_url: str) -> Counts:
    """Replay once, and each message twice; gives what was sent twice and what became of it."""
    _, once, usual = replay(sqlite_url, payloads)
    result, both, reasons = replay(f"{sqlite_url}.again", twice(payloads))
    assert (both, reasons.keys()) == (once, usual.keys())
    assert result.stored == len(once)
    return Counts(2 * len(payloads), 0, result.stored, result.duplicate, result.rejected)


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_an_outage_of_an_hour_costs_no_sample_whose_counter_runs(
    name: str, database_kind: str, request: pytest.FixtureRequest
) -> None:
    """In the middle: of a sample whose counter stands still nobody can tell how long it waited, all others are stored.

    Ten hours of each file here, the whole of it in tests/soak.
    """
    payloads = list(payloads_of(name))
    middle = len(payloads) // 2
    url = request.getfixturevalue(f"{database_kind}_url")
    check_outage(payloads[max(0, middle - 300) : middle + 300], request.getfixturevalue("sqlite_url"), url)


def check_outage(payloads: Sequence[Payload], sqlite_url: str, other_url: str) -> Counts:
    """Replay live and with an outage a third of the way; gives what was sent and what became of it."""
    outage = payloads[len(payloads) // 3].received_at
    waited = [one for one in payloads if outage <= one.received_at < outage + HOUR]
    _, expected, _ = replay(sqlite_url, payloads)
    url = f"{other_url}.outage" if other_url == sqlite_url else other_url
    result, found, reasons = replay(url, with_outage(payloads, outage))
    assert len(waited) > 50
    assert len(found) == len(expected) == result.stored
    assert all(abs(one.at - other.at) <= CADENCE for one, other in zip(found, expected, strict=True))
    assert [one.ticks for one in found] == [one.ticks for one in expected]
    repeated = count_untimed(waited[:5])
    assert reasons.get("no_time", 0) == count_untimed(waited) + repeated == sum(reasons.values())
    return Counts(len(payloads), len(waited), result.stored, result.duplicate, result.rejected)


def true_offsets(payloads: Iterable[Payload]) -> list[tuple[int, int, int]]:
    """What must be added to the seconds since boot: (last of them, least and most), for each boot that told such.

    A board delivers its newest line within a cadence, so each delivery narrows its boot's offset; `t` of the file is true.
    """
    boots: list[tuple[int, int, int]] = []
    for payload in filter(has_lines, payloads):
        newest = payload.data.decode().rsplit("\n", 1)[-1]
        told = int(float(newest.split(";")[2]))
        if told > 1_000_000_000:
            continue
        least, most = payload.received_at - told - CADENCE, payload.received_at - told
        if boots and boots[-1][0] < told:
            boots[-1] = (told, max(boots[-1][1], least), min(boots[-1][2], most))
        else:
            boots.append((told, least, most))
    return boots


#: Files in which a clock was not set at first, and so many lines of it.
UNSET = {
    "esp32/Balkon-Neukoelln-poll15.httpget.jsonl": 1,
    "esp32/Balkon-Neukoelln.httpget.jsonl": 1,
    "esp32/Balkon-Neukoelln.mqtt.jsonl": 1,
    "esp32/Dachluke-floattime.httpget.jsonl": 1,
    "esp32/Dachluke-floattime.mqtt.jsonl": 1,
    "esp32/ESP32-Meshnode-Default.httpget.jsonl": 1,
    "esp32/FF-ESP-Unconfigured.httpget.jsonl": 1,
    "esp32/FF-ESP-Unconfigured.mqtt.jsonl": 40,
}


def true_times(payloads: Iterable[Payload]) -> list[tuple[int, int]]:
    """Earliest and latest true time of each line that counts from its boot: a message's newest line is of the cycle in
    which it was sent, each before it of one cycle earlier; `t` of the file is true.
    """
    found: dict[bytes, tuple[int, int]] = {}
    for payload in filter(has_lines, payloads):
        for age, line in enumerate(reversed(payload.data.split(b"\n"))):
            fields = line.split(b";")
            if len(fields) >= 18 and 0 < float(fields[-17]) < 1_000_000_000:
                latest = payload.received_at - CADENCE * age
                found.setdefault(line, (latest - CADENCE, latest))
    return sorted(found.values())


@pytest.mark.parametrize("name", UNSET)
def test_repaired_records_are_off_by_no_more_than_a_cadence_in_every_file(name: str, sqlite_url: str) -> None:
    payloads = list(payloads_of(name))
    expected = true_times(payloads)
    _, found, _ = replay(sqlite_url, payloads[:200])
    repaired = [row.at for row in found if row.is_repaired]
    assert len(repaired) == len(expected) == UNSET[name]
    for at, (earliest, latest) in zip(repaired, expected, strict=True):
        assert earliest - CADENCE <= at <= latest + CADENCE


def test_no_other_file_holds_a_clock_that_was_not_set() -> None:
    boards = [name for name in FILES if name.startswith("esp32/")]
    assert {name for name in boards if true_times(payloads_of(name))} == set(UNSET)


@pytest.mark.parametrize("start", [None, 30, 300], ids=["live", "outage at once", "outage soon"])
def test_no_repaired_record_is_off_by_more_than_a_cadence(start: int | None, sqlite_url: str) -> None:
    """Ten minutes in which the clock was not set, received live or after an outage, against the file's true time."""
    payloads = list(payloads_of("esp32/FF-ESP-Unconfigured.mqtt.jsonl"))[:100]
    begin = payloads[0].received_at
    sent = live(payloads) if start is None else with_outage(payloads, begin + start)
    _, found, reasons = replay(sqlite_url, sent)
    ((_, least, most),) = true_offsets(payloads)
    repaired = [row for row in found if row.is_repaired]
    assert (len(repaired), reasons) == (40, {})
    for number, row in enumerate(repaired):
        since_boot = 5 + 15 * number
        assert most - CADENCE <= row.at - since_boot <= least + CADENCE


@pytest.mark.parametrize("shift", [0, 7, 20])
def test_a_sample_that_waited_is_off_by_no_more_than_a_cadence(shift: int, sqlite_url: str) -> None:
    """Samples alone, from a board that reboots by itself in the outage."""
    payloads = list(payloads_of("esp32/ESP32-Meshnode-Default.mqtt.jsonl"))
    reboot = next(n for n in range(1, len(payloads)) if b'"timeToShutdown":3596' in payloads[n].data and n > 100)
    payloads = payloads[reboot - 100 : reboot + 100]
    outage = payloads[100 - 30 + shift].received_at
    result, found, reasons = replay(sqlite_url, with_outage(payloads, outage))
    assert (result.stored, reasons) == (200, {})
    for row, payload in zip(found, payloads, strict=True):
        assert abs(row.at - payload.received_at) <= CADENCE
        assert row.is_repaired == (outage <= payload.received_at < outage + HOUR)
