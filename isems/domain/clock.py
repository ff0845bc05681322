"""Whom to believe about the time: a node's clock, and our own.

Node clocks lie (docs/nodes.md, clocks), and a Raspberry Pi has no clock that survives a power cut. What to do about a
time that is not believed is told in `domain.repair`. Instants are epoch seconds UTC.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import msgspec

from isems.domain.measurement import SHUTDOWN_MARKS, Dialect, Measurement

#: 2017-01-01: no node program is older, so an earlier time is an unset clock (docs/nodes.md, clocks).
EARLIEST_BELIEVED = 1_483_228_800
#: How far a clock may be off before it is called wrong (docs/nodes.md, clocks).
TOLERANCE = 300
#: A pushed message that is no older than this by its own clock has not waited anywhere: a board publishes its newest
#: record within 20 s (docs/nodes.md, pushed samples).
FRESH_SECONDS = 30
#: A clock that went back is called stepping for so long.
STEPPING_SECONDS = 86_400


class Uptime(msgspec.Struct, frozen=True):
    """A moment that no wrong clock can move: which boot of this machine, and how many seconds into it."""

    boot: str
    seconds: int


class Moment(msgspec.Struct, frozen=True):
    """Our own clock: what it says, whether it is to be trusted, and how long this machine has been up."""

    now: int
    is_trusted: bool
    uptime: Uptime


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the arrival of a payload."""

    received_at: int
    is_live: bool
    #: The sender's own clock at that moment; only routers tell it.
    sender_time: int | None = None
    #: Whether our own clock can be relied on.
    is_trusted: bool = True
    #: It waited here until that was so: what came after it may be known already.
    has_waited: bool = False


def is_believed(time: int, received_at: int) -> bool:
    """Tell whether a node's time can be true; being behind is late, not wrong."""
    return EARLIEST_BELIEVED < time <= received_at + TOLERANCE


def agrees(measurements: Sequence[Measurement], receipt: Receipt) -> bool:
    """Tell whether the sender's own clock confirms ours: within five minutes at a live delivery."""
    if not receipt.is_live:
        return False
    # The last record, not the largest time: one time in the future must not keep our clock from being confirmed.
    newest = next((m.measured_at for m in reversed(measurements) if (m.measured_at or 0) > EARLIEST_BELIEVED), None)
    witness = receipt.sender_time if receipt.sender_time is not None else newest
    return witness is not None and witness > EARLIEST_BELIEVED and abs(witness - receipt.received_at) <= TOLERANCE


def is_fresh(measurements: Sequence[Measurement], received_at: int) -> bool:
    """Tell whether a node's own believed time shows that these records have not waited on their way."""
    newest = max((m.measured_at or 0 for m in measurements), default=0)
    return newest > EARLIEST_BELIEVED and abs(received_at - newest) <= FRESH_SECONDS


class ClockState(StrEnum):
    """A node's clock, for who looks after the node."""

    GOOD = "good"
    #: It shows the time since power-on, or of before 2017.
    UNSET = "unset"
    BEHIND = "behind"
    AHEAD = "ahead"
    #: It went back by itself in the last day, so the same second came twice.
    STEPPING = "stepping"


class ClockReading(NamedTuple):
    """What a live delivery shows of its sender's clock."""

    state: ClockState
    #: What must be added to it.
    offset_seconds: int
    has_stepped: bool


def shows_clock(last: Measurement, receipt: Receipt) -> bool:
    """Tell whether a delivery with that last record shows the node's clock: a router only where it tells its time."""
    return receipt.sender_time is not None or last.configuration.dialect is not Dialect.ROUTER


def read_clock(measurements: Sequence[Measurement], receipt: Receipt) -> ClockReading | None:
    """Tell what the records of one node, in the order in which it gave them, show of its clock.

    None where they show nothing: not live, our own clock not trusted, or a router that does not tell its time (its log
    may stand still).
    """
    if not (receipt.is_live and receipt.is_trusted and measurements):
        return None
    last = measurements[-1]
    shown = receipt.sender_time if last.configuration.dialect is Dialect.ROUTER else last.measured_at
    if not shown:
        return None
    offset = receipt.received_at - shown
    if shown <= EARLIEST_BELIEVED:
        state = ClockState.UNSET
    elif abs(offset) <= TOLERANCE:
        state = ClockState.GOOD
    else:
        state = ClockState.BEHIND if offset > 0 else ClockState.AHEAD
    return ClockReading(state, offset, _has_stepped_back(measurements))


def _has_stepped_back(measurements: Sequence[Measurement]) -> bool:
    times = [measurement.measured_at or 0 for measurement in measurements]
    if times == sorted(times):  # nearly always
        return False
    return any(_is_step_back(before, after) for before, after in pairwise(measurements))


def _is_step_back(before: Measurement, after: Measurement) -> bool:
    """Tell a step from a reboot, which sets the shutdown counter anew or leaves the clock unset."""
    if not EARLIEST_BELIEVED < (after.measured_at or 0) < (before.measured_at or 0):
        return False
    one, other = before.minutes_until_shutdown, after.minutes_until_shutdown
    return one in SHUTDOWN_MARKS or other in SHUTDOWN_MARKS or (other or 0) <= (one or 0)


def state_at(state: ClockState | None, stepped_at: int | None, now: int) -> ClockState | None:
    """Give the state of a clock by its last reading and when it last went back."""
    is_stepping = stepped_at is not None and now - stepped_at < STEPPING_SECONDS
    return ClockState.STEPPING if is_stepping else state
