"""Receives from an MQTT broker, and acknowledges a message when it was stored, not before.

The broker keeps what was not acknowledged, so a crash at any moment costs nothing: that needs a session that outlives
the connection, QoS 1, and a client id that stays the same. Each connection has a paho client of its own: an
acknowledgement that comes too late for its connection then goes nowhere, instead of to a new message that the broker
gave the same number.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from isems.config import Broker
from isems.domain.payload import Payload, Source
from isems.errors import IsemsError
from isems.sources.mqtt_backlog import Backlog
from isems.sources.mqtt_client import QuickClient
from isems.sources.mqtt_question import Question
from isems.sources.mqtt_tls import SILENT, describe_tls_error, last_error, make_tls_context
from isems.sources.mqtt_troubles import (
    FORGOTTEN,
    LOST,
    ROBBED,
    TAKEN_OVER,
    describe,
    describe_no_subscription,
    describe_refusal,
    hung_up,
    is_other_protocol,
)
from isems.sources.topics import filters_of, read_topic

log = logging.getLogger(__name__)

C = TypeVar("C", bound="Connection")

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


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker is to keep for us, and knows us by."""

    client_id: str
    #: Beginnings of topics.
    prefixes: Sequence[str]
    #: Among the members of a group the broker shares the messages out.
    group: str | None = None
    #: What we subscribed to before and do not want any more: the broker remembers it until told otherwise.
    former_filters: Sequence[str] = ()
    #: Whether we ever subscribed, so that a broker should know the session.
    is_known: bool = False

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        return filters_of(self.prefixes, self.group)


class MqttSource:
    """Receives whatever nodes publish, until it is told to stop; goes on through every trouble of broker and network."""

    def __init__(
        self,
        broker: Broker,
        session: Session,
        *,
        store: Callable[[Payload], "Future[Any]"],
        flush: Callable[[], None],
        window: Callable[[int], None] = lambda messages: None,
        told: Callable[[bool, str], None] = lambda is_well, sentence: None,
        forgotten: Callable[[], None] = lambda: None,
    ) -> None:
        """`store` takes a payload and promises that it will be stored, `flush` makes it happen now.

        `window` is told how many messages the broker sends before it waits for an acknowledgement, `told` each change
        of state: whether it is well, and a sentence. `forgotten` is called when the broker has lost our session, and what
        came meanwhile with it.
        """
        self.broker = broker
        self.session = session
        self.store = store
        self.flush = flush
        self.window = window
        self.told = told
        self.forgotten = forgotten
        #: What came could not be stored: receiving alone is then no good news.
        self.is_refused = False
        #: Whether the broker should have a session of ours.
        self.has_session = session.is_known
        self._is_old_protocol = False
        self._state = ""

    def run(self, stop: threading.Event) -> None:
        """Receive until `stop` is set; what was received by then is stored and acknowledged."""
        pause = FIRST_PAUSE
        while not stop.is_set():
            connection = self.connect(Connection, stop)
            if connection.trouble is None:
                return
            pause = FIRST_PAUSE if connection.was_of_use else min(2 * pause, LAST_PAUSE)
            self.tell(logging.WARNING, connection.trouble)
            stop.wait(pause * random.uniform(0.5, 1))

    def connect(self, kind: Callable[["MqttSource", MQTTProtocolVersion], C], stop: threading.Event) -> C:
        """Connect once, and give the connection when it is over; the next one may speak the older protocol."""
        connection = kind(self, MQTTProtocolVersion.MQTTv311 if self._is_old_protocol else _NEW)
        connection.run(stop)
        if connection.is_of_no_use:
            self._is_old_protocol = not self._is_old_protocol and connection.is_too_new
        return connection

    def tell(self, level: int, sentence: str) -> None:
        """Log a state when it begins; the same one again is no news."""
        if sentence != self._state:
            self._state = sentence
            log.log(level, "%s: %s", self.broker.place, sentence)
            self.told(level < logging.WARNING, sentence)


_NEW = MQTTProtocolVersion.MQTTv5
#: A topic that nobody subscribes to.
NOWHERE = "isems-collector/nothing"
#: What paho tells a connection.
EVENTS = ("on_connect", "on_subscribe", "on_unsubscribe", "on_message", "on_disconnect", "on_socket_open")


class Connection:
    """One connection, from the attempt to its end."""

    #: Whether the broker is to forget the session, now and in the end.
    IS_CLEAN = False

    def __init__(self, source: MqttSource, protocol: MQTTProtocolVersion) -> None:
        self.source = source
        self.is_new_protocol = protocol is _NEW
        self.was_answered = self.was_accepted = False
        #: Whether anything was acknowledged, or it lasted a while: then a next one may follow soon.
        self.was_of_use = False
        #: What ended it; None where that was our wish.
        self.trouble: str | None = None
        self._has_hung_up = False
        self._socket: Any = None
        #: Messages: each is counted by one thread only, the one that receives and the one that stores.
        self._received = self._done = 0
        #: So many unanswered ones, and the broker sends no more.
        self._window = RECEIVE_MAXIMUM if self.is_new_protocol else OLD_RECEIVE_MAXIMUM
        self._backlog = Backlog()
        self._question = self._make_question()
        self.client = QuickClient(
            CallbackAPIVersion.VERSION2,
            client_id=source.session.client_id,
            clean_session=None if self.is_new_protocol else self.IS_CLEAN,
            protocol=protocol,
            manual_ack=True,
        )
        for event in EVENTS:
            setattr(self.client, event, getattr(self, f"_{event}"))
        # With it, an acknowledgement by another thread is only queued: one thread alone must speak TLS.
        self.client.on_socket_register_write = lambda *_: None
        self.client.connect_timeout = ANSWER_SECONDS
        if source.broker.user is not None:
            self.client.username_pw_set(source.broker.user, source.broker.password)

    @property
    def is_of_no_use(self) -> bool:
        """Whether the broker would not even speak with us."""
        return self._has_hung_up or not self.was_answered

    @property
    def is_too_new(self) -> bool:
        """Whether the broker may have hung up because it knows no MQTT 5."""
        return self.is_new_protocol and self._has_hung_up

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to receive; never, as long as we subscribe."""
        return False

    def run(self, stop: threading.Event) -> None:
        """Receive until `stop` is set, or `trouble` says why not."""
        try:
            self._connect()
        except (OSError, ValueError, IsemsError) as error:
            self.trouble = describe(error, self.source.broker)
        else:
            self._receive(stop)
            self._end()
        finally:
            for event in EVENTS:  # paho closes its sockets when nobody refers to it
                setattr(self.client, event, None)

    def _receive(self, stop: threading.Event) -> None:
        began = time.monotonic()
        while not (stop.is_set() or self.trouble or self.is_done):
            if self._received - self._done >= RECEIVE_MAXIMUM:
                stop.wait(CATCH_UP_SECONDS)
                self.client.loop_write()  # acknowledgements
            elif self.client.loop(LOOP_SECONDS) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lose()
            self._look()
            if not self.was_answered and time.monotonic() - began > ANSWER_SECONDS:
                self._fail(SILENT)
        self.was_of_use |= self.was_accepted and time.monotonic() - began > LAST_PAUSE

    def _connect(self) -> None:
        broker = self.source.broker
        if broker.is_tls:
            # Anew for each connection: certificates are renewed while we run.
            self.client.tls_set_context(make_tls_context(broker))
        if not self.is_new_protocol:
            self.client.connect(broker.host, broker.port, KEEPALIVE_SECONDS)
            return
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.SessionExpiryInterval = 0 if self.IS_CLEAN else SESSION_SECONDS
        wanted.ReceiveMaximum = RECEIVE_MAXIMUM
        wanted.MaximumPacketSize = MAX_PACKET_BYTES
        self.client.connect(broker.host, broker.port, KEEPALIVE_SECONDS, clean_start=self.IS_CLEAN, properties=wanted)

    def _end(self) -> None:
        """Store what was received, so that it is acknowledged and not sent once more, and take leave."""
        if self.was_accepted and self.trouble is None:
            self.source.flush()
        self.client.disconnect()
        deadline = time.monotonic() + LOOP_SECONDS
        while self.client.socket() is not None and time.monotonic() < deadline:
            self.client.loop(0.01)  # sends the acknowledgements, and then that we leave

    def _make_question(self) -> Question:
        return Question([NOWHERE])

    def _look(self) -> None:
        """Find out when nothing waits in the broker any more: what comes then is live."""
        if self._backlog.is_expected:
            self._question.ask(self.client, self._received, self._done)

    def _fail(self, sentence: str) -> None:
        """It is over; the first reason counts."""
        self.trouble = self.trouble or sentence

    def _lose(self) -> None:
        """The broker ended it, or the network."""
        if self.was_accepted:
            self._fail(LOST)
            return
        self._has_hung_up = True
        error = last_error(self._socket)
        self._fail(describe_tls_error(error, self.source.broker) if error else hung_up(self.source.broker))

    def _on_socket_open(self, _client: Client, _data: Any, socket: Any) -> None:
        self._socket = socket

    def _on_connect(self, client: Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.was_answered = True
        if is_other_protocol(reason):
            self._has_hung_up = True
            self.trouble = hung_up(self.source.broker)
        elif reason.is_failure:
            self.trouble = describe_refusal(reason, self.source.broker)
        else:
            self.was_accepted = True
            self.source.window(self._window)
            self._backlog.is_expected = flags.session_present
            if self.source.has_session and not (flags.session_present or self.IS_CLEAN):
                log.warning("%s: %s", self.source.broker.place, FORGOTTEN)
                self.source.forgotten()
            self._begin(client, is_resumed=flags.session_present)

    def _begin(self, client: Client, *, is_resumed: bool) -> None:
        """Say what we want; and then what not any more, so that nothing comes to nobody in between."""
        session = self.source.session
        client.subscribe([(one, self._options()) for one in session.filters])
        if is_resumed and session.former_filters:
            client.unsubscribe(list(session.former_filters))

    def _options(self) -> Any:
        if not self.is_new_protocol:
            return 1
        return SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.trouble = describe_no_subscription(reasons, self.source.session.group)
            return
        self.source.has_session = True
        if not self.source.is_refused:
            self._tell_receiving()

    def _tell_receiving(self) -> None:
        group = self.source.session.group
        shared = f" in the group {group}" if group else ""
        if group and not self.is_new_protocol:
            shared += ", if this broker knows groups: with MQTT 3.1.1 it need not"
        self.source.tell(logging.INFO, f"receiving by MQTT {'5' if self.is_new_protocol else '3.1.1'}{shared}")

    def _on_unsubscribe(
        self, _client: Client, _data: Any, mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if self._question.take_answer(mid, self._received, self._done):
            self._backlog.is_expected = not self._question.is_settled
        elif any(reason.is_failure for reason in reasons):
            log.warning("%s: the broker goes on sending what we no longer want", self.source.broker.place)

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.value == TAKEN_OVER:
            self._fail(ROBBED)
        elif reason.is_failure:
            self._lose()

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
        found = read_topic(topic, self.source.session.prefixes)
        is_queued = found is not None and not message.retain and self._backlog.holds(found.node, time.monotonic())
        return Payload(
            data=bytes(message.payload),
            source=Source.MQTT,
            address=topic,
            received_at=now,
            format_hint=found and found.format,
            node_hint=found and found.node,
            is_live=not (message.retain or is_queued),
            is_queued=is_queued,
            is_redelivered=message.dup,
            problem=None if found else "the topic is no node's",
        )

    def _acknowledge(self, message: MQTTMessage, done: "Future[Any]") -> None:
        """Called by who stored it, in another thread."""
        if self._received - self._done >= self._window:
            self._backlog.note_standstill(time.monotonic())
        try:
            self._answer(message, done)
        finally:
            self._done += 1

    def _answer(self, message: MQTTMessage, done: "Future[Any]") -> None:
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or error is not None:
            # The broker sends it once more to the next connection.
            self.source.is_refused = True
            self.trouble = f"what came could not be stored, the broker keeps it: {error}"
            return
        self.was_of_use = True
        self.client.ack(message.mid, message.qos)
        if self.source.is_refused:
            self.source.is_refused = False
            self._tell_receiving()
