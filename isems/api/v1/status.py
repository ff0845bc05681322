"""How the collector itself fares."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from flask import Response
from sqlalchemy import Connection

from isems.api import context
from isems.api.dashboard import describe_tiles
from isems.api.health import BrokerHealth, select_broker_health, select_newest_times
from isems.api.v1.bodies import instant, instant_or_none
from isems.api.v1.operations import answer_stored, resource
from isems.api.version import Version, describe_version
from isems.capacity import StorageReport, report_storage
from isems.config import MapTiles
from isems.domain.polling import PollTarget, is_overdue
from isems.sources.own_clock import is_kernel_synchronised
from isems.storage.backlog import count_backlog
from isems.storage.counters import read_counts
from isems.storage.database import read_version
from isems.storage.history import count_by_day
from isems.storage.newest import count_nodes
from isems.storage.poll_targets import select_targets
from isems.storage.rejected import count_dropped, count_rejected
from isems.storage.undecided import count_bytes

DAY = 86_400
#: Of how many local days the measurements are counted.
DAYS = 14
MAX_TROUBLES = 100
#: How counts of rejected input are named.
REJECTED = "rejected/"


class StatusParameters(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


class NodeCounts(msgspec.Struct, frozen=True):
    """Nodes that sent a measurement."""

    known: int
    active: Annotated[int, msgspec.Meta(description="Something came from it within HIDE_INACTIVE_AFTER_DAYS days.")]


class Configured(msgspec.Struct, frozen=True):
    """What the collector was told to collect from."""

    addresses: Annotated[int, msgspec.Meta(description="Addresses in ISEMS_ROUTER_IPS.")]
    broker: Annotated[str | None, msgspec.Meta(description="Host and port of the broker in MQTT_SERVER.")]
    has_push: Annotated[bool, msgspec.Meta(description="ISEMS_PUSH_TOKENS names who may push.")]


class PolledAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An address that did not answer, or not with what was expected, when it was polled last."""

    address: str
    polled_at: datetime | None
    answered_at: datetime | None
    error: str


class Polling(msgspec.Struct, frozen=True, kw_only=True):
    """How polling goes: every address as its newest poll left it, unless that was too long ago."""

    answering: int
    failing: int
    overdue: Annotated[
        int, msgspec.Meta(description="Not polled for two hours and three times its wait: does the collector run?")
    ]
    answered_at: Annotated[datetime | None, msgspec.Meta(description="The newest usable answer of any.")]
    troubles: Annotated[list[PolledAddress], msgspec.Meta(description=f"Those that fail, no more than {MAX_TROUBLES}.")]


class DayCount(msgspec.Struct, frozen=True):
    """Measurements of a local day."""

    day: date
    rows: int


class WaitingInput(msgspec.Struct, frozen=True):
    """Input that is kept and not yet stored as measurements."""

    undecided_bytes: Annotated[int, msgspec.Meta(description="Waits for this machine's clock to be right.")]
    backlog_samples: Annotated[int, msgspec.Meta(description="Without a time, wait for their node's next message.")]


class RejectedCounts(msgspec.Struct, frozen=True):
    """Distinct pieces of input that could not be stored."""

    kept: int
    dropped: Annotated[int, msgspec.Meta(description="Had to make room for others.")]
    times: Annotated[
        dict[str, int], msgspec.Meta(description="By reason, how often anything was rejected, to the minute.")
    ]


class StatusBody(msgspec.Struct, frozen=True, kw_only=True):
    """The collector, as it is now."""

    program: Version
    time_zone: str
    is_simulation: Annotated[bool, msgspec.Meta(description="These nodes do not exist.")]
    nodes: NodeCounts
    newest: Annotated[
        dict[str, datetime], msgspec.Meta(description="When each source last brought something new, to the minute.")
    ]
    configured: Configured
    polling: Polling
    mqtt: Annotated[dict[str, BrokerHealth], msgspec.Meta(description="How each replica of the subscriber fares.")]
    waiting: WaitingInput
    rejected: RejectedCounts
    rows_per_day: Annotated[
        list[DayCount],
        msgspec.Meta(description=f"By the measurements' own times: the last {DAYS} local days, today so far."),
    ]
    is_clock_trusted: Annotated[bool, msgspec.Meta(description="Something vouches for the clock of this machine.")]
    map_tiles: Annotated[
        MapTiles | None,
        msgspec.Meta(
            description="ISEMS_MAP_TILES: what to lay the map out with; a url in .pmtiles is a PMTiles archive."
        ),
    ]
    storage: StorageReport


@resource("/status", StatusParameters, StatusBody)
def get_status(_: StatusParameters, now: int) -> Response:
    """How the collector fares: its sources, what waits, what was rejected, the room that the data take.

    Whether it can do its work at all, `/readyz` tells in its status code.
    """
    moment = now // 60 * 60
    is_clock_trusted = context.config().is_clock_trusted or is_kernel_synchronised()
    with context.database().read() as connection:
        brokers = select_broker_health(connection)  # locks tell of it, too, which are no data

    def encode(connection: Connection) -> bytes:
        return msgspec.json.encode(_describe(connection, brokers, is_clock_trusted, moment))

    return answer_stored((brokers, is_clock_trusted, moment), encode)


def _describe(connection: Connection, brokers: dict[str, BrokerHealth], is_clock_trusted: bool, now: int) -> StatusBody:
    config = context.config()
    active_since = int(now - config.hide_inactive_after_days * DAY)
    return StatusBody(
        program=describe_version(read_version(connection)),
        time_zone=config.timezone.key,
        is_simulation=context.is_demo(),
        nodes=NodeCounts(*count_nodes(connection, active_since)),
        newest={name: instant(at) for name, at in select_newest_times(connection).items()},
        configured=Configured(
            len(config.router_ips), config.broker.place if config.broker else None, bool(config.push_tokens)
        ),
        polling=_describe_polling(select_targets(connection, config.router_ips).values(), now),
        mqtt=brokers,
        waiting=WaitingInput(count_bytes(connection), count_backlog(connection)),
        rejected=RejectedCounts(
            count_rejected(connection), sum(count_dropped(connection).values()), _times(connection)
        ),
        rows_per_day=_count_days(connection, config.timezone, now),
        is_clock_trusted=is_clock_trusted,
        map_tiles=describe_tiles(),
        storage=report_storage(connection, now),
    )


def _describe_polling(targets: Collection[PollTarget], now: int) -> Polling:
    polled = [target for target in targets if not is_overdue(target, now)]
    troubles = [
        PolledAddress(
            address=target.address,
            polled_at=instant_or_none(target.polled_at),
            answered_at=instant_or_none(target.answered_at),
            error=target.error,
        )
        for target in polled
        if target.error is not None
    ]
    answered = [target.answered_at for target in targets if target.answered_at is not None]
    return Polling(
        answering=sum(target.error is None and target.answered_at is not None for target in polled),
        failing=len(troubles),
        overdue=len(targets) - len(polled),
        answered_at=instant_or_none(max(answered, default=None)),
        troubles=troubles[:MAX_TROUBLES],
    )


def _times(connection: Connection) -> dict[str, int]:
    counts = read_counts(connection)
    return {name.removeprefix(REJECTED): int(counts[name]) for name in sorted(counts) if name.startswith(REJECTED)}


def _count_days(connection: Connection, zone: ZoneInfo, now: int) -> list[DayCount]:
    today = datetime.fromtimestamp(now, zone).date()
    days = [today - timedelta(days=before) for before in reversed(range(DAYS))]
    return [DayCount(day, rows) for day, rows in zip(days, count_by_day(connection, days, zone), strict=True)]
