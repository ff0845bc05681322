"""When was a sample taken that tells no time, or a line whose clock was not set?

Boards publish samples (`data.json`) between the records of their CSV: the values of that moment, and a shutdown counter
that falls by one in every cycle of 15 s. So a live sample was taken when it came, and one that waited in a broker as
many cycles before the node's next payload as the counter fell since. Within one boot the counter shows each value once:
that is how a sample is known again.

Instants are epoch seconds UTC; ticks are what the counter shows.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from isems.domain.measurement import SHUTDOWN_MARKS, Measurement

SECONDS_PER_TICK = 15
TICKS_PER_MINUTE = 60 // SECONDS_PER_TICK
#: A counter that shows more, half a year, is none.
MAX_TICKS = 1_000_000
#: The counter falls after the record of a cycle is written and before a sample is taken in it (docs/nodes.md, pushed samples).
RECORD_AHEAD = 1
#: Two showings of one tick are of one boot if they are no further apart: a board publishes 65 s after it started, so
#: the same tick of the next boot comes later than that.
SAME_BOOT_SECONDS = 60
#: Where the counter does not run: a sample is of a record's cycle if it came so long after it, receipt included.
CYCLE_SECONDS = 17
#: Node and receipt may disagree by this much in the other direction.
CLOCK_NOISE = 2
#: Where the counter does not run, an equal sample is the same one within this time: nodes publish every 65 s.
REPEAT_SECONDS = 30
#: What the counter tells of an offset is uncertain by its tick, what a delivery tells by its age.
OFFSET_NOISE = 2 * SECONDS_PER_TICK
#: Messages that follow each other by no more than this are of one boot: five minutes, some of them may be lost.
NEIGHBOUR_TICKS = 20


class Verdict(Enum):
    """What a sample is beside what is stored."""

    NEW = "new"
    DUPLICATE = "duplicate"
    #: The same tick of the same boot with other values.
    CONFLICT = "conflict"


class Anchor(NamedTuple):
    """A moment at which a board's counter is known."""

    time: int
    ticks: int


def is_sample(stored: Measurement) -> bool:
    """Tell a sample from a CSV record, which always tells its format revision."""
    return stored.configuration.isems_revision is None


def ticks_of(measurement: Measurement) -> int | None:
    """Give what the counter shows, None where it does not run."""
    minutes = measurement.minutes_until_shutdown
    if minutes is None or minutes in SHUTDOWN_MARKS or not 0 <= minutes <= MAX_TICKS / TICKS_PER_MINUTE:
        return None
    return round(minutes * TICKS_PER_MINUTE)


def anchor_of(stored: Measurement | None) -> Anchor | None:
    """Tell what a sample taken at that record's time would show; None where the counter does not run."""
    ticks = None if stored is None else ticks_of(stored)
    if stored is None or ticks is None or stored.measured_at is None:
        return None
    return Anchor(stored.measured_at, ticks if is_sample(stored) else ticks - RECORD_AHEAD)


def judge_sample(sample: Measurement, stored: Iterable[Measurement], *, is_redelivered: bool) -> Verdict:
    """Judge a sample whose `measured_at` is what it would be stored under.

    `stored` are the node's records around it and, where the broker says that it sent the message before, the newest ones.
    A CSV record of the same cycle wins over a sample, whatever its values.
    """
    samples = []
    for one in stored:
        if is_sample(one):
            samples.append(one)
        elif is_same_cycle(sample, one):
            return Verdict.DUPLICATE
    if ticks_of(sample) is None:
        return _judge_without_counter(sample, samples, is_redelivered=is_redelivered)
    same = [one for one in samples if _is_same_tick(sample, one)]
    if any(is_equal(sample, one) for one in same):
        return Verdict.DUPLICATE
    return Verdict.CONFLICT if same else Verdict.NEW


def _judge_without_counter(sample: Measurement, samples: Sequence[Measurement], *, is_redelivered: bool) -> Verdict:
    at = sample.measured_at or 0
    before = [one for one in samples if (one.measured_at or 0) <= at + CLOCK_NOISE]
    previous = max(before, key=lambda one: one.measured_at or 0, default=None)
    if previous is None or not is_equal(sample, previous):
        return Verdict.NEW
    is_repeated = is_redelivered or at - (previous.measured_at or 0) < REPEAT_SECONDS
    return Verdict.DUPLICATE if is_repeated else Verdict.NEW


def is_same_cycle(sample: Measurement, record: Measurement) -> bool:
    """Tell whether a sample was taken in the 15 seconds that a CSV record of the same node stands for."""
    passed = (sample.measured_at or 0) - (record.measured_at or 0)
    ticks, recorded = ticks_of(sample), ticks_of(record)
    if ticks is None:  # off, or fallen to 0 in the last cycle of a boot
        return recorded in (None, RECORD_AHEAD) and -CLOCK_NOISE <= passed <= CYCLE_SECONDS
    return recorded == ticks + RECORD_AHEAD and abs(passed) <= SAME_BOOT_SECONDS


def _is_same_tick(sample: Measurement, other: Measurement) -> bool:
    is_near = abs((sample.measured_at or 0) - (other.measured_at or 0)) <= SAME_BOOT_SECONDS
    return is_near and ticks_of(sample) == ticks_of(other)


def is_equal(sample: Measurement, other: Measurement) -> bool:
    """Tell whether two are the same but for the time that they were given."""
    return sample == msgspec.structs.replace(other, measured_at=sample.measured_at, time_repaired=sample.time_repaired)


def time_backlog(ticks: Sequence[int], before: Anchor | None, after: Anchor | None) -> list[int | None]:
    """Tell when samples that waited were taken; None where nothing proves it.

    `ticks` are those of one node in the order in which they came, `before` the last that was known of it when they
    began to wait, `after` what came next. The counter only falls within a boot, so what precedes a rise is of an
    earlier boot than `after`. From `before` on, samples are of its boot as long as they follow each other closely.
    """
    times: list[int | None] = [None] * len(ticks)
    if after is not None:
        bound = after.ticks
        for position in range(len(ticks) - 1, -1, -1):
            if ticks[position] < bound:
                break
            bound = ticks[position]
            times[position] = after.time - SECONDS_PER_TICK * (bound - after.ticks)
    if before is not None:
        bound = before.ticks
        for position, shown in enumerate(ticks):
            if times[position] is not None or not 0 <= bound - shown <= NEIGHBOUR_TICKS:
                break
            bound = shown
            times[position] = before.time + SECONDS_PER_TICK * (before.ticks - shown)
    return times


def count_before(ticks: Sequence[int], before: Anchor | None, after: Anchor) -> int:
    """Tell how many of samples that waited came before `after`, which waited elsewhere meanwhile.

    The counter only falls: what shows less than `after` came behind it, unless it is of the boot of `before`.
    """
    told = time_backlog(ticks, before, None)
    behind = (
        n for n, (shown, time) in enumerate(zip(ticks, told, strict=True)) if shown < after.ticks and time is None
    )
    return next(behind, len(ticks))


def time_lines(
    sent: Sequence[int | None], ticks: Sequence[int], times: Sequence[int | None], known: Sequence[int]
) -> list[int | None]:
    """Sharpen what `time_backlog` tells of lines that count the seconds since their boot (`sent`; None: a sample).

    All lines of a boot have one offset: the known one that is near, or the least that the counter tells of any, because
    it stands still in the first cycle and so tells too much of that one.
    """
    sharpened = list(times)
    start = 0
    for end in range(1, len(ticks) + 1):
        if end < len(ticks) and ticks[end] <= ticks[end - 1] and (times[end] is None) == (times[end - 1] is None):
            continue
        lines = [(position, told) for position in range(start, end) if (told := sent[position]) is not None]
        offsets = [time - told for position, told in lines if (time := times[position]) is not None]
        if offsets:
            offset = _find_known(min(offsets), known)
            sharpened[start:end] = [
                time if (told := sent[position]) is None else told + offset
                for position, time in enumerate(sharpened[start:end], start)
            ]
        start = end
    return sharpened


def _find_known(offset: int, known: Sequence[int]) -> int:
    """Give the offset that was settled before, so that a line which comes in two messages is one."""
    nearest = min(known, key=lambda one: abs(one - offset), default=offset)
    return nearest if abs(nearest - offset) <= OFFSET_NOISE else offset
