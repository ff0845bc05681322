"""The nodes: what each sent last, and what it is like."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from heapq import nsmallest
from typing import Annotated, Any

import msgspec
from flask import Response, request
from sqlalchemy import Connection

from isems.api import context
from isems.api.v1.bodies import ConfigurationBody, MeasurementBody, instant, instant_or_none
from isems.api.v1.operations import answer_page, resource
from isems.api.v1.parameters import (
    BOX,
    CURSOR,
    TEXT,
    Parameter,
    ParameterError,
    choice,
    whole,
    write_cursor,
)
from isems.domain.checks import state_of
from isems.domain.clock import ClockState
from isems.domain.finding import Finding, Key, Severity
from isems.domain.limits import is_position_trusted
from isems.fleet import KnownNode, find_at, survey_nodes

DAY = 86_400
MAX_LIMIT = 1000
SORTS = ("state", "name", "battery_volts", "measured_at")


class NodesParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which nodes, and in which order."""

    sort: Annotated[
        str,
        Parameter(
            choice(*SORTS),
            "The order: state (worst first, inside a state by the volts left above the disconnect; inactive nodes last), "
            "name, battery_volts (lowest first), measured_at (longest silent first). "
            "What is unknown comes last; nodes that are equal go by name.",
        ),
    ] = "state"
    state: Annotated[str | None, Parameter(choice(*Severity), "Only nodes in this state.")] = None
    prefix: Annotated[str, Parameter(TEXT, "Only nodes whose id begins so.", example="Elektra-")] = ""
    bbox: Annotated[
        tuple[float, ...] | None,
        Parameter(
            BOX,
            "Only nodes with a position inside: west,south,east,north in degrees. West may be the greater one: then it "
            "crosses the date line.",
            example="13.0,52.3,13.8,52.7",
        ),
    ] = None
    limit: Annotated[int, Parameter(whole(1, MAX_LIMIT), "How many nodes at most.")] = MAX_LIMIT
    cursor: Annotated[list[Any] | None, Parameter(CURSOR, "Where the page before ended: the `next` of its answer.")] = (
        None
    )


class ClockBody(msgspec.Struct, frozen=True):
    """A node's clock, as its last live delivery showed it."""

    state: ClockState
    since: datetime | None
    offset_seconds: Annotated[int | None, msgspec.Meta(description="What had to be added to it when that began.")]


class FindingBody(msgspec.Struct, frozen=True):
    """One thing found at a node, and the numbers it rests on."""

    severity: Severity
    key: Key
    values: Annotated[dict[str, float | datetime], msgspec.Meta(description="Their names end in the unit, or in _at.")]

    @classmethod
    def of(cls, finding: Finding) -> "FindingBody":
        """Show a finding."""
        values = {
            name: instant(int(value)) if name.endswith("_at") else value for name, value in finding.values.items()
        }
        return cls(finding.severity, finding.key, values)


class NodeBody(msgspec.Struct, frozen=True, kw_only=True):
    """A node as it is now."""

    node: str
    state: Annotated[Severity, msgspec.Meta(description="That of its worst finding.")]
    findings: Annotated[list[FindingBody], msgspec.Meta(description="What was found at it, worst first.")]
    is_active: Annotated[bool, msgspec.Meta(description="Something came from it within HIDE_INACTIVE_AFTER_DAYS days.")]
    first_seen_at: datetime
    newest: Annotated[MeasurementBody | None, msgspec.Meta(description="Its newest measurement.")]
    configuration: Annotated[
        ConfigurationBody | None, msgspec.Meta(description="Its newest configuration that is no placeholder.")
    ]
    clock: Annotated[ClockBody | None, msgspec.Meta(description="null: nothing has shown it.")]
    conflict_count: Annotated[
        int, msgspec.Meta(description="Records that met a different one of the same second; they are in /rejected.")
    ]
    addresses: Annotated[list[str], msgspec.Meta(description="Where it answers when polled.")]


class NodesBody(msgspec.Struct, frozen=True):
    """A page of nodes."""

    nodes: list[NodeBody]
    next: Annotated[str | None, msgspec.Meta(description="The cursor of the next page; null: this is the last.")]
    states: Annotated[
        dict[Severity, int], msgspec.Meta(description="How many active nodes are in each state, on all pages together.")
    ]
    inactive: Annotated[int, msgspec.Meta(description="How many nodes are inactive, on all pages together.")]
    time_zone: Annotated[str, msgspec.Meta(description="By whose clock the nodes' days begin.")]
    is_simulation: Annotated[bool, msgspec.Meta(description="These nodes do not exist.")]


@resource("/nodes", NodesParameters, NodesBody)
def list_nodes(parameters: NodesParameters, now: int) -> Response:
    """All nodes, with their newest values.

    The next page is also in the header Link (rel="next").
    """
    # What a node's age makes of it changes by itself: such an answer is good for a minute.
    moment = now // 60 * 60
    return answer_page((parameters, moment), lambda connection: _select_page(connection, parameters, moment))


def _select_page(connection: Connection, parameters: NodesParameters, now: int) -> NodesBody:
    order = Order(parameters.sort, parameters.cursor)
    surveyed = survey_nodes(connection, now, lambda name: name.startswith(parameters.prefix))
    found = (describe_node(known, now) for known in surveyed)
    counts = Counter[Severity | None]()
    wanted = _count((one for one in found if _is_wanted(one, parameters)), counts)
    page = nsmallest(parameters.limit + 1, filter(order.is_ahead, wanted), key=order.key_of)
    has_more = len(page) > parameters.limit
    return NodesBody(
        nodes=page[: parameters.limit],
        next=order.cursor_of(page[-2]) if has_more else None,
        states={state: counts[state] for state in Severity},
        inactive=counts[None],
        time_zone=context.config().timezone.key,
        is_simulation=context.is_demo(),
    )


def _count(nodes: Iterable[NodeBody], counts: Counter[Severity | None]) -> Iterator[NodeBody]:
    """Pass nodes on, counted by state; None: they are inactive."""
    for node in nodes:
        counts[node.state if node.is_active else None] += 1
        yield node


def describe_node(known: KnownNode, now: int) -> NodeBody:
    """Give a node as it is at `now` (epoch seconds)."""
    node = known.node
    findings = find_at(known, context.config().poll_interval, now)
    active_since = now - context.config().hide_inactive_after_days * DAY
    return NodeBody(
        node=node.name,
        state=state_of(findings),
        findings=[FindingBody.of(one) for one in findings],
        is_active=known.heard_at >= active_since,
        first_seen_at=instant(node.first_seen_at),
        newest=None if known.newest is None else MeasurementBody.of(known.newest),
        configuration=None if known.configuration is None else ConfigurationBody.of(known.configuration),
        clock=None
        if node.clock_state is None
        else ClockBody(node.clock_state, instant_or_none(node.clock_state_at), node.clock_offset_seconds),
        conflict_count=node.conflicts,
        addresses=node.addresses,
    )


# Which, and in which order


def _is_wanted(node: NodeBody, parameters: NodesParameters) -> bool:
    if parameters.state is not None and node.state != parameters.state:
        return False
    return parameters.bbox is None or _is_inside(node, parameters.bbox)


def _is_inside(node: NodeBody, box: Sequence[float]) -> bool:
    west, south, east, north = box
    place = node.configuration
    if place is None or place.latitude is None or place.longitude is None:
        return False
    if not is_position_trusted(place.latitude, place.longitude) or not south <= place.latitude <= north:
        return False
    if west <= east:
        return west <= place.longitude <= east
    return place.longitude >= west or place.longitude <= east


_RANKS = {state: rank for rank, state in enumerate(Severity)}
#: By what nodes are sorted, the first of it first; what is unknown comes last, and nodes that are equal go by name.
_VALUES: dict[str, Callable[[NodeBody], Sequence[float | None]]] = {
    "state": lambda node: (0 if node.is_active else 1, _RANKS[node.state], _margin_volts(node)),
    "name": lambda node: (),
    "battery_volts": lambda node: (_trusted_volts(node),),
    "measured_at": lambda node: (node.newest.measured_at.timestamp() if node.newest else None,),
}


def _trusted_volts(node: NodeBody) -> float | None:
    newest = node.newest
    return None if newest is None or "battery_volts" in newest.untrusted else newest.battery_volts


def _margin_volts(node: NodeBody) -> float | None:
    """Tell how far the battery is above the disconnect, in volts; None: one of the two is not known."""
    volts = _trusted_volts(node)
    disconnect = node.configuration.low_voltage_disconnect_volts if node.configuration else None
    if volts is None or disconnect is None or disconnect <= 0:
        return None
    return None if any(one.key is Key.BATTERY_UNKNOWN for one in node.findings) else volts - disconnect


_SortKey = tuple[list[tuple[bool, float]], str]


class Order:
    """An order of nodes, and from where on they are wanted. Raises ParameterError for a cursor that is not ours."""

    def __init__(self, sort: str, cursor: list[Any] | None) -> None:
        self._sort = sort
        self._last: _SortKey | None = None
        if cursor is None:
            return
        try:
            named, values, name = msgspec.convert(cursor, tuple[str, list[tuple[bool, float]], str])
        except msgspec.ValidationError:
            raise ParameterError("cursor", request.args["cursor"], CURSOR.expected) from None
        if named != sort:
            raise ParameterError("cursor", request.args["cursor"], f"one of a page with the same sort, {sort}")
        self._last = (values, name)

    def key_of(self, node: NodeBody) -> _SortKey:
        """Give what nodes are sorted by."""
        return [(value is None, value or 0) for value in _VALUES[self._sort](node)], node.node

    def is_ahead(self, node: NodeBody) -> bool:
        """Tell whether a node comes after the last one of the page before."""
        return self._last is None or self.key_of(node) > self._last

    def cursor_of(self, node: NodeBody) -> str:
        """Give the cursor of the page that follows a node."""
        return write_cursor([self._sort, *self.key_of(node)])
