"""One node: what it sent last, and what became of it over time."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from flask import Response
from sqlalchemy import Connection

from isems.api import context
from isems.api.paths import FoundNode, path_as_sent
from isems.api.v1.bodies import ConfigurationBody, instant, instant_or_none
from isems.api.v1.nodes import NodeBody, describe_node
from isems.api.v1.operations import answer_stored, find_node, resource
from isems.api.v1.parameters import NODE, Parameter, whole
from isems.domain.buckets import make_edges
from isems.domain.checks import RECORDS
from isems.domain.completeness import count_expected, record_seconds
from isems.domain.sharing import is_shared
from isems.domain.silence import heard_at
from isems.fleet import survey_node
from isems.storage.configurations import read_configurations
from isems.storage.newest import select_first_configured, select_first_time
from isems.storage.series import Bucket, select_buckets

#: Local days that are told of: a year; and changes of the configuration, the newest ones.
MAX_DAYS, MAX_CHANGES = 366, 50
#: Days that are looked through for changes: twenty-seven years.
MAX_HISTORY_DAYS = 10_000
DAY = 86_400


class NodeParameters(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a node's past."""

    days: Annotated[
        int, Parameter(whole(1, MAX_DAYS), "Of how many days, today included, the completeness is told.")
    ] = 30


class NamedNodeParameters(NodeParameters, frozen=True, kw_only=True):
    """The same, and the node, where its id could be taken for a longer path."""

    node: Annotated[str, Parameter(NODE, "The node's id, whatever it holds.", example="a/measurements")]


class DayBody(msgspec.Struct, frozen=True):
    """How much of a local day is here."""

    day: date
    received: int
    expected: Annotated[
        int | None,
        msgspec.Meta(description="At the interval of its newest records; of today, so far. null: not known."),
    ]


class ChangeBody(msgspec.Struct, frozen=True):
    """A configuration that a node began to report."""

    since: Annotated[datetime, msgspec.Meta(description="Of days whose records are gone, the begin of the day.")]
    configuration: ConfigurationBody


class NodeDetails(NodeBody, frozen=True, kw_only=True):
    """A node as it is now, and as it was."""

    first_measured_at: Annotated[
        datetime | None, msgspec.Meta(description="Of a day whose records are gone, the begin of the day.")
    ]
    heard_at: Annotated[
        datetime | None,
        msgspec.Meta(
            description="The later of its newest record, by our clock, and its last live delivery, which is known to an hour."
            " null: at no time that can be true."
        ),
    ]
    is_shared: Annotated[bool, msgspec.Meta(description="Two devices at least send under this id.")]
    record_interval_seconds: float | None
    time_zone: Annotated[str, msgspec.Meta(description="By whose clock days begin.")]
    configurations: Annotated[
        list[ChangeBody],
        msgspec.Meta(
            description=f"Its configurations in the order of time, one a day at most, the newest {MAX_CHANGES}."
        ),
    ]
    completeness: Annotated[list[DayBody], msgspec.Meta(description="By local day, in the order of time.")]


@resource("/nodes/<node:name>", NodeParameters, NodeDetails, statuses=(404,))
def get_node(parameters: NodeParameters, now: int, name: str) -> Response:
    """One node.

    An id may hold anything; percent-encode it. One that ends in `/measurements` is found by `/node?node=`.
    """
    return _answer_node(parameters, now, name, is_in_path=True)


@resource("/node", NamedNodeParameters, NodeDetails, statuses=(404,))
def get_named_node(parameters: NamedNodeParameters, now: int) -> Response:
    """One node, by a parameter: for ids that a path could not carry."""
    return _answer_node(parameters, now, parameters.node, is_in_path=False)


def _answer_node(parameters: NodeParameters, now: int, name: str, *, is_in_path: bool) -> Response:
    moment = now // 60 * 60

    def encode(connection: Connection) -> bytes:
        node = find_node(connection, name, is_in_path=is_in_path)
        return msgspec.json.encode(_describe(connection, node, parameters.days, moment))

    return answer_stored((parameters, path_as_sent(), moment), encode)


def _describe(connection: Connection, node: FoundNode, days: int, now: int) -> NodeDetails:
    known = survey_node(connection, now, node.id)
    first_at = select_first_time(connection, node.id)
    interval = record_seconds(known.traces[:RECORDS])
    zone = context.config().timezone
    buckets = _select_days(connection, node, first_at, now, zone)
    return NodeDetails(
        **msgspec.structs.asdict(describe_node(known, now)),
        first_measured_at=instant_or_none(first_at),
        heard_at=instant_or_none(heard_at(known.newest, known.node.delivered_at, known.node.clock_offset_seconds, now)),
        is_shared=is_shared(reversed(known.traces[:RECORDS])),
        record_interval_seconds=interval,
        time_zone=zone.key,
        configurations=_list_changes(connection, node, buckets),
        completeness=[
            DayBody(
                datetime.fromtimestamp(bucket.starts_at, zone).date(),
                bucket.count,
                count_expected(bucket.starts_at, bucket.ends_at, first_at or now, now, interval),
            )
            for bucket in buckets[-days:]
        ],
    )


def _select_days(
    connection: Connection, node: FoundNode, first_at: int | None, now: int, zone: ZoneInfo
) -> list[Bucket]:
    """Give a node's days from its first one, or for as long as we tell of, until today."""
    oldest = min(now - (MAX_DAYS - 1) * DAY, now if first_at is None else first_at)
    first = max(oldest, now - MAX_HISTORY_DAYS * DAY)
    return select_buckets(connection, node.id, [], make_edges(first, now + 1, "1d", zone), zone).buckets


def _list_changes(connection: Connection, node: FoundNode, buckets: Sequence[Bucket]) -> list[ChangeBody]:
    told = [bucket for bucket in buckets if bucket.configuration_id is not None]
    changed = [
        bucket
        for before, bucket in zip([None, *told], told, strict=False)
        if before is None or before.configuration_id != bucket.configuration_id
    ][-MAX_CHANGES:]
    configurations = read_configurations(connection, {bucket.configuration_id or 0 for bucket in changed})
    return [
        ChangeBody(
            instant(_since(connection, node, bucket)),
            ConfigurationBody.of(configurations[bucket.configuration_id or 0]),
        )
        for bucket in changed
    ]


def _since(connection: Connection, node: FoundNode, bucket: Bucket) -> int:
    first = select_first_configured(connection, node.id, bucket.configuration_id or 0, bucket.starts_at, bucket.ends_at)
    return bucket.starts_at if first is None else first
