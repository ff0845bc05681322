"""Nodes on 127.0.0.1 that speak every dialect, and nodes that misbehave; nothing here leaves this computer.

`async with node_server(board_o(csv)) as node:` gives a `FakeNode` whose `address` can be polled.
"""

import asyncio
import contextlib
import email.utils
import gzip
import os
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from isems.sources.node_client import NodeAddress, parse_node_url

STATUS_PAGE = b"<html><h1>Independent Solar Energy Mesh</h1><br>Summary: Discharging. Healthy. <br></html>"
NONCE_PAGE = b"0a1b2c3d4e5f"
HELP_PAGE = b"<html>Help</html>"
REFUSAL = b"<html>Wrong key</html>"
_OLD_HEADER = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n"
_NEW_HEADER = b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n"
_COMMANDS = (b"ftp", b"reboot", b"telnet", b"shell", b"mpptstart", b"loadoff", b"loadon")


class NodeResetError(Exception):
    """Raised by a handler: the server resets the connection instead of closing it."""


@dataclass(frozen=True)
class Handler:
    """How a node answers: the pieces to send for a request, after its blank line or already after one segment."""

    answer: Callable[[bytes], AsyncIterator[bytes]]
    is_first_segment_enough: bool = False


@dataclass
class FakeNode:
    """A running node and what it has seen."""

    address: NodeAddress
    requests: list[bytes] = field(default_factory=list)
    #: The size of each request's first piece, which on this computer is what came in its first segment.
    segment_bytes: list[int] = field(default_factory=list)
    #: Bytes that the system took from us: what the client read plus what the system's buffers hold.
    sent_bytes: int = 0
    #: Connections now open.
    open_connections: int = 0

    async def is_left_alone(self) -> bool:
        """Whether all connections are closed by the other side, at the latest after a second."""
        for _ in range(200):
            if not self.open_connections:
                return True
            await asyncio.sleep(0.005)
        return False


@contextlib.asynccontextmanager
async def node_server(handler: Handler, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[FakeNode]:
    """Run one node until the block is left; `port` 0 takes a free one."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(_serve(handler, node, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        # A task that is cancelled before its first step never gets to close anything.
        task.add_done_callback(lambda _: writer.close())

    server = await asyncio.start_server(accept, host, port, backlog=1024)
    node = FakeNode(parse_node_url(f"http://{host}:{server.sockets[0].getsockname()[1]}"))
    try:
        yield node
    finally:
        # A connection that has just been accepted needs some rounds of the loop until it is ours to close.
        for _ in range(5):
            await asyncio.sleep(0)
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _serve(handler: Handler, node: FakeNode, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    node.open_connections += 1
    try:
        request = await _read_request(handler, node, reader)
        node.requests.append(request)
        sending = asyncio.ensure_future(_send(handler, node, request, writer))
        hanging_up = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait({sending, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, hanging_up):
                task.cancel()
            outcome = (await asyncio.gather(sending, hanging_up, return_exceptions=True))[0]
        if isinstance(outcome, NodeResetError):
            _reset_on_close(writer)
    finally:
        node.open_connections -= 1
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read_request(handler: Handler, node: FakeNode, reader: asyncio.StreamReader) -> bytes:
    request = await reader.read(4096)
    node.segment_bytes.append(len(request))
    while not handler.is_first_segment_enough and b"\r\n\r\n" not in request:
        more = await reader.read(4096)
        if not more:
            break
        request += more
    return request


async def _send(handler: Handler, node: FakeNode, request: bytes, writer: asyncio.StreamWriter) -> None:
    async for piece in handler.answer(request):
        writer.write(piece)
        await writer.drain()
        node.sent_bytes += len(piece)


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def closed_port(host: str = "127.0.0.1") -> Iterator[NodeAddress]:
    """An address that refuses connections; the port stays taken meanwhile."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        yield parse_node_url(f"http://{host}:{sock.getsockname()[1]}")


# The dialects


def uhttpd_like(files: Mapping[str, bytes], clock: Callable[[], int]) -> Handler:
    """An OpenWrt node: serves `files` (read anew each time) with validators; `clock` is its idea of the time."""
    changed_at: dict[str, tuple[int, int]] = {}

    def answer(request: bytes) -> bytes:
        path, fields = _parse(request)
        head = [f"Date: {_http_date(clock())}", "Connection: close"]
        if path not in files:
            return _joined("404 Not Found", [*head, "Content-Length: 9"], b"Not Found")
        body = files[path]
        digest = zlib.crc32(body)
        if changed_at.get(path, (None, 0))[0] != digest:
            changed_at[path] = (digest, clock())
        etag, modified = f'"{digest:x}-{len(body):x}"', _http_date(changed_at[path][1])
        head += [f"ETag: {etag}", f"Last-Modified: {modified}"]
        if _is_unchanged(fields, etag, modified):
            return _joined("304 Not Modified", head, b"")
        kind = "application/x-gzip" if path.endswith(".gz") else "text/plain"
        return _joined("200 OK", [*head, f"Content-Type: {kind}", f"Content-Length: {len(body)}"], body)

    return replying(answer)


def _is_unchanged(fields: dict[str, str], etag: str, modified: str) -> bool:
    if "if-none-match" in fields:
        return fields["if-none-match"] == etag
    return fields.get("if-modified-since") == modified


def board_o(csv: bytes) -> Handler:
    """The older board: searches the whole first segment for words, the first hit wins; answers all with 200."""

    def answer(request: bytes) -> bytes:
        if b"random" in request:
            page = NONCE_PAGE
        elif b"help" in request:
            page = HELP_PAGE
        elif b"log" in request[1:]:
            page = csv
        else:
            page = REFUSAL if any(command in request for command in _COMMANDS) else STATUS_PAGE
        return _OLD_HEADER + page

    return replying(answer, is_first_segment_enough=True)


def board_n(csv: bytes) -> Handler:
    """The newer board: the first path segment picks the page, a query is taken as part of it."""
    pages = {"csv_log": csv, "random": NONCE_PAGE, "help_html": HELP_PAGE}

    def answer(request: bytes) -> bytes:
        path, _ = _parse(request)
        name = path.split("/")[1].replace(".", "_") if path.startswith("/") else ""
        if name.startswith(("control", "config", "reboot")):
            return b"HTTP/1.0 401 Unauthorized\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n"
        return _NEW_HEADER + pages.get(name, STATUS_PAGE)

    return replying(answer)


def board_x(csv: bytes) -> Handler:
    """The board that reads an AVR controller: bare CSV without any header once `csv` stands anywhere in the request."""

    def answer(request: bytes) -> bytes:
        return csv if b"csv" in request else _OLD_HEADER + STATUS_PAGE

    return replying(answer, is_first_segment_enough=True)


# Whatever a test wants


def replying(answer: Callable[[bytes], bytes], *, is_first_segment_enough: bool = False) -> Handler:
    async def pieces(request: bytes) -> AsyncIterator[bytes]:
        yield answer(request)

    return Handler(pieces, is_first_segment_enough)


def sending(*pieces: bytes, then: Callable[[], Exception] | None = None, is_held_open: bool = False) -> Handler:
    """Always the same pieces, each as a segment of its own; then the close, an exception, or nothing at all."""

    async def send(request: bytes) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0.002)
        if then:
            raise then()
        if is_held_open:
            await asyncio.Event().wait()

    return Handler(send)


# The faults


def silent() -> Handler:
    return sending(is_held_open=True)


def trickle(text: bytes, seconds: float = 1.0) -> Handler:
    """One byte of `text` every `seconds`, for ever."""

    async def send(request: bytes) -> AsyncIterator[bytes]:
        while True:
            for number in range(len(text)):
                yield text[number : number + 1]
                await asyncio.sleep(seconds)

    return Handler(send)


def garbage() -> Handler:
    return sending(b"\x00\xff\x1b[31m" + os.urandom(5000))


def html_page() -> Handler:
    return sending(_joined("200 OK", ["Content-Type: text/html"], STATUS_PAGE))


def server_error() -> Handler:
    return sending(_joined("500 Internal Server Error", ["Content-Length: 4"], b"oops"))


def not_found() -> Handler:
    return sending(_joined("404 Not Found", ["Content-Length: 9"], b"Not Found"))


def empty_body() -> Handler:
    return sending(_OLD_HEADER)


def no_answer_at_all() -> Handler:
    """Takes the request and closes."""
    return sending()


def endless_body(line: bytes, total_bytes: int = 50_000_000, head: bytes = _OLD_HEADER) -> Handler:
    """50 MB of one line, without telling its length beforehand."""

    async def send(request: bytes) -> AsyncIterator[bytes]:
        yield head
        block = line * (65_536 // len(line) + 1)
        for _ in range(total_bytes // len(block)):
            yield block

    return Handler(send)


def endless_header() -> Handler:
    return endless_body(b"X-Filler: filler\r\n", head=b"HTTP/1.1 200 OK\r\n")


def redirect(target: str) -> Handler:
    return sending(_joined("302 Found", [f"Location: {target}", "Content-Length: 0"], b""))


def gzip_bomb(megabytes: int = 64) -> Handler:
    return sending(_joined("200 OK", ["Content-Type: application/x-gzip"], packed_zeros(megabytes)))


def packed_zeros(megabytes: int) -> bytes:
    return gzip.compress(bytes(megabytes << 20), compresslevel=9)


def reset_in_body(body: bytes) -> Handler:
    """Sends the header and `body`, then resets although more was announced."""
    return sending(_joined("200 OK", [f"Content-Length: {len(body) + 100}"], body), then=NodeResetError)


def reset_at_once() -> Handler:
    return sending(then=NodeResetError)


def short_body(body: bytes) -> Handler:
    """Announces 100 bytes more than it sends, then closes."""
    return sending(_joined("200 OK", [f"Content-Length: {len(body) + 100}"], body))


def stuck_body(body: bytes) -> Handler:
    """Sends the header and `body`, then neither sends nor closes."""
    return sending(_joined("200 OK", [f"Content-Length: {len(body) + 100}"], body), is_held_open=True)


def _parse(request: bytes) -> tuple[str, dict[str, str]]:
    request_line, *lines = request.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if ":" in line)
    return [*request_line.split(), "", ""][1], {name.strip().lower(): value.strip() for name, _, value in fields}


def _joined(status: str, fields: list[str], body: bytes) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode("latin-1") + body


def _http_date(seconds: int) -> str:
    return email.utils.formatdate(seconds, usegmt=True)
