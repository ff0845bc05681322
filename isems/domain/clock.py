"""Is a node's time believable, and if not, what was it really?

Node clocks lie (PROTOCOL section 7). A time is believed when it lies after 2017 and is not ahead of receipt.
What is not believed is repaired where there is proof, else refused. The unit of repair is the *run*: the part of a
node's records between two boots or steps of its clock, in which true time = sent time + one constant offset.
That offset is fixed once and stored with the node, so that reading the same log again repairs it the same way.

Proofs, strongest first:

- a router's web server told its own clock (`Date`) and that is off our trusted clock: so is its current run;
- the clock stepped between two lines of one log and the shutdown counter shows how much time really passed: the
  run before the step ends that much before the run after it begins;
- a board without a time of its own delivered live: its newest record is as old as its delivery.

Instants and offsets are seconds; instants are epoch seconds UTC.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median_low

import msgspec

from isems.domain.measurement import Dialect, Measurement
from isems.domain.rejection import Reason

#: 2017-01-01: no node program is older, so an earlier time is an unset clock (PROTOCOL 7).
EARLIEST_BELIEVED = 1_483_228_800
#: How far a clock may be off before it is called wrong (DESIGN section 5).
TOLERANCE = 300
#: A tenth of a promille: a crystal without network time drifts less; keeps a long run one run.
DRIFT = 1e-4
#: The shutdown counter is an RC oscillator's; allow it this share of what it counted.
COUNTER_DRIFT = 0.05
#: Marks instead of counts: 0 is "off" or "controller silent", 99999 "never set" (PROTOCOL 2, field 5).
COUNTER_MARKS = (None, 0, 99999)
#: Seconds between two records where a log is too short to tell (PROTOCOL 1).
CADENCE = {Dialect.ROUTER: 61, Dialect.BOARD: 15, Dialect.AVR_BOARD: 48, Dialect.UNKNOWN: 60}


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


class ClockRun(msgspec.Struct, frozen=True):
    """A repaired run: sent times from `first` to `last`, and what must be added to them."""

    first: int
    last: int
    offset: int


class Refused(msgspec.Struct, frozen=True):
    """A record without a time that could be believed or repaired."""

    index: int
    reason: Reason
    detail: str


class Judgement(msgspec.Struct):
    """What became of each record, by its index in the input."""

    kept: dict[int, Measurement]
    refused: list[Refused]
    #: To be judged again when our own clock is trusted.
    undecided: list[int]
    #: Runs with their offset, new or wider than known: to be stored with the node.
    runs: list[ClockRun]
    #: As sent, with the offset: where such a record was stored under its sent time, it must be moved.
    displaced: list[tuple[Measurement, int]]


def is_believed(time: int, received_at: int) -> bool:
    """Tell whether a node's time can be true; being behind is late, not wrong."""
    return EARLIEST_BELIEVED < time <= received_at + TOLERANCE


def agrees(measurements: Sequence[Measurement], receipt: Receipt) -> bool:
    """Tell whether the sender's own clock confirms ours: within five minutes at a live delivery."""
    if not receipt.is_live:
        return False
    newest = max((m.measured_at for m in measurements if m.measured_at is not None), default=None)
    witness = receipt.sender_time if receipt.sender_time is not None else newest
    return witness is not None and witness > EARLIEST_BELIEVED and abs(witness - receipt.received_at) <= TOLERANCE


def judge_times(measurements: Sequence[Measurement], receipt: Receipt, known: Sequence[ClockRun]) -> Judgement:
    """Judge the records of one node, in the order in which it gave them.

    `known` are the node's repaired runs so far. Linear in the number of records.
    """
    judgement = Judgement({}, [], [], [], [])
    timed = _set_aside_untimed(measurements, judgement)
    if not timed:
        return judgement
    if timed[-1][1].configuration.dialect is not Dialect.ROUTER:
        receipt = msgspec.structs.replace(receipt, sender_time=None)  # a proxy's clock, boards tell none
    if _is_plain(timed, receipt):
        judgement.kept.update(timed)
        return judgement
    _judge_runs(_split_runs(timed, known), receipt, known, judgement)
    return judgement


_Timed = list[tuple[int, Measurement]]


def _set_aside_untimed(measurements: Sequence[Measurement], judgement: Judgement) -> _Timed:
    timed: _Timed = []
    for index, measurement in enumerate(measurements):
        time = measurement.measured_at
        if time:
            timed.append((index, measurement))
        elif time is None:
            judgement.refused.append(Refused(index, Reason.NO_TIME, "the record carries no time and none is known"))
        else:
            detail = "the line a node shows before its controller has reported: nothing was measured"
            judgement.refused.append(Refused(index, Reason.PLACEHOLDER, detail))
    return timed


def _is_plain(timed: _Timed, receipt: Receipt) -> bool:
    """The usual case, decided without looking at lines in pairs twice: all believed, no step, sender's clock right."""
    times = [measurement.measured_at or 0 for _, measurement in timed]
    if min(times) <= EARLIEST_BELIEVED or max(times) > receipt.received_at + TOLERANCE:
        return False
    if _sender_offset(receipt):
        return False
    return all(-TOLERANCE <= b - a <= TOLERANCE for a, b in pairwise(times))


def _sender_offset(receipt: Receipt) -> int:
    """How much must be added to the sender's clock; 0: it is right, or we cannot tell."""
    if receipt.sender_time is None or not receipt.is_trusted or not receipt.is_live:
        return 0
    offset = receipt.received_at - receipt.sender_time
    return offset if abs(offset) > TOLERANCE else 0


class _Run(msgspec.Struct):
    """Records between two breaks; `elapsed` is the true time from the last one to the next run, where proved."""

    records: _Timed
    elapsed: int | None = None

    @property
    def first(self) -> int:
        return self.records[0][1].measured_at or 0

    @property
    def last(self) -> int:
        return self.records[-1][1].measured_at or 0


def _split_runs(timed: _Timed, known: Sequence[ClockRun]) -> list[_Run]:
    cadence = _cadence(timed)
    runs = [_Run([timed[0]])]
    for (_, before), record in pairwise(timed):
        is_break, elapsed = _find_break(before, record[1], cadence, known)
        if is_break:
            runs[-1].elapsed = elapsed
            runs.append(_Run([]))
        runs[-1].records.append(record)
    return runs


def _cadence(timed: _Timed) -> int:
    steps = [(b.measured_at or 0) - (a.measured_at or 0) for (_, a), (_, b) in pairwise(timed)]
    regular = [step for step in steps if 0 < step <= TOLERANCE // 2]
    return median_low(regular) if regular else CADENCE[timed[0][1].configuration.dialect]


def _find_break(
    before: Measurement, after: Measurement, cadence: int, known: Sequence[ClockRun]
) -> tuple[bool, int | None]:
    """Tell whether a run ends between two records, and how much time really passed if that is proved."""
    jump = (after.measured_at or 0) - (before.measured_at or 0)
    if -TOLERANCE <= jump <= TOLERANCE:
        return False, None
    if before.minutes_until_shutdown in COUNTER_MARKS or after.minutes_until_shutdown in COUNTER_MARKS:
        if any(abs(jump - run.offset) <= TOLERANCE for run in known):
            return True, cadence  # the step that ends a run whose offset was proved earlier
        return jump < 0, None  # forward it may be a gap: nothing was recorded, the clock was right
    counted = round(((before.minutes_until_shutdown or 0) - (after.minutes_until_shutdown or 0)) * 60)
    if counted < 0:
        return True, None  # the counter was set anew: another boot, nobody knows how much later
    if abs(jump - counted) <= TOLERANCE + COUNTER_DRIFT * counted:
        return False, None  # the counter saw the same time pass: a gap
    return True, max(1, round(counted / cadence)) * cadence


def _judge_runs(runs: list[_Run], receipt: Receipt, known: Sequence[ClockRun], judgement: Judgement) -> None:
    """From the newest run back to the oldest, because each is anchored in the one after it."""
    anchor: int | None = None  # true time of the first record of the run after this one
    for position, run in enumerate(reversed(runs)):
        proof = _prove_offset(run, anchor, receipt, is_current=position == 0)
        anchor = _place_run(run, proof, receipt, known, judgement)


def _prove_offset(run: _Run, anchor: int | None, receipt: Receipt, *, is_current: bool) -> int | None:
    """Give the offset that there is proof for, or None. 0 means: proved right."""
    is_router = run.records[0][1].configuration.dialect is Dialect.ROUTER
    believed = is_believed(run.first, receipt.received_at) and is_believed(run.last, receipt.received_at)
    if is_current and receipt.is_live and receipt.is_trusted:
        if receipt.sender_time is not None:
            return _sender_offset(receipt)
        if not believed and not is_router:
            return receipt.received_at - run.last
    if anchor is not None and run.elapsed is not None and (is_router or not believed):
        offset = anchor - run.elapsed - run.last
        return offset if abs(offset) > TOLERANCE or not believed else 0
    return None


def _place_run(
    run: _Run, proof: int | None, receipt: Receipt, known: Sequence[ClockRun], judgement: Judgement
) -> int | None:
    """Keep, repair or refuse a run's records; gives the true time of its first record where that is known."""
    if not proof:
        return _place_as_sent(run, receipt, judgement)
    match = _match(run, proof, known)
    offset = match.offset if match else proof
    first, last = min(run.first, run.last), max(run.first, run.last)
    if match:
        first, last = min(first, match.first), max(last, match.last)
    fixed = ClockRun(first, last, offset)
    if fixed != match:
        judgement.runs.append(fixed)
    for index, sent in run.records:
        time = (sent.measured_at or 0) + offset
        if not is_believed(time, receipt.received_at):
            _refuse(index, sent, receipt, judgement)
            continue
        judgement.kept[index] = msgspec.structs.replace(sent, measured_at=time, time_repaired=True)
        if is_believed(sent.measured_at or 0, receipt.received_at):
            judgement.displaced.append((sent, offset))
    return run.first + offset


def _place_as_sent(run: _Run, receipt: Receipt, judgement: Judgement) -> int | None:
    for index, sent in run.records:
        if is_believed(sent.measured_at or 0, receipt.received_at):
            judgement.kept[index] = sent
        else:
            _refuse(index, sent, receipt, judgement)
    return run.first if is_believed(run.first, receipt.received_at) else None


def _refuse(index: int, sent: Measurement, receipt: Receipt, judgement: Judgement) -> None:
    is_ahead = (sent.measured_at or 0) > EARLIEST_BELIEVED
    if not receipt.is_trusted and (is_ahead or receipt.is_live):
        judgement.undecided.append(index)
    elif is_ahead:
        ahead = (sent.measured_at or 0) - receipt.received_at
        judgement.refused.append(Refused(index, Reason.CLOCK_AHEAD, f"the node's clock is {ahead} s ahead of ours"))
    else:
        detail = f"the node's clock was not set ({sent.measured_at} s after 1970) and nothing tells when it was"
        judgement.refused.append(Refused(index, Reason.CLOCK_UNSET, detail))


def _match(run: _Run, offset: int, known: Sequence[ClockRun]) -> ClockRun | None:
    """Find the known run that this one continues or repeats: the same offset, within what may be noise.

    A router's offset is exact to a second or two, so noise is drift. A board's is as old as its delivery, up to two
    cadences, and its sent times begin anew at every boot, so only the offset tells one boot from the next.
    """
    dialect = run.records[0][1].configuration.dialect
    near = [(abs(offset - candidate.offset), candidate) for candidate in known]
    if dialect is Dialect.ROUTER:
        fits = [(off, c) for off, c in near if _touch(run, c) and off <= TOLERANCE + DRIFT * abs(run.last - c.first)]
    else:
        fits = [(off, c) for off, c in near if off <= 2 * CADENCE[dialect]]
    return min(fits, key=lambda fit: fit[0])[1] if fits else None


def _touch(run: _Run, known: ClockRun) -> bool:
    """Tell whether sent times overlap, or follow within a day (a log fetched after the last was lost)."""
    day = 86_400
    return run.first <= known.last + day and run.last >= known.first - day
