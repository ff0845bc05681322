"""Whom to believe about the time: a node's clock, and our own.

Node clocks lie (docs/nodes.md, clocks), and a Raspberry Pi has no clock that survives a power cut. What to do about a
time that is not believed is told in `domain.repair`. Instants are epoch seconds UTC.
"""

from collections.abc import Sequence

import msgspec

from isems.domain.measurement import Measurement

#: 2017-01-01: no node program is older, so an earlier time is an unset clock (docs/nodes.md, clocks).
EARLIEST_BELIEVED = 1_483_228_800
#: How far a clock may be off before it is called wrong (docs/nodes.md, clocks).
TOLERANCE = 300


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
