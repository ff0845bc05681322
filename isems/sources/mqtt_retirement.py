"""Ends a session in the broker without losing what waits in it."""

import threading
from concurrent.futures import Future
from typing import Any, TypeVar

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from isems.errors import SourceError
from isems.sources.mqtt import Connection, MqttSource

C = TypeVar("C", bound=Connection)

#: So often in a row must the broker answer a question without sending a message before it: then none is left.
QUIET_ANSWERS = 2


class _LastConnection(Connection):
    """Receives what waits, after it told the broker to put nothing more to it.

    MQTT has no word for "that was all". But answers come in order: when all that came is acknowledged, and the answer
    to a question, here to unsubscribing once more, is what comes next, then nothing waits.
    """

    is_resumed = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._came = self._stored = self._came_when_asked = 0
        self._quiet_answers = 0
        self._is_asking = False

    @property
    def is_done(self) -> bool:
        return self.was_accepted and (not self.is_resumed or self._quiet_answers >= QUIET_ANSWERS)

    def _look(self) -> None:
        if self.is_resumed and not self.is_done and not self._is_asking and self._stored == self._came:
            self._ask()

    def _begin(self, client: Client, *, is_resumed: bool) -> None:
        self.is_resumed = is_resumed
        if is_resumed:
            self._ask()

    def _ask(self) -> None:
        session = self.source.session
        self._is_asking, self._came_when_asked = True, self._came
        self.client.unsubscribe([*session.filters, *session.former_filters])

    def _on_unsubscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._fail("the broker does not let us unsubscribe")
        self._is_asking = False
        is_quiet = self._came == self._came_when_asked == self._stored
        self._quiet_answers = self._quiet_answers + 1 if is_quiet else 0

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self._came += 1
        super()._on_message(client, data, message)

    def _acknowledge(self, message: MQTTMessage, done: "Future[Any]") -> None:
        super()._acknowledge(message, done)
        self._stored += 1


class _CleanConnection(Connection):
    """Makes the broker forget the session."""

    IS_CLEAN = True

    @property
    def is_done(self) -> bool:
        return self.was_accepted

    def _begin(self, client: Client, *, is_resumed: bool) -> None:
        """Want nothing."""


def end_session(source: MqttSource, stop: threading.Event) -> bool:
    """Store and acknowledge what waits in the session, then end it; False where the broker knew no such session.

    Raises SourceError where it could not be done, or `stop` was set: then the session is as it was, less what was
    stored, and this may be called again.
    """
    last = _connect(source, _LastConnection, stop)
    if last.is_resumed:
        _connect(source, _CleanConnection, stop)
    return last.is_resumed


def _connect(source: MqttSource, kind: type[C], stop: threading.Event) -> C:
    connection = source.connect(kind, stop)
    if connection.is_too_new:
        connection = source.connect(kind, stop)
    if connection.trouble is not None:
        raise SourceError(f"{source.broker.place}: {connection.trouble}")
    if not connection.is_done:
        raise SourceError("it was interrupted: what waits in the broker still waits there")
    return connection
