"""If a node's time is wrong, what was it really?

What is not believed (`domain.clock`) is repaired where there is proof, else refused. The unit of repair is the *run*: the part of a
node's records between two boots or steps of its clock, in which true time = sent time + one constant offset.
That offset is fixed once and stored with the node, so that reading the same log again repairs it the same way.

Proofs, strongest first:

- the delivery: a router's web server told its own clock (`Date`) and that is off our trusted clock, so is its current
  run; a board without a time of its own delivered live, so its newest record is as old as its delivery;
- memory: these very records are stored already, repaired by the offset of a known run;
- the clock stepped between two neighbouring lines and the shutdown counter shows how much time really passed: the run
  before the step ends that much before the run after it begins (network time corrects, so the later one is right).

Instants and offsets are seconds; instants are epoch seconds UTC.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median_low

import msgspec

from isems.domain.clock import EARLIEST_BELIEVED, TOLERANCE, Receipt, is_believed
from isems.domain.measurement import SHUTDOWN_MARKS, Dialect, Measurement
from isems.domain.rejection import Reason

#: A tenth of a promille: a crystal without network time drifts less; keeps a long run one run.
DRIFT = 1e-4
#: The shutdown counter is an RC oscillator's; allow it this share of what it counted.
COUNTER_DRIFT = 0.05
#: A log with more steps than this is noise; what lies before them is left as it was sent.
MAX_RUNS = 50
DAY = 86_400
#: Seconds between two records where a log is too short to tell (docs/nodes.md, cadence).
CADENCE = {Dialect.ROUTER: 61, Dialect.BOARD: 15, Dialect.AVR_BOARD: 48, Dialect.UNKNOWN: 60}


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


#: Is given samples of records under the times that known runs would give them; gives the position of the first sample
#: that is stored already, or None.
Recall = Callable[[Sequence[Sequence[Measurement]]], int | None]


def recall_nothing(_samples: Sequence[Sequence[Measurement]]) -> int | None:
    """The memory of who stores nothing."""
    return None


def judge_times(
    measurements: Sequence[Measurement],
    receipt: Receipt,
    known: Sequence[ClockRun],
    recall: Recall = recall_nothing,
) -> Judgement:
    """Judge the records of one node, in the order in which it gave them.

    `known` are the node's repaired runs so far, the newest first. Linear in the number of records.
    """
    judgement = Judgement({}, [], [], [], [])
    timed = _set_aside_untimed(measurements, judgement)
    if not timed:
        return judgement
    if is_plain([measurement for _, measurement in timed], receipt, known):
        judgement.kept.update(timed)
        return judgement
    if timed[-1][1].configuration.dialect is not Dialect.ROUTER:
        receipt = msgspec.structs.replace(receipt, sender_time=None)  # a proxy's clock, boards tell none
    judge = _Judge(receipt, {run.offset: run for run in known}, recall, judgement)
    judge.judge(*_split_runs(timed, receipt, known))
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


def is_plain(measurements: Sequence[Measurement], receipt: Receipt, known: Sequence[ClockRun]) -> bool:
    """Tell the usual case, in which every record of a node is kept under the time that was sent: all are believed, the
    clock did not step, the sender's clock is right, and no repaired run is near.
    """
    latest = receipt.received_at + TOLERANCE
    if len(measurements) == 1 and not known and receipt.sender_time is None:  # as most that come by MQTT
        return EARLIEST_BELIEVED < (measurements[0].measured_at or 0) <= latest
    times = [measurement.measured_at or 0 for measurement in measurements]
    first, last = min(times), max(times)
    if first <= EARLIEST_BELIEVED or last > latest:
        return False
    if known and any(run.first <= last and first <= run.last for run in known):
        return False
    is_router = measurements[-1].configuration.dialect is Dialect.ROUTER  # others tell no time, a proxy might
    if is_router and abs(_sender_offset(receipt) or 0) > TOLERANCE:
        return False
    return all(-TOLERANCE <= b - a <= TOLERANCE for a, b in pairwise(times))


def _sender_offset(receipt: Receipt) -> int | None:
    """How much must be added to the sender's clock; None where we cannot tell."""
    if receipt.sender_time is None or not receipt.is_trusted or not receipt.is_live:
        return None
    return receipt.received_at - receipt.sender_time


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

    @property
    def dialect(self) -> Dialect:
        return self.records[0][1].configuration.dialect


def _split_runs(timed: _Timed, receipt: Receipt, known: Sequence[ClockRun]) -> tuple[list[_Run], _Timed]:
    """Give the runs, the newest first, and the records that are left when there are too many of them."""
    cadence = _cadence(timed)
    runs: list[_Run] = []
    end, elapsed = len(timed), None
    for position in range(len(timed) - 1, 0, -1):
        before, after = timed[position - 1][1], timed[position][1]
        is_break, passed = _find_break(before, after, cadence, receipt, known)
        if is_break:
            runs.append(_Run(timed[position:end], elapsed))
            end, elapsed = position, passed
            if len(runs) == MAX_RUNS:
                return runs, timed[:end]
    runs.append(_Run(timed[:end], elapsed))
    return runs, []


def _cadence(timed: _Timed) -> int:
    steps = [(b.measured_at or 0) - (a.measured_at or 0) for (_, a), (_, b) in pairwise(timed)]
    regular = [step for step in steps if 0 < step <= TOLERANCE // 2]
    return median_low(regular) if regular else CADENCE[timed[0][1].configuration.dialect]


def _find_break(
    before: Measurement, after: Measurement, cadence: int, receipt: Receipt, known: Sequence[ClockRun]
) -> tuple[bool, int | None]:
    """Tell whether a run ends between two records, and how much time really passed if that is proved."""
    jump = (after.measured_at or 0) - (before.measured_at or 0)
    counted = _count_seconds(before, after)
    if counted is None:
        return _find_uncounted_break(before, after, cadence, receipt, known)
    if counted < 0:
        return jump < 0 or jump > TOLERANCE, None  # set anew: another boot, nobody knows how much later
    if abs(jump - counted) <= TOLERANCE + COUNTER_DRIFT * counted:
        return False, None  # the counter saw the same time pass: a gap
    if counted > TOLERANCE:
        return True, None  # no neighbours: other lines are missing between them, or the order is not the node's
    return True, max(1, round(counted / cadence)) * cadence


def _count_seconds(before: Measurement, after: Measurement) -> int | None:
    """Give the seconds that the shutdown counter saw pass; negative: it was set anew; None: it does not run."""
    one, other = before.minutes_until_shutdown, after.minutes_until_shutdown
    if one in SHUTDOWN_MARKS or other in SHUTDOWN_MARKS:
        return None
    return round(((one or 0) - (other or 0)) * 60)


def _find_uncounted_break(
    before: Measurement, after: Measurement, cadence: int, receipt: Receipt, known: Sequence[ClockRun]
) -> tuple[bool, int | None]:
    sent, jump = before.measured_at or 0, (after.measured_at or 0) - (before.measured_at or 0)
    if -TOLERANCE <= jump <= TOLERANCE:
        return False, None
    if is_believed(sent, receipt.received_at) != is_believed(sent + jump, receipt.received_at):
        # No gap. A board's few lines are of one boot and follow each other; a router's log may have holes.
        is_set = sent <= EARLIEST_BELIEVED and after.configuration.dialect is not Dialect.ROUTER
        return True, cadence if is_set else None
    if any(abs(jump - run.offset) <= TOLERANCE for run in known):
        return True, cadence  # the step that ends a run whose offset was proved earlier
    held = {(run.first <= sent <= run.last) + (run.first <= sent + jump <= run.last) for run in known}
    if 1 in held and 2 not in held:
        return True, None  # out of a wrong run or into it
    return jump < 0, None  # forward it may be a gap: nothing was recorded, the clock was right


class _Judge:
    """The judging of one node's runs; `known` grows by the runs that are found."""

    def __init__(self, receipt: Receipt, known: dict[int, ClockRun], recall: Recall, judgement: Judgement) -> None:
        self.receipt = receipt
        self.known = known
        self.recall = recall
        self.judgement = judgement

    def judge(self, runs: list[_Run], rest: _Timed) -> None:
        """Judge from the newest run back to the oldest, because each is anchored in the one after it."""
        found: set[int] = set()
        anchor: int | None = None  # true time of the first record of the run after this one
        for position, run in enumerate(runs):
            offset, is_recalled = self._find_offset(run, anchor, is_current=position == 0)
            if not offset:
                anchor = self._keep_as_sent(run.records)
                continue
            if self._note_run(run, offset):
                found.add(offset)
            self._repair(run, offset, is_recalled=is_recalled)
            anchor = run.first + offset
        self._keep_as_sent(rest)
        self.judgement.runs.extend(self.known[offset] for offset in found)

    def _find_offset(self, run: _Run, anchor: int | None, *, is_current: bool) -> tuple[int | None, bool]:
        """Give the offset that there is proof for (0: proved right), and whether memory gave it."""
        delivered = self._prove_by_delivery(run) if is_current else None
        if delivered is not None:
            return self._fix(run, delivered), False
        recalled = self._prove_by_memory(run)
        if recalled is not None:
            return recalled, True
        stepped = self._prove_by_step(run, anchor)
        if stepped is None and is_current:
            stepped = self._prove_by_old_log(run)
        return (None if stepped is None else self._fix(run, stepped)), False

    def _prove_by_delivery(self, run: _Run) -> int | None:
        receipt = self.receipt
        if not receipt.is_live or not receipt.is_trusted:
            return None
        if receipt.sender_time is None:
            is_usual = run.dialect is Dialect.ROUTER or self._is_believed(run.last)
            return None if is_usual else receipt.received_at - run.last
        if abs(receipt.sender_time - run.last) <= TOLERANCE:
            return _sender_offset(receipt)
        # The sender's clock was set after this run's last line, so it says nothing about it; the line itself does.
        return 0 if abs(receipt.received_at - run.last) <= TOLERANCE else None

    def _prove_by_old_log(self, run: _Run) -> int | None:
        """A router's log may stand still while its clock goes on."""
        is_old = self.receipt.sender_time is not None and 0 < self.receipt.sender_time - run.last <= DAY
        return _sender_offset(self.receipt) if is_old else None

    def _prove_by_memory(self, run: _Run) -> int | None:
        if run.dialect is not Dialect.ROUTER and run.last <= EARLIEST_BELIEVED:
            return None  # every boot of a board begins alike, with the same seconds and often the same values
        known = self._recall_run(run, list(self.known.values()), least=3)
        return None if known is None else known.offset

    def _recall_run(self, run: _Run, runs: list[ClockRun], least: int = 1) -> ClockRun | None:
        """Find the known run under whose offset these records are stored; it shares `least` so many with this one."""
        candidates: list[ClockRun] = []
        samples: list[list[Measurement]] = []
        for known in runs:
            shared = [m for _, m in run.records if known.first <= (m.measured_at or 0) <= known.last]
            if len(shared) >= least:
                candidates.append(known)
                samples.append([_shift(m, known.offset) for m in _sample(shared)])
        position = self.recall(samples) if samples else None
        return None if position is None else candidates[position]

    def _prove_by_step(self, run: _Run, anchor: int | None) -> int | None:
        if anchor is None or run.elapsed is None:
            return None
        if run.dialect is not Dialect.ROUTER and self._is_believed(run.last):
            return None
        return anchor - run.elapsed - run.last

    def _fix(self, run: _Run, offset: int) -> int:
        """Settle an offset that was measured with some noise: as known already, or as right, or as it is."""
        match = self._match(run, offset)
        if match is not None:
            return match.offset
        return 0 if abs(offset) <= TOLERANCE and self._is_believed(run.last) else offset

    def _match(self, run: _Run, offset: int) -> ClockRun | None:
        """Find the known run that this one continues or repeats.

        A router's offset is exact to the duration of a request, a board's is as old as its delivery: up to two
        cadences, and two boots that left a record each lie further apart. What more a long run may be off is drift.
        """
        noise = 2 * CADENCE[run.dialect]

        def allowed(known: ClockRun) -> float:
            is_drifting = abs(offset) > TOLERANCE and _touch(run, known)
            return noise + (DRIFT * abs(run.last - known.first) if is_drifting else 0)

        near = [known for known in self.known.values() if abs(offset - known.offset) <= allowed(known)]
        recalled = self._recall_run(run, near) if len(near) > 1 else None
        return recalled or min(near, key=lambda known: abs(offset - known.offset), default=None)

    def _note_run(self, run: _Run, offset: int) -> bool:
        """Remember a run or widen it; tells whether that changed anything."""
        times = [measurement.measured_at or 0 for _, measurement in run.records]
        first, last = min(times), max(times)
        known = self.known.get(offset)
        if known is not None:
            first, last = min(first, known.first), max(last, known.last)
        self.known[offset] = ClockRun(first, last, offset)
        return self.known[offset] != known

    def _repair(self, run: _Run, offset: int, *, is_recalled: bool) -> None:
        # A board's believed times are never shifted, but for records that were not believed when they came first.
        is_shifting_all = is_recalled or run.dialect is Dialect.ROUTER
        for index, sent in run.records:
            is_believed_as_sent = self._is_believed(sent.measured_at or 0)
            if is_believed_as_sent and not is_shifting_all:
                self.judgement.kept[index] = sent
            elif not self._is_believed((sent.measured_at or 0) + offset):
                self._refuse(index, sent)
            else:
                self.judgement.kept[index] = _shift(sent, offset)
                if is_believed_as_sent:
                    self.judgement.displaced.append((sent, offset))

    def _keep_as_sent(self, records: _Timed) -> int | None:
        """Keep what is believed, refuse the rest; gives the time of the first record where it is believed."""
        for index, sent in records:
            if self._is_believed(sent.measured_at or 0):
                self.judgement.kept[index] = sent
            else:
                self._refuse(index, sent)
        first = records[0][1].measured_at or 0 if records else 0
        return first if self._is_believed(first) else None

    def _is_believed(self, time: int) -> bool:
        return is_believed(time, self.receipt.received_at)

    def _refuse(self, index: int, sent: Measurement) -> None:
        is_ahead = (sent.measured_at or 0) > EARLIEST_BELIEVED
        if not self.receipt.is_trusted and (is_ahead or self.receipt.is_live):
            self.judgement.undecided.append(index)
        elif is_ahead:
            ahead = (sent.measured_at or 0) - self.receipt.received_at
            detail = f"the node's clock is {ahead} s ahead of ours"
            self.judgement.refused.append(Refused(index, Reason.CLOCK_AHEAD, detail))
        else:
            detail = f"the node's clock was not set ({sent.measured_at} s after 1970) and nothing tells when it was"
            self.judgement.refused.append(Refused(index, Reason.CLOCK_UNSET, detail))


def _shift(sent: Measurement, offset: int) -> Measurement:
    return msgspec.structs.replace(sent, measured_at=(sent.measured_at or 0) + offset, time_repaired=True)


def _sample(records: list[Measurement]) -> list[Measurement]:
    """Give the first, a middle and the last of them."""
    positions = sorted({0, len(records) // 2, len(records) - 1})
    return [records[position] for position in positions]


def _touch(run: _Run, known: ClockRun) -> bool:
    """Tell whether sent times overlap, or follow within a day (a log fetched after the last was lost)."""
    return run.first <= known.last + DAY and run.last >= known.first - DAY
