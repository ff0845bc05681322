"""All nodes as their operator should see them: what they sent last, and whether it can be what it seems."""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import ClockState, Moment
from isems.domain.sharing import is_shared
from isems.storage.database import Database
from isems.storage.newest import select_newest
from isems.storage.node_states import NodeState, select_node_states

#: Records looked at for a second device under the same id: some minutes of two boards.
RECORDS = 40


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node; instants are RFC 3339 in UTC, None is unknown."""

    name: str
    first_seen_at: datetime
    measured_at: datetime | None
    battery_volts: float | None
    #: None: nothing has come live, or it does not show its clock.
    clock_state: ClockState | None
    clock_state_since: datetime | None
    #: What had to be added to its clock when that state began.
    clock_offset_seconds: int | None
    #: Records that met another one of the same second: stored is the first, the others were kept as rejected.
    conflict_count: int
    #: Where it answers when polled.
    addresses: list[str]
    #: The collectors that polled it there last: host and a random end.
    collectors: list[str]
    #: Two devices at least send under this id.
    is_shared: bool


def list_nodes(database: Database, moment: Moment) -> list[Node]:
    """Give every node, by name."""
    with database.read() as connection:
        return [_describe(connection, state) for state in select_node_states(connection, moment.now)]


def _describe(connection: Connection, state: NodeState) -> Node:
    newest = [one.measurement for one in select_newest(connection, state.name, state.id, RECORDS)]
    return Node(
        name=state.name,
        first_seen_at=_instant(state.first_seen_at),
        measured_at=_instant(newest[0].measured_at or 0) if newest else None,
        battery_volts=newest[0].battery_volts if newest else None,
        clock_state=state.clock_state,
        clock_state_since=None if state.clock_state_at is None else _instant(state.clock_state_at),
        clock_offset_seconds=state.clock_offset_seconds,
        conflict_count=state.conflicts,
        addresses=state.addresses,
        collectors=state.collectors,
        is_shared=is_shared(reversed(newest)),
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
