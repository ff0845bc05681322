"""MqttSource against brokers that are no good: each trouble has its sentence, and none ends it."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTProtocolVersion

from isems.config import FACTORY_PREFIXES
from isems.domain.payload import Payload
from isems.sources import mqtt
from isems.sources.mqtt import OLD_RECEIVE_MAXIMUM, Connection, MqttSource, Session
from isems.sources.mqtt_client import READ_AT_ONCE
from isems.sources.mqtt_retirement import end_session
from tests.services import publish, run_mosquitto
from tests.sources.brokers import at, fake_broker, keep, receiving, wait_for


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(mqtt, "LAST_PAUSE", 0.05)
    monkeypatch.setattr(mqtt, "ANSWER_SECONDS", 1)


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda packet: b"", "is it MQTT on this port?"),
        (lambda packet: b"HTTP/1.1 400 Bad Request\r\n\r\n", "is it MQTT on this port?"),
        (lambda packet: None, "hung up before it answered"),
    ],
)
def test_who_is_no_broker_is_told_once(
    answer: Callable[[bytes], bytes | None], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    with fake_broker(answer) as (port, received), receiving(at(port), keep([])):
        wait_for(lambda: len(received) >= 3)
    said = [record.getMessage() for record in caplog.records if record.name == "isems.sources.mqtt"]
    assert [sentence in one for one in said] == [True]


@pytest.mark.usefixtures("_no_pauses")
def test_a_broker_that_is_not_there_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with receiving(at(port), keep([])):
        time.sleep(0.5)
    assert [record.getMessage() for record in caplog.records] == [
        f"127.0.0.1:{port}: the broker cannot be reached (Connection refused): does it run, and is MQTT_SERVER right?"
    ]


CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x04\x00\x01\x01\x01"


#: What brokers without MQTT 5 do when it is spoken: refuse the level, as the standard says, or just hang up.
UNACCEPTABLE = b"\x20\x02\x00\x01"


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("refusal", [None, UNACCEPTABLE])
def test_a_broker_without_mqtt_5_is_spoken_to_as_it_can(
    refusal: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(packet: bytes) -> bytes | None:
        if packet[0] == 0x10:
            return CONNACK if packet[8] == 4 else refusal  # the level of the protocol
        return SUBACK if packet[0] == 0x82 else b""

    with caplog.at_level(logging.INFO), fake_broker(answer) as (port, _), receiving(at(port), keep([])):
        wait_for(lambda: "receiving by MQTT 3.1.1" in caplog.text)


@pytest.mark.usefixtures("_no_pauses")
def test_a_wrong_login_is_told_once_and_without_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)
    settings = ("allow_anonymous false", f"password_file {passwords}")
    with (
        run_mosquitto(tmp_path, *settings) as broker,
        receiving(at(broker.port, user="roof", password="wrong"), keep([])),
    ):
        time.sleep(1)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "check user and password" in said[0]
    assert "wrong" not in caplog.text


def test_a_topic_that_is_no_utf_8_is_handed_on_as_a_problem_and_acknowledged() -> None:
    """The standard forbids it, but a broker that lets it pass must not stop everything."""
    message = b"\x32\x0a\x00\x04/\xff\xfe/\x00\x07\x00hi"
    received: list[Payload] = []

    def answer(packet: bytes) -> bytes | None:
        if packet[0] == 0x10:
            return b"\x20\x03\x00\x00\x00"
        return b"\x90\x05" + packet[2:4] + b"\x00\x01\x01" + message if packet[0] == 0x82 else b""

    with fake_broker(answer) as (port, packets), receiving(at(port), keep(received)):
        wait_for(lambda: any(packet.startswith(b"\x40\x02\x00\x07") for packet in packets))
    assert [(payload.address, payload.problem) for payload in received] == [("(no UTF-8)", "the topic is no node's")]


def test_more_than_the_window_is_not_read_before_it_is_stored() -> None:
    """Debian 12's mosquitto sends on without acknowledgements; what is not read waits with it, not in our memory."""
    count = 2 * mqtt.RECEIVE_MAXIMUM
    message = b"\x32\x0a\x00\x03a/b\x00\x07\x00hi"
    waiting: list[Future[Any]] = []

    def answer(packet: bytes) -> bytes | None:
        if packet[0] == 0x10:
            return b"\x20\x03\x00\x00\x00"
        return b"\x90\x05" + packet[2:4] + b"\x00\x01\x01" + count * message if packet[0] == 0x82 else b""

    def store(_payload: Payload) -> "Future[Any]":
        waiting.append(Future())
        return waiting[-1]

    with fake_broker(answer) as (port, _), receiving(at(port), store):
        wait_for(lambda: len(waiting) >= mqtt.RECEIVE_MAXIMUM)
        time.sleep(0.3)
        assert len(waiting) <= mqtt.RECEIVE_MAXIMUM + READ_AT_ONCE
        for one in range(count):
            wait_for(lambda one=one: len(waiting) > one)  # type: ignore[misc]
            waiting[one].set_result(None)


def test_what_was_not_stored_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that refuses must not cost a message."""
    monkeypatch.setattr(mqtt, "FIRST_PAUSE", 0.05)
    seen: list[bytes] = []

    def refuse_first(payload: Payload) -> "Future[Any]":
        done: Future[Any] = Future()
        seen.append(payload.data)
        if len(seen) == 1:
            done.set_exception(OSError("disk is full"))
        else:
            done.set_result(None)
        return done

    with caplog.at_level(logging.INFO), run_mosquitto(tmp_path) as broker, receiving(at(broker.port), refuse_first):
        wait_for(lambda: "receiving by MQTT" in caplog.text)  # before that the broker keeps nothing for us
        publish(broker.port, [("/isems/Dach/csvlog", b"one")])
        wait_for(lambda: len(seen) >= 2)
        publish(broker.port, [("/isems/Dach/csvlog", b"two")])
        wait_for(lambda: b"two" in seen)
        assert seen == [b"one", b"one", b"two"]


@pytest.mark.parametrize("unanswered", [1, OLD_RECEIVE_MAXIMUM])
def test_a_pause_that_was_ours_does_not_make_live_what_waited(unanswered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our clock steps by years, or nothing could be stored for a minute: the queue goes on where it was."""
    wall, steady = [1_000_000], [100.0]
    monkeypatch.setattr(mqtt, "time", SimpleNamespace(time=lambda: wall[0], monotonic=lambda: steady[0]))
    promises: list[tuple[Payload, Future[Any]]] = []

    def store(payload: Payload) -> "Future[Any]":
        promises.append((payload, Future()))
        return promises[-1][1]

    source = MqttSource(
        at(1), Session(client_id="isems-test", prefixes=FACTORY_PREFIXES), store=store, flush=lambda: None
    )
    connection = Connection(source, MQTTProtocolVersion.MQTTv311)
    connection._backlog.is_expected = True

    def receive() -> Payload:
        message = MQTTMessage(topic=b"/isems/Dach/csvlog")
        message.payload = b"one"
        connection._on_message(connection.client, None, message)
        return promises[-1][0]

    assert all(receive().is_queued for _ in range(unanswered))
    wall[0] += 10**9
    steady[0] += 60 if unanswered == OLD_RECEIVE_MAXIMUM else 1
    for _, promise in promises:
        promise.set_result(None)
    assert receive().is_queued
    steady[0] += 65
    assert receive().is_live


@pytest.mark.usefixtures("_no_pauses")
def test_receiving_is_no_good_news_before_something_could_be_stored_again() -> None:
    """Else a full disk would be told anew, and be over, at each attempt."""
    outcomes: list[Exception | None] = [OSError("disk is full")] * 3 + [None]

    def store(payload: Payload) -> "Future[Any]":
        done: Future[Any] = Future()
        outcome = outcomes.pop(0)
        if outcome is None:
            done.set_result(None)
        else:
            done.set_exception(outcome)
        return done

    with fake_broker(answer_with_message) as (port, _), receiving(at(port), store) as states:
        said = [states.get(timeout=15) for _ in range(3)]
        wait_for(lambda: not outcomes)
    assert said == [
        (True, "receiving by MQTT 5"),
        (False, "what came could not be stored, the broker keeps it: disk is full"),
        (True, "receiving by MQTT 5"),
    ]


def answer_with_message(packet: bytes) -> bytes | None:
    """A broker that has one message for us at each connection."""
    if packet[0] == 0x10:
        return b"\x20\x03\x00\x00\x00"
    message = b"\x32\x0a\x00\x04/a/b\x00\x07\x00hi"
    return b"\x90\x05" + packet[2:4] + b"\x00\x01\x01" + message if packet[0] == 0x82 else b""


@pytest.mark.usefixtures("_no_pauses")
def test_who_takes_our_session_is_told() -> None:
    """A copied database brings the client id with it, and the two take the session from each other for ever."""

    def answer(packet: bytes) -> bytes | None:
        if packet[0] == 0x10:
            return b"\x20\x03\x00\x00\x00"
        return b"\x90\x05" + packet[2:4] + b"\x00\x01\x01" + b"\xe0\x01\x8e" if packet[0] == 0x82 else b""

    with fake_broker(answer) as (port, _), receiving(at(port), keep([])) as states:
        assert states.get(timeout=15) == (True, "receiving by MQTT 5")
        assert states.get(timeout=15) == (
            False,
            "another client took our session, which has the same client id: is a copy of this database receiving, too?",
        )


@pytest.mark.usefixtures("_no_pauses")
def test_a_broker_that_forgot_our_session_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    forgotten = "the broker had kept nothing for us: what came since we were last connected is lost"
    with run_mosquitto(tmp_path) as broker:
        for is_known in (False, True):  # the first time there can be none
            with receiving(at(broker.port), keep([]), is_known=is_known) as states:
                assert states.get(timeout=15)[0]
        assert forgotten not in caplog.text
        with receiving(at(broker.port), keep([]), is_known=True) as states:
            assert states.get(timeout=15)[0]
            broker.stop()
            (tmp_path / "mosquitto.db").unlink()  # as one does that is not told to keep any
            broker.start()
            wait_for(lambda: forgotten in caplog.text, 30)


def test_mqtt_3_shares_and_retires_too(tmp_path: Path) -> None:
    received: list[Payload] = []

    def source(client_id: str) -> MqttSource:
        session = Session(client_id=client_id, prefixes=FACTORY_PREFIXES, group="mesh")
        made = MqttSource(at(broker.port), session, store=keep(received), flush=lambda: None)
        made._is_old_protocol = True
        return made

    with run_mosquitto(tmp_path) as broker, receiving(at(broker.port), keep([]), group="mesh") as states:
        assert states.get(timeout=15)[0]
        stop = threading.Event()
        old = source("isems-old")
        old.told = lambda *_: stop.set()
        old.run(stop)  # until it has subscribed
        publish(broker.port, [("/isems/Dach/csvlog", b"%d" % number) for number in range(100)])
        assert end_session(source("isems-old"), threading.Event())
        assert len(received) == 50  # dealt to it while it was away, and more than the broker sends at once
        assert not end_session(source("isems-old"), threading.Event())


def test_what_comes_after_the_queue_is_live_however_closely_it_follows(tmp_path: Path) -> None:
    """Two boards of one id leave no pause of 40 s: they would be held for ever, and their samples have no time."""
    kept: list[Payload] = []

    def is_live() -> bool:
        count = len(kept)
        publish(broker.port, [("isems/a/data.json", b"late")])
        time.sleep(0.5)  # nodes leave the broker time to answer
        return len(kept) > count and kept[-1].is_live

    with run_mosquitto(tmp_path) as broker:
        with receiving(at(broker.port), keep(kept)) as states:
            states.get(timeout=20)
        publish(broker.port, [("isems/a/data.json", b"queued")] * 300)
        with receiving(at(broker.port), keep(kept)):
            wait_for(lambda: len(kept) >= 300)
            assert all(one.is_queued for one in kept)
            wait_for(is_live)
            first = next(number for number, one in enumerate(kept) if one.is_live)
            publish(broker.port, [("isems/a/data.json", b"late")] * 5)
            wait_for(lambda: len(kept) >= first + 6)
    assert all(one.is_live for one in kept[first:])
