"""Asks a node over HTTP and survives what comes back.

Nodes speak four dialects: uhttpd on OpenWrt (HTTP/1.1 with lengths and validators), two generations of a Lua server
that answers everything with 200 and no length, and one that sends bare CSV without any header. Libraries reject the
last and stumble over sloppy headers, hence a client of our own.
"""

import asyncio
import errno
import io
import ipaddress
import re
import socket
import ssl
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from isems.errors import ConfigError, SourceError

#: The older boards search the whole request for these words, whatever header they stand in.
_TRIGGERS = re.compile("random|help|log|csv|ftp|reboot|telnet|shell|mpptstart|loadoff|loadon", re.IGNORECASE)
#: They also read one TCP segment only, and this is the smallest that every network carries.
_SEGMENT_BYTES = 536
_READ_BYTES = 16_384
_QUOTE_CHARACTERS = 80

_PATH = re.compile(r'/[!"$-~]{0,199}')
_VALIDATOR = re.compile(r"[ -~]{1,128}")
_NODE_URL = re.compile(
    r"(?:(?P<scheme>(?i:https?))://)?"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]|(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?(scheme)(?P<path>/.*)?)"
)
_STATUS_LINE = re.compile(r"HTTP/[0-9.]+[ \t]+([2-5][0-9]{2})(?![0-9])")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n")


class NodeAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a node is asked; `text` is the address as configured, `path` the explicit one of a URL."""

    text: str
    host: str
    port: int
    is_tls: bool = False
    path: str | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a node's answer is taken; the body counts as it is received."""

    body_bytes: int = 2_000_000
    header_bytes: int = 16_000
    connect_seconds: float = 10.0


class NodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a node said; an answer without any header counts as status 200.

    `date` is the node's clock in epoch seconds. `etag` and `last_modified` are as sent, or None when they cannot
    be sent back. `is_complete` is False when the body was cut.
    """

    status: int
    body: bytes
    date: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    has_header: bool = True
    is_complete: bool = True


def parse_node_url(text: str) -> NodeAddress:
    """Read `host`, `host:port`, `[v6]`, `[v6]:port` or an http(s) URL; raises ConfigError for anything else."""
    text = text.strip()
    match = _NODE_URL.fullmatch(text)
    host = match and (match["v6"] or match["name"])
    if not match or not host or not (_is_v6(host) if match["v6"] else _is_host(host)):
        raise _wrong_address(text)
    is_tls = (match["scheme"] or "").lower() == "https"
    port = int(match["port"] or (443 if is_tls else 80))
    path = match["path"] or "/"
    if not 1 <= port <= 65535 or not _PATH.fullmatch(path):
        raise _wrong_address(text)
    return NodeAddress(text=text, host=host, port=port, is_tls=is_tls, path=None if path == "/" else path)


def _wrong_address(text: str) -> ConfigError:
    return ConfigError(
        f"{_quote(text)} is no address of a node; expected a host name, an IPv4 address or an IPv6 address in "
        "brackets, each with an optional :port, or an http:// or https:// URL without user name, of plain ASCII"
    )


def _is_v6(host: str) -> bool:
    return _is_ip(host, ipaddress.IPv6Address)


def _is_host(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit():  # 300.1.1.1 or 10.1 would be looked up, or quietly understood as another address
        return _is_ip(host, ipaddress.IPv4Address)
    return len(host) <= 253 and all(1 <= len(label) <= 63 for label in labels)


def _is_ip(host: str, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> bool:
    try:
        kind(host)
    except ValueError:
        return False
    return True


def looks_like_csv(body: bytes) -> bool:
    """Whether one of the first five lines has the 17 semicolons of the shortest record."""
    return any(line.count(b";") >= 17 for line in body.split(b"\n", 5)[:5])


def request_text(address: NodeAddress, path: str, peer_ip: str, etag: str | None, last_modified: str | None) -> bytes:
    """The request for `path`, short enough for one segment and free of the boards' trigger words but in the path.

    `peer_ip` stands in for a host name that holds such a word. A validator that cannot be sent is left out, so
    that the node answers in full.
    """
    if not _PATH.fullmatch(path):
        raise SourceError(f"{address.text} cannot be asked for the path {_quote(path)}")
    lines = [f"GET {path} HTTP/1.1", f"Host: {_host_header(address, peer_ip)}", "Connection: close"]
    conditions = [
        f"{name}: {value}"
        for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified))
        if value is not None and _is_validator(value)
    ]
    request = _joined(lines + conditions)
    return request if len(request) < _SEGMENT_BYTES else _joined(lines)


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


def _host_header(address: NodeAddress, peer_ip: str) -> str:
    is_sendable = len(address.host) <= 64 and not _TRIGGERS.search(address.host)
    # The zone of a link-local address (%eth0) means nothing to the node.
    host = (address.host if is_sendable else peer_ip).partition("%")[0]
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if address.port == (443 if address.is_tls else 80) else f"{bracketed}:{address.port}"


def _is_validator(value: str) -> bool:
    return _VALIDATOR.fullmatch(value) is not None and not _TRIGGERS.search(value)


async def fetch(
    address: NodeAddress,
    path: str,
    *,
    limits: Limits,
    etag: str | None = None,
    last_modified: str | None = None,
    deadline: float | None = None,
) -> NodeAnswer:
    """Ask once for `path`; any status but a redirect is an answer, everything else raises SourceError.

    `deadline` is in the running loop's time. When it passes in mid-body, the part that came is returned with
    `is_complete` False; the caller's own cancellation loses it.
    """
    exchange = _Exchange(_AnswerReader(address.text, limits))
    transport = await _connect(address, exchange, limits, deadline)
    try:
        peer = transport.get_extra_info("peername")
        transport.write(request_text(address, path, peer[0] if peer else "", etag, last_modified))
        return await exchange.wait(deadline)
    finally:
        transport.abort()


async def _connect(
    address: NodeAddress, exchange: "_Exchange", limits: Limits, deadline: float | None
) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    started = loop.time()
    latest = started + limits.connect_seconds
    latest = latest if deadline is None else min(latest, deadline)
    try:
        async with asyncio.timeout_at(latest):
            transport, _ = await loop.create_connection(
                lambda: exchange, address.host, address.port, ssl=True if address.is_tls else None
            )
            return transport
    except TimeoutError as error:
        raise SourceError(f"{address.text} accepted no connection {_within(latest - started)}") from error
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{address.text} {_connect_failure(address, error)}") from error


def _connect_failure(address: NodeAddress, error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"was not found: the name {_quote(address.host)} could not be looked up"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted: {_quote(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return f"speaks no TLS that we understand on port {address.port}"
    # When a name has several addresses, the loop tries all and joins their errors into one text without a number.
    joined = re.search(r"\[Errno (\d+)\]", str(error))
    number = error.errno or (int(joined[1]) if joined else 0)
    sentences = {
        errno.ECONNREFUSED: f"refused the connection on port {address.port}",
        errno.EHOSTUNREACH: "cannot be reached: no route to it",
        errno.ENETUNREACH: "cannot be reached: no route to its network",
        errno.ECONNRESET: "reset the connection before it answered",
        errno.ECONNABORTED: "reset the connection before it answered",
    }
    return sentences.get(number, f"cannot be reached: {_quote(str(error))}")


class _Exchange(asyncio.BufferedProtocol):
    """One connection's arriving bytes.

    A protocol and not a stream, because a stream forgets what it holds when the connection is reset, and takes in
    up to 256 kB beyond what anyone has read.
    """

    def __init__(self, reader: "_AnswerReader") -> None:
        self._reader = reader
        self._buffer = memoryview(bytearray(_READ_BYTES))
        #: Done with what went wrong, or None when the answer has ended by itself.
        self._ended: asyncio.Future[str | SourceError | None] = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._ended.done():
            return
        try:
            self._reader.feed(bytes(self._buffer[:nbytes]))
        except SourceError as error:
            self._end(error)
        else:
            if self._reader.is_done:
                self._end(None)

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("reset the connection before it answered" if exc else None)

    def _end(self, reason: str | SourceError | None) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    async def wait(self, deadline: float | None) -> NodeAnswer:
        """The answer, whole or cut; SourceError when there is none."""
        started = asyncio.get_running_loop().time()
        reason: str | SourceError | None
        try:
            async with asyncio.timeout_at(deadline):
                reason = await self._ended
        except TimeoutError:
            # The answer may have ended in the very moment of the deadline.
            ran_out = f"gave no answer {_within((deadline or started) - started)}"
            reason = ran_out if self._ended.cancelled() else self._ended.result()
        if isinstance(reason, SourceError):
            raise reason
        return self._reader.finish(reason)


class _Header(msgspec.Struct, frozen=True):
    """A status and the values of each header field, by its lower-case name."""

    status: int = 200
    fields: dict[str, list[str]] | None = None

    def get(self, name: str) -> str | None:
        return self.values(name)[0] if self.values(name) else None

    def values(self, name: str) -> list[str]:
        return (self.fields or {}).get(name, [])


class _AnswerReader:
    """Puts an answer together from the pieces that arrive; does no I/O."""

    def __init__(self, node: str, limits: Limits) -> None:
        self._node = node
        self._limits = limits
        self._head = bytearray()
        self._header: _Header | None = None
        self._length: int | None = None
        self._chunks: _Chunks | None = None
        # Gives its content away without a copy: a large body is held once.
        self._body = io.BytesIO()
        self._received = 0

    @property
    def is_done(self) -> bool:
        """Whether the body has reached its announced end; one without announcement ends with the connection."""
        if self._chunks:
            return self._chunks.is_done
        return self._header is not None and self._received == self._length

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises SourceError as soon as the answer is refused."""
        if self._header is None:
            self._feed_head(data)
        else:
            self._feed_body(data)

    def _feed_head(self, data: bytes) -> None:
        searched = max(0, len(self._head) - 3)
        self._head += data
        if not self._head.startswith(b"HTTP/"[: len(self._head)]):
            self._begin_bare_body()
            return
        end = _HEADER_END.search(self._head, searched)
        if (end.end() if end else len(self._head)) > self._limits.header_bytes:
            raise self._error(f"sent a header larger than {self._limits.header_bytes} bytes")
        if end:
            self._begin_body(_parse_header(bytes(self._head[: end.start()])))
            self._feed_body(bytes(self._head[end.end() :]))
            self._head.clear()

    def _begin_bare_body(self) -> None:
        self._header = _Header()
        self._feed_body(bytes(self._head))

    def _begin_body(self, header: _Header | None) -> None:
        if header is None:
            raise self._error(f"answers with nonsense: {_quote(bytes(self._head[:_QUOTE_CHARACTERS]))}")
        if 300 <= header.status < 400 and header.status != 304:
            target = _quote(header.get("location") or "")
            raise self._error(f"answers with a redirect to {target}, which is not followed")
        self._header = header
        if header.status in (204, 304):
            self._length = 0
        elif (header.get("transfer-encoding") or "").lower() == "chunked":
            self._chunks = _Chunks()
        else:
            self._length = _content_length(header.values("content-length"))
            self._check_size(self._length or 0)

    def _feed_body(self, data: bytes) -> None:
        if self._length is not None:
            data = data[: self._length - self._received]
        self._received += len(data)
        self._check_size(self._received)
        try:
            self._body.write(self._chunks.feed(data) if self._chunks else data)
        except ValueError as error:
            raise self._error(f"answers with nonsense in its chunked body: {_quote(str(error))}") from error

    def _check_size(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise self._error(f"sent a body larger than {self._limits.body_bytes} bytes")

    def finish(self, cut: str | None) -> NodeAnswer:
        """The answer after the last byte; `cut` says why no more will come, None: the node closed."""
        if self._header is None and self._head and not self._head.startswith(b"HTTP/"):
            self._begin_bare_body()
        if self._header is None:
            raise self._error(cut or "closed the connection before it answered")
        if cut and not self._body.tell():
            raise self._error(cut)
        has_end = self._length is not None or self._chunks is not None
        return self._answer(self._header, is_complete=self.is_done or not (cut or has_end))

    def _answer(self, header: _Header, is_complete: bool) -> NodeAnswer:
        return NodeAnswer(
            status=header.status,
            body=self._body.getvalue(),
            date=_epoch_seconds(header.get("date")),
            etag=_usable(header.get("etag")),
            last_modified=_usable(header.get("last-modified")),
            has_header=header.fields is not None,
            is_complete=is_complete,
        )

    def _error(self, what: str) -> SourceError:
        # The error's traceback keeps us alive for a while; megabytes of a refused body need not stay that long.
        self._body = io.BytesIO()
        return SourceError(f"{self._node} {what}")


class _Chunks:
    """Takes the chunk sizes out of a chunked body; trailers are ignored."""

    def __init__(self) -> None:
        self.is_done = False
        self._pending = bytearray()
        self._missing = 0

    def feed(self, data: bytes) -> bytes:
        """The content among the next bytes; raises ValueError with what is no chunk size."""
        self._pending += data
        content = bytearray()
        while self._pending and not self.is_done:
            if not self._missing and not self._read_size():
                break
            content += self._pending[: self._missing]
            taken = min(self._missing, len(self._pending))
            del self._pending[:taken]
            self._missing -= taken
        return bytes(content)

    def _read_size(self) -> bool:
        """Read the line before a chunk; False when it has not arrived in full."""
        end = self._pending.find(b"\n", 0, 1000) + 1
        if not end and len(self._pending) < 1000:
            return False
        line = bytes(self._pending[: end or 1000])
        del self._pending[: len(line)]
        if line.strip():  # the line end after a chunk's content is an empty line to us
            self._missing = _chunk_size(line)
            self.is_done = not self._missing
        return True


def _chunk_size(line: bytes) -> int:
    match = _CHUNK_SIZE.fullmatch(line)
    if not match:
        raise ValueError(line.decode("latin-1"))
    return int(match[1], 16)


def _parse_header(head: bytes) -> _Header | None:
    """Read a header of any line end, ignoring lines that are none; None without a status."""
    status_line, *lines = head.decode("latin-1").split("\n")
    status = _STATUS_LINE.match(status_line)
    if not status:
        return None
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), []).append(value.strip())
    return _Header(int(status[1]), fields)


def _content_length(values: list[str]) -> int | None:
    """The announced length; None, so read until the close, when it is contradictory or no number."""
    unique = set(values)
    if len(unique) != 1:
        return None
    value = unique.pop()
    return int(value) if re.fullmatch("[0-9]{1,15}", value) else None


def _epoch_seconds(date: str | None) -> int | None:
    try:
        instant = parsedate_to_datetime((date or "")[:64])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" gives no zone; HTTP dates are always UTC.
    return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())


def _usable(validator: str | None) -> str | None:
    return validator if validator is not None and _is_validator(validator) else None


def _within(seconds: float) -> str:
    return f"within {round(max(0.0, seconds), 1):g} s"


def _quote(text: str | bytes) -> str:
    """Foreign text for one line of a log: control characters escaped, cut at 80 characters."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    escaped = repr(text[:_QUOTE_CHARACTERS])[1:-1]
    return f"'{escaped[:_QUOTE_CHARACTERS]}'"
