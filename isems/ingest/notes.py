"""What is noted with a node beside its records."""

from collections.abc import Mapping

from sqlalchemy import Connection

from isems.domain.clock import Receipt, read_clock, shows_clock
from isems.ingest.arrival import Grouped
from isems.storage.measurements import Inserted
from isems.storage.node_memory import NodeMemory, forget_memories
from isems.storage.node_states import note_clock
from isems.storage.nodes import is_delivery_due, note_deliveries


def take_notes(
    connection: Connection,
    arrival: Grouped,
    receipt: Receipt,
    inserted: Inserted,
    memories: Mapping[str, NodeMemory],
) -> None:
    """Note that nodes delivered, and what that shows of their clocks; only of what came live.

    Not while our own clock is wrong: a delivery noted in the future would never be replaced.
    """
    if not (receipt.is_live and receipt.is_trusted):
        return
    due: list[int] = []
    changed = False
    for name, sent in arrival.by_node.items():
        memory, node_id = memories[name], inserted.node_ids.get(name)
        if node_id is None:
            continue
        if is_delivery_due(memory.delivered_at, receipt.received_at) and node_id in inserted.told_more:
            due.append(node_id)
        if shows_clock(sent.measurements[-1], receipt):
            reading = read_clock(sent.measurements, receipt)
            if reading is not None and (reading.state is not memory.clock_state or reading.has_stepped):
                note_clock(connection, node_id, reading, memory.clock_state, receipt.received_at)
                changed = True
    note_deliveries(connection, due, receipt.received_at)
    if due or changed:
        forget_memories(connection)
