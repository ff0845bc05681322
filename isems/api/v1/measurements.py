"""The history of a node: every record, or buckets that no short dip is lost in."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from flask import Response, request
from sqlalchemy import Connection
from werkzeug.exceptions import RequestEntityTooLarge

from isems.api import context
from isems.api.answers import stream
from isems.api.paths import FoundNode, path_as_sent
from isems.api.v1.bodies import hex_status, instant, instant_or_none
from isems.api.v1.operations import answer_stored, find_node, question_of, resource
from isems.api.v1.parameters import FIELDS, NODE, Parameter, choice
from isems.api.v1.ranges import (
    AUTO,
    FROM,
    MOST,
    RAW,
    STEP_OR_RAW,
    TIME_ZONE,
    TO,
    Range,
    make_buckets,
    make_range,
    range_of,
)
from isems.api.v1.tables import (
    CSV,
    FORMATS,
    MEDIA_TYPES,
    NDJSON,
    STREAMED,
    Table,
    choose_format,
    encode_columns,
    encode_rows,
    write_csv,
    write_ndjson,
)
from isems.domain.limits import list_untrusted
from isems.domain.measurement import MEASURED_FIELDS, Measurement
from isems.storage.database import Database
from isems.storage.history import PIECE, select_piece
from isems.storage.measurements import decode_rows
from isems.storage.rollups import select_marks
from isems.storage.series import Bucket, count_records, select_buckets

#: Records in one answer: as JSON, which is made before it is sent, and streamed.
MAX_RECORDS, MAX_STREAMED = 100_000, 1_000_000
AFTER = "/measurements"
PARTS = ("count", "min", "max", "mean", "last")


class MeasurementsParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a node's history, and in which form."""

    first: Annotated[int | None, FROM] = msgspec.field(default=None, name="from")
    end: Annotated[int | None, TO] = msgspec.field(default=None, name="to")
    step: Annotated[str, STEP_OR_RAW] = AUTO
    fields: Annotated[
        list[str] | None, Parameter(FIELDS, "Only these fields.", example="battery_volts,battery_celsius")
    ] = None
    max_points: Annotated[int, MOST] = 500
    tz: Annotated[ZoneInfo | None, TIME_ZONE] = None
    format: Annotated[
        str | None,
        Parameter(
            choice(*FORMATS),
            "columns: JSON with an array for each column; rows: JSON with an object for each row; csv and ndjson: "
            "streamed. Without it, what the header Accept asks for.",
        ),
    ] = None


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


def _answer(parameters: MeasurementsParameters, now: int, name: str, *, is_in_path: bool) -> Response:
    question = _Question.of(parameters, now)

    def find(connection: Connection) -> FoundNode:
        return find_node(connection, name, after=AFTER, is_in_path=is_in_path)

    if question.form not in STREAMED:
        encode = {"columns": encode_columns, "rows": encode_rows}[question.form]

        def answer_json(connection: Connection) -> bytes:
            body, table = _describe(connection, find(connection), question)
            return msgspec.json.encode(msgspec.structs.asdict(body) | {})

        return answer_stored((question, path_as_sent()), answer_json)
    raise NotImplementedError
