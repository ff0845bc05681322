"""The boards as clients of a real broker, and of brokers that are not there or no good."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from isems.errors import ConfigError
from isems.simulator import Fault, Publisher, SimulatedClock, make_mesh, parse_place
from isems.simulator.memory import NodeMemory
from isems.simulator.publisher import Place
from tests.services import Broker, run_mosquitto
from tests.simulator.instants import DAY, SUMMER

MESH = make_mesh(12)
PATIENCE = 60
#: Simulated seconds a second: a board publishes six times a second.
SPEED = 400.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with run_mosquitto(tmp_path, "allow_anonymous true", "log_type all") as running:
        yield running


def fast_clock() -> SimulatedClock:
    began = time.monotonic()
    return SimulatedClock(SUMMER, SPEED, lambda: SUMMER + DAY + time.monotonic() - began)


def publisher(place: Place, answer_seconds: float = 10.0, **faults: Fault) -> Publisher:
    memories = [NodeMemory(spec, faults.get(f"n{spec.index}")) for spec in MESH]
    return Publisher(memories, place, fast_clock(), answer_seconds)


async def run_until(is_done: Callable[[], object], running: Publisher) -> None:
    work = asyncio.create_task(running.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while not is_done():
                assert not work.done()
                await asyncio.sleep(0.02)
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


class Listener:
    """A subscriber with paho: what it received, in order."""

    def __init__(self, port: int) -> None:
        self.messages: list[MQTTMessage] = []
        self.is_ready = False
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.client.on_subscribe = self._on_subscribe
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("#", 1)
        self.client.loop_start()
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _on_subscribe(self, *_: Any) -> None:
        self.is_ready = True

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_a_broker_sees_the_boards_as_it_sees_the_real_ones(broker: Broker) -> None:
    listener = Listener(broker.port)
    try:
        asyncio.run(run_until(lambda: len(listener.messages) >= 40, publisher(Place("127.0.0.1", broker.port))))
    finally:
        listener.close()
    assert {message.topic for message in listener.messages} == {
        "/isems/Balkon-Neukoelln/csvlog",
        "isems/testdrive/foobar/Balkon-Neukoelln/data.json",
        "/isems/Wagenplatz Süd/csvlog",
        "isems/testdrive/foobar/Alte Gärtnerei/Hof 2/data.json",
    }
    assert {(message.qos, message.retain) for message in listener.messages} == {(1, False)}
    said = (broker.folder / "output").read_text(encoding="utf-8")
    # Protocol 3.1.1, a clean session, a keepalive of 120 s; the last one is the listener.
    connected = re.findall(r"New client connected from \S+ as (isems-.*) \(p2, c1, k120\)", said)
    assert set(connected) == {"isems-Balkon-Neukoelln", "isems-Wagenplatz Süd", "isems-Alte Gärtnerei/Hof 2"}
    assert len(re.findall("New client connected", said)) == len(connected) + 1
    assert said.count("No will message specified") == len(connected) + 1
    sent = re.findall(r"Received PUBLISH from isems-.* \((d\d, q\d, r\d)", said)
    assert set(sent) == {"d0, q1, r0"}
    # Each message takes the connection over from the one before, which nobody closed.
    taken_over = re.findall("Client isems-.* already connected, closing old connection", said)
    assert len(taken_over) >= len(connected) - 2 * 3


def test_every_message_comes_once_and_in_order_and_csv_records_are_without_a_gap(broker: Broker) -> None:
    listener = Listener(broker.port)
    try:
        asyncio.run(run_until(lambda: len(listener.messages) >= 60, publisher(Place("127.0.0.1", broker.port))))
    finally:
        listener.close()
    texts = [one.payload.decode() for one in listener.messages if one.topic == "/isems/Balkon-Neukoelln/csvlog"]
    assert len(texts) > 5
    times = sorted({int(line.split(";")[2]) for text in texts for line in text.split("\n")})
    assert [int(text.rpartition("\n")[2].split(";")[2]) for text in texts] == sorted(
        int(text.rpartition("\n")[2].split(";")[2]) for text in texts
    )
    # 65 s hold four records or five, a message has five: none is lost.
    assert {after - before for before, after in pairwise(times)} == {15}
    assert times[0] > SUMMER - 75


def test_a_message_whose_acknowledgement_was_lost_is_sent_again(broker: Broker) -> None:
    listener = Listener(broker.port)
    try:
        running = publisher(Place("127.0.0.1", broker.port), n6=Fault.DUPLICATE, n8=Fault.DEAD)
        asyncio.run(run_until(lambda: len(listener.messages) >= 40, running))
    finally:
        listener.close()
    counted = Counter((one.topic, bytes(one.payload)) for one in listener.messages[:-2])
    assert {count for (topic, _), count in counted.items() if "Wagenplatz" in topic} <= {1, 2}
    twice = Counter(topic for (topic, _), count in counted.items() if count == 2)
    assert set(twice) == {"/isems/Wagenplatz Süd/csvlog"}
    assert twice.total() > 5
    assert not any("Hof 2" in one.topic for one in listener.messages)
    said = (broker.folder / "output").read_text(encoding="utf-8")
    assert "Received PUBLISH from isems-Wagenplatz Süd (d1, q1, r0" in said


def test_what_cannot_be_published_is_dropped_and_told_once_and_the_next_message_goes_out(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stop()

    async def run() -> None:
        running = publisher(Place("127.0.0.1", broker.port))
        work = asyncio.create_task(run_until(lambda: "takes what boards publish again" in caplog.text, running))
        async with asyncio.timeout(PATIENCE):
            while "does not take" not in caplog.text:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)  # more messages that go nowhere
        await asyncio.to_thread(broker.start)
        await work

    asyncio.run(run())
    assert len(caplog.records) == 2
    assert f"127.0.0.1:{broker.port} does not take what boards publish: " in caplog.text


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"\x20\x02\x00\x05")
    await _silent(reader, writer)


@pytest.mark.parametrize(("manner", "told"), [(_silent, "no answer within 0.1 s"), (_refusing, "it answered 20020005")])
def test_a_broker_that_answers_nothing_or_no_is_told(
    manner: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        async with await asyncio.start_server(manner, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await run_until(lambda: told in caplog.text, publisher(Place("127.0.0.1", port), answer_seconds=0.1))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1", Place("127.0.0.1", 1883)),
        ("127.82.0.1:5001", Place("127.82.0.1", 5001)),
        ("localhost:1884", Place("localhost", 1884)),
        ("[::1]:1884", Place("::1", 1884)),
    ],
)
def test_a_broker_on_this_computer_is_taken(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text",
    [
        *("", ":1883", "broker.mesh", "10.0.0.1", "0.0.0.0", "192.168.1.2:1883", "[fd00::1]", "api.isems.de:1883"),
        *("127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "mqtt://127.0.0.1", "me@127.0.0.1"),
        "127.0.0.1.example.org",
    ],
)
def test_any_other_broker_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--mqtt is .*expected") as refusal:
        parse_place(text)
    assert repr(text) in str(refusal.value)
