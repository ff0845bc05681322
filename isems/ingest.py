"""One payload becomes stored rows: parse, judge the times, insert. Whatever cannot be stored is kept as rejected."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import Moment, Receipt, Uptime, agrees
from isems.domain.measurement import Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.domain.repair import Judgement, Recall, judge_times
from isems.errors import FormatError
from isems.formats import Parsed, parse_payload
from isems.storage.clock_runs import NodeMemory, insert_runs, select_memories
from isems.storage.database import Database
from isems.storage.displaced import take_displaced
from isems.storage.measurements import Inserted, decode_rows, insert_measurements, select_times
from isems.storage.nodes import is_delivery_due, note_delivery
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


def ingest(database: Database, payload: Payload, moment: Moment) -> IngestResult:
    """Store one payload in one transaction.

    Raises StorageError when the database refuses, or when too much waits for our clock to be right.
    """
    parsed = read_payload(payload)
    with database.write() as connection:
        return store_parsed(connection, payload, parsed, moment)


def ingest_all(database: Database, payloads: Sequence[Payload], moment: Moment) -> list[IngestResult | Exception]:
    """Store several payloads in one transaction; give each one's result, or the error that kept it out.

    A payload that fails harms no other.
    """

    def store(payload: Payload, connection: Connection) -> IngestResult:
        return store_parsed(connection, payload, read_payload(payload), moment)

    return database.write_each([partial(store, payload) for payload in payloads])


def read_payload(payload: Payload) -> Parsed:
    """Parse; a payload in no known format becomes one rejected piece."""
    try:
        return parse_payload(payload)
    except FormatError as error:
        return Parsed([], [], [Rejected(payload.data, Reason.NO_FORMAT, str(error), payload.node_hint)])


def store_parsed(connection: Connection, payload: Payload, parsed: Parsed, moment: Moment) -> IngestResult:
    """Judge and insert what was parsed, and account for every record of it."""
    receipt = Receipt(
        received_at=payload.received_at,
        is_live=payload.is_live,
        sender_time=payload.sender_time,
        is_trusted=_is_clock_trusted(connection, payload, parsed, moment),
    )
    by_node = _group_by_node(parsed)
    memories = select_memories(connection, by_node)
    judgements = {
        name: judge_times(measurements, receipt, memories[name].runs, _recall_of(connection, name, memories[name]))
        for name, (measurements, _) in by_node.items()
    }
    inserted = _insert(connection, judgements, payload, moment)
    if receipt.is_live and receipt.is_trusted:
        # Not while our clock is wrong: a delivery noted in the future would never be replaced.
        _note_deliveries(connection, inserted, memories, payload.received_at)
    result = _account(judgements, inserted)
    rejected = [*parsed.rejected, *_refused(by_node, judgements), *_not_inserted(by_node, judgements, inserted)]
    undecided = [by_node[name].raws[index] for name, judged in judgements.items() for index in judged.undecided]
    result.rejected = len(rejected)
    result.reasons = dict(Counter(piece.reason for piece in rejected))
    insert_rejected(connection, payload.source, payload.address, rejected, moment.now)
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
        works = [partial(_judge_again, undecided=undecided, moment=trusted) for undecided in waiting]
        for undecided, result in zip(waiting, database.write_each(works), strict=True):
            if isinstance(result, IngestResult):
                total.add(result)
            else:
                log.error("%s: input that waits could not be judged: %s", undecided.payload.address, result)


def _judge_again(connection: Connection, undecided: Undecided, moment: Moment) -> IngestResult:
    if not delete_undecided(connection, undecided.id):
        return IngestResult()  # another process was faster
    payload = _correct_receipt(undecided, moment)
    return store_parsed(connection, payload, read_payload(payload), moment)


def _is_clock_trusted(connection: Connection, payload: Payload, parsed: Parsed, moment: Moment) -> bool:
    """Our clock is trusted when it says so itself, or once any node's own clock has confirmed it since boot."""
    if moment.is_trusted or _is_boot_confirmed(connection, moment):
        return True
    receipt = Receipt(received_at=payload.received_at, is_live=payload.is_live, sender_time=payload.sender_time)
    if not parsed.measurements or not agrees(parsed.measurements, receipt):
        return False
    save_state(connection, CLOCK_STATE, {"boot": moment.uptime.boot, "confirmed_by": payload.address})
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


class _Sent(NamedTuple):
    """What one node sent, in the order in which it came."""

    measurements: list[Measurement]
    raws: list[str]


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
    connection: Connection, inserted: Inserted, memories: Mapping[str, NodeMemory], received_at: int
) -> None:
    for name, node_id in inserted.node_ids.items():
        if node_id in inserted.told_more and is_delivery_due(memories[name].delivered_at, received_at):
            note_delivery(connection, node_id, received_at)


def _move_displaced(connection: Connection, name: str, judgement: Judgement, payload: Payload, moment: Moment) -> None:
    """Move what was stored under a wrong time before this run was recognised as wrong."""
    moved = take_displaced(connection, name, judgement.displaced)
    if not moved:
        return
    inserted = insert_measurements(connection, moved, moment.now)
    detail = "moved to its repaired time, where another record of this node and second is stored and differs"
    lost = [Rejected(msgspec.json.encode(moved[i]), Reason.CONFLICT, detail, name) for i in inserted.conflicts]
    insert_rejected(connection, payload.source, payload.address, lost, moment.now)


def _account(judgements: Mapping[str, Judgement], inserted: Inserted) -> IngestResult:
    kept = [measurement for judgement in judgements.values() for measurement in judgement.kept.values()]
    times = [measurement.measured_at or 0 for measurement in kept]
    return IngestResult(
        stored=inserted.stored,
        duplicate=inserted.duplicate,
        completed=inserted.completed,
        nodes=list(judgements),
        kept=len(kept),
        first_at=min(times, default=None),
        newest=kept[-1 - times[::-1].index(max(times))] if kept else None,
    )


def _refused(by_node: Mapping[str, _Sent], judgements: Mapping[str, Judgement]) -> Iterable[Rejected]:
    for name, judgement in judgements.items():
        for refused in judgement.refused:
            yield Rejected(_raw(by_node[name].raws[refused.index]), refused.reason, refused.detail, name)


def _not_inserted(
    by_node: Mapping[str, _Sent], judgements: Mapping[str, Judgement], inserted: Inserted
) -> Iterable[Rejected]:
    if not (inserted.conflicts or inserted.beyond_limit):
        return
    kept = [(name, by_node[name].raws[index]) for name, judgement in judgements.items() for index in judgement.kept]
    for position in inserted.conflicts:
        name, raw = kept[position]
        detail = "another record of this node and second is stored and differs"
        yield Rejected(_raw(raw), Reason.CONFLICT, detail, name)
    for position in inserted.beyond_limit:
        _, raw = kept[position]
        yield Rejected(_raw(raw), Reason.NODE_LIMIT, "too many nodes are known already")


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
