"""MqttSource against brokers that are no good: each trouble has its sentence, and none ends it."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isems.config import Config
from isems.domain.payload import Payload
from isems.errors import ConfigError
from isems.sources import mqtt
from isems.sources.mqtt import Broker, MqttSource, _Backlog, parse_broker
from isems.sources.mqtt_client import READ_AT_ONCE
from tests.services import publish, run_mosquitto


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("broker", Broker(host="broker", port=1883)),
        ("broker:1884", Broker(host="broker", port=1884)),
        ("[fd00::1]:1885", Broker(host="fd00::1", port=1885)),
        ("mqtt://broker/", Broker(host="broker", port=1883)),
        ("mqtts://broker", Broker(host="broker", port=8883, is_tls=True)),
        ("mqtt://isems:p/@ss@broker", Broker(host="broker", port=1883, user="isems", password="p/@ss")),
        ("mqtt://is%40ems:a%3Ab@broker", Broker(host="broker", port=1883, user="is@ems", password="a:b")),
        ("mqtt://isems@broker", Broker(host="broker", port=1883, user="isems")),
    ],
)
def test_the_address_of_a_broker_is_read(text: str, expected: Broker) -> None:
    assert parse_broker(text) == expected
    assert "ss" not in expected.place


@pytest.mark.parametrize("text", ["", "http://broker", "broker:0", "broker:70000", "two words"])
def test_what_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError, match="MQTT_SERVER is"):
        parse_broker(text)


@contextmanager
def receiving(port: int, store: Callable[[Payload], "Future[Any]"], user: str | None = None) -> Iterator[None]:
    broker = Broker(host="127.0.0.1", port=port, user=user, password=user and "wrong")
    source = MqttSource(broker, "isems-test", Config(database_url="").mqtt_prefixes, store=store, flush=lambda: None)
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def keep(kept: list[Payload]) -> Callable[[Payload], "Future[Any]"]:
    def store(payload: Payload) -> "Future[Any]":
        done: Future[Any] = Future()
        kept.append(payload)
        done.set_result(None)
        return done

    return store


def wait_for(is_true: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(mqtt, "LAST_PAUSE", 0.05)
    monkeypatch.setattr(mqtt, "ANSWER_SECONDS", 1)


@contextmanager
def fake_broker(answer: Callable[[bytes], bytes | None]) -> Iterator[tuple[int, list[bytes]]]:
    """Answers each packet; None: it hangs up."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        is_over = threading.Event()

        def talk(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(0.1)
                while not is_over.is_set():
                    try:
                        packet = connection.recv(4096)
                    except TimeoutError:
                        continue
                    except OSError:
                        return
                    if not packet:
                        return
                    received.append(packet)
                    reply = answer(packet)
                    if reply is None:
                        return
                    connection.sendall(reply)

        def serve() -> None:
            while not is_over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], received
        finally:
            is_over.set()
            thread.join(10)


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
    with fake_broker(answer) as (port, received), receiving(port, keep([])):
        wait_for(lambda: len(received) >= 3)
    said = [record.getMessage() for record in caplog.records if record.name == "isems.sources.mqtt"]
    assert [sentence in one for one in said] == [True]


@pytest.mark.usefixtures("_no_pauses")
def test_a_broker_that_is_not_there_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with receiving(port, keep([])):
        time.sleep(0.5)
    assert [record.getMessage() for record in caplog.records] == [
        f"127.0.0.1:{port}: the broker cannot be reached: Connection refused"
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

    with caplog.at_level(logging.INFO), fake_broker(answer) as (port, _), receiving(port, keep([])):
        wait_for(lambda: "receiving by MQTT 3.1.1" in caplog.text)


@pytest.mark.usefixtures("_no_pauses")
def test_a_wrong_login_is_told_once_and_without_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)
    settings = ("allow_anonymous false", f"password_file {passwords}")
    with run_mosquitto(tmp_path, *settings) as broker, receiving(broker.port, keep([]), user="roof"):
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

    with fake_broker(answer) as (port, packets), receiving(port, keep(received)):
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

    with fake_broker(answer) as (port, _), receiving(port, store):
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

    with caplog.at_level(logging.INFO), run_mosquitto(tmp_path) as broker, receiving(broker.port, refuse_first):
        wait_for(lambda: "receiving by MQTT" in caplog.text)  # before that the broker keeps nothing for us
        publish(broker.port, [("/isems/Dach/csvlog", b"one")])
        wait_for(lambda: len(seen) >= 2)
        publish(broker.port, [("/isems/Dach/csvlog", b"two")])
        wait_for(lambda: b"two" in seen)
        assert seen == [b"one", b"one", b"two"]


def test_messages_that_waited_are_not_live_until_a_node_pauses() -> None:
    backlog = _Backlog()
    assert not backlog.holds("a", 1000)  # a new session has no past
    backlog.is_expected = True
    assert backlog.holds("a", 1000)
    assert backlog.holds("a", 1001)
    assert backlog.holds("b", 1001)
    assert not backlog.holds("a", 1045)
    assert not backlog.holds("a", 1046)
    assert backlog.holds("b", 1040)
    assert not backlog.holds("b", 1081)
