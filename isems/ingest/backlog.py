"""What waited in a broker and does not tell its time, until its node's next payload does.

That is a sample, which carries none, or the line of a board whose clock was not set. Both carry the board's counter.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import Moment, Receipt, is_believed
from isems.domain.measurement import Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.domain.repair import ClockRun
from isems.domain.sample import (
    SECONDS_PER_TICK,
    Anchor,
    Verdict,
    anchor_of,
    count_before,
    is_equal,
    is_sample,
    ticks_of,
    time_backlog,
    time_lines,
)
from isems.formats import Parsed
from isems.ingest.accounting import lost_of
from isems.ingest.arrival import raw_of, read_payload
from isems.ingest.history import History, insert_samples, make_way
from isems.ingest.result import IngestResult
from isems.storage import backlog
from isems.storage.measurements import Inserted, insert_measurements, select_with_ticks
from isems.storage.newest import select_newest
from isems.storage.node_memory import forget_memories, insert_runs, select_memories
from isems.storage.nodes import find_node
from isems.storage.rejected import insert_rejected

#: A sample has 450 bytes, a line 120; what is much longer does not wait.
MAX_WAITING_BYTES = 1024
#: A boot that ends later than announced, or a message that took its time.
EXPIRY_MARGIN = 3600
#: What a broker sends again lies within this time of a node: no more than some hundred messages are under way.
RESENT_SECONDS = 86_400
UNTOLD = "it does not tell its time, and neither does a later message of the same boot"


def is_patient(connection: Connection, data: bytes) -> bool:
    """Tell whether there is room for it to wait."""
    return len(data) <= MAX_WAITING_BYTES and backlog.has_room(connection)


def let_wait(
    connection: Connection, name: str, ticks: int, payload: Payload, receipt: Receipt, moment: Moment
) -> IngestResult:
    """Keep one piece of a node until the node's next payload; `ticks` is what the counter showed after it."""
    result = IngestResult(nodes=[name])
    last = backlog.select_last(connection, name)
    # The counter of what waits falls: what is lower than the last is new, unless the broker sent it before.
    may_wait = last is not None and (payload.is_redelivered or ticks >= last[0])
    if may_wait and backlog.is_waiting(connection, name, ticks, payload.data):
        result.duplicate = 1  # the broker sent it once more
        if payload.is_redelivered and last != (ticks, payload.data):
            # And it will do so with all that follows: what came in between, settled before, precedes it.
            backlog.move_to_end(connection, name, ticks, payload.data)
        return result
    if payload.is_redelivered and _is_stored(connection, name, payload):
        result.duplicate = 1  # what it waited for came before the connection broke
        return result
    if last is not None and not payload.has_waited and _is_of_next_boot(ticks, payload.data, *last):
        # Nothing that follows tells about what came before.
        result.add(settle_backlog(connection, name, None, moment))
    result.undecided = 1
    ends = payload.received_at + SECONDS_PER_TICK * ticks + EXPIRY_MARGIN
    backlog.insert_backlog(connection, name, ticks, payload, ends if receipt.is_trusted else backlog.NEVER)
    if payload.has_waited:
        backlog.move_behind(connection, name, ticks)
    forget_memories(connection)
    return result


def _is_stored(connection: Connection, name: str, payload: Payload) -> bool:
    """Tell whether what the broker sends again has its time already. What it sends again are the last messages."""
    node_id = find_node(connection, name)
    newest = [] if node_id is None else select_newest(connection, name, node_id, 1)
    sent = read_payload(payload).parsed.measurements
    if node_id is None or not newest or not sent:
        return False
    first = (newest[0].measurement.measured_at or 0) - RESENT_SECONDS
    stored = select_with_ticks(connection, name, node_id, ticks_of(sent[0]) or 0, first)
    return any(is_equal(sent[0], one) for one in stored)


def _is_of_next_boot(ticks: int, data: bytes, last_ticks: int, last_data: bytes) -> bool:
    """The counter rises at a boot only, and no boot sends two different samples with one tick."""
    are_samples = data[:1] == last_data[:1] == b"{"
    return ticks > last_ticks or (ticks == last_ticks and are_samples)


def settle_backlog(
    connection: Connection,
    name: str,
    after: Anchor | None,
    moment: Moment,
    runs: Sequence[ClockRun] = (),
    *,
    has_waited: bool = False,
) -> IngestResult:
    """Store what waits of a node under the times that its counter tells; `after` is what came next, None: nothing.

    `runs` are those of its clock that are being stored now. What no counter tells about is rejected; but where `after`
    itself has waited for our clock, what came behind it goes on waiting.
    """
    waiting = backlog.select_backlog(connection, name)
    before = _newest_anchor(connection, name) if waiting else None
    if after is not None and has_waited:
        waiting = waiting[: count_before([one.ticks for one in waiting], before, after)]
    if not waiting:
        return IngestResult()
    backlog.delete_backlog(connection, name, waiting[-1].id)
    forget_memories(connection)
    read = [read_payload(one.payload).parsed for one in waiting]
    ticks = [one.ticks for one in waiting]
    sent = [parsed.measurements[0].measured_at if parsed.measurements else None for parsed in read]
    known = [run.offset for run in (*runs, *select_memories(connection, [name])[name].runs)]
    times = time_lines(sent, ticks, time_backlog(ticks, before, after), known)
    latest = moment.now if moment.is_trusted else backlog.NEVER
    settled = IngestResult(nodes=[name])
    timed: list[_Timed] = []
    for one, parsed, time in zip(waiting, read, times, strict=True):
        # Nothing was taken after it came: then it is of an earlier boot than what tells its time.
        came_by = min(latest, one.payload.received_at) if one.is_receipt_trusted else latest
        told, untold = _tell_time(one.payload, parsed, time, came_by)
        timed += told
        _reject(connection, one.payload, untold, settled, moment)
    # Lines first: a line wins over the sample of its cycle.
    _store_lines(connection, name, [one for one in timed if not is_sample(one.measurement)], settled, moment)
    _store_samples(connection, name, [one for one in timed if is_sample(one.measurement)], settled, moment)
    return settled


class _Timed(NamedTuple):
    """A piece that waited, with the time that it had."""

    payload: Payload
    raw: str
    measurement: Measurement
    #: The time that it told; 0 for a sample.
    sent: int


def _newest_anchor(connection: Connection, name: str) -> Anchor | None:
    node_id = find_node(connection, name)
    newest = [] if node_id is None else select_newest(connection, name, node_id, 1)
    return anchor_of(newest[0].measurement) if newest else None


def _tell_time(payload: Payload, parsed: Parsed, time: int | None, latest: int) -> tuple[list[_Timed], list[Rejected]]:
    timed, rejected = [], list(parsed.rejected)
    for measurement, raw in zip(parsed.measurements, parsed.raws, strict=True):
        if time is not None and is_believed(time, latest):
            repaired = msgspec.structs.replace(measurement, measured_at=time, time_repaired=True)
            timed.append(_Timed(payload, raw, repaired, measurement.measured_at or 0))
        else:
            reason = Reason.NO_TIME if is_sample(measurement) else Reason.CLOCK_UNSET
            rejected.append(Rejected(raw_of(raw), reason, UNTOLD, measurement.node))
    return timed, rejected


def _store_lines(
    connection: Connection, name: str, lines: Sequence[_Timed], settled: IngestResult, moment: Moment
) -> None:
    records = [one.measurement for one in lines]
    if not records:
        return
    node_id = find_node(connection, name)
    if node_id is not None:
        make_way(connection, name, node_id, records, moment.now)
    inserted = insert_measurements(connection, records, moment.now)
    if name in inserted.node_ids:
        known = select_memories(connection, [name])[name].runs
        insert_runs(connection, inserted.node_ids[name], _runs_of(lines, known))
    _account(connection, lines, inserted, settled, moment)


def _runs_of(lines: Iterable[_Timed], known: Iterable[ClockRun]) -> list[ClockRun]:
    """Tell the runs of the clock that these lines show, wider than known, for whoever sends one of them again."""
    sent = {run.offset: [run.first, run.last] for run in known}
    shown = {(one.measurement.measured_at or 0) - one.sent for one in lines}
    for one in lines:
        sent.setdefault((one.measurement.measured_at or 0) - one.sent, []).append(one.sent)
    return [ClockRun(min(sent[offset]), max(sent[offset]), offset) for offset in shown]


def _store_samples(
    connection: Connection, name: str, samples: Sequence[_Timed], settled: IngestResult, moment: Moment
) -> None:
    if not samples:
        return
    times = [one.measurement.measured_at or 0 for one in samples]
    history = History(connection, name, min(times), max(times))
    new: list[_Timed] = []
    for one in samples:
        verdict, placed = history.place(one.measurement)
        if verdict is Verdict.NEW:
            new.append(one._replace(measurement=placed))
        elif verdict is Verdict.DUPLICATE:
            settled.duplicate += 1
        else:
            _reject(connection, one.payload, [conflict(one.raw, name)], settled, moment)
    inserted = insert_samples(connection, name, [one.measurement for one in new], moment.now)
    _account(connection, new, inserted, settled, moment)


def _account(
    connection: Connection, pieces: Sequence[_Timed], inserted: Inserted, settled: IngestResult, moment: Moment
) -> None:
    settled.stored += inserted.stored
    settled.completed += inserted.completed
    settled.duplicate += inserted.duplicate
    lost = lost_of([one.measurement for one in pieces], [one.raw for one in pieces], inserted)
    for piece in lost:  # a conflict, or a node too many
        _reject(connection, pieces[-1].payload, [piece], settled, moment)


def _reject(
    connection: Connection, payload: Payload, rejected: Sequence[Rejected], settled: IngestResult, moment: Moment
) -> None:
    insert_rejected(connection, payload.source, payload.address, rejected, moment.now)
    settled.count_rejected(rejected)


def conflict(raw: str, name: str) -> Rejected:
    """Make the rejection of a sample whose tick is known with other values."""
    detail = "another sample with this tick of the node's counter is stored and differs"
    return Rejected(raw_of(raw), Reason.CONFLICT, detail, name)
