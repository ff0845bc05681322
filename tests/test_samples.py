"""Samples without a time, and lines whose clock was not set: stored, waiting, or rejected, on real databases."""

import json
from collections import Counter

import pytest

from isems.domain.clock import Moment
from isems.domain.payload import Payload, Source
from isems.ingest import IngestResult, WaitingInput, ingest, judge_undecided, settle_expired
from isems.storage import backlog
from isems.storage.database import Database
from isems.storage.rejected import select_rejected
from tests.samples import NOON, moment
from tests.test_ingest import counts, csv_line, rows, times

HOUR = 3600
BOARD = "FF-ESP-1A"


def sample(ticks: int, volts: float = 12.5) -> bytes:
    return json.dumps({"batteryVoltage": volts, "status": "500", "timeToShutdown": ticks}).encode()


def message(data: bytes | str, at: int, **changes: object) -> Payload:
    raw = data.encode() if isinstance(data, str) else data
    values = {"source": Source.MQTT, "address": "isems/a/data.json", "received_at": at, "node_hint": "a", **changes}
    return Payload(data=raw, **values)  # type: ignore[arg-type]


def live(
    database: Database, data: bytes | str, at: int, clock: Moment | None = None, **changes: object
) -> IngestResult:
    return ingest(database, message(data, at, **changes), clock or moment(at))


def queued(
    database: Database, data: bytes | str, at: int, clock: Moment | None = None, **changes: object
) -> IngestResult:
    """What waited in the broker and comes at `at`."""
    return ingest(database, message(data, at, is_live=False, is_queued=True, **changes), clock or moment(at))


def line(at: object, ticks: int, volts: float = 12.4) -> str:
    return csv_line("a", at, ticks, volts, BOARD)


def reasons(database: Database) -> dict[str, int]:
    counted: Counter[str] = Counter()
    with database.read() as connection:
        for one in select_rejected(connection):
            counted[one.reason] += one.times
    return dict(counted)


def waiting(database: Database) -> int:
    with database.read() as connection:
        return backlog.count_backlog(connection)


def test_a_live_sample_is_stored_when_it_came_and_once(database: Database) -> None:
    assert counts(live(database, sample(3000), NOON)) == (1, 0, 0, 0, 0)
    assert counts(live(database, sample(3000), NOON + 5, is_redelivered=True)) == (0, 1, 0, 0, 0)
    assert counts(live(database, sample(2996), NOON + 65)) == (1, 0, 0, 0, 0)
    assert rows(database, "a") == [(NOON, False, 12500), (NOON + 65, False, 12500)]


def test_two_samples_of_one_second_are_both_kept(database: Database) -> None:
    live(database, sample(3000), NOON)
    live(database, sample(700, 13.0), NOON)
    assert rows(database, "a") == [(NOON, False, 12500), (NOON + 1, False, 13000)]


@pytest.mark.parametrize("is_record_first", [True, False])
def test_a_record_wins_over_the_sample_of_its_cycle_whichever_comes_first(
    database: Database, is_record_first: bool
) -> None:
    arrivals = [(line(NOON - 5, 3001), "csv"), (sample(3000), "json")]
    for data, _ in arrivals if is_record_first else reversed(arrivals):
        live(database, data, NOON)
    assert rows(database, "a") == [(NOON - 5, False, 12400)]


WAYS = {
    "polled": {"source": Source.POLL, "address": "10.0.0.1", "node_hint": None},
    "published": {"source": Source.MQTT},
    "pushed": {"source": Source.PUSH, "address": "10.0.0.9"},
    "imported": {"source": Source.IMPORT, "is_live": False, "node_hint": None},
}


#: Each of them first, and each before and after each other.
ROUND = ("polled", "published", "pushed", "imported", "sample")
ORDERS = [one[n:] + one[:n] for one in (ROUND, ROUND[::-1]) for n in range(len(ROUND))]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_same_measurement_is_stored_once_by_whatever_ways_it_comes(order: tuple[str, ...], sqlite_url: str) -> None:
    """Polled and pushing at once it is one node."""
    database = Database(sqlite_url)
    for way in order:
        data = sample(3000) if way == "sample" else line(NOON - 5, 3001)
        live(database, data, NOON, **WAYS.get(way, {}))
    assert rows(database, "a") == [(NOON - 5, False, 12400)]
    assert reasons(database) == {}
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM node").scalar() == 1
    database.close()


def test_a_record_takes_its_second_from_a_sample_that_was_given_it(database: Database) -> None:
    live(database, sample(3000), NOON)
    assert counts(live(database, line(NOON, 2000), NOON + 1)) == (1, 0, 0, 0, 0)
    assert rows(database, "a") == [(NOON, False, 12400), (NOON + 1, False, 12500)]


def test_a_sample_that_differs_in_the_same_tick_is_kept_as_a_conflict(database: Database) -> None:
    live(database, sample(3000), NOON)
    assert counts(live(database, sample(3000, 13.3), NOON + 10)) == (0, 0, 0, 1, 0)
    assert reasons(database) == {"conflict": 1}


def test_a_retained_sample_is_never_live_and_waits_for_nothing(database: Database) -> None:
    assert counts(ingest(database, message(sample(3000), NOON, is_live=False), moment(NOON))) == (0, 0, 0, 1, 0)
    assert reasons(database) == {"no_time": 1}


def test_what_waited_is_timed_by_the_next_sample(database: Database) -> None:
    for ticks in (3000, 2996, 2992):
        assert counts(queued(database, sample(ticks), NOON)) == (0, 0, 0, 0, 1)
    assert times(database, "a") == []
    assert counts(live(database, sample(2988), NOON + 60)) == (4, 0, 0, 0, 0)
    assert rows(database, "a") == [(NOON + 60 * n, n < 1, 12500) for n in (-2, -1, 0, 1)]
    assert waiting(database) == 0


def test_what_waited_is_timed_by_the_next_record_though_that_waited_too(database: Database) -> None:
    queued(database, sample(3000), NOON)
    queued(database, line(NOON - 600, 2981), NOON)
    assert times(database, "a") == [NOON - 900, NOON - 600]


def test_a_sample_that_waited_and_its_record_are_one(database: Database) -> None:
    queued(database, sample(3000), NOON)
    queued(database, line(NOON - 600, 3001), NOON)
    assert rows(database, "a") == [(NOON - 600, False, 12400)]


def test_a_broker_that_sends_its_queue_again_adds_nothing(database: Database) -> None:
    """The process died while it received the backlog: the first messages come again, behind what waits already."""
    for ticks in (3000, 2996, 3000, 2996, 2992):
        queued(database, sample(ticks), NOON)
    assert waiting(database) == 3
    live(database, sample(2988), NOON + 60)
    assert times(database, "a") == [NOON - 120, NOON - 60, NOON, NOON + 60]
    assert reasons(database) == {}


def test_after_a_reboot_what_came_before_is_told_by_the_last_known_sample_or_not_at_all(database: Database) -> None:
    live(database, sample(1004), NOON)
    queued(database, sample(1000), NOON + HOUR)  # closely follows what is known
    queued(database, sample(900), NOON + HOUR)  # does not
    assert counts(queued(database, sample(3596), NOON + HOUR)) == (1, 0, 0, 1, 1)
    live(database, sample(3590), NOON + HOUR + 10)
    assert times(database, "a") == [NOON, NOON + 60, NOON + HOUR + 10 - 90, NOON + HOUR + 10]
    assert reasons(database) == {"no_time": 1}


def test_a_board_that_crashes_again_and_again_is_not_taken_for_one_sample(database: Database) -> None:
    for volts in (12.1, 12.2, 12.3):
        queued(database, sample(3596, volts), NOON)
    live(database, sample(3592), NOON + 30)
    assert times(database, "a") == [NOON - 30, NOON + 30]
    assert reasons(database) == {"no_time": 2}


def test_where_the_counter_stands_still_a_sample_that_waited_is_rejected_with_its_reason(database: Database) -> None:
    assert counts(queued(database, sample(0), NOON)) == (0, 0, 0, 1, 0)
    with database.read() as connection:
        (kept,) = select_rejected(connection)
    assert (kept.reason, kept.node) == ("no_time", "a")
    assert "counter does not run" in kept.detail
    assert kept.raw == sample(0)


def test_what_waits_for_a_node_that_stays_silent_ends_as_rejected_when_its_boot_must_have_ended(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    queued(database, sample(240), NOON)  # an hour
    keeper = WaitingInput(database)
    keeper.judge(moment(NOON + HOUR))
    assert waiting(database) == 1
    keeper.judge(moment(NOON + 2 * HOUR + 1))
    assert (waiting(database), reasons(database)) == (0, {"no_time": 1})
    assert "0 were stored and 1 rejected" in caplog.text


def test_what_began_to_wait_under_a_wrong_clock_does_not_end_by_it(database: Database) -> None:
    wrong = moment(NOON - 90 * 86_400, is_trusted=False)
    queued(database, sample(240), wrong.now, wrong)
    assert settle_expired(database, moment(NOON)).records == 0
    live(database, sample(236), NOON)
    assert times(database, "a") == [NOON - 60, NOON]


def test_a_live_sample_waits_for_our_clock_and_is_then_stored_when_it_came(database: Database) -> None:
    wrong = moment(NOON - 90 * 86_400, is_trusted=False, uptime=100)
    assert counts(live(database, sample(3000), wrong.now, wrong)) == (0, 0, 0, 0, 1)
    assert judge_undecided(database, moment(NOON, uptime=400)).stored == 1
    assert rows(database, "a") == [(NOON - 300, False, 12500)]


def test_a_sample_that_waited_through_a_reboot_of_ours_is_timed_by_its_node(database: Database) -> None:
    wrong = moment(NOON - 90 * 86_400, is_trusted=False)
    live(database, sample(3000), wrong.now, wrong)
    assert counts(judge_undecided(database, moment(NOON, boot="boot-2"))) == (0, 0, 0, 0, 1)
    live(database, sample(2980), NOON)
    assert times(database, "a") == [NOON - 300, NOON]


OURS_WRONG = NOON - 90 * 86_400


@pytest.mark.parametrize("behind", [(2992, 2988), (2975, 2971)], ids=["close", "far"])
def test_what_came_behind_live_samples_is_timed_when_our_clock_is_right(
    database: Database, behind: tuple[int, ...]
) -> None:
    """Samples come live, the connection breaks, the broker keeps what follows; all that under a wrong clock."""
    for at, ticks in ((0, 3000), (60, 2996)):
        wrong = moment(OURS_WRONG + at, is_trusted=False, uptime=100 + at)
        live(database, sample(ticks), wrong.now, wrong)
    for ticks in behind:
        wrong = moment(OURS_WRONG + 500, is_trusted=False, uptime=600)
        queued(database, sample(ticks), wrong.now, wrong)
    assert judge_undecided(database, moment(NOON, uptime=700)).rejected == 0
    live(database, sample(2960), NOON)
    assert times(database, "a") == [NOON - 15 * (ticks - 2960) for ticks in (3000, 2996, *behind, 2960)]
    assert (waiting(database), reasons(database)) == (0, {})


def test_what_came_before_a_live_sample_is_timed_by_it_and_only_the_rest_waits(database: Database) -> None:
    wrong = moment(OURS_WRONG, is_trusted=False, uptime=100)
    queued(database, sample(3020), wrong.now, wrong)
    live(database, sample(3000), wrong.now, wrong)
    queued(database, sample(2992), wrong.now, wrong)
    assert judge_undecided(database, moment(NOON, uptime=700)).stored == 2
    assert waiting(database) == 1
    assert times(database, "a") == [NOON - 900, NOON - 600]


def test_what_came_behind_live_samples_is_timed_across_a_reboot_of_ours(database: Database) -> None:
    wrong = moment(OURS_WRONG, is_trusted=False)
    for ticks in (3000, 2996):
        live(database, sample(ticks), wrong.now, wrong)
    again = moment(OURS_WRONG + 300, is_trusted=False, boot="boot-2")
    for ticks in (2992, 2988):
        queued(database, sample(ticks), again.now, again)
    assert judge_undecided(database, moment(NOON - 10, boot="boot-2")).undecided == 2
    live(database, sample(2984), NOON)
    assert times(database, "a") == [NOON - 240, NOON - 180, NOON - 120, NOON - 60, NOON]
    assert reasons(database) == {}


def test_lines_that_came_behind_a_live_one_wait_on_when_that_is_stored(database: Database) -> None:
    """A board whose clock is never set."""
    wrong = moment(OURS_WRONG, is_trusted=False, uptime=100)
    live(database, line(1500, 3000), wrong.now, wrong)
    queued(database, line(1560, 2996), wrong.now, wrong)
    assert judge_undecided(database, moment(NOON, uptime=700)).stored == 1
    assert waiting(database) == 1
    live(database, line(2100, 2960), NOON)
    assert times(database, "a") == [NOON - 600, NOON - 540, NOON]
    assert reasons(database) == {}


def test_a_record_that_was_queued_but_is_fresh_is_live(database: Database) -> None:
    """Its own time shows it: so it counts as a delivery."""
    for age, delivered in ((31, None), (30, NOON)):
        queued(database, line(NOON - age, 3000 + age), NOON)
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT delivered_at FROM node").scalar() == delivered


def test_lines_of_a_clock_that_is_never_set_survive_an_outage(database: Database) -> None:
    """A board without network time, in a mesh without internet: seconds since boot are all it tells, for ever."""
    for ticks in (3500, 3499):
        live(database, line(1500 + 15 * (3500 - ticks), ticks), NOON - 15 * (ticks - 3499))
    for ticks in (3499, 3498, 3497):
        queued(database, line(1500 + 15 * (3500 - ticks), ticks), NOON + 60)
    live(database, "\n".join(line(1500 + 15 * (3500 - ticks), ticks) for ticks in (3497, 3496, 3495)), NOON + 60)
    assert times(database, "a") == [NOON + 15 * n for n in range(-1, 5)]
    assert (waiting(database), reasons(database)) == (0, {})


def test_lines_whose_boot_is_over_and_unknown_are_rejected_as_before(database: Database) -> None:
    queued(database, line(1500, 3500), NOON)
    queued(database, line(5, 3600), NOON)
    assert reasons(database) == {"clock_unset": 1}


def test_there_is_a_limit_to_what_waits_and_what_is_beyond_it_is_rejected(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog.has_room, "__defaults__", (3,))
    for ticks in (3000, 2999, 2998, 2997):
        queued(database, sample(ticks), NOON)
    assert (waiting(database), reasons(database)) == (3, {"no_time": 1})


def test_a_sample_too_long_to_be_one_does_not_wait(database: Database) -> None:
    assert counts(queued(database, sample(3000) + b" " * 1024, NOON)) == (0, 0, 0, 1, 0)


def test_a_broker_that_sends_its_queue_again_across_a_reboot_costs_nothing(database: Database) -> None:
    """The connection broke before it heard of what was stored: what the rise had settled comes again, ahead of the rest."""
    live(database, sample(12), NOON)
    for ticks in (8, 4, 3596, 3592):
        queued(database, sample(ticks), NOON + HOUR)
    for ticks in (8, 4, 3596, 3592):
        queued(database, sample(ticks), NOON + HOUR + 5, is_redelivered=True)
    live(database, sample(3588), NOON + HOUR + 60)
    before, after = [NOON, NOON + 60, NOON + 120], [NOON + HOUR - 60, NOON + HOUR, NOON + HOUR + 60]
    assert times(database, "a") == before + after
    assert reasons(database) == {}


def test_what_the_broker_sends_again_after_two_boots_keeps_its_time(database: Database) -> None:
    """The newest that is known came after it, so it must not pass for what went before."""
    for ticks, at in ((3596, NOON), (3592, NOON + 60), (3596, NOON + 300)):
        live(database, sample(ticks, 12 + at % 1000 / 1000), at)
    known = rows(database, "a")
    for ticks, at in ((3592, NOON + 60), (3596, NOON + 300)):
        queued(database, sample(ticks, 12 + at % 1000 / 1000), NOON + 400, is_redelivered=True)
    live(database, sample(3588), NOON + 420)
    assert rows(database, "a")[:-1] == known
    assert reasons(database) == {}


@pytest.mark.parametrize("ticks", [10**18, 10**30, 10**308])
@pytest.mark.parametrize("is_line", [False, True])
def test_a_counter_that_shows_nonsense_stops_nobody(database: Database, ticks: int, is_line: bool) -> None:
    """What always fails would be sent by the broker at each connection, ahead of everything."""
    data = line(1500, ticks) if is_line else sample(ticks)
    assert queued(database, data, NOON).rejected == 1
    assert live(database, data, NOON).stored == 1


def test_a_file_or_a_retained_record_tells_nothing_about_what_waits(database: Database) -> None:
    queued(database, sample(3000), NOON)
    old = line(NOON - 365 * 24 * HOUR, 2990)
    ingest(database, message(old, NOON, source=Source.IMPORT, is_live=False), moment(NOON))
    assert waiting(database) == 1
    live(database, sample(2996), NOON + 60)
    assert times(database, "a")[1:] == [NOON, NOON + 60]


@pytest.mark.parametrize("is_set_right", [False, True])
def test_what_waited_is_not_timed_by_a_clock_that_is_behind(database: Database, is_set_right: bool) -> None:
    """An old but believable time, as a board shows before it hears of the true one; perhaps in the same message."""
    queued(database, sample(3000), NOON - 60)
    wrong = [line(NOON - 90 * 24 * HOUR + 15 * n, 2999 - n) for n in (0, 1)]
    right = [line(NOON - 15 * n, 2996 + n) for n in (1, 0)] if is_set_right else []
    live(database, "\n".join(wrong + right), NOON)
    (at,) = [at for at, is_repaired, _ in rows(database, "a") if is_repaired]
    assert abs(at - (NOON - 60)) <= 30


def test_nothing_that_waited_was_taken_after_it_came(database: Database) -> None:
    """Ten hours later the counter is ten cycles lower: that is another boot's."""
    queued(database, sample(3000), NOON)
    live(database, sample(2990), NOON + 10 * HOUR)
    assert times(database, "a") == [NOON + 10 * HOUR]
    assert reasons(database) == {"no_time": 1}


def test_a_record_that_is_a_conflict_takes_no_sample_with_it(database: Database) -> None:
    live(database, sample(3000), NOON)
    live(database, line(NOON - 5, 100, 13.0), NOON + 1)  # of another device under this id
    live(database, line(NOON - 5, 3001), NOON + 2)
    assert rows(database, "a") == [(NOON - 5, False, 13000), (NOON, False, 12500)]
    assert reasons(database) == {"conflict": 1}


def test_where_the_counter_stands_still_what_the_broker_sends_again_is_no_news(database: Database) -> None:
    live(database, sample(0), NOON)
    assert counts(queued(database, sample(0), NOON + 50, is_redelivered=True)) == (0, 1, 0, 0, 0)
    assert reasons(database) == {}
