"""All nodes as their operator should see them: what they sent last, and whether it can be what it seems."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from isems.domain.checks import RECORDS, Evidence, check_node, records_wanted
from isems.domain.clock import ClockState, Moment
from isems.domain.finding import Finding
from isems.domain.measurement import Configuration, Measurement
from isems.domain.sharing import is_shared
from isems.storage.configurations import read_configurations
from isems.storage.database import Database
from isems.storage.newest import select_newest, select_newest_records
from isems.storage.node_states import NodeState, select_node_states


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


class KnownNode(msgspec.Struct, frozen=True):
    """A node with what is known of it, as stored; instants are epoch seconds."""

    node: NodeState
    #: Its newest, newest first, as many as its checks can use.
    records: list[Measurement]
    #: The newest that is no placeholder.
    configuration: Configuration | None

    @property
    def newest(self) -> Measurement | None:
        """The newest measurement; None: it is only known by its name."""
        return self.records[0] if self.records else None

    @property
    def heard_at(self) -> int:
        """The newest measurement, or the newest live delivery where that is later; 0: never."""
        measured_at = self.records[0].measured_at if self.records else None
        return max(measured_at or 0, self.node.delivered_at or 0)


#: Nodes whose records are held at a time.
CHUNK = 500


def survey_nodes(connection: Connection, now: int, is_wanted: Callable[[str], bool]) -> Iterator[KnownNode]:
    """Give every node whose name is wanted, by name, in a few statements for many of them."""
    states = [state for state in select_node_states(connection, now) if is_wanted(state.name)]
    for start in range(0, len(states), CHUNK):
        chunk = states[start : start + CHUNK]
        names = {state.id: state.name for state in chunk}
        yield from _join(connection, chunk, select_newest_records(connection, names, RECORDS))


def survey_node(connection: Connection, now: int, node_id: int) -> KnownNode:
    """Give one node."""
    (state,) = select_node_states(connection, now, node_id)
    newest = [one.measurement for one in select_newest(connection, state.name, node_id, RECORDS)]
    return _join(connection, [state], {node_id: newest})[0]


def _join(connection: Connection, states: list[NodeState], newest: dict[int, list[Measurement]]) -> list[KnownNode]:
    wanted = {state.configuration_id for state in states if state.configuration_id is not None}
    configurations = read_configurations(connection, wanted)
    return [
        KnownNode(
            state,
            _complete(connection, state, newest.get(state.id, [])),
            configurations.get(state.configuration_id or 0),
        )
        for state in states
    ]


def _complete(connection: Connection, state: NodeState, records: list[Measurement]) -> list[Measurement]:
    """Give more records where the checks can use more: of few nodes."""
    if not records or (wanted := records_wanted(records[0])) <= RECORDS:
        return records
    return [one.measurement for one in select_newest(connection, state.name, state.id, wanted)]


def find_at(known: KnownNode, poll_seconds: int, now: int) -> list[Finding]:
    """Give what is found at a node, worst first; `poll_seconds` is how often nodes with an address are polled."""
    evidence = Evidence(
        records=known.records,
        delivered_at=known.node.delivered_at,
        poll_seconds=poll_seconds if known.node.addresses else None,
        clock_state=known.node.clock_state,
        clock_offset_seconds=known.node.clock_offset_seconds,
    )
    return check_node(evidence, now)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
