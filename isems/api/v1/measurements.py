"""The history of a node: every record, or buckets that no short dip is lost in."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from flask import Response, request
from sqlalchemy import Connection
from werkzeug.exceptions import RequestEntityTooLarge

from isems.api import context
from isems.api.paths import FoundNode, path_as_sent
from isems.api.v1.bodies import hex_status, instant, instant_or_none
from isems.api.v1.operations import answer_stored, answer_streamed, find_node, resource
from isems.api.v1.parameters import FIELDS as FIELDS_KIND
from isems.api.v1.parameters import NODE, Parameter
from isems.api.v1.ranges import (
    AUTO,
    FROM,
    MOST,
    RAW,
    STEP_OR_RAW,
    TIME_ZONE,
    TO,
    Range,
    check_cost,
    make_buckets,
    make_range,
    range_of,
)
from isems.api.v1.tables import CSV, ENCODERS, FORMAT, MEDIA_TYPES, NDJSON, WRITERS, Table, choose_format
from isems.domain.limits import list_untrusted
from isems.domain.measurement import MEASURED_FIELDS, Measurement
from isems.storage.history import PIECE, select_piece
from isems.storage.measurements import decode_rows
from isems.storage.rollups import select_marks
from isems.storage.series import FIELDS, Bucket, count_records, select_buckets

#: Records in one answer, by its form. JSON is made before it is sent: these are about 8 MB of it.
MAX_RECORDS = {"columns": 100_000, "rows": 20_000, "csv": 1_000_000, "ndjson": 1_000_000}
AFTER = "/measurements"
PARTS = ("count", "min", "max", "mean", "last")


class MeasurementsParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a node's history, and in which form."""

    first: Annotated[int | None, FROM] = msgspec.field(default=None, name="from")
    end: Annotated[int | None, TO] = msgspec.field(default=None, name="to")
    step: Annotated[str, STEP_OR_RAW] = AUTO
    fields: Annotated[
        list[str] | None, Parameter(FIELDS_KIND, "Only these fields.", example="battery_volts,battery_celsius")
    ] = None
    max_points: Annotated[int, MOST] = 500
    tz: Annotated[ZoneInfo | None, TIME_ZONE] = None
    format: Annotated[str | None, FORMAT] = None


class NamedMeasurementsParameters(MeasurementsParameters, frozen=True, kw_only=True):
    """The same, and the node, where its id could be taken for a longer path."""

    node: Annotated[str, Parameter(NODE, "The node's id, whatever it holds.")]


_Columns = Annotated[
    dict[str, list[Any]] | None,
    msgspec.Meta(
        description="With format=columns: an array for each column, all of the same length. Records: measured_at, the "
        "fields, time_repaired, untrusted (names of fields whose values cannot be believed). Buckets: starts_at, "
        "ends_at, count (of records), status (every flag that any of them had), and for each field F the trusted "
        "values' F_count, F_min, F_max, F_mean and F_last; null and 0 where there are none."
    ),
]


class MeasurementsBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node's records or buckets, and what they are of."""

    node: str
    step: Annotated[str, msgspec.Meta(description="raw: every record; else the length of the buckets.")]
    time_zone: str
    # The range as answered: that of whole buckets.
    first: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    kept_since: Annotated[
        datetime | None, msgspec.Meta(description="Before this there are no records, only buckets of an hour and more.")
    ]
    frozen_time_zones: Annotated[
        list[str], msgspec.Meta(description="By whose clocks older days were summed up, where that is another's.")
    ]
    columns: _Columns = None
    rows: Annotated[
        list[dict[str, Any]] | None, msgspec.Meta(description="With format=rows: the same, an object for each.")
    ] = None


@resource(
    "/nodes/<node:name>/measurements",
    MeasurementsParameters,
    MeasurementsBody,
    media_types=(CSV, NDJSON),
    statuses=(404, 413),
)
def list_measurements(parameters: MeasurementsParameters, now: int, name: str) -> Response:
    """The measurements of a node, as sent or in buckets."""
    return _answer(parameters, now, name, is_in_path=True)


@resource(
    "/node/measurements",
    NamedMeasurementsParameters,
    MeasurementsBody,
    media_types=(CSV, NDJSON),
    statuses=(404, 413),
)
def list_named_measurements(parameters: NamedMeasurementsParameters, now: int) -> Response:
    """The measurements of a node, by a parameter: for ids that a path could not carry."""
    return _answer(parameters, now, parameters.node, is_in_path=False)


class _Question(msgspec.Struct, frozen=True):
    """What is asked for, with everything decided that does not need the data."""

    asked: Range
    step: str
    fields: tuple[str, ...]
    max_points: int
    zone: ZoneInfo
    form: str

    @classmethod
    def of(cls, parameters: MeasurementsParameters, now: int) -> "_Question":
        return cls(
            make_range(parameters.first, parameters.end, now),
            parameters.step,
            tuple(parameters.fields or MEASURED_FIELDS),
            parameters.max_points,
            parameters.tz or context.config().timezone,
            choose_format(parameters.format, request.accept_mimetypes),
        )


#: Opens a transaction, for a piece of what is read.
Open = Callable[[], AbstractContextManager[Connection]]


class _Found(NamedTuple):
    """What there is of a node: all but the rows, and how these are read."""

    body: MeasurementsBody
    columns: Sequence[str]
    read: Callable[[Open], Iterator[Sequence[Any]]]


def _answer(parameters: MeasurementsParameters, now: int, name: str, *, is_in_path: bool) -> Response:
    question = _Question.of(parameters, now)
    open_piece = context.database().read

    def find(connection: Connection) -> _Found:
        node = find_node(connection, name, after=AFTER, is_in_path=is_in_path)
        return _find(connection, node, question)

    def write(connection: Connection) -> Iterator[bytes]:
        found = find(connection)
        return WRITERS[question.form](Table(found.columns, found.read(open_piece)))

    def encode(connection: Connection) -> bytes:
        found = find(connection)
        table = Table(found.columns, found.read(lambda: nullcontext(connection)))
        return msgspec.json.encode(
            msgspec.structs.replace(found.body, **{question.form: ENCODERS[question.form](table)})
        )

    asked = (question, path_as_sent())
    if question.form in WRITERS:
        response = answer_streamed(asked, write, MEDIA_TYPES[question.form])
    else:
        response = answer_stored(asked, encode)
    response.vary.add("Accept")
    return response


def _find(connection: Connection, node: FoundNode, question: _Question) -> _Found:
    mark = select_marks(connection, [node.id]).get(node.id)
    kept_since = None if mark is None else mark.kept_since
    is_pruned = mark is not None and mark.is_pruned_after(question.asked.first)
    is_little = question.step == AUTO and not is_pruned and _is_little(connection, node, question)
    if question.step == RAW or is_little:
        return _find_records(connection, node, question, kept_since)
    return _find_buckets(connection, node, question, is_pruned=is_pruned)


def _is_little(connection: Connection, node: FoundNode, question: _Question) -> bool:
    """Tell whether there are no more records than points are wanted."""
    return count_records(connection, node.id, *question.asked, question.max_points + 1) <= question.max_points


def _find_records(connection: Connection, node: FoundNode, question: _Question, kept_since: int | None) -> _Found:
    most = MAX_RECORDS[question.form]
    if count_records(connection, node.id, *question.asked, most + 1) > most:
        way_out = "ask for less" if question.form in WRITERS else "ask for format=csv or ndjson, for less"
        raise RequestEntityTooLarge(
            f"this range holds more than {most} records: {way_out}, or use 'isems export' on the server"
        )
    return _Found(
        _describe(node, question, RAW, question.asked, kept_since, []),
        ("measured_at", *question.fields, "time_repaired", "untrusted"),
        lambda open_piece: _read_records(open_piece, node, question),
    )


def _read_records(open_piece: Open, node: FoundNode, question: _Question) -> Iterator[list[Any]]:
    """Read some records at a time, each time in a transaction of its own: a slow client holds none."""
    after, end = question.asked.first - 1, question.asked.end
    rows: list[Any] = [None] * PIECE
    while len(rows) == PIECE:
        with open_piece() as connection:
            rows = select_piece(connection, node.id, after, end)
            measurements = decode_rows(connection, node.name, rows)
        if rows:
            after = rows[-1][1]
            yield [_row_of(one, question.fields) for one in measurements]


def _row_of(measurement: Measurement, fields: Sequence[str]) -> list[Any]:
    values = [getattr(measurement, field) for field in fields]
    if "status" in fields:
        values[fields.index("status")] = hex_status(measurement.status)
    untrusted = tuple(field for field in list_untrusted(measurement) if field in fields)
    return [instant(measurement.measured_at or 0), *values, measurement.time_repaired, untrusted]


def _find_buckets(connection: Connection, node: FoundNode, question: _Question, *, is_pruned: bool) -> _Found:
    fields = [field for field in question.fields if field in FIELDS]
    step, edges = make_buckets(question.asked, question.step, question.max_points, question.zone, is_pruned=is_pruned)
    check_cost(connection, [node.id], edges, question.zone)
    series = select_buckets(connection, node.id, fields, edges, question.zone)
    rows = flatten_buckets(series.buckets)
    return _Found(
        _describe(node, question, step, range_of(edges), series.kept_since, series.frozen_zones),
        name_columns(fields),
        lambda _: iter([rows]),
    )


def name_columns(fields: Sequence[str]) -> list[str]:
    """Name the columns of buckets with these fields."""
    return ["starts_at", "ends_at", "count", "status", *(f"{field}_{part}" for field in fields for part in PARTS)]


def flatten_buckets(buckets: Sequence[Bucket]) -> list[list[Any]]:
    """Give buckets, each of which begins where the one before ends, as rows of these columns."""
    starts = [instant(bucket.starts_at) for bucket in buckets]
    ends = [*starts[1:], *(instant(bucket.ends_at) for bucket in buckets[-1:])]
    return [_flatten(bucket, start, end) for bucket, start, end in zip(buckets, starts, ends, strict=True)]


def _flatten(bucket: Bucket, start: datetime, end: datetime) -> list[Any]:
    row: list[Any] = [start, end, bucket.count, hex_status(bucket.status)]
    for one in bucket.values:
        row += (one.count, one.min, one.max, one.mean, one.last)
    return row


def _describe(
    node: FoundNode, question: _Question, step: str, answered: Range, kept_since: int | None, frozen_zones: list[str]
) -> MeasurementsBody:
    return MeasurementsBody(
        node=node.name,
        step=step,
        time_zone=question.zone.key,
        first=instant(answered.first),
        end=instant(answered.end),
        kept_since=instant_or_none(kept_since),
        frozen_time_zones=frozen_zones,
    )
