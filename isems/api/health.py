"""Whether the process lives, and whether it can do its work."""

from datetime import UTC, datetime

import msgspec
from flask import Blueprint, Response
from sqlalchemy import Connection

from isems.api import context
from isems.errors import StorageError
from isems.storage.locks import is_awaited, is_locked
from isems.storage.replicas import BrokerState, lock_of, select_broker_states
from isems.storage.undecided import MAX_BYTES, count_bytes

routes = Blueprint("health", __name__)


class BrokerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a replica of the MQTT subscriber fares."""

    is_well: bool
    sentence: str
    #: None: nobody can tell.
    since: datetime | None
    broker: str
    last_message_at: datetime | None
    #: Another process waits to take over.
    has_standby: bool


@routes.get("/healthz")
def get_health() -> Response:
    """Answer as long as the process lives; asks nothing of the database."""
    return Response("ok\n", mimetype="text/plain")


@routes.get("/readyz")
def get_readiness() -> Response:
    """Tell whether data can be served and taken in; 503 with the reason where not.

    Trouble with a broker is told, but is no reason: what is stored can be served all the same.
    """
    with context.database().read() as connection:
        waiting = count_bytes(connection)
        brokers = {
            replica: _judge(connection, replica, state) for replica, state in select_broker_states(connection).items()
        }
    reasons = []
    if waiting >= MAX_BYTES * 0.9:
        reasons.append(f"{waiting} bytes of input wait for this machine's clock to be right: set the clock")
    answer = {"ready": not reasons, "reasons": reasons, "undecided_bytes": waiting, "sources": {"mqtt": brokers}}
    return Response(msgspec.json.encode(answer), status=503 if reasons else 200, mimetype="application/json")


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
        has_standby=has_standby,
    )


def _instant(epoch: int | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
