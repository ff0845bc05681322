"""What can be wrong with a broker, in words that say what to do; never with the login."""

import socket
import ssl
from collections.abc import Sequence

from paho.mqtt.reasoncodes import ReasonCode

from isems.config import Broker
from isems.errors import IsemsError
from isems.sources.mqtt_tls import describe_tls_error

LOST = "the connection to the broker was lost"
ROBBED = "another client took our session, which has the same client id: is a copy of this database receiving, too?"
FORGOTTEN = (
    "the broker had kept nothing for us: what came since we were last connected is lost, unless it is another broker"
)
#: Reason codes of MQTT 5; paho gives those of 3.1.1 the same numbers.
UNSUPPORTED_PROTOCOL, BAD_LOGIN, NOT_AUTHORIZED, TAKEN_OVER, NO_SHARING = 132, 134, 135, 142, 158
SETTINGS = "MQTT_SERVER, ISEMS_MQTT_USER, ISEMS_MQTT_PASSWORD"


def describe(error: Exception, broker: Broker) -> str:
    """Tell why there is no connection."""
    if isinstance(error, IsemsError):
        return str(error)
    if isinstance(error, ssl.SSLError) or (broker.is_tls and isinstance(error, ConnectionResetError)):
        return describe_tls_error(error, broker)
    if isinstance(error, socket.gaierror):
        return f"no address is known for {broker.host}: is MQTT_SERVER right, and does this machine know the name?"
    if isinstance(error, TimeoutError):
        return "the broker cannot be reached, nothing answers there: is MQTT_SERVER right, and the network up?"
    reason = getattr(error, "strerror", None) or error
    return f"the broker cannot be reached ({reason}): does it run, and is MQTT_SERVER right?"


def hung_up(broker: Broker) -> str:
    """Tell that it ended the connection without a word."""
    if not broker.is_tls:
        return "the broker hung up before it answered: if this port wants TLS, MQTT_SERVER has to begin with mqtts://"
    if broker.certificate is None:
        return "the broker hung up before it answered: does it want a client certificate (ISEMS_MQTT_CERTIFICATE)?"
    return "the broker hung up before it answered: is it MQTT on this port?"


def is_other_protocol(reason: ReasonCode) -> bool:
    """Tell whether the broker knows another version of MQTT only."""
    return reason.value == UNSUPPORTED_PROTOCOL


def describe_refusal(reason: ReasonCode, broker: Broker) -> str:
    """Tell why the broker does not let us in."""
    if reason.value not in (BAD_LOGIN, NOT_AUTHORIZED):
        return f"the broker refuses the connection: {reason}"
    if broker.user is None:
        return f"the broker lets nobody in without a login: set user and password ({SETTINGS})"
    return f"the broker refuses the login: check user and password ({SETTINGS})"


def describe_no_subscription(reasons: Sequence[ReasonCode], group: str | None) -> str:
    """Tell why the broker sends us nothing."""
    if any(reason.value == NO_SHARING for reason in reasons):
        return "the broker cannot share messages out: without ISEMS_MQTT_SHARE one collector receives them all"
    also = ", and groups be known to it (ISEMS_MQTT_SHARE)" if group else ""
    return f"the broker lets us in, but not receive: its access list must allow the topics to be read{also}"
