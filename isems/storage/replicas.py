"""What `source_state` keeps for each replica of the MQTT subscriber: its session in the broker, and how it fares."""

import secrets
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from isems.storage.states import delete_state, read_state, save_state, select_states

#: Names in `source_state`; those of other replicas than the first have its name behind a colon.
CLIENT_ID, FILTERS, STATE = "mqtt_client_id", "mqtt_filters", "mqtt_state"
FIRST = "1"
#: So many former filters are remembered; each costs some bytes at each connect.
MAX_FILTERS = 50


class BrokerState(msgspec.Struct, frozen=True, kw_only=True):
    """How a replica fares with its broker. Instants in epoch seconds."""

    broker: str
    is_well: bool
    sentence: str
    since: int
    last_message_at: int | None = None
    #: When it last found that the broker had forgotten its session, and what came meanwhile.
    session_lost_at: int | None = None
    #: It was stopped, and said so.
    is_ended: bool = False


def lock_of(replica: str) -> str:
    """Give the name of the lock that a replica holds while it receives."""
    return "subscriber" if replica == FIRST else f"subscriber-{replica}"


def find_client_id(connection: Connection, replica: str = FIRST) -> str:
    """Give a replica's client id, by which the broker knows its session; made once, so that it finds it again."""
    known: str | None = read_state(connection, _name(CLIENT_ID, replica))
    if known is None:
        known = f"isems-{secrets.token_hex(6)}"
        save_state(connection, _name(CLIENT_ID, replica), known)
    return known


def remember_filters(connection: Connection, replica: str, filters: Sequence[str]) -> list[str]:
    """Note what a replica is about to subscribe to; gives what it ever did before and does not now.

    None is forgotten when it was unsubscribed from: another broker may have it still.
    """
    known: list[str] = read_state(connection, _name(FILTERS, replica)) or []
    former = [one for one in known if one not in filters]
    wanted = [*former, *filters][-MAX_FILTERS:]
    if wanted != known:
        save_state(connection, _name(FILTERS, replica), wanted)
    return former


def has_subscribed(connection: Connection, replica: str) -> bool:
    """Tell whether a replica ever subscribed, so that a broker should know it."""
    return read_state(connection, _name(FILTERS, replica)) is not None


def save_broker_state(connection: Connection, replica: str, state: BrokerState) -> None:
    """Keep how a replica fares."""
    save_state(connection, _name(STATE, replica), state)


def select_broker_states(connection: Connection) -> dict[str, BrokerState]:
    """Give how each replica fared when it last said so."""
    states = select_states(connection, STATE)
    return {_replica_of(name): msgspec.convert(value, BrokerState) for name, value in states.items()}


def select_replicas(connection: Connection) -> list[str]:
    """Give the replicas that have a session."""
    return [_replica_of(name) for name in select_states(connection, CLIENT_ID)]


def forget_replica(connection: Connection, replica: str) -> None:
    """Forget all that is kept for a replica."""
    for kind in (CLIENT_ID, FILTERS, STATE):
        delete_state(connection, _name(kind, replica))


def _name(kind: str, replica: str) -> str:
    return kind if replica == FIRST else f"{kind}:{replica}"


def _replica_of(name: str) -> str:
    return name.partition(":")[2] or FIRST
