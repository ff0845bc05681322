"""Our own clock, as far as storing depends on it: is it trusted, and when did something really come?"""

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import Moment, Uptime, agrees
from isems.domain.payload import Payload, Source
from isems.ingest.arrival import Grouped, receipt_of
from isems.storage.states import read_state, save_state
from isems.storage.undecided import Undecided

#: Under this name `source_state` keeps which boot of this machine had its clock confirmed.
CLOCK_STATE = "own_clock"
#: Seconds from receipt to storing: a poll's deadline, a queue before the writer.
MAX_WAIT = 300
#: What comes by these waits here in the order in which it was sent, as it would in a broker.
PUSHED = (Source.MQTT, Source.PUSH)


def is_clock_trusted(connection: Connection, arrival: Grouped, moment: Moment) -> bool:
    """Our clock is trusted when it says so itself, or once any node's own clock has confirmed it since boot."""
    if moment.is_trusted or is_boot_confirmed(connection, moment):
        return True
    measurements = arrival.parsed.measurements
    if not measurements or not agrees(measurements, receipt_of(arrival, is_trusted=False)):
        return False
    confirmed = {"boot": moment.uptime.boot, "confirmed_by": arrival.payload.address}
    save_state(connection, CLOCK_STATE, confirmed)
    return True


def is_boot_confirmed(connection: Connection, moment: Moment) -> bool:
    state = read_state(connection, CLOCK_STATE)
    return state is not None and state.get("boot") == moment.uptime.boot


def correct_receipt(undecided: Undecided, moment: Moment) -> Payload:
    """Tell when it really came: by uptime, if this machine has not booted since; else it is no longer live."""
    if undecided.received.boot != moment.uptime.boot:
        unknown = {"is_live": False, "is_queued": undecided.payload.source in PUSHED, "sender_time": None}
        return msgspec.structs.replace(undecided.payload, received_at=moment.now, has_waited=True, **unknown)
    received_at = moment.now - (moment.uptime.seconds - undecided.received.seconds)
    return msgspec.structs.replace(undecided.payload, received_at=received_at, has_waited=True)


def uptime_at_receipt(payload: Payload, moment: Moment) -> Uptime:
    """A payload is stored some seconds after it came; a longer wait is a step of our clock in between."""
    waited = moment.now - payload.received_at
    return Uptime(moment.uptime.boot, moment.uptime.seconds - (waited if 0 <= waited <= MAX_WAIT else 0))
