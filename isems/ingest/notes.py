"""What is noted with a node beside its records."""

from collections.abc import Mapping

from sqlalchemy import Connection

from isems.domain.clock import Receipt, read_clock
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
    if receipt.is_live and receipt.is_trusted:
        _note_deliveries(connection, arrival, inserted, memories)
        _note_clocks(connection, arrival, receipt, inserted, memories)


def _note_deliveries(
    connection: Connection, arrival: Grouped, inserted: Inserted, memories: Mapping[str, NodeMemory]
) -> None:
    if not inserted.told_more:
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


def _note_clocks(
    connection: Connection,
    arrival: Grouped,
    receipt: Receipt,
    inserted: Inserted,
    memories: Mapping[str, NodeMemory],
) -> None:
    for name, sent in arrival.by_node.items():
        reading = read_clock(sent.measurements, receipt)
        noted = memories[name].clock_state
        node_id = inserted.node_ids.get(name)
        if reading is not None and node_id is not None and (reading.state is not noted or reading.has_stepped):
            note_clock(connection, node_id, reading, noted, receipt.received_at)
            forget_memories(connection)
