"""What the web server of `isems serve` makes of request lines that no standard allows, and of clients that do not read."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from time import perf_counter, sleep

import pytest
from flask import Flask, Response
from hypothesis import given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from isems.api import server
from isems.api.server import MAX_UNSENT_BYTES, THREADS, _mend_request_line, _Parser, web_server
from isems.config import Config


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        (b"POST /push/t/a b/data HTTP/1.1", b"POST /push/t/a%20b/data HTTP/1.1"),
        (b"POST /api/push/t/ a \t?b#\xc3\xbc/data HTTP/1.0", b"POST /api/push/t/%20a%20%09%3Fb%23%C3%BC/data HTTP/1.0"),
        (b"POST http://host/push/t/a HTTP/1.1/data HTTP/1.1", b"POST http://host/push/t/a%20HTTP/1.1/data HTTP/1.1"),
        (b"POST /push/t/50%/data HTTP/1.1", b"POST /push/t/50%/data HTTP/1.1"),
        (b"POST /push/t/a%20b/data?x HTTP/1.1", b"POST /push/t/a%20b/data?x HTTP/1.1"),
        # Everything else means what it always did.
        (b"GET /push/t/a b/data HTTP/1.1", b"GET /push/t/a b/data HTTP/1.1"),
        (b"GET /measurements/\xc3\xbc?x y/latest HTTP/1.1", b"GET /measurements/%C3%BC?x y/latest HTTP/1.1"),
        (b"POST /x?/push/a b/data HTTP/1.1", b"POST /x?/push/a b/data HTTP/1.1"),
        (b"POST /x /push/a b/data HTTP/1.1", b"POST /x /push/a b/data HTTP/1.1"),
        (b"POST /push/t/a\rb/data HTTP/1.1", b"POST /push/t/a\rb/data HTTP/1.1"),
        (b"POST /push/t/a b/data", b"POST /push/t/a b/data"),
        (b"", b""),
    ],
)
def test_only_a_pushed_path_is_mended(line: bytes, mended: bytes) -> None:
    assert _mend_request_line(line) == mended


HEADS = st.one_of(
    st.binary(max_size=200),
    st.builds(b"POST /api/push/%b/data HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n".__mod__, st.tuples(st.binary(), st.binary())),
    st.builds(b"%b /push/%b\r\n\r\n".__mod__, st.tuples(st.binary(max_size=5), st.binary())),
)


@given(HEADS)
def test_no_bytes_raise_anything(head: bytes) -> None:
    parser = _Parser(Adjustments())
    while head and not parser.completed:
        head = head[parser.received(head) :]
    if parser.error is not None:
        status, _, _ = parser.error.to_response()
        assert 400 <= int(status.partition(" ")[0]) < 600
    parser.close()


@pytest.mark.parametrize("piece", [b"/push/", b"/data", b" ", b"?", b"/push/a/data "])
def test_a_long_line_costs_time_in_proportion_to_its_length(piece: bytes) -> None:
    def seconds(count: int) -> float:
        line = b"POST /push/" + piece * count + b" HTTP/1.1"
        start = perf_counter()
        _mend_request_line(line)
        return perf_counter() - start

    times = [min(seconds(count) for _ in range(3)) for count in (5000, 10_000, 20_000)]
    assert all(longer < 8 * shorter + 0.05 for shorter, longer in pairwise(times))


#: A stream that ends long after anybody's patience.
ENDLESS = "/100000x65536"


class Streaming:
    """A server whose `/<count>x<size>` streams so many blocks, and tells when a stream began and when it was over."""

    def __init__(self, stack: ExitStack) -> None:
        self.began = threading.Semaphore(0)
        self.ended = threading.Event()
        app = Flask("streaming")
        app.get("/<int:count>x<int:size>", endpoint="stream")(lambda count, size: Response(self._stream(count, size)))
        app.get("/ping", endpoint="ping")(lambda: "pong")
        self.stack = stack
        self.port = stack.enter_context(web_server(app, Config(database_url="unused", port=0)))

    def _stream(self, count: int, size: int) -> Iterator[bytes]:
        self.began.release()
        try:
            for _ in range(count):
                yield bytes(size)
        finally:
            self.ended.set()

    def ask(self, path: str, timeout: float = 3) -> socket.socket:
        """Ask, and read nothing; the kernel takes little in between."""
        client = self.stack.enter_context(socket.socket())
        client.settimeout(timeout)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        client.connect(("127.0.0.1", self.port))
        client.sendall(b"GET %b HTTP/1.0\r\n\r\n" % path.encode())
        return client

    def is_answering(self) -> bool:
        try:
            return b"".join(pieces(self.ask("/ping"))).endswith(b"pong")
        except TimeoutError:
            return False


def pieces(client: socket.socket) -> Iterator[bytes]:
    while piece := client.recv(65_536):
        yield piece


@pytest.fixture
def streaming() -> Iterator[Streaming]:
    with ExitStack() as stack:
        yield Streaming(stack)


def test_as_many_clients_that_read_nothing_as_there_are_threads_hold_nobody_up(streaming: Streaming) -> None:
    for _ in range(THREADS):
        streaming.ask(ENDLESS)
    assert all(streaming.began.acquire(timeout=3) for _ in range(THREADS))
    assert streaming.is_answering()


def test_a_client_that_reads_nothing_is_cut_off_and_does_not_take_half_an_answer_for_a_whole_one(
    streaming: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STALLED_SECONDS", 0.2)
    client = streaming.ask(ENDLESS)
    assert streaming.ended.wait(timeout=3)
    with pytest.raises(ConnectionResetError):
        list(pieces(client))


def test_a_client_that_reads_slowly_gets_everything(streaming: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALLED_SECONDS", 0.3)
    client = streaming.ask(f"/3x{MAX_UNSENT_BYTES}")
    received = 0
    start = perf_counter()
    for piece in pieces(client):
        received += len(piece)
        # The third block has to wait until this much is read, which takes longer than a client may read nothing.
        if received < MAX_UNSENT_BYTES:
            sleep(max(0, start + 0.7 * received / MAX_UNSENT_BYTES - perf_counter()))
    assert received > 3 * MAX_UNSENT_BYTES


def test_clients_that_never_read_a_finished_answer_do_not_use_up_the_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Adjustments, "channel_timeout", 1)
    monkeypatch.setattr(Adjustments, "cleanup_interval", 0)
    monkeypatch.setattr(server, "LOOK_SECONDS", 1)
    monkeypatch.setattr(Adjustments, "connection_limit", 4)  # two of them are the server's own
    with ExitStack() as stack:
        streaming = Streaming(stack)
        for _ in range(2):
            streaming.ask(f"/1x{MAX_UNSENT_BYTES}")
        assert streaming.is_answering()
