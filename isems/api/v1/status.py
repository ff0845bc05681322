"""How the collector itself fares."""

from datetime import datetime
from typing import Annotated

import msgspec
from flask import Response

from isems.api import context
from isems.api.answers import answer
from isems.api.health import BrokerHealth, select_broker_health, select_newest_times
from isems.api.v1.bodies import instant
from isems.api.v1.operations import resource
from isems.api.version import Version, describe_version
from isems.capacity import StorageReport, report_storage
from isems.storage.backlog import count_backlog
from isems.storage.newest import select_newest_of_each
from isems.storage.rejected import count_dropped, count_rejected
from isems.storage.undecided import count_bytes

DAY = 86_400


class StatusParameters(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


class NodeCounts(msgspec.Struct, frozen=True):
    """Nodes that sent a measurement."""

    known: int
    active: Annotated[int, msgspec.Meta(description="Something came from it within HIDE_INACTIVE_AFTER_DAYS days.")]


class WaitingInput(msgspec.Struct, frozen=True):
    """Input that is kept and not yet stored as measurements."""

    undecided_bytes: Annotated[int, msgspec.Meta(description="Waits for this machine's clock to be right.")]
    backlog_samples: Annotated[int, msgspec.Meta(description="Without a time, wait for their node's next message.")]


class RejectedCounts(msgspec.Struct, frozen=True):
    """Distinct pieces of input that could not be stored."""

    kept: int
    dropped: Annotated[int, msgspec.Meta(description="Had to make room for others.")]


class StatusBody(msgspec.Struct, frozen=True, kw_only=True):
    """The collector, as it is now."""

    program: Version
    time_zone: str
    is_simulation: Annotated[bool, msgspec.Meta(description="These nodes do not exist.")]
    nodes: NodeCounts
    newest: Annotated[
        dict[str, datetime], msgspec.Meta(description="When each source last brought something new, to the minute.")
    ]
    mqtt: Annotated[dict[str, BrokerHealth], msgspec.Meta(description="How each replica of the subscriber fares.")]
    waiting: WaitingInput
    rejected: RejectedCounts
    storage: StorageReport


@resource("/status", StatusParameters, StatusBody)
def get_status(_: StatusParameters, now: int) -> Response:
    """How the collector fares: its sources, what waits, what was rejected, the room that the data take.

    Whether it can do its work at all, `/readyz` tells in its status code.
    """
    storage = report_storage(context.database(), now)
    active_since = int(now - context.config().hide_inactive_after_days * DAY)
    with context.database().read() as connection:
        status = StatusBody(
            program=describe_version(),
            time_zone=context.config().timezone.key,
            is_simulation=context.is_demo(),
            nodes=NodeCounts(
                len(select_newest_of_each(connection)), len(select_newest_of_each(connection, active_since))
            ),
            newest={name: instant(at) for name, at in select_newest_times(connection).items()},
            mqtt=select_broker_health(connection),
            waiting=WaitingInput(count_bytes(connection), count_backlog(connection)),
            rejected=RejectedCounts(count_rejected(connection), sum(count_dropped(connection).values())),
            storage=storage,
        )
    return answer(msgspec.json.encode(status))
