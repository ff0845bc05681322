"""Receives from an MQTT broker, and acknowledges a message when it was stored, not before.

The broker keeps what was not acknowledged, so a crash at any moment costs nothing: that needs a session that outlives
the connection, QoS 1, and a client id that stays the same. Each connection has a paho client of its own: an
acknowledgement that comes too late for its connection then goes nowhere, instead of to a new message that the broker
gave the same number.
"""

import logging
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any
from urllib.parse import unquote

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from isems.domain.payload import Payload, Source
from isems.errors import ConfigError
from isems.sources.mqtt_client import QuickClient
from isems.sources.topics import filters_of, read_topic

log = logging.getLogger(__name__)

#: Messages that the broker sends before it waits for an acknowledgement; bounds what we hold in memory. Debian 12's
#: mosquitto sends more all the same, so then we do not read on.
RECEIVE_MAXIMUM = 1000
#: What a broker of MQTT 3.1.1 does by itself (mosquitto's max_inflight_messages).
OLD_RECEIVE_MAXIMUM = 20
#: The broker keeps the session this long after we are gone: longer than any holiday.
SESSION_SECONDS = 90 * 86_400
#: Five lines of a node have 1 kB; a broker does not send us more than this.
MAX_PACKET_BYTES = 1024 * 1024
KEEPALIVE_SECONDS = 60
#: How long a broker may take to accept a connection, and to answer it.
ANSWER_SECONDS = 10
#: Between two attempts: twice as long each time, with some chance, or all nodes and collectors come back at once.
FIRST_PAUSE, LAST_PAUSE = 1.0, 120.0
#: How long we wait for what we hold to be stored before we look again.
CATCH_UP_SECONDS = 0.01
#: How often the loop looks whether it is to end.
LOOP_SECONDS = 1.0
#: A node publishes every 65 s; what comes closer together than this has waited in the broker.
LIVE_GAP_SECONDS = 40
#: Nodes whose last message is remembered while a resumed session is caught up with.
MAX_REMEMBERED = 10_000

_BROKER = re.compile(
    r"(?:(?P<scheme>mqtts?)://)?(?:(?P<login>.*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(?::(?P<port>[0-9]{1,5}))?/?"
)


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages come from; `place` is what may be shown of it."""

    host: str
    port: int
    is_tls: bool = False
    user: str | None = None
    password: str | None = None

    @property
    def place(self) -> str:
        """Host and port, never the login."""
        return f"{self.host}:{self.port}"


def parse_broker(text: str) -> Broker:
    """Read `host`, `host:port` or an mqtt(s) URL with a login; raises ConfigError for anything else."""
    match = _BROKER.fullmatch(text)
    is_tls = bool(match and match["scheme"] == "mqtts")
    port = int((match and match["port"]) or (8883 if is_tls else 1883))
    if match is None or not 1 <= port <= 65_535:
        raise ConfigError("MQTT_SERVER is (not shown), expected host, host:port or mqtt://user:password@host")
    user, _, password = (match["login"] or "").partition(":")
    return Broker(
        host=match["host"].strip("[]"),
        port=port,
        is_tls=is_tls,
        user=unquote(user) or None,
        password=unquote(password) or None,
    )


class MqttSource:
    """Receives whatever nodes publish, until it is told to stop; goes on through every trouble of broker and network."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        prefixes: Sequence[str],
        *,
        store: Callable[[Payload], "Future[Any]"],
        flush: Callable[[], None],
        window: Callable[[int], None] = lambda messages: None,
    ) -> None:
        """`store` takes a payload and promises that it will be stored, `flush` makes it happen now.

        `window` is told how many messages the broker sends before it waits for an acknowledgement.
        """
        self.broker = broker
        self.client_id = client_id
        self.prefixes = prefixes
        self.store = store
        self.flush = flush
        self.window = window
        self._is_old_protocol = False
        self._state = ""

    def run(self, stop: threading.Event) -> None:
        """Receive until `stop` is set; what was received by then is stored and acknowledged."""
        pause = FIRST_PAUSE
        while not stop.is_set():
            connection = _Connection(self, MQTTProtocolVersion.MQTTv311 if self._is_old_protocol else _NEW)
            trouble = connection.run(stop)
            if trouble is None:
                return
            if connection.is_of_no_use:
                self._is_old_protocol = not self._is_old_protocol and connection.is_too_new
            pause = FIRST_PAUSE if connection.was_of_use else min(2 * pause, LAST_PAUSE)
            self.tell(logging.WARNING, trouble)
            stop.wait(pause * random.uniform(0.5, 1))

    def tell(self, level: int, sentence: str) -> None:
        """Log a state when it begins; the same one again is no news."""
        if sentence != self._state:
            self._state = sentence
            log.log(level, "%s: %s", self.broker.place, sentence)


_NEW = MQTTProtocolVersion.MQTTv5


class _Connection:
    """One connection, from the attempt to its end."""

    def __init__(self, source: MqttSource, protocol: MQTTProtocolVersion) -> None:
        self.source = source
        self.is_new_protocol = protocol is _NEW
        self.was_answered = self.was_accepted = False
        #: Whether anything was acknowledged, or it lasted a while: then a next one may follow soon.
        self.was_of_use = False
        self._trouble: str | None = None
        #: Messages: each is counted by one thread only, the one that receives and the one that stores.
        self._received = self._done = 0
        self._backlog = _Backlog()
        self.client = QuickClient(
            CallbackAPIVersion.VERSION2,
            client_id=source.client_id,
            clean_session=None if self.is_new_protocol else False,
            protocol=protocol,
            manual_ack=True,
        )
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self.client.on_disconnect = self._on_disconnect
        # With it, an acknowledgement by another thread is only queued: one thread alone must speak TLS.
        self.client.on_socket_register_write = lambda *_: None
        self.client.connect_timeout = ANSWER_SECONDS
        if source.broker.user is not None:
            self.client.username_pw_set(source.broker.user, source.broker.password)
        if source.broker.is_tls:
            self.client.tls_set_context(ssl.create_default_context())

    @property
    def is_of_no_use(self) -> bool:
        """Whether the broker would not even speak with us."""
        return self._trouble == HUNG_UP or not self.was_answered

    @property
    def is_too_new(self) -> bool:
        """Whether the broker may have hung up because it knows no MQTT 5."""
        return self.is_new_protocol and self._trouble == HUNG_UP

    def run(self, stop: threading.Event) -> str | None:
        """Receive; gives what ended it, or None where that was `stop`."""
        try:
            self._connect()
        except (OSError, ValueError) as error:
            return _describe(error)
        began = time.monotonic()
        while not stop.is_set() and self._trouble is None:
            if self._received - self._done >= RECEIVE_MAXIMUM:
                stop.wait(CATCH_UP_SECONDS)
                self.client.loop_write()  # acknowledgements
            elif self.client.loop(LOOP_SECONDS) != MQTTErrorCode.MQTT_ERR_SUCCESS and self._trouble is None:
                self._trouble = LOST if self.was_accepted else HUNG_UP
            if not self.was_answered and time.monotonic() - began > ANSWER_SECONDS:
                self._trouble = "the broker does not answer as one does: is it MQTT on this port?"
        self.was_of_use |= self.was_accepted and time.monotonic() - began > LAST_PAUSE
        self._end()
        return self._trouble

    def _connect(self) -> None:
        broker = self.source.broker
        if not self.is_new_protocol:
            self.client.connect(broker.host, broker.port, KEEPALIVE_SECONDS)
            return
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.SessionExpiryInterval = SESSION_SECONDS
        wanted.ReceiveMaximum = RECEIVE_MAXIMUM
        wanted.MaximumPacketSize = MAX_PACKET_BYTES
        self.client.connect(broker.host, broker.port, KEEPALIVE_SECONDS, clean_start=False, properties=wanted)

    def _end(self) -> None:
        """Store what was received, so that it is acknowledged and not sent once more, and take leave."""
        if self.was_accepted and self._trouble is None:
            self.source.flush()
        self.client.disconnect()
        deadline = time.monotonic() + LOOP_SECONDS
        while self.client.socket() is not None and time.monotonic() < deadline:
            self.client.loop(0.01)  # sends the acknowledgements, and then that we leave

    def _on_connect(self, client: Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.was_answered = True
        if reason.is_failure:
            self._trouble = _describe_refusal(reason)
            return
        self.was_accepted = True
        self.source.window(RECEIVE_MAXIMUM if self.is_new_protocol else OLD_RECEIVE_MAXIMUM)
        self._backlog.is_expected = flags.session_present
        client.subscribe([(one, self._options()) for one in filters_of(self.source.prefixes)])

    def _options(self) -> Any:
        if not self.is_new_protocol:
            return 1
        return SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._trouble = "the broker lets us in, but not receive: its access list must allow the topics to be read"
            return
        self.source.tell(logging.INFO, f"receiving by MQTT {'5' if self.is_new_protocol else '3.1.1'}")

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if self._trouble is None and reason.is_failure:
            self._trouble = LOST if self.was_accepted else HUNG_UP

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._received += 1
        stored = self.source.store(self._payload_of(message))
        stored.add_done_callback(lambda done: self._acknowledge(message, done))

    def _payload_of(self, message: MQTTMessage) -> Payload:
        now = int(time.time())
        try:
            topic = message.topic
        except UnicodeDecodeError:  # the standard forbids it, some brokers let it pass
            topic = "(no UTF-8)"
        found = read_topic(topic, self.source.prefixes)
        return Payload(
            data=bytes(message.payload),
            source=Source.MQTT,
            address=topic,
            received_at=now,
            format_hint=found and found.format,
            node_hint=found and found.node,
            is_live=not message.retain and not self._backlog.holds(topic, now),
            problem=None if found else "the topic is no node's",
        )

    def _acknowledge(self, message: MQTTMessage, done: "Future[Any]") -> None:
        """Called by who stored it, in another thread."""
        self._done += 1
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or error is not None:
            # The broker sends it once more to the next connection.
            self._trouble = f"what came could not be stored, the broker keeps it: {error}"
        else:
            self.was_of_use = True
            self.client.ack(message.mid, message.qos)


class _Backlog:
    """Which messages have waited in the broker: after a resumed session a node's first ones, as long as they follow each
    other faster than it publishes.
    """

    def __init__(self) -> None:
        self.is_expected = False
        self._last: dict[str, int] = {}
        self._live: set[str] = set()

    def holds(self, topic: str, now: int) -> bool:
        """Tell whether a message that came now has waited; it is to be told of every message."""
        if not self.is_expected or topic in self._live:
            return False
        if now - self._last.get(topic, now) >= LIVE_GAP_SECONDS or len(self._live) >= MAX_REMEMBERED:
            self._live.add(topic)
            self._last.pop(topic, None)
            return False
        self._last[topic] = now
        return True


LOST = "the connection to the broker was lost"
HUNG_UP = "the broker hung up before it answered"


def _describe(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"the broker speaks no TLS that we understand: {error.reason}"
    return f"the broker cannot be reached: {getattr(error, 'strerror', None) or error}"


def _describe_refusal(reason: ReasonCode) -> str:
    name = str(reason)
    if name in ("Bad user name or password", "Not authorized"):
        return "the broker refuses the login: check user and password in MQTT_SERVER"
    if name == "Unsupported protocol version":
        return HUNG_UP
    return f"the broker refuses the connection: {name}"
