"""One payload becomes stored rows: on real databases, with recorded logs and clocks that lie."""

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import example, given, settings
from sqlalchemy import select, text

import isems.ingest.storing
from isems.domain.clock import Moment, Uptime
from isems.domain.measurement import Measurement
from isems.domain.payload import Payload, Source
from isems.domain.rejection import Reason
from isems.errors import StorageError
from isems.formats import Parsed
from isems.ingest import Arrival, IngestResult, ingest, ingest_all, judge_undecided, read_payload, store_all
from isems.storage import schema
from isems.storage.database import Database
from isems.storage.nodes import find_node
from isems.storage.rejected import StoredRejection, select_rejected
from isems.storage.undecided import count_bytes, insert_undecided
from tests.samples import NOON, log_payload, measurement, minutes, moment, payload
from tests.test_firmware_data import read_file, read_records

IMAGE = 1_538_049_660
CADENCE = 61
BOARD = "FF-ESP-1A"


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


def csv_line(node: str, at: object, counter: object = 0, volts: float = 12.5, firmware: str = "ATmega8_A_1") -> str:
    return f"{node};1;{at};{firmware};{counter};0;19.487;15.73;{volts:g};90;100;20;11.7;14.2;18;20;52.4;13.4;900"


def poll(
    database: Database, log: str, at: int, date: int | None = None, *, our_clock: Moment | None = None
) -> IngestResult:
    """A poll answered at `at`; `date` is the router's own clock."""
    polled = payload(log, received_at=at, sender_time=date, format_hint="csv_log")
    return ingest(database, polled, our_clock or moment(at))


def push(database: Database, lines: str, at: int, our_clock: Moment | None = None) -> IngestResult:
    pushed = payload(lines, source=Source.MQTT, address="/isems/node/csvlog", received_at=at)
    return ingest(database, pushed, our_clock or moment(at))


def load(database: Database, log: str, at: int = NOON, our_clock: Moment | None = None) -> IngestResult:
    """An import of a file."""
    loaded = payload(log, source=Source.IMPORT, address="ffopenmppt.log", received_at=at, is_live=False)
    return ingest(database, loaded, our_clock or moment(at))


def counts(result: IngestResult) -> tuple[int, int, int, int, int]:
    return result.stored, result.duplicate, result.completed, result.rejected, result.undecided


def rows(database: Database, node: str) -> list[tuple[int, bool, int]]:
    """Time, whether it was repaired, and millivolts of a node's rows, in the order of time."""
    wanted = "SELECT measured_at, time_repaired, battery_millivolts FROM every_measurement WHERE node_id = :node"
    with database.read() as connection:
        found = connection.execute(text(f"{wanted} ORDER BY measured_at"), {"node": find_node(connection, node)})
        return [(row.measured_at, bool(row.time_repaired), row.battery_millivolts) for row in found]


def times(database: Database, node: str) -> list[int]:
    return [time for time, _, _ in rows(database, node)]


def rejections(database: Database) -> list[StoredRejection]:
    with database.read() as connection:
        return select_rejected(connection)


def log_of(name: str) -> list[str]:
    return read_file(f"openwrt/{name}/ffopenmppt.log").decode().splitlines()


def time_of(text: str) -> int:
    return int(float(text.split(";")[2]))


def text_of(lines: Sequence[str]) -> str:
    return "".join(f"{one}\n" for one in lines)


# A router that never has network time (the recorded log of OpenWrt)

JITTERS = {
    "punctual": [0] * 10,
    "up to a minute": [0, 62, 7, 31, 55, 2, 48, 62, 19, 0],
}


@pytest.mark.parametrize("jitter", JITTERS.values(), ids=JITTERS)
@pytest.mark.parametrize("is_growing", [True, False])
def test_a_wrong_clock_polled_ten_times_stores_its_rows_once(
    database: Database, jitter: list[int], is_growing: bool
) -> None:
    """`Date` is the router's clock when it answers; how long the request took is the jitter of receipt."""
    lines = log_of("OpenWrt")
    offset = NOON - IMAGE
    stored = 0
    for turn, delay in enumerate(jitter):
        log = lines[: 200 + 15 * turn] if is_growing else lines
        date = time_of(log[-1]) + 17 + (0 if is_growing else 900 * turn)
        result = poll(database, text_of(log), date + offset + delay, date)
        stored += result.stored
        assert result.rejected == result.undecided == 0
    assert stored == len(log)
    first = times(database, "OpenWrt")[0]
    assert times(database, "OpenWrt") == [time_of(one) - IMAGE + first for one in log]
    assert abs(first - NOON) <= CADENCE + 1


@pytest.mark.parametrize("age", [0, 20, 62])
def test_the_age_of_the_last_line_does_not_matter(sqlite: Database, age: int) -> None:
    """Polled at any moment of the router's cycle, as the schedule's jitter has it."""
    lines = log_of("OpenWrt")
    for turn in range(10):
        date = time_of(lines[100 + turn]) + (age + 7 * turn) % 63
        poll(sqlite, text_of(lines[: 101 + turn]), date + 90_000_000, date)
    assert times(sqlite, "OpenWrt") == [time_of(one) + 90_000_000 for one in lines[:110]]


def test_reading_a_wrong_log_again_stores_nothing_new_whatever_way_it_comes(database: Database) -> None:
    """Imported later, or polled when `Date` was missing: the rows are known under their repaired times."""
    lines = log_of("OpenWrt")
    poll(database, text_of(lines[:300]), NOON, time_of(lines[299]) + 17)
    without_date = poll(database, text_of(lines[:320]), NOON + 20 * CADENCE)
    imported = load(database, text_of(lines), NOON + 10_000_000)
    again = poll(database, text_of(lines), NOON + 56 * CADENCE, time_of(lines[-1]) + 17)
    assert counts(without_date) == (20, 300, 0, 0, 0)
    assert counts(imported) == (36, 320, 0, 0, 0)
    assert counts(again) == (0, 356, 0, 0, 0)
    offset = NOON - 17 - time_of(lines[299])
    assert times(database, "OpenWrt") == [time_of(one) + offset for one in lines]


def test_a_log_stored_before_its_clock_was_known_to_be_wrong_is_moved(database: Database) -> None:
    lines = log_of("OpenWrt")
    load(database, text_of(lines[:300]))
    assert times(database, "OpenWrt")[0] == IMAGE
    result = poll(database, text_of(lines[:310]), NOON, time_of(lines[309]) + 17)
    offset = NOON - 17 - time_of(lines[309])
    assert counts(result) == (10, 300, 0, 0, 0)
    assert times(database, "OpenWrt") == [time_of(one) + offset for one in lines[:310]]


def test_boots_that_repeat_the_same_range_are_both_kept(database: Database) -> None:
    """Every reboot begins at the image's date again, with other values."""
    boots = [[csv_line("OpenWrt", IMAGE + 61 * i, 1440 - i, volts) for i in range(100)] for volts in (12.1, 12.2, 12.3)]
    for day, lines in enumerate(boots):
        for end in (60, 80, 100):
            date = time_of(lines[end - 1]) + 20
            poll(database, text_of(lines[:end]), NOON + 86_400 * day + 61 * end, date)
    kept = rows(database, "OpenWrt")
    assert [volts for _, _, volts in kept] == [12100] * 100 + [12200] * 100 + [12300] * 100
    assert [time for time, _, _ in kept[100:200]] == [time + 86_400 for time, _, _ in kept[:100]]


def test_a_new_boot_without_a_controller_is_not_taken_for_the_last_one(database: Database) -> None:
    """The lines of a silent controller are all alike; `Date` tells the boots apart."""
    lines = text_of([line for line in log_of("OpenWrt") if ";ATmega" not in line][:50])
    first = time_of(lines)
    for day in (0, 1):
        poll(database, lines, NOON + 86_400 * day, time_of(lines.splitlines()[-1]) + 5)
    assert len(times(database, "OpenWrt")) == 100
    assert times(database, "OpenWrt")[50] - times(database, "OpenWrt")[0] == 86_400
    assert first < 1_600_000_000


@pytest.mark.parametrize("ahead", [3600, 86_400, 10 * 365 * 86_400])
def test_a_clock_ahead_is_repaired_by_date_and_refused_without(database: Database, ahead: int) -> None:
    lines = [csv_line("Ahead", NOON + ahead + 61 * i, 1440 - i, 12 + i / 100) for i in range(20)]
    alone = load(database, text_of(lines[:10]))
    assert counts(alone) == (0, 0, 0, 10, 0)
    assert {piece.reason for piece in rejections(database)} == {Reason.CLOCK_AHEAD}
    polled = poll(database, text_of(lines), NOON + 20 * 61, NOON + ahead + 20 * 61)
    assert counts(polled) == (20, 0, 0, 0, 0)
    assert times(database, "Ahead") == [NOON + 61 * i for i in range(20)]


# A step in the log (the recorded log of Gartenhaus-Süd)

GARDEN = "Gartenhaus-Süd"
STEP = 1_545_122_406


def garden_truth(lines: Sequence[str]) -> list[int]:
    """The true times: the seven lines before the step are one cadence apart, like all others."""
    return [STEP - 61 * (7 - index) if index < 7 else time_of(one) for index, one in enumerate(lines)]


def check_garden(database: Database, lines: Sequence[str], tolerance: int = CADENCE) -> None:
    found, truth = times(database, GARDEN), garden_truth(lines)
    assert len(found) == len(truth)
    assert max(abs(one - other) for one, other in zip(found, truth, strict=True)) <= tolerance


def garden_polls(ends: Sequence[int], delay: int = 0) -> Iterator[tuple[str, int, int]]:
    """Log, receipt and `Date` of polls after so many lines."""
    lines = log_of("Gartenhaus-Sued")
    truth = garden_truth(lines)
    for end in ends:
        yield text_of(lines[:end]), truth[end - 1] + 25 + delay, time_of(lines[end - 1]) + 25


def test_an_imported_step_is_repaired_within_one_cadence(database: Database) -> None:
    lines = log_of("Gartenhaus-Sued")
    assert counts(load(database, text_of(lines))) == (64, 0, 0, 0, 0)
    check_garden(database, lines)
    assert [repaired for _, repaired, _ in rows(database, GARDEN)] == [True] * 7 + [False] * 57
    assert counts(load(database, text_of(lines))) == (0, 64, 0, 0, 0)


@pytest.mark.parametrize("delay", [0, 30])
@pytest.mark.parametrize("ends", [(64,), (3, 64), (3, 7, 8, 64), (7, 9, 30), (1, 2, 3, 4, 5, 6, 7, 8, 9)])
def test_a_step_between_polls_moves_no_row_twice(sqlite: Database, ends: tuple[int, ...], delay: int) -> None:
    for log, at, date in garden_polls(ends, delay):
        result = poll(sqlite, log, at, date)
        assert result.rejected == 0
    check_garden(sqlite, log_of("Gartenhaus-Sued")[: ends[-1]])


def test_rows_stored_before_the_step_was_seen_are_moved_not_doubled(database: Database) -> None:
    """Imported, or polled without `Date`, while the log held nothing but wrong times."""
    lines = log_of("Gartenhaus-Sued")
    load(database, text_of(lines[:5]))
    poll(database, text_of(lines[:7]), STEP - 10)
    assert times(database, GARDEN) == [time_of(one) for one in lines[:7]]
    load(database, text_of(lines[:20]))
    check_garden(database, lines[:20])
    for log, at, date in garden_polls((64,)):
        poll(database, log, at, date)
    check_garden(database, lines)


def test_a_poll_between_the_step_and_the_next_line_is_mended_by_the_next_poll(database: Database) -> None:
    """`Date` is right already, every line is wrong still: it says nothing about them."""
    lines = log_of("Gartenhaus-Sued")
    poll(database, text_of(lines[:7]), STEP - 5, STEP - 5)
    poll(database, text_of(lines[:8]), STEP + 5, STEP + 5)
    check_garden(database, lines[:8])


def test_the_same_gap_before_a_power_cut_is_late_and_not_moved(sqlite: Database) -> None:
    """The log before the battery was empty, and the one after the reboot, in either order."""
    before = read_file("openwrt/Gartenhaus-Sued/snapshots/last-before-low-voltage/ffopenmppt.log").decode()
    after = text_of(log_of("Gartenhaus-Sued"))
    assert counts(load(sqlite, after)) == (64, 0, 0, 0, 0)
    assert counts(load(sqlite, before)) == (1705, 0, 0, 0, 0)
    assert times(sqlite, GARDEN)[:1705] == [time_of(one) for one in before.splitlines()]


def test_a_step_back_of_an_hour_is_repaired_without_loss(database: Database) -> None:
    ahead = [csv_line("Back", NOON + 3600 + 61 * i, 1440 - i, 12 + i / 100) for i in range(30)]
    right = [csv_line("Back", NOON + 61 * i, 1440 - i, 12 + i / 100) for i in range(30, 60)]
    load(database, text_of(ahead), NOON + 90_000)
    load(database, text_of(ahead + right), NOON + 90_000)
    assert times(database, "Back") == [NOON + 61 * i for i in range(60)]
    assert [volts for _, _, volts in rows(database, "Back")] == [12_000 + 10 * i for i in range(60)]


def test_moving_a_wrong_run_leaves_true_rows_before_it_alone(database: Database) -> None:
    """A router whose clock fell back into a range of which true rows are stored: only its own lines are moved."""
    true = [csv_line("Back", NOON + 61 * i, 900 - i, 13) for i in range(100)]
    poll(database, text_of(true), NOON + 99 * 61 + 5, NOON + 99 * 61 + 5)
    behind = [csv_line("Back", NOON + 3000 + 17 + 61 * i, 1440 - i, 12) for i in range(20)]
    load(database, text_of(behind[:10]), NOON + 90_000)
    poll(database, text_of(behind), NOON + 86_400 + 19 * 61, NOON + 3017 + 19 * 61)
    kept = rows(database, "Back")
    assert [time for time, _, volts in kept if volts == 13_000] == [NOON + 61 * i for i in range(100)]
    assert [time for time, _, volts in kept if volts == 12_000] == [NOON + 86_400 + 61 * i for i in range(20)]


def test_a_repeated_second_with_other_content_is_a_conflict_and_overwrites_nothing(database: Database) -> None:
    """Kleingarten: 1561989570 twice, by a small step of its clock."""
    lines = [csv_line("Kleingarten", 1561989570, 900, 12.1), csv_line("Kleingarten", 1561989570, 899, 12.2)]
    assert counts(load(database, text_of(lines))) == (1, 0, 0, 1, 0)
    assert counts(load(database, text_of(lines))) == (0, 1, 0, 1, 0)
    assert rows(database, "Kleingarten") == [(1561989570, False, 12100)]
    (conflict,) = rejections(database)
    assert (conflict.reason, conflict.raw.decode(), conflict.times) == (Reason.CONFLICT, lines[1], 2)


# Boards (recorded messages)

UNCONFIGURED = "FF-ESP-Unconfigured-0xb4e62d9f1c3a"
BOOTED_AT = 1_608_595_200


def test_a_board_without_network_time_is_never_off_by_more_than_one_cadence(database: Database) -> None:
    """Ten minutes of seconds since boot, then network time in the middle of a message."""
    stored = 0
    for record in list(read_records("esp32/FF-ESP-Unconfigured.mqtt.jsonl"))[:30]:
        stored += push(database, str(record["payload"]), int(str(record["t"]))).stored
    found = rows(database, UNCONFIGURED)
    assert stored == len(found)
    truth = [BOOTED_AT + 5 + 15 * index for index in range(len(found))]
    assert max(abs(time - true) for (time, _, _), true in zip(found, truth, strict=True)) <= 15
    assert [repaired for _, repaired, _ in found] == [True] * 40 + [False] * (len(found) - 40)


def test_a_boards_believed_times_are_stored_as_sent(sqlite: Database) -> None:
    """Deep sleep, reboots and an outage of the broker move nothing."""
    sent: set[int] = set()
    for record in list(read_records("esp32/FF-ESP-Unconfigured.mqtt.jsonl"))[10::20]:
        lines = str(record["payload"])
        sent |= {time_of(one) for one in lines.splitlines()}
        push(sqlite, lines, int(str(record["t"])))
    assert times(sqlite, UNCONFIGURED) == sorted(sent)


def test_a_message_delivered_twice_before_network_time_is_stored_once(database: Database) -> None:
    first = next(read_records("esp32/FF-ESP-Unconfigured.mqtt.jsonl"))
    at = int(str(first["t"]))
    push(database, str(first["payload"]), at)
    assert counts(push(database, str(first["payload"]), at + 14)) == (0, 5, 0, 0, 0)


def test_a_boot_that_begins_like_the_last_one_is_not_taken_for_it_while_nobody_knows_the_time(
    database: Database,
) -> None:
    """The first lines of two boots may be equal to the last digit; while our clock is wrong they wait."""
    lines = text_of([csv_line("Board", at, 3600, firmware=BOARD) for at in (5, 20, 35, 50)])
    push(database, lines, NOON)
    assert counts(push(database, lines, STALE, untrusted(STALE, 10))) == (0, 0, 0, 0, 4)
    assert counts(load(database, lines)) == (0, 0, 0, 4, 0)


def test_two_boots_of_a_board_are_kept_apart_though_their_lines_are_equal(database: Database) -> None:
    lines = text_of([csv_line("Board", at, 3600, firmware=BOARD) for at in (5, 20, 35)])
    assert counts(push(database, lines, NOON)) == (3, 0, 0, 0, 0)
    assert counts(push(database, lines, NOON + 600)) == (3, 0, 0, 0, 0)
    assert times(database, "Board") == [NOON - 30, NOON - 15, NOON, NOON + 570, NOON + 585, NOON + 600]


# What must not block anything


def test_one_line_of_2038_hides_no_real_line(database: Database) -> None:
    """Defect 11: after one line of 2038 the next ten were dropped; here they are stored, and it is not."""
    lines = [measurement(at=NOON - 660)]
    lines += [measurement(at=2_145_916_800), *minutes(10, first=NOON - 600)]
    result = ingest(database, log_payload(lines, received_at=NOON), moment(NOON))
    assert counts(result) == (11, 0, 0, 1, 0)
    assert max(times(database, "Elektra-Dach")) <= NOON
    assert ingest(database, log_payload(minutes(5, first=NOON + 60)), moment(NOON + 300)).stored == 5


def test_late_lines_are_stored_in_whatever_order_they_come(database: Database) -> None:
    """Defect 12: what was older than the newest was dropped, a line out of order as well as a backlog of sixty."""
    for offset in (0, 120, 60):
        assert ingest(database, log_payload([measurement(at=NOON + offset)]), moment(NOON + 200)).stored == 1
    backlog = minutes(60, first=NOON - 7200)
    mixed = log_payload([measurement(at=NOON + 180), *backlog], received_at=NOON + 200)
    assert ingest(database, mixed, moment(NOON + 200)).stored == 61


def test_a_forged_line_in_the_future_does_not_block_the_node_it_names(database: Database) -> None:
    """Defect 13: node `bad` sent a line of `other` ten years ahead, and the real lines of `other` were dropped."""
    lines = text_of([csv_line("bad", NOON), csv_line("other", NOON + 315_360_000)])
    assert counts(push(database, lines, NOON)) == (1, 0, 0, 1, 0)
    assert counts(push(database, csv_line("other", NOON + 60), NOON + 60)) == (1, 0, 0, 0, 0)


def test_nodes_in_one_payload_are_judged_each_by_itself(database: Database) -> None:
    """Defects 14 and 15: the line of a second node behind the first was lost, or all if one was known already."""
    assert counts(push(database, text_of([csv_line("a", NOON), csv_line("b", NOON - 3660)]), NOON)) == (2, 0, 0, 0, 0)
    again = push(database, text_of([csv_line("c", NOON), csv_line("b", NOON - 3660), csv_line("b", NOON)]), NOON)
    assert counts(again) == (2, 1, 0, 0, 0)
    assert again.nodes == ["c", "b"]


@pytest.mark.parametrize("size", [1, 15, 240])
def test_the_hour_that_local_time_repeats_is_stored_whole(sqlite: Database, size: int) -> None:
    """Defects 16 and 17: of four hours around 2026-10-25 01:00 UTC an hour was lost, in one batch all of them."""
    lines = minutes(240, first=1_792_880_400)
    for end in range(size, 241, size):
        log = lines[end - size : end] if size == 1 else lines[max(0, end - 100) : end] if size == 15 else lines
        assert ingest(sqlite, log_payload(log), moment(1_792_900_000)).rejected == 0
    assert times(sqlite, "Elektra-Dach") == [m.measured_at for m in lines]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("abc", Reason.TIME_UNREADABLE),
        ("1e20", Reason.TIME_UNREADABLE),
        ("100000000000000000000", Reason.TIME_UNREADABLE),
        (" 1_768_003_200 ", Reason.TIME_UNREADABLE),
        (f"{NOON}000", Reason.CLOCK_AHEAD),
        ("0", Reason.PLACEHOLDER),
        ("-1", Reason.CLOCK_UNSET),
        ("123456789", Reason.CLOCK_UNSET),
    ],
)
def test_a_time_that_is_none_is_rejected_with_its_reason_and_harms_no_other(
    database: Database, sent: str, reason: Reason
) -> None:
    """Defects 9 and 10: such a time ended the program, or was stored as one of 1970."""
    bad = csv_line("a", sent)
    assert counts(load(database, text_of([csv_line("a", NOON - 60), bad, csv_line("a", NOON)]))) == (2, 0, 0, 1, 0)
    assert [(piece.reason, piece.raw.decode()) for piece in rejections(database)] == [(reason, bad)]


def test_a_fraction_of_a_second_is_cut(database: Database) -> None:
    """Defect 9: 1768003200.5 ended the program; it is a time."""
    load(database, text_of([csv_line("a", "1768003200.5"), csv_line("a", f"{NOON}.0")]), 1_768_003_300)
    assert times(database, "a") == [NOON, 1768003200]


class CountedList(list[Measurement]):
    """Counts how often it is walked through."""

    walks = 0

    def __iter__(self) -> Iterator[Measurement]:
        self.walks += 1
        return super().__iter__()


@pytest.mark.parametrize("nodes", [2, 100])
def test_a_payload_is_not_walked_through_once_for_each_node_it_names(sqlite: Database, nodes: int) -> None:
    """Thousands of names in one payload must not cost the square of their number."""
    read = read_payload(payload(text_of([csv_line(f"node {i}", NOON) for i in range(nodes)]))).parsed
    measurements = CountedList(read.measurements)
    with sqlite.write() as connection:
        arrival = Arrival(payload(), Parsed(measurements, read.raws, []))
        (result,) = store_all(connection, [arrival], moment(NOON, is_trusted=False))
    assert (result.stored, len(result.nodes)) == (nodes, nodes)
    assert measurements.walks <= 3


# Our own clock

#: What a small computer without a clock of its own believes after a power cut.
STALE = 1_700_000_000


def untrusted(now: int, uptime: int, boot: str = "boot-1") -> Moment:
    return moment(now, is_trusted=False, boot=boot, uptime=uptime)


def waiting_bytes(database: Database) -> int:
    with database.read() as connection:
        return count_bytes(connection)


def delivered_at(database: Database, node: str) -> int | None:
    with database.read() as connection:
        found: int | None = connection.execute(
            select(schema.node.c.delivered_at).where(schema.node.c.name == node)
        ).scalar()
        return found


def test_what_an_untrusted_clock_would_have_to_stamp_waits(database: Database) -> None:
    lines = text_of([csv_line("Board", at, firmware=BOARD) for at in (5, 20, 35)])
    assert counts(push(database, lines, STALE, untrusted(STALE, 100))) == (0, 0, 0, 0, 3)
    assert rejections(database) == []
    assert waiting_bytes(database) == len(lines.rstrip())


def test_lines_ahead_of_an_untrusted_clock_wait_and_others_are_stored(database: Database) -> None:
    lines = [csv_line("a", at, 900 - i) for i, at in enumerate((STALE - 120, STALE - 60, NOON - 60, NOON))]
    result = push(database, text_of(lines), STALE, untrusted(STALE, 100))
    assert counts(result) == (2, 0, 0, 0, 2)
    assert times(database, "a") == [STALE - 120, STALE - 60]


def test_what_waited_is_judged_by_when_it_really_came(database: Database) -> None:
    """The clock steps by months; the uptime does not: thirty seconds passed since the message."""
    push(database, text_of([csv_line("Board", at, firmware=BOARD) for at in (5, 20, 35)]), STALE, untrusted(STALE, 100))
    push(database, csv_line("Router", NOON - 50, 900), STALE + 1, untrusted(STALE + 1, 101))
    result = judge_undecided(database, moment(NOON, uptime=130))
    assert counts(result) == (4, 0, 0, 0, 0)
    assert times(database, "Board") == [NOON - 60, NOON - 45, NOON - 30]
    assert times(database, "Router") == [NOON - 50]
    assert waiting_bytes(database) == 0


def test_the_time_between_receipt_and_storing_is_not_lost(database: Database) -> None:
    """A poll may take half a minute before its answer is stored."""
    lines = csv_line("Board", 35, firmware=BOARD)
    push(database, lines, STALE, untrusted(STALE + 25, 125))
    judge_undecided(database, moment(NOON, uptime=130))
    assert times(database, "Board") == [NOON - 30]


def test_a_polled_log_that_waited_is_repaired_by_its_date(database: Database) -> None:
    """Its clock is an hour ahead of the true time; ours was months behind."""
    lines = text_of([csv_line("a", NOON + 3600 + 61 * i, 900 - i) for i in range(5)])
    poll(database, lines, STALE, NOON + 3600 + 250, our_clock=untrusted(STALE, 100))
    judge_undecided(database, moment(NOON + 250 + 1000, uptime=1100))
    assert times(database, "a") == [NOON + 61 * i for i in range(5)]


def test_nothing_is_judged_before_our_clock_is_trusted(database: Database) -> None:
    push(database, csv_line("Board", 5, firmware=BOARD), STALE, untrusted(STALE, 100))
    before = waiting_bytes(database)
    assert judge_undecided(database, untrusted(STALE + 60, 160)).records == 0
    assert waiting_bytes(database) == before > 0


def test_after_a_reboot_nobody_knows_when_it_came(database: Database) -> None:
    """What carries its own time is stored, seconds since boot are refused, and both are no longer live."""
    push(database, csv_line("Board", 5, firmware=BOARD), STALE, untrusted(STALE, 100))
    push(database, csv_line("Router", NOON - 5000, 900), STALE, untrusted(STALE, 100))
    result = judge_undecided(database, moment(NOON, boot="boot-2", uptime=50))
    assert counts(result) == (1, 0, 0, 1, 0)
    assert times(database, "Router") == [NOON - 5000]
    assert [piece.reason for piece in rejections(database)] == [Reason.CLOCK_UNSET]
    assert delivered_at(database, "Router") is None


def test_a_line_ahead_of_the_true_time_is_refused_once_that_is_known(database: Database) -> None:
    push(database, csv_line("a", NOON + 9000, 900), STALE, untrusted(STALE, 100))
    assert counts(judge_undecided(database, moment(NOON, uptime=130))) == (0, 0, 0, 1, 0)


def test_a_node_that_agrees_makes_our_clock_trusted_until_the_next_boot(database: Database) -> None:
    board = csv_line("Board", 20, firmware=BOARD)
    assert push(database, board, NOON, untrusted(NOON, 100)).undecided == 1
    assert counts(push(database, csv_line("Router", NOON - 200, 900), NOON, untrusted(NOON, 101))) == (1, 0, 0, 0, 0)
    assert judge_undecided(database, untrusted(NOON + 60, 160)).stored == 1
    assert push(database, csv_line("Other", 20, firmware=BOARD), NOON + 70, untrusted(NOON + 70, 170)).stored == 1
    assert push(database, board, NOON + 700, untrusted(NOON + 700, 10, "boot-2")).undecided == 1


@pytest.mark.parametrize("date", [NOON + 290, None])
def test_a_routers_date_confirms_our_clock_though_its_lines_are_old(database: Database, date: int | None) -> None:
    """Without the header its newest line is the witness, and that is an hour old."""
    poll(database, csv_line("Router", NOON - 3600, 900), NOON, date, our_clock=untrusted(NOON, 100))
    board = push(database, csv_line("Board", 20, firmware=BOARD), NOON, untrusted(NOON, 100))
    assert (board.stored, board.undecided) == ((1, 0) if date else (0, 1))


def test_a_file_never_confirms_our_clock(database: Database) -> None:
    load(database, csv_line("Router", NOON, 900), NOON, untrusted(NOON, 100))
    assert push(database, csv_line("Board", 20, firmware=BOARD), NOON, untrusted(NOON, 100)).undecided == 1


def test_a_delivery_is_not_stamped_by_an_untrusted_clock(database: Database) -> None:
    """A stamp in the future would keep a silent node active for years."""
    wrong = NOON + 10 * 365 * 86_400
    push(database, csv_line("a", NOON, 900), wrong, untrusted(wrong, 100))
    assert delivered_at(database, "a") is None
    push(database, csv_line("a", NOON + 60, 899), NOON + 60)
    assert delivered_at(database, "a") == NOON + 60


def test_rows_stored_as_sent_under_an_untrusted_clock_are_moved_when_it_is_right(database: Database) -> None:
    """The router's clock was behind ours, so it was believed; `Date` is a proof only later."""
    lines = [csv_line("a", IMAGE + 61 * i, 1440 - i, 12 + i / 100) for i in range(20)]
    poll(database, text_of(lines[:10]), STALE, IMAGE + 560, our_clock=untrusted(STALE, 100))
    assert times(database, "a")[0] == IMAGE
    poll(database, text_of(lines), NOON, IMAGE + 19 * 61)
    assert times(database, "a") == [NOON - 61 * i for i in range(19, -1, -1)]


def test_when_no_more_can_wait_the_source_is_told_and_nothing_is_dropped(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isems.ingest.storing, "insert_undecided", partial(insert_undecided, max_bytes=300))
    boards = [csv_line(f"Board {i}", 5, firmware=BOARD) for i in range(4)]
    for one in boards[:2]:
        push(database, one, STALE, untrusted(STALE, 100))
    before = waiting_bytes(database)
    with pytest.raises(StorageError, match="set the clock"):
        push(database, text_of([boards[2], csv_line("Right", STALE - 4000), boards[3]]), STALE, untrusted(STALE, 101))
    assert waiting_bytes(database) == before
    assert times(database, "Right") == []  # the whole payload is asked for again
    assert judge_undecided(database, moment(NOON, uptime=130)).stored == 2


def test_waiting_input_that_cannot_be_judged_keeps_no_other_waiting(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A newer program may have left a payload in a format that this one does not know."""
    foreign = Payload(
        data=b"?", source=Source.PUSH, address="newer", received_at=STALE, format_hint="of a newer program"
    )
    with database.write() as connection:
        insert_undecided(connection, foreign, Uptime("boot-1", 99))
    push(database, csv_line("Board", 5, firmware=BOARD), STALE, untrusted(STALE, 100))
    assert judge_undecided(database, moment(NOON, uptime=130)).stored == 1
    assert waiting_bytes(database) == len(foreign.data)
    assert "newer: input that waits could not be judged" in caplog.text


# Any router


class Router(msgspec.Struct):
    """A router in truth: one line each 61 s, a clock that is wrong until it is set before line `step`."""

    offset: int
    step: int
    has_counter: bool

    def line(self, index: int) -> str:
        counter = 9000 - (61 * index) // 60 if self.has_counter else 0
        return csv_line("Any", self.clock(self.truth(index), index), counter, 11 + index / 1000)

    def clock(self, true: int, index: int) -> int:
        return true if index >= self.step else true - self.offset

    @staticmethod
    def truth(index: int) -> int:
        return NOON + 61 * index


ROUTERS = st.builds(
    Router,
    st.one_of(st.integers(700, 3 * 10**8), st.integers(-3 * 10**8, -700)),
    st.integers(1, 60),
    st.booleans(),
)
POLLS = st.lists(st.tuples(st.integers(1, 15), st.integers(0, 55), st.integers(0, 60)), min_size=3, max_size=6)


@settings(max_examples=25)
@given(ROUTERS, POLLS)
@example(Router(-700, 3, has_counter=False), [(1, 0, 0), (1, 0, 0), (2, 0, 0)])
def test_whatever_a_routers_clock_each_line_is_stored_once_near_its_true_time_or_kept_aside(
    router: Router, polls: list[tuple[int, int, int]]
) -> None:
    """Any offset, any poll times, a request that takes up to a minute, a clock that is set on the way."""
    if not router.has_counter:
        router.step = max(router.step, polls[0][0])  # else nothing ever proves the lines before the step wrong
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/isems.db")
        end = 0
        for more, age, delay in polls:
            end += more
            log = text_of([router.line(index) for index in range(end)])
            at = router.truth(end - 1) + age
            poll(database, log, at + delay, router.clock(at, end - 1))
        found = [(volts - 11_000, time) for time, _, volts in rows(database, "Any")]
        refused = [piece.raw.decode() for piece in rejections(database)]
        database.close()
    unproved = set(range(end)) - {index for index, _ in found}
    assert len(found) + len(unproved) == end
    assert {router.line(index) for index in unproved} <= set(refused)
    assert not unproved or is_hardly_seen(router, polls)
    assert all(abs(time - router.truth(index)) <= 2 * CADENCE for index, time in found)


def is_hardly_seen(router: Router, polls: list[tuple[int, int, int]]) -> bool:
    """Whether fewer than three lines were stored before the step: too few to know a run again, without a counter."""
    ends = list(accumulate(more for more, _, _ in polls))
    return not router.has_counter and max((end for end in ends if end <= router.step), default=0) < 3


# Several at once


def test_several_payloads_are_stored_together_each_with_its_own_counts(database: Database) -> None:
    logs = [log_payload(minutes(count)) for count in (3, 5, 0)]
    first, second, third = ingest_all(database, logs, moment(NOON + 300))
    assert isinstance(first, IngestResult)
    assert isinstance(second, IngestResult)
    assert isinstance(third, IngestResult)
    assert (first.stored, second.stored + second.duplicate, third.stored, third.rejected) == (3, 5, 0, 1)


def test_a_live_duplicate_beside_news_that_waited_is_no_delivery(sqlite: Database) -> None:
    first = push(sqlite, csv_line("a", NOON), NOON)
    assert first.stored == 1
    waited = payload(csv_line("a", NOON - 60), received_at=NOON + 7200, is_live=False)
    live = payload(csv_line("a", NOON), received_at=NOON + 7200)
    results = ingest_all(sqlite, [live, waited], moment(NOON + 7200))
    assert [counts(one)[:2] for one in results if isinstance(one, IngestResult)] == [(0, 1), (1, 0)]
    assert delivered_at(sqlite, "a") == NOON


def test_a_payload_that_fails_harms_no_other(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(payload: Payload) -> Arrival:
        if payload.data == b"bad":
            raise ZeroDivisionError("oops")
        return read_payload(payload)

    monkeypatch.setattr(isems.ingest.storing, "read_payload", read)
    good = log_payload(minutes(4))
    bad = log_payload([])
    bad = msgspec.structs.replace(bad, data=b"bad")
    results = ingest_all(sqlite, [good, bad, good], moment(NOON + 300))
    assert [counts(one) for one in results if isinstance(one, IngestResult)] == [(4, 0, 0, 0, 0), (0, 4, 0, 0, 0)]
    assert isinstance(results[1], ZeroDivisionError)


def test_mixed_nodes_of_which_one_is_known_note_only_the_others_as_delivering(sqlite: Database) -> None:
    lines = [csv_line(name, NOON) for name in ("a", "b", "c")]
    assert counts(push(sqlite, text_of(lines), NOON)) == (3, 0, 0, 0, 0)
    assert counts(push(sqlite, text_of([*lines, csv_line("c", NOON + 60)]), NOON + 7200)) == (1, 3, 0, 0, 0)
    assert [delivered_at(sqlite, name) for name in ("a", "b", "c")] == [NOON, NOON, NOON + 7200]
