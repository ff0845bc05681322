"""QuickClient beside paho's own: the same messages, whatever a broker sends."""

import gc
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket

from isems.sources.mqtt_client import READ_AT_ONCE, QuickClient
from tests.published import wait_until
from tests.services import publish, run_mosquitto

FIELDS = ("mid", "payload", "qos", "retain", "dup")
USER_PROPERTY = b"\x07\x26\x00\x01a\x00\x01b"
VERSIONS = [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311]


def handed_on(kind: type[Client], version: MQTTProtocolVersion, command: int, packet: bytes) -> Any:
    """What comes of the packet of a message: the message, or that it is malformed."""
    client = kind(CallbackAPIVersion.VERSION2, client_id="isems-test", protocol=version, manual_ack=True)
    received: list[MQTTMessage] = []
    client.on_message = lambda _client, _data, message: received.append(message)
    client._in_packet = {**client._in_packet, "command": command, "packet": bytearray(packet)}
    try:
        result = client._handle_publish()
    except MalformedPacket:
        return "malformed"
    return result, [(one._topic, *(getattr(one, field) for field in FIELDS)) for one in received]


@pytest.mark.parametrize("version", VERSIONS)
@given(
    flags=st.integers(0, 15),
    topic=st.one_of(st.text(max_size=300).map(str.encode), st.binary(max_size=20)),
    number=st.binary(min_size=2, max_size=2),
    properties=st.sampled_from([b"\0", USER_PROPERTY, b"\x02\x01\x01", b"\x7f", b"\x80\0", b""]),
    payload=st.binary(max_size=200),
)
@example(flags=2, topic=b"/isems/Dach/csvlog", number=b"\x01\x02", properties=b"\0", payload=b"Dach;1;1600000000")
def test_a_message_is_the_same_as_that_of_paho(
    version: MQTTProtocolVersion, flags: int, topic: bytes, number: bytes, properties: bytes, payload: bytes
) -> None:
    packet = len(topic).to_bytes(2, "big") + topic + number + properties + payload
    assert handed_on(QuickClient, version, 0x30 | flags, packet) == handed_on(Client, version, 0x30 | flags, packet)


@pytest.mark.parametrize("version", VERSIONS)
@given(flags=st.integers(0, 15), packet=st.binary(max_size=12))
def test_a_broken_message_is_malformed_to_both(version: MQTTProtocolVersion, flags: int, packet: bytes) -> None:
    assert handed_on(QuickClient, version, 0x30 | flags, packet) == handed_on(Client, version, 0x30 | flags, packet)


def test_without_manual_acknowledgement_it_acknowledges_as_paho_does(tmp_path: Path) -> None:
    """It is no trap for who uses it otherwise."""
    received: list[bytes] = []
    with run_mosquitto(tmp_path, "allow_anonymous true", "max_inflight_messages 1") as broker:
        client = QuickClient(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_message = lambda _client, _data, message: received.append(message.payload)
        subscribed: list[int] = []
        client.on_subscribe = lambda *_: subscribed.append(1)
        client.connect("127.0.0.1", broker.port)
        client.subscribe("#", qos=1)
        client.loop_start()
        wait_until(lambda: bool(subscribed))
        publish(broker.port, [("a", b"one"), ("a", b"two")])
        wait_until(lambda: received == [b"one", b"two"])
        client.disconnect()
        client.loop_stop()


def test_a_message_leaves_no_garbage_in_circles() -> None:
    """In front of a backlog of 100 000 messages the subscriber grew to twice its memory by them."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            handed_on(QuickClient, VERSIONS[0], 0x32, b"\x00\x12/isems/Dach/csvlog\x00\x07\x00x")
        ours = gc.collect()
    finally:
        gc.enable()
    assert ours < 100


def test_many_messages_are_read_at_once_but_not_without_end() -> None:
    """Acknowledgements and the question whether to end have their turn."""
    message = b"\x32\x07\x00\x01a\x00\x07\x00x"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(message * (READ_AT_ONCE + 10))
        client = QuickClient(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        received: list[bytes] = []
        client.on_message = lambda _client, _data, message: received.append(message.payload)
        client._sock = ours
        counts = []
        for _ in range(3):
            assert client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
            counts.append(len(received))
        theirs.shutdown(socket.SHUT_WR)
        assert client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS
    assert counts == [READ_AT_ONCE, READ_AT_ONCE + 10, READ_AT_ONCE + 10]
