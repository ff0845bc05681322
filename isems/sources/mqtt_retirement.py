"""Ends a session in the broker without losing what waits in it."""

import threading
from typing import Any, TypeVar

from paho.mqtt.client import Client
from paho.mqtt.reasoncodes import ReasonCode

from isems.errors import SourceError
from isems.sources.mqtt import Connection, MqttSource
from isems.sources.mqtt_question import Question

C = TypeVar("C", bound=Connection)


class _LastConnection(Connection):
    """Receives what waits, after it told the broker to put nothing more to it: its question is to unsubscribe."""

    is_resumed = False

    @property
    def is_done(self) -> bool:
        return self.was_accepted and (not self.is_resumed or self._question.is_settled)

    def _make_question(self) -> Question:
        session = self.source.session
        return Question([*session.filters, *session.former_filters])

    def _look(self) -> None:
        if self.is_resumed:
            self._question.ask(self.client, self._received, self._done)

    def _begin(self, client: Client, *, is_resumed: bool) -> None:
        self.is_resumed = is_resumed
        self._look()

    def _on_unsubscribe(
        self, _client: Client, _data: Any, mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._fail("the broker does not let us unsubscribe")
        self._question.take_answer(mid, self._received, self._done)


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
