"""Reads what a node answers: any sloppy HTTP, or bare CSV without a header. Does no I/O, and takes no more than allowed."""

import io
import re
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from isems.errors import SourceError

_QUOTE_CHARACTERS = 80

_STATUS_LINE = re.compile(r"HTTP/[0-9.]+[ \t]+([2-5][0-9]{2})(?![0-9])")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a node's answer is taken; the body counts as it is received."""

    body_bytes: int = 2_000_000
    header_bytes: int = 16_000
    #: Five times what a router keeps in a log.
    lines: int = 20_000
    connect_seconds: float = 10.0


class NodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a node said; an answer without any header counts as status 200.

    `date` is the node's clock in epoch seconds. `etag` and `last_modified` are as sent. `is_complete` is False when
    the body was cut.
    """

    status: int
    body: bytes
    date: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    has_header: bool = True
    is_complete: bool = True


class _Header(msgspec.Struct, frozen=True):
    """A status and the values of each header field, by its lower-case name."""

    status: int = 200
    fields: dict[str, list[str]] | None = None

    def get(self, name: str) -> str | None:
        return self.values(name)[0] if self.values(name) else None

    def values(self, name: str) -> list[str]:
        return (self.fields or {}).get(name, [])


class AnswerReader:
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
            raise self._error(f"answers with nonsense: {quote(bytes(self._head[:_QUOTE_CHARACTERS]))}")
        if 300 <= header.status < 400 and header.status != 304:
            target = quote(header.get("location") or "")
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
            raise self._error(f"answers with nonsense in its chunked body: {quote(str(error))}") from error

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
            etag=header.get("etag"),
            last_modified=header.get("last-modified"),
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


def quote(text: str | bytes) -> str:
    """Foreign text for one line of a log: control characters escaped, cut at 80 characters."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    escaped = repr(text[:_QUOTE_CHARACTERS])[1:-1]
    return f"'{escaped[:_QUOTE_CHARACTERS]}'"
