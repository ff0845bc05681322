"""Asks a node over HTTP and survives what comes back.

Nodes speak four dialects: uhttpd on OpenWrt (HTTP/1.1 with lengths and validators), two generations of a Lua server
that answers everything with 200 and no length, and one that sends bare CSV without any header. Libraries reject the
last and stumble over sloppy headers, hence a client of our own.
"""

import asyncio
import errno
import ipaddress
import re
import socket
import ssl
from functools import lru_cache

import msgspec

from isems.errors import ConfigError, SourceError
from isems.sources.http_answer import AnswerReader, Limits, NodeAnswer, quote

#: The older boards search the whole request for these words, whatever header they stand in.
_TRIGGERS = re.compile("random|help|log|csv|ftp|reboot|telnet|shell|mpptstart|loadoff|loadon", re.IGNORECASE)
#: They also read one TCP segment only, and this is the smallest that every network carries.
_SEGMENT_BYTES = 536
_READ_BYTES = 16_384

_PATH = re.compile(r'/[!"$-~]{0,199}')
_VALIDATOR = re.compile(r"[ -~]{1,128}")
_NODE_URL = re.compile(
    r"(?:(?P<scheme>(?i:https?))://)?"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]|(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?(scheme)(?P<path>/.*)?)"
)


#: In the shortest record, of the oldest software.
SEPARATORS = 17
#: What must not be shown when an address is refused.
_LOGIN = re.compile(r"[^/@]+@")


class NodeAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a node is asked; `text` is the address as configured, `path` the explicit one of a URL."""

    text: str
    host: str
    port: int
    is_tls: bool = False
    path: str | None = None


@lru_cache(maxsize=10_000)
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
        f"{quote(_LOGIN.sub('...@', text))} is no address of a node; expected a host name, an IPv4 address or an IPv6 address in "
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
    """Whether any line has the 17 semicolons of the shortest record, whatever stands before it."""
    return any(line.count(b";") >= SEPARATORS for line in body.split(b"\n"))


def request_text(address: NodeAddress, path: str, peer_ip: str, etag: str | None, last_modified: str | None) -> bytes:
    """The request for `path`, short enough for one segment and free of the boards' trigger words but in the path.

    `peer_ip` stands in for a host name that holds such a word. A validator that cannot be sent is left out, so
    that the node answers in full.
    """
    if not _PATH.fullmatch(path):
        raise SourceError(f"{address.text} cannot be asked for the path {quote(path)}")
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


@lru_cache(maxsize=10_000)
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
    exchange = _Exchange(AnswerReader(address.text, limits))
    transport = await _connect(address, exchange, limits, deadline)
    try:
        peer = transport.get_extra_info("peername")
        transport.write(request_text(address, path, peer[0] if peer else "", etag, last_modified))
        return _with_usable_validators(await exchange.wait(deadline))
    finally:
        transport.abort()


def _with_usable_validators(answer: NodeAnswer) -> NodeAnswer:
    """Forget validators that could not be sent back."""
    return msgspec.structs.replace(answer, etag=_usable(answer.etag), last_modified=_usable(answer.last_modified))


def _usable(validator: str | None) -> str | None:
    return validator if validator is not None and _is_validator(validator) else None


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
        return f"was not found: the name {quote(address.host)} could not be looked up"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted: {quote(error.verify_message)}"
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
    return sentences.get(number, f"cannot be reached: {quote(str(error))}")


class _Exchange(asyncio.BufferedProtocol):
    """One connection's arriving bytes.

    A protocol and not a stream, because a stream forgets what it holds when the connection is reset, and takes in
    up to 256 kB beyond what anyone has read.
    """

    def __init__(self, reader: "AnswerReader") -> None:
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


def _within(seconds: float) -> str:
    return f"within {round(max(0.0, seconds), 1):g} s"
