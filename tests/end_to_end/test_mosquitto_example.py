"""deploy/mosquitto, tried with a real mosquitto: the files as they are, but for paths and ports."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.publish import multiple

from isems.config import Broker as Address
from isems.domain.payload import Payload
from tests.certificates import Certificates
from tests.services import MOSQUITTO, ROOT, Broker, free_port, require_service, running_broker
from tests.sources.brokers import at, keep, receiving, wait_for

EXAMPLE = ROOT / "deploy" / "mosquitto"
PASSWORD = "geheim"
SECONDS = 60


class Example(NamedTuple):
    broker: Broker
    tls_port: int
    ca: Path

    def collector(self, user: str | None = "collector") -> Address:
        return at(self.tls_port, is_tls=True, ca=self.ca, user=user, password=user and PASSWORD)

    def publish(self, user: str, messages: list[tuple[str, bytes]]) -> None:
        """As a node with a login does; the broker acknowledges also what it does not let pass."""
        login = {"username": user, "password": PASSWORD}
        self._publish(messages, port=self.tls_port, auth=login, tls={"ca_certs": str(self.ca)})

    def publish_as_board(self, messages: list[tuple[str, bytes]]) -> None:
        self._publish(messages, port=self.broker.port)

    def _publish(self, messages: list[tuple[str, bytes]], **how: Any) -> None:
        wanted = [{"topic": topic, "payload": data, "qos": 1} for topic, data in messages]
        multiple(wanted, hostname="127.0.0.1", **how)  # type: ignore[arg-type]


@pytest.fixture
def example(tmp_path: Path, certificates: Certificates) -> Iterator[Example]:
    program = require_service(MOSQUITTO)
    plain, tls = free_port(), free_port()
    for name in ("acl", "acl-boards"):
        shutil.copy(EXAMPLE / name, tmp_path)
    (tmp_path / "certs").mkdir()
    shutil.copy(certificates.broker.certificate, tmp_path / "certs" / "broker.pem")
    shutil.copy(certificates.broker.key, tmp_path / "certs" / "broker.key")
    for number, user in enumerate(["collector", "Dach", "Hof"]):
        create = ["-c"] if number == 0 else []
        subprocess.run(["mosquitto_passwd", *create, "-b", tmp_path / "passwords", user, PASSWORD], check=True)
    settings = (EXAMPLE / "mosquitto.conf").read_text(encoding="utf-8")
    for old, new in {
        "/etc/mosquitto/": f"{tmp_path}/",
        "/var/lib/mosquitto/": f"{tmp_path}/",
        "\nlistener 8883\n": f"\nlistener {tls} 127.0.0.1\n",
        "\nlistener 1883\n": f"\nlistener {plain} 127.0.0.1\n",
        "log_dest syslog": "log_dest stderr\nuser root",
    }.items():
        assert old in settings
        settings = settings.replace(old, new)
    (tmp_path / "mosquitto.conf").write_text(settings, encoding="utf-8")
    with running_broker(Broker(program, tmp_path, plain)) as broker:
        yield Example(broker, tls, certificates.authority.certificate)


@contextmanager
def listening(port: int, heard: "SimpleQueue[bytes]") -> Iterator[Callable[[], None]]:
    """Subscribe to everything without a login; gives what asks the broker something and waits for the answer."""
    is_answered = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_subscribe = lambda *_: is_answered.set()
    client.on_message = lambda _client, _data, message: heard.put(message.payload)
    client.on_connect = lambda *_: client.subscribe("#", qos=1)
    client.connect("127.0.0.1", port)
    client.loop_start()

    def ask() -> None:
        is_answered.clear()
        client.subscribe("/isems/#", qos=1)
        assert is_answered.wait(SECONDS)

    try:
        assert is_answered.wait(SECONDS)
        yield ask
    finally:
        client.disconnect()
        client.loop_stop()


def texts(received: list[Payload]) -> list[str]:
    return [payload.data.decode() for payload in received]


def test_a_node_writes_into_its_own_history_only_and_the_collector_reads_all(example: Example) -> None:
    received: list[Payload] = []
    with receiving(example.collector(), keep(received)) as states:
        assert states.get(timeout=SECONDS) == (True, "receiving by MQTT 5")
        for user, other in (("Dach", "Hof"), ("Hof", "Dach"), ("collector", "Dach")):
            topics = [f"/isems/{user}/csvlog", f"/isems/{other}/csvlog", f"isems/testdrive/foobar/{other}/data.json"]
            topics += [
                f"/isems/{user}/data.json",
                f"isems/testdrive/foobar/{user}/data.json",
                f"isems/{user}/data.json",
            ]
            example.publish(user, [(topic, f"{user} to {topic}".encode()) for topic in topics])
        example.publish_as_board([("/isems/Balkon/csvlog", b"last")])
        wait_for(lambda: "last" in texts(received), SECONDS)
    beginnings = (
        "/isems/{}/csvlog",
        "/isems/{}/data.json",
        "isems/testdrive/foobar/{}/data.json",
        "isems/{}/data.json",
    )
    expected = [f"{user} to {one.format(user)}" for user in ("Dach", "Hof") for one in beginnings]
    assert texts(received) == [*expected, "last"]


def test_boards_without_a_login_can_send_and_nobody_without_one_can_read(example: Example) -> None:
    received: list[Payload] = []
    overheard: SimpleQueue[bytes] = SimpleQueue()
    with receiving(example.collector(), keep(received)) as states, listening(example.broker.port, overheard) as ask:
        assert states.get(timeout=SECONDS) == (True, "receiving by MQTT 5")
        board = [
            ("/isems/Balkon/csvlog", b"csv"),
            ("other/topic", b"elsewhere"),
            ("isems/Balkon/x", b"elsewhere"),
            ("/isems/Balkon/csvlog", b"x" * 70_000),
            ("isems/testdrive/foobar/Balkon/data.json", b"json"),
        ]
        example.publish_as_board(board)
        wait_for(lambda: "json" in texts(received), SECONDS)
        ask()  # whatever was for us came before the answer
    assert texts(received) == ["csv", "json"]
    assert overheard.empty()
    with receiving(example.collector(user=None), keep([])) as states:
        is_well, sentence = states.get(timeout=SECONDS)
        assert (is_well, "lets nobody in without a login" in sentence) == (False, True)


def test_what_comes_while_the_collector_is_away_outlives_a_restart_of_the_broker(example: Example) -> None:
    """A mosquitto that is told nothing keeps 1000."""
    received: list[Payload] = []
    with receiving(example.collector(), keep(received)) as states:
        assert states.get(timeout=SECONDS)[0]
    sent = [f"message {number}" for number in range(1500)]
    example.publish_as_board([("/isems/Balkon/csvlog", text.encode()) for text in sent])
    example.broker.stop()
    example.broker.start()
    with receiving(example.collector(), keep(received)):
        wait_for(lambda: len(received) >= len(sent), SECONDS)
    assert texts(received) == sent
