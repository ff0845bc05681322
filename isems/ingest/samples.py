"""Samples that carry no time (`domain.sample`): stored when they came, or when their node's next payload tells."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import TOLERANCE, Moment, Receipt
from isems.domain.measurement import Dialect, Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.domain.repair import Judgement
from isems.domain.sample import RECORD_AHEAD, Anchor, Verdict, anchor_of, ticks_of
from isems.ingest.accounting import account, lost_of
from isems.ingest.arrival import Grouped, raw_of
from isems.ingest.backlog import conflict, is_patient, let_wait, settle_backlog
from isems.ingest.history import History, insert_samples, make_way
from isems.ingest.notes import take_notes
from isems.ingest.own_clock import uptime_at_receipt
from isems.ingest.result import IngestResult
from isems.storage.measurements import Inserted
from isems.storage.node_memory import NodeMemory
from isems.storage.nodes import find_node
from isems.storage.undecided import insert_undecided


def store_sample(
    connection: Connection,
    arrival: Grouped,
    receipt: Receipt,
    memories: Mapping[str, NodeMemory],
    moment: Moment,
) -> IngestResult:
    """Store the one sample of an arrival under the time of its receipt, or keep it until more is known."""
    payload = arrival.payload
    if not arrival.is_live:
        return _store_later(connection, arrival, receipt, moment)
    if not receipt.is_trusted:
        insert_undecided(connection, payload, uptime_at_receipt(payload, moment))
        return IngestResult(undecided=1, nodes=list(arrival.by_node))
    sample = msgspec.structs.replace(arrival.parsed.measurements[0], measured_at=payload.received_at)
    settled = settle_backlog(connection, sample.node, anchor_of(sample), moment, has_waited=receipt.has_waited)
    result = _store_live(connection, arrival, sample, receipt, memories, moment)
    result.add(settled)
    return result


def _store_later(connection: Connection, arrival: Grouped, receipt: Receipt, moment: Moment) -> IngestResult:
    payload, sample = arrival.payload, arrival.parsed.measurements[0]
    ticks = ticks_of(sample)
    if ticks is None and payload.is_queued and payload.is_redelivered and _is_stored(connection, sample, payload):
        return account(connection, arrival, [], Inserted(duplicates=[0]), [], moment)
    if not payload.is_queued:
        reason = "nothing tells when it was sent"
    elif ticks is None:
        reason = "the node's counter does not run, so nothing tells how long it waited in the broker"
    elif not is_patient(connection, payload.data):
        reason = "there is no room for it to wait for the node's next payload"
    else:
        return let_wait(connection, sample.node, ticks, payload, receipt, moment)
    piece = Rejected(payload.data, Reason.NO_TIME, f"it carries no time, and {reason}", sample.node)
    return account(connection, arrival, [], Inserted(), [piece], moment)


def _is_stored(connection: Connection, sample: Measurement, payload: Payload) -> bool:
    """Tell whether a sample whose counter does not run, and which the broker sent before, is the node's previous one."""
    at = payload.received_at
    history = History(connection, sample.node, at, at)
    verdict, _ = history.place(msgspec.structs.replace(sample, measured_at=at), is_redelivered=True)
    return verdict is Verdict.DUPLICATE


def _store_live(
    connection: Connection,
    arrival: Grouped,
    sample: Measurement,
    receipt: Receipt,
    memories: Mapping[str, NodeMemory],
    moment: Moment,
) -> IngestResult:
    at, raws = arrival.payload.received_at, arrival.parsed.raws
    history = History(connection, sample.node, at, at)
    verdict, placed = history.place(sample, is_redelivered=arrival.payload.is_redelivered)
    if verdict is Verdict.DUPLICATE:
        return account(connection, arrival, [sample], Inserted(duplicates=[0]), [], moment)
    if verdict is Verdict.CONFLICT:
        return account(connection, arrival, [], Inserted(), [conflict(raws[0], sample.node)], moment)
    inserted = insert_samples(connection, sample.node, [placed], moment.now)
    take_notes(connection, arrival, receipt, inserted, memories)
    return account(connection, arrival, [placed], inserted, list(lost_of([placed], raws, inserted)), moment)


def reconcile(
    connection: Connection,
    name: str,
    judgement: Judgement,
    memory: NodeMemory,
    receipt: Receipt,
    moment: Moment,
    *,
    is_next: bool,
) -> IngestResult:
    """Make what came of a node without a time fit the records of it that are about to be stored.

    Gives what became of what waited: the newest of the records tells its time, if they are what the node sent next
    (`is_next`) and no file or retained message.
    """
    settled = IngestResult()
    records = list(judgement.kept.values())
    if records and memory.has_backlog and receipt.is_trusted and is_next:
        newest = judgement.kept[max(judgement.kept)]  # runs are judged from the newest back
        after = _anchor_at_receipt(newest, receipt)
        settled = settle_backlog(connection, name, after, moment, judgement.runs, has_waited=receipt.has_waited)
    node_id = find_node(connection, name)  # what was settled may have made it known
    if records and node_id is not None:
        make_way(connection, name, node_id, records, moment.now)
    return settled


def _anchor_at_receipt(newest: Measurement, receipt: Receipt) -> Anchor | None:
    """A record tells when its sample would have been taken, but not where its node's clock is behind: live is now."""
    anchor = anchor_of(newest)
    if anchor is None or not receipt.is_live or abs(receipt.received_at - anchor.time) <= TOLERANCE:
        return anchor
    return anchor._replace(time=receipt.received_at)


def let_lines_wait(
    connection: Connection,
    arrival: Grouped,
    judgements: Mapping[str, Judgement],
    receipt: Receipt,
    moment: Moment,
) -> IngestResult:
    """Keep the lines of a board that waited in a broker, with a clock that was not set, until its next payload.

    They are taken out of what the judgements refuse.
    """
    result = IngestResult()
    if arrival.is_live or not arrival.payload.is_queued:
        return result
    for name, judgement in judgements.items():
        sent = arrival.by_node[name]
        refused = []
        for one in judgement.refused:
            line, data = sent.measurements[one.index], raw_of(sent.raws[one.index])
            ticks = ticks_of(line)
            counts_from_boot = line.configuration.dialect is Dialect.BOARD and (line.measured_at or 0) > 0
            is_unset = one.reason is Reason.CLOCK_UNSET and counts_from_boot and ticks is not None
            if is_unset and is_patient(connection, data):
                alone = msgspec.structs.replace(arrival.payload, data=data)
                result.add(let_wait(connection, name, (ticks or 0) - RECORD_AHEAD, alone, receipt, moment))
            else:
                refused.append(one)
        judgement.refused = refused
    return result
