"""Whether the process lives, and whether it can do its work."""

import time
from datetime import UTC, datetime

import msgspec
from flask import Blueprint, Response
from sqlalchemy import Connection

from isems.api import context
from isems.errors import StorageError
from isems.storage.backlog import count_backlog
from isems.storage.counters import read_counts
from isems.storage.locks import is_awaited, is_locked
from isems.storage.replicas import BrokerState, lock_of, select_broker_states
from isems.storage.size import measure_size
from isems.storage.tally import INSTANT
from isems.storage.undecided import MAX_BYTES, count_bytes
from isems.storage.writable import WriteTrouble, find_write_trouble

routes = Blueprint("health", __name__)

#: With less, SQLite may not have room for its journal, which grows to 16 MB and more under load.
MIN_FREE_BYTES = 64_000_000


class BrokerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a replica of the MQTT subscriber fares."""

    is_well: bool
    sentence: str
    #: None: nobody can tell.
    since: datetime | None
    broker: str
    last_message_at: datetime | None
    #: When the broker had forgotten the session: what was sent while we were away before that is lost.
    session_lost_at: datetime | None
    #: Another process waits to take over.
    has_standby: bool


@routes.get("/healthz")
def get_health() -> Response:
    """Answer as long as the process lives; asks nothing of the database."""
    return Response("ok\n", mimetype="text/plain")


class Newest(msgspec.Struct, frozen=True):
    """When a source last brought something new, known to the minute."""

    at: datetime
    age_seconds: int


class Readiness(msgspec.Struct, kw_only=True):
    """The answer of `/readyz`."""

    ready: bool = True
    #: Why it is not, and what to do.
    reasons: list[str] = msgspec.field(default_factory=list)
    is_writable: bool
    database_bytes: int
    #: None: only PostgreSQL's server knows.
    disk_free_bytes: int | None
    #: Input that waits for our clock, and samples that wait for their node's next message.
    undecided_bytes: int
    backlog_samples: int
    newest: dict[str, Newest]
    sources: dict[str, dict[str, BrokerHealth]]

    def refuse(self, reason: str) -> None:
        """Note why the work cannot be done."""
        self.ready = False
        self.reasons.append(reason)


@routes.get("/readyz")
def get_readiness() -> Response:
    """Tell whether data can be served and taken in; 503 with the reason where not.

    Trouble with a broker is told, but is no reason: what is stored can be served all the same.
    """
    trouble = find_write_trouble(context.database())
    with context.database().read() as connection:
        answer = _look(connection, int(time.time()), is_writable=trouble is None)
    judge(answer, trouble, takes_pushes=bool(context.config().push_tokens))
    body = msgspec.json.encode(answer)
    return Response(body, status=200 if answer.ready else 503, mimetype="application/json")


def judge(answer: Readiness, trouble: WriteTrouble | None, *, takes_pushes: bool) -> None:
    """Refuse where data cannot be served or taken in; who only serves needs no right to write."""
    if trouble is not None and (takes_pushes or not trouble.is_for_want_of_rights):
        answer.refuse(trouble.sentence)
    if answer.undecided_bytes >= MAX_BYTES * 0.9:
        answer.refuse(
            f"{answer.undecided_bytes} bytes of input wait for this machine's clock to be right: set the clock"
        )
    if answer.disk_free_bytes is not None and answer.disk_free_bytes < MIN_FREE_BYTES:
        answer.refuse(f"{answer.disk_free_bytes} bytes are free on the disk of the database: make room")


def _look(connection: Connection, now: int, *, is_writable: bool) -> Readiness:
    size = measure_size(connection)
    came = select_newest_times(connection)
    return Readiness(
        is_writable=is_writable,
        database_bytes=size.database_bytes,
        disk_free_bytes=size.disk_free_bytes,
        undecided_bytes=count_bytes(connection),
        backlog_samples=count_backlog(connection),
        newest={name: Newest(datetime.fromtimestamp(at, UTC), now - at) for name, at in came.items()},
        sources={"mqtt": select_broker_health(connection)},
    )


def select_newest_times(connection: Connection) -> dict[str, int]:
    """Give when each source last brought something new, to the minute, in epoch seconds."""
    counts = read_counts(connection)
    return {name.removeprefix(INSTANT): int(counts[name]) for name in sorted(counts) if name.startswith(INSTANT)}


def select_broker_health(connection: Connection) -> dict[str, BrokerHealth]:
    """Give how each replica of the MQTT subscriber fares."""
    states = select_broker_states(connection)
    return {replica: _judge(connection, replica, state) for replica, state in states.items()}


def _judge(connection: Connection, replica: str, state: BrokerState) -> BrokerHealth:
    """Believe what a replica said last only as long as its process lives."""
    since: int | None = state.since
    sentence, is_well, has_standby = state.sentence, state.is_well, False
    try:
        has_standby = is_awaited(connection, lock_of(replica))
        if not is_locked(connection, lock_of(replica)) and not state.is_ended:
            sentence, is_well, since = "not running: its process ended without a word", False, None
    except StorageError as error:
        sentence, is_well, since = f"whether it is running cannot be told: {error}", False, None
    return BrokerHealth(
        is_well=is_well,
        sentence=sentence,
        since=_instant(since),
        broker=state.broker,
        last_message_at=_instant(state.last_message_at),
        session_lost_at=_instant(state.session_lost_at),
        has_standby=has_standby,
    )


def _instant(epoch: int | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
