"""What is known of nodes beside their measurements: their clocks, their kinds of input, their conflicts."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, bindparam, select

from isems.domain.clock import ClockReading, ClockState, state_at
from isems.storage.database import Upsert
from isems.storage.nodes import find_nodes
from isems.storage.schema import node, node_address, node_state, poll_target
from isems.storage.writer_memory import memory_of

_NEW = {
    "has_samples": False,
    "clock_state": None,
    "clock_state_at": None,
    "clock_offset_seconds": None,
    "clock_stepped_at": None,
    "conflicts": 0,
}
_NOTE_SAMPLES = Upsert(node_state, key=["node_id"], replace=["has_samples"])
_NOTE_CLOCK = Upsert(node_state, key=["node_id"], replace=["clock_state", "clock_state_at", "clock_offset_seconds"])
_NOTE_STEP = Upsert(node_state, key=["node_id"], replace=["clock_stepped_at"])
_COUNT_CONFLICTS = Upsert(node_state, key=["node_id"], replace=[], add=["conflicts"])
_NOTE_ADDRESS = Upsert(node_address, key=["address"], replace=["node_id"])
#: Under this name a writing connection remembers which node answers at an address.
ADDRESSES = "addresses"


def note_samples(connection: Connection, node_id: int) -> None:
    """Note that a node sends samples which carry no time."""
    _NOTE_SAMPLES.execute(connection, [{**_NEW, "node_id": node_id, "has_samples": True}])


def note_clock(connection: Connection, node_id: int, reading: ClockReading, noted: ClockState | None, now: int) -> None:
    """Note what a node's clock is like where that is not what is noted, and that it stepped."""
    if reading.state is not noted:
        row = {**_NEW, "node_id": node_id, "clock_state": reading.state.value, "clock_state_at": now}
        _NOTE_CLOCK.execute(connection, [row | {"clock_offset_seconds": reading.offset_seconds}])
    if reading.has_stepped:
        _NOTE_STEP.execute(connection, [{**_NEW, "node_id": node_id, "clock_stepped_at": now}])


def count_conflicts(connection: Connection, counts: Iterable[tuple[int, int]]) -> None:
    """Add to the number of a node's conflicts; pairs of node and how many."""
    rows = [{**_NEW, "node_id": node_id, "conflicts": count} for node_id, count in counts]
    if rows:
        _COUNT_CONFLICTS.execute(connection, rows)


def note_addresses(connection: Connection, names: Mapping[str, str]) -> None:
    """Note which node answered at each address; by address."""
    noted: dict[str, str] = memory_of(connection).setdefault(ADDRESSES, {})
    new = {address: name for address, name in names.items() if noted.get(address) != name}
    ids = find_nodes(connection, list(set(new.values())))
    rows = [{"address": address, "node_id": ids[name]} for address, name in new.items() if name in ids]
    if rows:
        _NOTE_ADDRESS.execute(connection, rows)
        noted.update(new)


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """A node as its operator should see it; instants are epoch seconds."""

    id: int
    name: str
    first_seen_at: int
    #: Of the last new record that came live, to an hour.
    delivered_at: int | None
    clock_state: ClockState | None
    clock_state_at: int | None
    #: What had to be added to its clock then.
    clock_offset_seconds: int | None
    conflicts: int
    #: Where it answered when polled last.
    addresses: list[str]
    #: Who polled it there.
    collectors: list[str]
    #: The newest that is no placeholder.
    configuration_id: int | None = None


def select_node_states(connection: Connection, now: int, node_id: int | None = None) -> list[NodeState]:
    """Give every node, by name; or only one."""
    polled: dict[int, list[tuple[str, str | None]]] = {}
    for row in connection.execute(_ADDRESSES, {"since": now - ADDRESS_SECONDS}):
        polled.setdefault(row.node_id, []).append((row.address, row.holder))
    states = _STATES if node_id is None else _STATES.where(node.c.id == node_id)
    return [
        NodeState(
            id=row.id,
            name=row.name,
            first_seen_at=row.first_seen_at,
            delivered_at=row.delivered_at,
            clock_state=state_at(row.clock_state and ClockState(row.clock_state), row.clock_stepped_at, now),
            clock_state_at=row.clock_state_at,
            clock_offset_seconds=row.clock_offset_seconds,
            conflicts=row.conflicts or 0,
            addresses=[address for address, _ in polled.get(row.id, [])],
            collectors=sorted({holder for _, holder in polled.get(row.id, []) if holder}),
            configuration_id=row.configuration_id,
        )
        for row in connection.execute(states)
    ]


#: An address that did not answer for so long is no longer counted as a node's.
ADDRESS_SECONDS = 7 * 86_400
_STATES = (
    select(node, *(column for column in node_state.columns if column.name != "node_id"))
    .select_from(node.outerjoin(node_state, node_state.c.node_id == node.c.id))
    .order_by(node.c.name)
)
_ADDRESSES = (
    select(node_address.c.node_id, node_address.c.address, poll_target.c.holder)
    .join(poll_target, poll_target.c.address == node_address.c.address)
    .where(poll_target.c.answered_at >= bindparam("since"))
    .order_by(node_address.c.address)
)
