"""All nodes as their operator should see them: what they sent last, and whether it can be what it seems."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from isems.domain.checks import RECORDS, Evidence, check_node, records_wanted
from isems.domain.clock import ClockState, Moment
from isems.domain.finding import Finding
from isems.domain.measurement import Configuration, Measurement, Trace
from isems.domain.sharing import is_shared
from isems.storage.configurations import read_configurations
from isems.storage.database import Database
from isems.storage.newest import select_newest, select_newest_of_each, select_traces
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


class KnownNode(msgspec.Struct, frozen=True):
    """A node with what is known of it, as stored; instants are epoch seconds."""

    node: NodeState
    #: The newest measurement; None: it is only known by its name.
    newest: Measurement | None
    #: Of its newest, newest first, as many as its checks can use.
    traces: list[Trace]
    #: The newest that is no placeholder.
    configuration: Configuration | None

    @property
    def heard_at(self) -> int:
        """The newest measurement, or the newest live delivery where that is later; 0: never."""
        measured_at = None if self.newest is None else self.newest.measured_at
        return max(measured_at or 0, self.node.delivered_at or 0)


def list_nodes(database: Database, moment: Moment) -> list[Node]:
    """Give every node, by name."""
    with database.read() as connection:
        return [_describe(known) for known in survey_nodes(connection, moment.now, lambda name: True)]


def _describe(known: KnownNode) -> Node:
    state, newest = known.node, known.newest
    return Node(
        name=state.name,
        first_seen_at=_instant(state.first_seen_at),
        measured_at=None if newest is None else _instant(newest.measured_at or 0),
        battery_volts=None if newest is None else newest.battery_volts,
        clock_state=state.clock_state,
        clock_state_since=None if state.clock_state_at is None else _instant(state.clock_state_at),
        clock_offset_seconds=state.clock_offset_seconds,
        conflict_count=state.conflicts,
        addresses=state.addresses,
        collectors=state.collectors,
        is_shared=is_shared(reversed(known.traces[:RECORDS])),
    )


#: Nodes whose traces are held at a time.
CHUNK = 500


def survey_nodes(connection: Connection, now: int, is_wanted: Callable[[str], bool]) -> Iterator[KnownNode]:
    """Give every node whose name is wanted, by name, in a few statements for many of them."""
    states = [state for state in select_node_states(connection, now) if is_wanted(state.name)]
    wanted = {state.id for state in states}
    newest = {one.node_id: one.measurement for one in select_newest_of_each(connection, node_ids=wanted)}
    for start in range(0, len(states), CHUNK):
        yield from _join(connection, states[start : start + CHUNK], newest)


def survey_node(connection: Connection, now: int, node_id: int) -> KnownNode:
    """Give one node."""
    (state,) = select_node_states(connection, now, node_id)
    newest = {one.node_id: one.measurement for one in select_newest(connection, state.name, node_id, 1)}
    return _join(connection, [state], newest)[0]


def _join(connection: Connection, states: Sequence[NodeState], newest: Mapping[int, Measurement]) -> list[KnownNode]:
    wanted = {state.configuration_id for state in states if state.configuration_id is not None}
    configurations = read_configurations(connection, wanted)
    traces = _select_wanted(connection, {state.id: newest[state.id] for state in states if state.id in newest})
    return [
        KnownNode(
            state,
            newest.get(state.id),
            traces.get(state.id, []),
            configurations.get(state.configuration_id or 0),
        )
        for state in states
    ]


def _select_wanted(connection: Connection, newest: Mapping[int, Measurement]) -> dict[int, list[Trace]]:
    """Give as many traces of each node as its checks can use, in a statement for all that need as many."""
    wanted: dict[int, list[int]] = {}
    for node_id, measurement in newest.items():
        wanted.setdefault(records_wanted(measurement), []).append(node_id)
    traces: dict[int, list[Trace]] = {}
    for limit, node_ids in wanted.items():
        traces |= select_traces(connection, node_ids, limit)
    return traces


def find_at(known: KnownNode, poll_seconds: int, now: int) -> list[Finding]:
    """Give what is found at a node, worst first; `poll_seconds` is how often nodes with an address are polled."""
    evidence = Evidence(
        newest=known.newest,
        traces=known.traces,
        delivered_at=known.node.delivered_at,
        poll_seconds=poll_seconds if known.node.addresses else None,
        clock_state=known.node.clock_state,
        clock_offset_seconds=known.node.clock_offset_seconds,
    )
    return check_node(evidence, now)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
