"""What is remembered about an address that is polled, and when it is polled again."""

import msgspec

from isems.domain.measurement import SHUTDOWN_MARKS, Dialect, Measurement


class PollTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Memory between two polls of one address; everything but the address may be unknown.

    `first_line` and `last_line` are the raw first and last CSV line of the newest log that was
    stored, cut at 512 bytes; they tell whether the next log continues it.
    """

    address: str
    #: The path on which this address answered with CSV.
    path: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    first_line: bytes | None = None
    last_line: bytes | None = None
    #: False once the archive's path answered with something that is no gzip: a board.
    has_archive: bool = True
    archive_etag: str | None = None
    #: Epoch seconds of the last attempt and of the last usable answer.
    polled_at: int | None = None
    answered_at: int | None = None
    #: Why the last attempt failed; None: it did not.
    error: str | None = None
    #: How long to wait for the next one, as was decided after it; whoever polls next may know nothing else.
    wait_seconds: int | None = None


#: Boards keep five records; an answer with no more may be all there is (docs/nodes.md, cadence).
BOARD_RECORDS = 5
#: Polling a board this much of its span leaves room for a retry.
BOARD_SHARE = 0.8
#: Before the node has two records nobody knows its cadence.
FIRST_WAIT = 60
#: A failure is repeated after this share of the interval at the latest: power save level 3 hides a node for two
#: minutes of four.
RETRY_SHARE = 1 / 3
#: No node writes more often than every 15 s; whatever one claims, it is not asked more often than this.
LEAST_WAIT = 10
#: How long before its announced end a router is asked once more: a poll's deadline and a minute.
BEFORE_SHUTDOWN = 90
#: The margin at which the firmware itself calls the battery too low to upgrade (docs/nodes.md, status bits).
LOW_MARGIN_VOLTS = 0.2
#: Every wait is shortened by up to this share, so that nodes do not all answer at once.
JITTER = 0.1


#: A poll that is later than this, and than three waits, will not come: whoever polls by cron may do it once an hour.
OVERDUE_SECONDS = 7200


def is_overdue(target: PollTarget, now: int) -> bool:
    """Tell whether an address was not polled for so long that nobody seems to do it any more."""
    late = max(OVERDUE_SECONDS, 3 * (target.wait_seconds or 0))
    return target.polled_at is not None and now - target.polled_at > late


class PollOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the last answer of an address held: how many records from when to when (epoch seconds).

    `first_at` and `newest` are None where no record had a time that could be believed.
    """

    records: int = 0
    first_at: int | None = None
    newest: Measurement | None = None
    #: The log was missing, as it is for a minute after rotation.
    is_log_missing: bool = False


def span_of(outcome: PollOutcome) -> float | None:
    """Tell how much time the records of a node's answer cover, the newest one's own cadence included."""
    if outcome.records < 2 or outcome.newest is None or outcome.newest.measured_at is None or outcome.first_at is None:
        return None
    return (outcome.newest.measured_at - outcome.first_at) * outcome.records / (outcome.records - 1)


def is_short_memory(outcome: PollOutcome, interval: int) -> bool:
    """Tell whether the node forgets faster than it is asked. A router's log is only short while it is young."""
    if outcome.newest is not None and outcome.newest.configuration.dialect is Dialect.ROUTER:
        return False
    span = span_of(outcome)
    return 0 < outcome.records <= BOARD_RECORDS and (span is None or span < interval)


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to poll an address, and when it is to be polled. Instants in epoch seconds of the database's clock."""

    #: Who polls it, or polled it last.
    holder: str | None = None
    #: The right ends then; None: nobody has it.
    held_until: int | None = None
    #: Not to be polled before.
    due_at: int | None = None


#: No lease is longer: the longest deadline and commit interval that the settings allow, and a margin. One that seems to
#: be was written when the database's clock was wrong.
LONGEST_LEASE_SECONDS = 910


def seconds_held(lease: Lease, by: str, now: int) -> int:
    """Tell for how long an address is left to another holder than this one; 0: it is not."""
    if lease.holder == by or lease.held_until is None:
        return 0
    left = lease.held_until - now
    return left if 0 < left <= LONGEST_LEASE_SECONDS else 0


def seconds_until_due(lease: Lease, seen_due_at: int | None, now: int, interval: int) -> int:
    """Tell how long an address is not to be polled; 0: it is due.

    Who has waited until the time that stands there has waited long enough, whatever the clock says by now.
    """
    if lease.due_at is None or lease.due_at == seen_due_at:
        return 0
    return max(0, min(lease.due_at - now, interval))


def next_wait(
    outcome: PollOutcome | None,
    now: int,
    interval: int,
    chance: float,
    *,
    failures: int = 0,
    last_wait: int | None = None,
) -> float:
    """Tell how many seconds to wait before an address is polled again: never more than `interval`.

    `outcome` is the last known one, None where there was none yet, and then `last_wait` is what somebody else decided
    before; `failures` counts the failed polls since then; `chance` is a random number from 0 to 1.
    """
    wait = min(interval, last_wait or interval) if outcome is None else _usual_wait(outcome, interval)
    if failures:
        # Twice the wait each time: a board that has fallen silent for the night is not asked every minute.
        wait = min(wait * 2 ** min(failures - 1, 10), max(FIRST_WAIT, interval * RETRY_SHARE))
    waits = [wait * (1 - JITTER * chance)]
    if outcome is not None and outcome.newest is not None:
        waits += _waits_before_shutdown(outcome.newest, now)
        waits += [] if failures else _waits_before_disconnect(outcome.newest, interval)
    return min(interval, max(LEAST_WAIT, min(waits)))


def _usual_wait(outcome: PollOutcome, interval: int) -> float:
    if outcome.is_log_missing:
        return FIRST_WAIT
    if is_short_memory(outcome, interval):
        span = span_of(outcome)
        return FIRST_WAIT if span is None else BOARD_SHARE * span
    return interval


def _waits_before_shutdown(newest: Measurement, now: int) -> list[float]:
    """A router keeps its log in RAM: it is asked just before its controller cuts the power, as it announced."""
    if newest.measured_at is None or newest.minutes_until_shutdown in SHUTDOWN_MARKS:
        return []
    wait = newest.measured_at + (newest.minutes_until_shutdown or 0) * 60 - BEFORE_SHUTDOWN - now
    return [wait] if wait > 0 else []


def _waits_before_disconnect(newest: Measurement, interval: int) -> list[float]:
    """The nearer a discharging battery is to the disconnect, the sooner: so the last poll before it is recent."""
    volts, disconnect = newest.battery_volts, newest.configuration.low_voltage_disconnect_volts
    if not volts or not disconnect or (newest.panel_mpp_volts or 0) >= volts:
        return []
    return [max(FIRST_WAIT, interval * (volts - disconnect) / LOW_MARGIN_VOLTS)]
