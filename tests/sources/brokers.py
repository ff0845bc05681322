"""Receiving in a test, from brokers that are fakes or real ones."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from isems.config import FACTORY_PREFIXES, Broker
from isems.domain.payload import Payload
from isems.sources.mqtt import MqttSource, Session

Store = Callable[[Payload], "Future[Any]"]


def at(port: int, **more: Any) -> Broker:
    """A broker of this computer."""
    return Broker(host="127.0.0.1", port=port, **more)


@contextmanager
def receiving(broker: Broker, store: Store, **session: Any) -> Iterator[SimpleQueue[tuple[bool, str]]]:
    """Receive in a thread; gives each state as it is told."""
    states: SimpleQueue[tuple[bool, str]] = SimpleQueue()
    told = Session(**{"client_id": "isems-test", "prefixes": FACTORY_PREFIXES} | session)
    source = MqttSource(broker, told, store=store, flush=lambda: None, told=lambda *state: states.put(state))
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    try:
        yield states
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def keep(kept: list[Payload]) -> Store:
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
