"""Judge and insert what was read; arrivals in which no time is to be repaired share their statements."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import Moment, Receipt
from isems.domain.measurement import Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.domain.repair import Judgement, Recall, is_plain, judge_times
from isems.ingest.accounting import OLDER_THAN_KEPT, account, lost_of, part_of, refused_of
from isems.ingest.arrival import Arrival, Grouped, group, read_payload, receipt_of
from isems.ingest.notes import take_notes
from isems.ingest.own_clock import is_clock_trusted, uptime_at_receipt
from isems.ingest.result import IngestResult
from isems.ingest.samples import let_lines_wait, reconcile, store_sample
from isems.storage.counters import count
from isems.storage.database import Database
from isems.storage.displaced import take_displaced
from isems.storage.measurements import Inserted, decode_rows, insert_measurements, select_times
from isems.storage.node_memory import NodeMemory, insert_runs, select_memories
from isems.storage.rejected import insert_rejected
from isems.storage.rows import merge
from isems.storage.tally import unite
from isems.storage.undecided import insert_undecided


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
    """Store payloads as a part of somebody's transaction, and count what became of their records."""
    results = store_all(connection, [read_payload(payload) for payload in payloads], moment)
    stored = zip(payloads, results, strict=True)
    count(connection, unite(one.counts(payload.source, payload.received_at) for payload, one in stored))
    return results


def store_all(connection: Connection, arrivals: Sequence[Arrival], moment: Moment) -> list[IngestResult]:
    """Judge and insert what was read, in the order in which it came, and account for every record of it.

    Arrivals in which no time is to be repaired, nearly all, share their statements.
    """
    grouped = [group(arrival) for arrival in arrivals]
    memories = select_memories(connection, dict.fromkeys(name for one in grouped for name in one.by_node))
    results: list[IngestResult] = []
    for are_plain, together in groupby(_sort_out(grouped, memories, moment), itemgetter(0)):
        sorted_out = [one for _, one in together]
        if are_plain:
            results += _store_plain(connection, sorted_out, memories, moment)
        else:
            results += [_store_alone(connection, one, moment) for one in sorted_out]
    return results


def _sort_out(
    arrivals: Sequence[Grouped], memories: Mapping[str, NodeMemory], moment: Moment
) -> Iterator[tuple[bool, Grouped]]:
    """Tell which arrivals are plain. After one that is not, what is known of its nodes may be another thing."""
    changing: set[str] = set()
    for arrival in arrivals:
        receipt = receipt_of(arrival, is_trusted=moment.is_trusted)
        plain = receipt.is_trusted and not arrival.is_sample and changing.isdisjoint(arrival.by_node)
        for name, sent in arrival.by_node.items() if plain else ():
            memory = memories[name]
            if memory.has_samples or memory.has_backlog or not is_plain(sent.measurements, receipt, memory.runs):
                plain = False
                break
        if not plain:
            changing.update(arrival.by_node)
        yield plain, arrival


def _store_plain(
    connection: Connection, arrivals: Sequence[Grouped], memories: Mapping[str, NodeMemory], moment: Moment
) -> list[IngestResult]:
    batch = [measurement for arrival in arrivals for measurement in arrival.parsed.measurements]
    inserted = insert_measurements(connection, batch, moment.now)
    results = []
    start = 0
    for arrival in arrivals:
        part = part_of(inserted, start, arrival) if len(arrivals) > 1 else inserted
        start += len(arrival.parsed.measurements)
        take_notes(connection, arrival, receipt_of(arrival, is_trusted=True), part, memories)
        rejected = [*arrival.parsed.rejected, *lost_of(arrival.parsed.measurements, arrival.parsed.raws, part)]
        results.append(account(connection, arrival, arrival.parsed.measurements, part, rejected, moment))
    return results


def _store_alone(connection: Connection, arrival: Grouped, moment: Moment) -> IngestResult:
    receipt = receipt_of(arrival, is_trusted=is_clock_trusted(connection, arrival, moment))
    memories = select_memories(connection, arrival.by_node)
    store = store_sample if arrival.is_sample else _store_judged
    return store(connection, arrival, receipt, memories, moment)


def _store_judged(
    connection: Connection,
    arrival: Grouped,
    receipt: Receipt,
    memories: Mapping[str, NodeMemory],
    moment: Moment,
) -> IngestResult:
    payload, parsed, by_node, _ = arrival
    judgements = {
        name: judge_times(sent.measurements, receipt, memories[name].runs, _recall_of(connection, name, memories[name]))
        for name, sent in by_node.items()
    }
    waiting = let_lines_wait(connection, arrival, judgements, receipt, moment)
    is_next = receipt.is_live or payload.is_queued
    settled = [
        reconcile(connection, name, judgements[name], memory, receipt, moment, is_next=is_next)
        for name, memory in memories.items()
        if memory.has_samples or memory.has_backlog
    ]
    inserted = _insert(connection, judgements, payload, moment)
    take_notes(connection, arrival, receipt, inserted, memories)
    kept = [(m, by_node[name].raws[index]) for name, judged in judgements.items() for index, m in judged.kept.items()]
    measurements = [measurement for measurement, _ in kept]
    lost = lost_of(measurements, [raw for _, raw in kept], inserted)
    rejected = [*parsed.rejected, *refused_of(by_node, judgements), *lost]
    result = account(connection, arrival, measurements, inserted, rejected, moment)
    result.add(waiting)
    undecided = [by_node[name].raws[index] for name, judged in judgements.items() for index in judged.undecided]
    if undecided:
        result.undecided += len(undecided)
        asked_again = msgspec.structs.replace(payload, data="\n".join(undecided).encode())
        insert_undecided(connection, asked_again, uptime_at_receipt(payload, moment))
    for one in settled:
        result.add(one)
    return result


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


def _move_displaced(connection: Connection, name: str, judgement: Judgement, payload: Payload, moment: Moment) -> None:
    """Move what was stored under a wrong time before this run was recognised as wrong."""
    moved = take_displaced(connection, name, judgement.displaced)
    if not moved:
        return
    inserted = insert_measurements(connection, moved, moment.now)
    detail = "moved to its repaired time, where another record of this node and second is stored and differs"
    lost = [Rejected(msgspec.json.encode(moved[i]), Reason.CONFLICT, detail, name) for i in inserted.conflicts]
    lost += [
        Rejected(msgspec.json.encode(moved[i]), Reason.OLDER_THAN_KEPT, OLDER_THAN_KEPT, name) for i in inserted.too_old
    ]
    insert_rejected(connection, payload.source, payload.address, lost, moment.now)
