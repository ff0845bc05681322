"""One field of many nodes, in the same buckets."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from flask import Response, request
from sqlalchemy import Connection

from isems.api import context
from isems.api.paths import FoundNode, find_first
from isems.api.v1.bodies import hex_status, instant, instant_or_none
from isems.api.v1.measurements import flatten_buckets, name_columns
from isems.api.v1.operations import answer_stored, answer_streamed, resource, unknown_node
from isems.api.v1.parameters import MAX_NODES, NODE, NODES, Parameter, ParameterError, choice
from isems.api.v1.ranges import (
    AUTO,
    FROM,
    MOST,
    STEP,
    TIME_ZONE,
    TO,
    Range,
    check_cost,
    make_buckets,
    make_range,
    range_of,
)
from isems.api.v1.tables import CSV, FORMAT, MEDIA_TYPES, NDJSON, WRITERS, Table, choose_format, encode_rows
from isems.storage.rollups import select_marks
from isems.storage.series import FIELDS, Series, select_buckets


class ComparisonParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which nodes, and what of them."""

    field: Annotated[str, Parameter(choice(*FIELDS), "The field to compare.", example="battery_volts")]
    nodes: Annotated[
        list[str], Parameter(NODES, "The nodes, separated by commas.", example="Elektra-Dach,Gartenhaus")
    ] = []
    node: Annotated[
        list[str],
        Parameter(
            NODE, "A node whose id holds a comma; may be given several times, also beside nodes.", is_repeated=True
        ),
    ] = []
    first: Annotated[int | None, FROM] = msgspec.field(default=None, name="from")
    end: Annotated[int | None, TO] = msgspec.field(default=None, name="to")
    step: Annotated[str, STEP] = AUTO
    max_points: Annotated[int, MOST] = 500
    tz: Annotated[ZoneInfo | None, TIME_ZONE] = None
    format: Annotated[str | None, FORMAT] = None


class NodeSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A node's buckets: arrays as long as `starts_at`, of the trusted values."""

    node: str
    kept_since: Annotated[
        datetime | None, msgspec.Meta(description="Before this there are no records, only buckets of an hour and more.")
    ]
    frozen_time_zones: Annotated[
        list[str], msgspec.Meta(description="By whose clocks older days were summed up, where that is another's.")
    ]
    count: Annotated[list[int], msgspec.Meta(description="Values; 0 where there is none, and the others are null.")]
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    last: list[float | None]
    status: Annotated[
        list[str | None], msgspec.Meta(description="Every flag that any record of the bucket had, in hexadecimal.")
    ]


class ComparisonBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field of several nodes, in the order in which they were asked for."""

    field: str
    step: str
    time_zone: str
    # The range as answered: that of whole buckets.
    first: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    starts_at: Annotated[list[datetime] | None, msgspec.Meta(description="With format=columns.")] = None
    nodes: Annotated[list[NodeSeries] | None, msgspec.Meta(description="With format=columns.")] = None
    rows: Annotated[
        list[dict[str, Any]] | None,
        msgspec.Meta(description="With format=rows: for each node and bucket an object; its names are those in CSV."),
    ] = None


class _Question(msgspec.Struct, frozen=True):
    """What is asked for, with everything decided that does not need the data."""

    nodes: tuple[str, ...]
    field: str
    asked: Range
    step: str
    max_points: int
    zone: ZoneInfo
    form: str

    @classmethod
    def of(cls, parameters: ComparisonParameters, now: int) -> "_Question":
        nodes = tuple(dict.fromkeys([*parameters.nodes, *parameters.node]))
        if not 1 <= len(nodes) <= MAX_NODES:
            raise ParameterError("nodes", request.args.get("nodes", ""), NODES.expected)
        return cls(
            nodes,
            parameters.field,
            make_range(parameters.first, parameters.end, now),
            parameters.step,
            parameters.max_points,
            parameters.tz or context.config().timezone,
            choose_format(parameters.format, request.accept_mimetypes),
        )


class _Found(NamedTuple):
    """The nodes that were asked for, and the buckets that all of them get."""

    question: _Question
    nodes: list[FoundNode]
    step: str
    edges: list[int]


@resource("/measurements", ComparisonParameters, ComparisonBody, media_types=(CSV, NDJSON), statuses=(404, 413))
def compare_nodes(parameters: ComparisonParameters, now: int) -> Response:
    """One field of up to a hundred nodes, in the same buckets."""
    question = _Question.of(parameters, now)
    open_piece = context.database().read

    def write(connection: Connection) -> Iterator[bytes]:
        found = _find_all(connection, question)
        return WRITERS[question.form](_table(found, _read_each(open_piece, found)))

    def encode(connection: Connection) -> bytes:
        found = _find_all(connection, question)
        read = ((node, _select(connection, node, found)) for node in found.nodes)
        return msgspec.json.encode(_describe(found, read))

    if question.form in WRITERS:
        response = answer_streamed(question, write, MEDIA_TYPES[question.form])
    else:
        response = answer_stored(question, encode)
    response.vary.add("Accept")
    return response


def _find_all(connection: Connection, question: _Question) -> _Found:
    nodes = [_find(connection, name) for name in question.nodes]
    marks = select_marks(connection, [node.id for node in nodes]).values()
    step, edges = make_buckets(
        question.asked,
        question.step,
        question.max_points,
        question.zone,
        series=len(nodes),
        is_pruned=any(mark.is_pruned_after(question.asked.first) for mark in marks),
    )
    check_cost(connection, [node.id for node in nodes], edges, question.zone)
    return _Found(question, nodes, step, edges)


def _find(connection: Connection, name: str) -> FoundNode:
    found = find_first(connection, iter([name]))
    if found is None:
        raise unknown_node(name)
    return found


#: A node with its buckets.
_Read = Iterator[tuple[FoundNode, Series]]


def _select(connection: Connection, node: FoundNode, found: _Found) -> Series:
    return select_buckets(connection, node.id, [found.question.field], found.edges, found.question.zone)


def _read_each(open_piece: Any, found: _Found) -> _Read:
    """Read node by node, each in a transaction of its own: a slow client holds none."""
    for node in found.nodes:
        with open_piece() as connection:
            series = _select(connection, node, found)
        yield node, series


def _table(found: _Found, read: _Read) -> Table:
    pieces = ([[node.name, *row] for row in flatten_buckets(series.buckets)] for node, series in read)
    return Table(["node", *name_columns([found.question.field])], pieces)


def _describe(found: _Found, read: _Read) -> ComparisonBody:
    answered = range_of(found.edges)
    body = ComparisonBody(
        field=found.question.field,
        step=found.step,
        time_zone=found.question.zone.key,
        first=instant(answered.first),
        end=instant(answered.end),
    )
    if found.question.form == "rows":
        rows: Any = encode_rows(_table(found, read))
        return msgspec.structs.replace(body, rows=rows)
    return msgspec.structs.replace(
        body,
        starts_at=[instant(edge) for edge in found.edges[:-1]],
        nodes=[_describe_series(node, series) for node, series in read],
    )


def _describe_series(node: FoundNode, series: Series) -> NodeSeries:
    values = [bucket.values[0] for bucket in series.buckets]
    return NodeSeries(
        node=node.name,
        kept_since=instant_or_none(series.kept_since),
        frozen_time_zones=series.frozen_zones,
        count=[one.count for one in values],
        min=[one.min for one in values],
        max=[one.max for one in values],
        mean=[one.mean for one in values],
        last=[one.last for one in values],
        status=[hex_status(bucket.status) for bucket in series.buckets],
    )
