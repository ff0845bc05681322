"""What is remembered about an address that is polled, and when it is polled again."""

import msgspec

from isems.domain.measurement import Measurement


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
    #: Epoch seconds at which it is due again.
    due_at: int | None = None
    #: Why the last attempt failed; None: it did not.
    error: str | None = None


#: Boards keep five records; an answer with no more may be all there is (DESIGN section 5).
BOARD_RECORDS = 5
#: Polling a board this much of its span leaves room for a retry.
BOARD_SHARE = 0.8
#: Before the node has two records nobody knows its cadence.
FIRST_WAIT = 60
#: How long before its announced end a router is asked once more: a poll's deadline and a minute.
BEFORE_SHUTDOWN = 90
#: The margin at which the firmware itself calls the battery too low to upgrade (PROTOCOL 5.1, bit 10).
LOW_MARGIN_VOLTS = 0.2
#: Every wait is shortened by up to this share, so that nodes do not all answer at once.
JITTER = 0.1
#: Marks in `minutes_until_shutdown`, no counts.
NO_SHUTDOWN = (None, 0, 99999)


class PollOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the last answer of an address held: how many records from when to when (epoch seconds)."""

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
    """Tell whether the node forgets faster than it is asked."""
    span = span_of(outcome)
    return 0 < outcome.records <= BOARD_RECORDS and (span is None or span < interval)


def next_wait(outcome: PollOutcome | None, now: int, interval: int, chance: float) -> float:
    """Tell how many seconds to wait before an address is polled again.

    `outcome` is None after a failure; `chance` is a random number from 0 to 1.
    """
    if outcome is None:
        wait = max(FIRST_WAIT, interval / 3)  # power save level 3 hides a node for two minutes of four
    elif outcome.is_log_missing or (is_short_memory(outcome, interval) and span_of(outcome) is None):
        wait = FIRST_WAIT
    elif is_short_memory(outcome, interval):
        wait = BOARD_SHARE * (span_of(outcome) or 0)
    else:
        wait = min(interval, *_waits_before_dark(outcome.newest, now, interval))
    return max(1.0, min(wait, interval) * (1 - JITTER * chance))


def _waits_before_dark(newest: Measurement | None, now: int, interval: int) -> list[float]:
    """Waits after which a router that keeps its log in RAM should be asked, before the log dies with its power."""
    waits: list[float] = [interval]
    if newest is None or newest.measured_at is None:
        return waits
    if newest.minutes_until_shutdown not in NO_SHUTDOWN:
        before = newest.measured_at + (newest.minutes_until_shutdown or 0) * 60 - BEFORE_SHUTDOWN - now
        waits += [before / (1 - JITTER)] if before > 0 else []
    volts, disconnect = newest.battery_volts, newest.configuration.low_voltage_disconnect_volts
    if volts and disconnect and (newest.panel_mpp_volts or 0) < volts:
        # The nearer the disconnect, the sooner; so the last poll before it is never long ago.
        waits.append(max(FIRST_WAIT, interval * (volts - disconnect) / LOW_MARGIN_VOLTS))
    return waits
