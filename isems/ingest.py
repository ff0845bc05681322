"""One payload becomes stored rows: parse, judge the times, insert. Whatever cannot be stored is kept as rejected."""

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import Moment, Receipt, Uptime, agrees
from isems.domain.measurement import Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.domain.repair import Judgement, Recall, is_plain, judge_times
from isems.errors import FormatError
from isems.formats import Parsed, parse_payload
from isems.storage.clock_runs import NodeMemory, forget_memories, insert_runs, select_memories
from isems.storage.database import Database
from isems.storage.displaced import take_displaced
from isems.storage.measurements import Inserted, decode_rows, insert_measurements, select_times
from isems.storage.nodes import is_delivery_due, note_deliveries
from isems.storage.rejected import insert_rejected
from isems.storage.rows import merge
from isems.storage.states import read_state, save_state
from isems.storage.undecided import Undecided, delete_undecided, insert_undecided, select_undecided

log = logging.getLogger(__name__)

#: Under this name `source_state` keeps which boot of this machine had its clock confirmed.
CLOCK_STATE = "own_clock"
#: Seconds from receipt to storing: a poll's deadline, a queue before the writer.
MAX_WAIT = 300


class IngestResult(msgspec.Struct):
    """What became of a payload's records, each counted once."""

    stored: int = 0
    duplicate: int = 0
    completed: int = 0
    rejected: int = 0
    undecided: int = 0
    #: How many of the rejected for which reason.
    reasons: dict[Reason, int] = msgspec.field(default_factory=dict)
    #: Names of the nodes whose records were read.
    nodes: list[str] = msgspec.field(default_factory=list)
    #: The records that were kept, for who schedules the next poll: how many, from when to when.
    kept: int = 0
    first_at: int | None = None
    newest: Measurement | None = None

    def add(self, other: "IngestResult") -> None:
        """Add the counts of another payload."""
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.completed += other.completed
        self.rejected += other.rejected
        self.undecided += other.undecided
        self.nodes = list(dict.fromkeys(self.nodes + other.nodes))
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    @property
    def records(self) -> int:
        """All records, whatever became of them."""
        return self.stored + self.duplicate + self.completed + self.rejected + self.undecided


class Arrival(NamedTuple):
    """A payload and what was read from it."""

    payload: Payload
    parsed: Parsed


def ingest(database: Database, payload: Payload, moment: Moment) -> IngestResult:
    """Store one payload in one transaction.

    Raises StorageError when the database refuses, or when too much waits for our clock to be right.
    """
    with database.write() as connection:
        return store_payloads(connection, [payload], moment)[0]


def ingest_all(database: Database, payloads: Sequence[Payload], moment: Moment) -> list[IngestResult | Exception]:
    """Store several payloads in one transaction; give each one's result, or the error that kept it out.

    A payload that fails harms no other.
    """
    return database.write_each(payloads, partial(store_payloads, moment=moment))


def store_payloads(connection: Connection, payloads: Sequence[Payload], moment: Moment) -> list[IngestResult]:
    """Store payloads as a part of somebody's transaction."""
    return store_all(connection, [read_payload(payload) for payload in payloads], moment)


def read_payload(payload: Payload) -> Arrival:
    """Parse; a payload in no known format becomes one rejected piece."""
    if payload.problem is not None:
        return Arrival(payload, Parsed([], [], [Rejected(payload.data, Reason.TOPIC, payload.problem)]))
    try:
        parsed = parse_payload(payload)
    except FormatError as error:
        piece = Rejected(payload.data, Reason.NO_FORMAT, str(error), payload.node_hint)
        return Arrival(payload, Parsed([], [], [piece]))
    allowed = payload.allowed_nodes if payload.node_hint is None else frozenset((payload.node_hint,))
    return Arrival(payload, _without_foreign(parsed, allowed))


def _without_foreign(parsed: Parsed, allowed: frozenset[str] | None) -> Parsed:
    """Reject records of other nodes than those that may use this way in: else any node could write into the history
    of any other, whatever its broker or its push token allows it.
    """
    if allowed is None or all(measurement.node in allowed for measurement in parsed.measurements):
        return parsed
    who = next(iter(allowed)) if len(allowed) == 1 else None
    own = Parsed([], [], list(parsed.rejected))
    for measurement, raw in zip(parsed.measurements, parsed.raws, strict=True):
        if measurement.node in allowed:
            own.measurements.append(measurement)
            own.raws.append(raw)
        else:
            speakers = f"{len(allowed)} other nodes" if who is None else repr(who)
            detail = f"a record of {measurement.node!r} came where only {speakers} may speak"
            own.rejected.append(Rejected(_raw(raw), Reason.NODE_FOREIGN, detail, who))
    return own


def store_all(connection: Connection, arrivals: Sequence[Arrival], moment: Moment) -> list[IngestResult]:
    """Judge and insert what was read, in the order in which it came, and account for every record of it.

    Arrivals in which no time is to be repaired, nearly all, share their statements.
    """
    grouped = [_Grouped(payload, parsed, _group_by_node(parsed)) for payload, parsed in arrivals]
    memories = select_memories(connection, dict.fromkeys(name for one in grouped for name in one.by_node))
    results: list[IngestResult] = []
    for are_plain, group in groupby(_sort_out(grouped, memories, moment), itemgetter(0)):
        sorted_out = [one for _, one in group]
        if are_plain:
            results += _store_plain(connection, sorted_out, memories, moment)
        else:
            results += [_store_judged(connection, one, moment) for one in sorted_out]
    return results


class _Sent(NamedTuple):
    """What one node sent, in the order in which it came."""

    measurements: list[Measurement]
    raws: list[str]


class _Grouped(NamedTuple):
    """An arrival, its records by node."""

    payload: Payload
    parsed: Parsed
    by_node: dict[str, _Sent]


def _group_by_node(parsed: Parsed) -> dict[str, _Sent]:
    names = dict.fromkeys(measurement.node for measurement in parsed.measurements)
    if len(names) == 1:
        return dict.fromkeys(names, _Sent(parsed.measurements, parsed.raws))
    groups = {name: _Sent([], []) for name in names}
    for measurement, raw in zip(parsed.measurements, parsed.raws, strict=True):
        sent = groups[measurement.node]
        sent.measurements.append(measurement)
        sent.raws.append(raw)
    return groups


def _sort_out(
    arrivals: Sequence[_Grouped], memories: Mapping[str, NodeMemory], moment: Moment
) -> Iterator[tuple[bool, _Grouped]]:
    """Tell which arrivals are plain. After one that is not, what is known of its nodes may be another thing."""
    changing: set[str] = set()
    for arrival in arrivals:
        receipt = _receipt_of(arrival.payload, is_trusted=moment.is_trusted)
        plain = receipt.is_trusted and changing.isdisjoint(arrival.by_node)
        for name, sent in arrival.by_node.items():
            plain = plain and is_plain(sent.measurements, receipt, memories[name].runs)
        if not plain:
            changing.update(arrival.by_node)
        yield plain, arrival


def _receipt_of(payload: Payload, *, is_trusted: bool) -> Receipt:
    return Receipt(
        received_at=payload.received_at,
        is_live=payload.is_live,
        sender_time=payload.sender_time,
        is_trusted=is_trusted,
    )


def _store_plain(
    connection: Connection, arrivals: Sequence[_Grouped], memories: Mapping[str, NodeMemory], moment: Moment
) -> list[IngestResult]:
    batch = [measurement for arrival in arrivals for measurement in arrival.parsed.measurements]
    inserted = insert_measurements(connection, batch, moment.now)
    results = []
    start = 0
    for arrival in arrivals:
        part = _part_of(inserted, start, arrival)
        start += len(arrival.parsed.measurements)
        _note_deliveries(connection, part, arrival, memories)
        rejected = [*arrival.parsed.rejected, *_not_inserted(arrival.parsed.measurements, arrival.parsed.raws, part)]
        results.append(_account(connection, arrival, arrival.parsed.measurements, part, rejected, moment))
    return results


def _part_of(inserted: Inserted, start: int, arrival: _Grouped) -> Inserted:
    """Give what became of an arrival's records in a batch, with indices that begin with theirs."""
    measurements = arrival.parsed.measurements
    count = len(measurements)

    def own(indices: list[int]) -> list[int]:
        first, end = bisect_left(indices, start), bisect_left(indices, start + count)
        return [index - start for index in indices[first:end]]

    part = Inserted(
        duplicates=own(inserted.duplicates),
        completions=own(inserted.completions),
        conflicts=own(inserted.conflicts),
        beyond_limit=own(inserted.beyond_limit),
        node_ids=inserted.node_ids,
    )
    others = {*part.duplicates, *part.completions, *part.conflicts, *part.beyond_limit}
    part.stored = count - len(others)
    told = arrival.by_node if not others else {m.node for i, m in enumerate(measurements) if i not in others}
    part.told_more = {part.node_ids[name] for name in told}
    return part


def _store_judged(connection: Connection, arrival: _Grouped, moment: Moment) -> IngestResult:
    payload, parsed, by_node = arrival
    receipt = _receipt_of(payload, is_trusted=_is_clock_trusted(connection, arrival, moment))
    memories = select_memories(connection, by_node)
    judgements = {
        name: judge_times(measurements, receipt, memories[name].runs, _recall_of(connection, name, memories[name]))
        for name, (measurements, _) in by_node.items()
    }
    inserted = _insert(connection, judgements, payload, moment)
    if receipt.is_trusted:
        # Not while our clock is wrong: a delivery noted in the future would never be replaced.
        _note_deliveries(connection, inserted, arrival, memories)
    kept = [(m, by_node[name].raws[index]) for name, judged in judgements.items() for index, m in judged.kept.items()]
    measurements = [measurement for measurement, _ in kept]
    lost = _not_inserted(measurements, [raw for _, raw in kept], inserted)
    rejected = [*parsed.rejected, *_refused(by_node, judgements), *lost]
    result = _account(connection, arrival, measurements, inserted, rejected, moment)
    undecided = [by_node[name].raws[index] for name, judged in judgements.items() for index in judged.undecided]
    if undecided:
        result.undecided = len(undecided)
        waiting = msgspec.structs.replace(payload, data="\n".join(undecided).encode())
        insert_undecided(connection, waiting, _uptime_at_receipt(payload, moment))
    return result


def judge_undecided(database: Database, moment: Moment) -> IngestResult:
    """Judge again what waited for our clock; does nothing while it is not trusted.

    A payload that cannot be stored goes on waiting and keeps no other waiting.
    """
    total = IngestResult()
    trusted = msgspec.structs.replace(moment, is_trusted=True)
    last_id = 0
    while True:
        with database.read() as connection:
            if not (moment.is_trusted or _is_boot_confirmed(connection, moment)):
                return total
            waiting = select_undecided(connection, after=last_id)
        if not waiting:
            return total
        last_id = waiting[-1].id
        results = database.write_each(waiting, partial(_judge_again, moment=trusted))
        for undecided, result in zip(waiting, results, strict=True):
            if isinstance(result, IngestResult):
                total.add(result)
            else:
                log.error("%s: input that waits could not be judged: %s", undecided.payload.address, result)


def _judge_again(connection: Connection, waiting: Sequence[Undecided], moment: Moment) -> list[IngestResult]:
    results = []
    for undecided in waiting:
        if delete_undecided(connection, undecided.id):
            results += store_payloads(connection, [_correct_receipt(undecided, moment)], moment)
        else:
            results.append(IngestResult())  # another process was faster
    return results


def _is_clock_trusted(connection: Connection, arrival: _Grouped, moment: Moment) -> bool:
    """Our clock is trusted when it says so itself, or once any node's own clock has confirmed it since boot."""
    if moment.is_trusted or _is_boot_confirmed(connection, moment):
        return True
    measurements = arrival.parsed.measurements
    if not measurements or not agrees(measurements, _receipt_of(arrival.payload, is_trusted=False)):
        return False
    confirmed = {"boot": moment.uptime.boot, "confirmed_by": arrival.payload.address}
    save_state(connection, CLOCK_STATE, confirmed)
    return True


def _is_boot_confirmed(connection: Connection, moment: Moment) -> bool:
    state = read_state(connection, CLOCK_STATE)
    return state is not None and state.get("boot") == moment.uptime.boot


def _correct_receipt(undecided: Undecided, moment: Moment) -> Payload:
    """Tell when it really came: by uptime, if this machine has not booted since; else it is no longer live."""
    if undecided.received.boot != moment.uptime.boot:
        return msgspec.structs.replace(undecided.payload, is_live=False, sender_time=None, received_at=moment.now)
    received_at = moment.now - (moment.uptime.seconds - undecided.received.seconds)
    return msgspec.structs.replace(undecided.payload, received_at=received_at)


def _uptime_at_receipt(payload: Payload, moment: Moment) -> Uptime:
    """A payload is stored some seconds after it came; a longer wait is a step of our clock in between."""
    waited = moment.now - payload.received_at
    return Uptime(moment.uptime.boot, moment.uptime.seconds - (waited if 0 <= waited <= MAX_WAIT else 0))


def _recall_of(connection: Connection, name: str, memory: NodeMemory) -> Recall:
    """Give the memory of a node: whether records are stored already under the times that a repair gives them."""

    def recall(samples: Sequence[Sequence[Measurement]]) -> int | None:
        if memory.node_id is None:
            return None
        times = {m.measured_at or 0 for sample in samples for m in sample}
        rows = [row for row in select_times(connection, memory.node_id, list(times)) if row[1] in times]
        stored = {m.measured_at: m for m in decode_rows(connection, name, rows) if m.time_repaired}

        def is_stored(sample: Sequence[Measurement]) -> bool:
            found = [m for m in sample if m.measured_at in stored and merge(stored[m.measured_at], m) is not None]
            return 2 * len(found) > len(sample)

        return next((position for position, sample in enumerate(samples) if is_stored(sample)), None)

    return recall


def _insert(connection: Connection, judgements: Mapping[str, Judgement], payload: Payload, moment: Moment) -> Inserted:
    """Insert what was kept of all nodes, in the order of the judgements."""
    for name, judgement in judgements.items():
        _move_displaced(connection, name, judgement, payload, moment)
    kept = [measurement for judgement in judgements.values() for measurement in judgement.kept.values()]
    inserted = insert_measurements(connection, kept, moment.now)
    for name, judgement in judgements.items():
        if name in inserted.node_ids:
            insert_runs(connection, inserted.node_ids[name], judgement.runs)
    return inserted


def _note_deliveries(
    connection: Connection, inserted: Inserted, arrival: _Grouped, memories: Mapping[str, NodeMemory]
) -> None:
    if not (arrival.payload.is_live and inserted.told_more):
        return
    received_at = arrival.payload.received_at
    due = [
        node_id
        for name in arrival.by_node
        if (node_id := inserted.node_ids.get(name)) in inserted.told_more
        and is_delivery_due(memories[name].delivered_at, received_at)
    ]
    if due:
        note_deliveries(connection, due, received_at)
        forget_memories(connection)


def _move_displaced(connection: Connection, name: str, judgement: Judgement, payload: Payload, moment: Moment) -> None:
    """Move what was stored under a wrong time before this run was recognised as wrong."""
    moved = take_displaced(connection, name, judgement.displaced)
    if not moved:
        return
    inserted = insert_measurements(connection, moved, moment.now)
    detail = "moved to its repaired time, where another record of this node and second is stored and differs"
    lost = [Rejected(msgspec.json.encode(moved[i]), Reason.CONFLICT, detail, name) for i in inserted.conflicts]
    insert_rejected(connection, payload.source, payload.address, lost, moment.now)


def _account(
    connection: Connection,
    arrival: _Grouped,
    kept: Sequence[Measurement],
    inserted: Inserted,
    rejected: Sequence[Rejected],
    moment: Moment,
) -> IngestResult:
    """Keep what was rejected, and count what became of every record."""
    insert_rejected(connection, arrival.payload.source, arrival.payload.address, rejected, moment.now)
    times = [measurement.measured_at or 0 for measurement in kept]
    return IngestResult(
        stored=inserted.stored,
        duplicate=inserted.duplicate,
        completed=inserted.completed,
        rejected=len(rejected),
        reasons=dict(Counter(piece.reason for piece in rejected)) if rejected else {},
        nodes=list(arrival.by_node),
        kept=len(kept),
        first_at=min(times, default=None),
        newest=kept[-1 - times[::-1].index(max(times))] if kept else None,
    )


def _refused(by_node: Mapping[str, _Sent], judgements: Mapping[str, Judgement]) -> Iterable[Rejected]:
    for name, judgement in judgements.items():
        for refused in judgement.refused:
            yield Rejected(_raw(by_node[name].raws[refused.index]), refused.reason, refused.detail, name)


def _not_inserted(kept: Sequence[Measurement], raws: Sequence[str], inserted: Inserted) -> Iterable[Rejected]:
    for position in inserted.conflicts:
        detail = "another record of this node and second is stored and differs"
        yield Rejected(_raw(raws[position]), Reason.CONFLICT, detail, kept[position].node)
    for position in inserted.beyond_limit:
        yield Rejected(_raw(raws[position]), Reason.NODE_LIMIT, "too many nodes are known already")


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
