"""The web server of `isems serve`: waitress, in a thread of its own."""

import fcntl
import logging
import re
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET
from struct import pack
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.trigger import trigger
from waitress.utilities import RequestEntityTooLarge

from isems.api import problems
from isems.api.push import MAX_BODY_BYTES as PUSHED_BYTES
from isems.config import Config
from isems.errors import ConfigError

log = logging.getLogger(__name__)

THREADS = 16
#: A longer body is refused before it is written to the disk. Where nobody may push, no body means anything.
MAX_BODY_BYTES = 65_536
#: No more of an answer is made while its client has so much to take; waitress keeps what is over a megabyte in a file.
MAX_UNSENT_BYTES = 4_194_304
#: Who takes nothing for so long, while an answer waits for it, is cut off.
STALLED_SECONDS = 30
#: So many answers may wait for their clients at once: the other threads are for everybody else.
MAX_WAITING = THREADS // 2
#: How often an idle server looks whether connections are to be closed; whatever happens wakes it. Waitress' own second
#: costs an idle Raspberry Pi most of what it does.
LOOK_SECONDS = 10
#: How long running requests may take once we were told to stop.
END_SECONDS = 3
#: No such byte may stand in a request line.
NOT_ASCII = re.compile(rb"[\x80-\xff]")
#: Nor may these be meant as they are where a board pushes: it puts its node id there, whatever that holds.
NOT_OF_A_PATH = re.compile(rb"[^\x21-\x7e]|[?#]")


@contextmanager
def web_server(app: Flask, config: Config) -> Iterator[int]:
    """Serve while the context lasts; gives the port.

    Raises ConfigError when ISEMS_HOST and ISEMS_PORT cannot be listened on.
    """
    sockets: dict[int, Any] = {}
    server = _listen(app, config, sockets)
    # A name such as localhost may stand for several addresses.
    listening = getattr(server, "effective_listen", None) or [(server.effective_host, server.effective_port)]
    for one in sockets.values():
        one.channel_class = _Channel
    thread = threading.Thread(target=server.run, name="isems-web", daemon=True)
    thread.start()
    for host, port in listening:
        log.info("serving on http://%s:%s", f"[{host}]" if ":" in host else host, port)
    try:
        yield int(listening[0][1])
    finally:
        server.task_dispatcher.shutdown(timeout=END_SECONDS)  # what was asked is still answered
        # Closed by its own thread: this one must not take sockets away while that one waits on them.
        bell = next(one for one in sockets.values() if isinstance(one, trigger))
        with bell.lock:  # or it may be awake already, and close the bell before we pull it
            bell.thunks.append(lambda: wasyncore.close_all(sockets, ignore_all=True))
            bell.pull_trigger()
        thread.join(timeout=END_SECONDS)


def _listen(app: Flask, config: Config, sockets: dict[int, Any]) -> Any:
    try:
        return create_server(
            app,
            map=sockets,
            host=config.host,
            port=config.port,
            threads=THREADS,
            asyncore_loop_timeout=LOOK_SECONDS,
            outbuf_high_watermark=MAX_UNSENT_BYTES,
            clear_untrusted_proxy_headers=True,
            max_request_body_size=(PUSHED_BYTES if config.push_tokens else MAX_BODY_BYTES) + 1,
            ident=None,
        )
    except (OSError, ValueError) as error:
        wasyncore.close_all(sockets, ignore_all=True)
        place = f"{config.host!r}, {config.port}"
        expected = "an address of this machine and a free port"
        raise ConfigError(f"ISEMS_HOST, ISEMS_PORT is {place}, expected {expected}: {error}") from error


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress brings no types
    """Takes node ids as curl and boards send them, which should have percent-encoded them."""

    error: Any = None

    def received(self, data: bytes) -> int:
        count: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            self.error = _TooLarge(self.error.body)
        return count

    def parse_header(self, header_plus: bytes) -> None:
        line, end, rest = header_plus.partition(b"\r\n")
        super().parse_header(_mend_request_line(line) + end + rest)


def _mend_request_line(line: bytes) -> bytes:
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if method == b"POST" and _is_pushed(target) and version.startswith(b"HTTP/"):
        return b"POST " + _encode(NOT_OF_A_PATH, target) + b" " + version
    return _encode(NOT_ASCII, line)


def _is_pushed(target: bytes) -> bool:
    start, push, _ = target.partition(b"/push/")
    return bool(push) and target.endswith(b"/data") and not set(start) & set(b" ?#") and not set(target) & set(b"\r\n")


def _encode(forbidden: re.Pattern[bytes], line: bytes) -> bytes:
    return forbidden.sub(lambda byte: b"%%%02X" % byte[0][0], line)


class _TooLarge(RequestEntityTooLarge):  # type: ignore[misc]
    """What waitress answers instead of the application, in the application's words."""

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        body = problems.encode_problem(self.code, "the body is larger than anything that is taken in here")
        return f"{self.code} {self.reason}", [("Content-Type", problems.MEDIA_TYPE)], body


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection whose client may read slowly or not at all, and then costs nobody else an answer."""

    parser_class = _Parser
    waiting = threading.BoundedSemaphore(MAX_WAITING)

    def writable(self) -> bool:
        if self.will_close:
            with suppress(OSError):  # the client is gone
                # Half an answer must not look like a whole one, also without chunks: reset it.
                if self.total_outbufs_len:
                    self.socket.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", True, 0))
                # A socket that is full, because its client takes nothing, would else never be ready to be closed.
                self.socket.shutdown(SHUT_RDWR)
        return bool(super().writable())

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait in a thread of the application; waitress' own waiting has no end."""
        if not self._is_full():
            return
        with self.outbuf_lock:
            self._flush_exception(self._flush_some, do_close=False)
            if self._is_full() and not self._is_emptied():
                self.will_close = True
                self.connected = False  # so that waitress ends the answer
                self.server.pull_trigger()

    def _is_full(self) -> bool:
        return bool(self.connected and self.total_outbufs_len > MAX_UNSENT_BYTES)

    def _is_emptied(self) -> bool:
        """Wait until the client took enough, or is gone; False: it takes nothing, or too many wait already."""
        if not self.waiting.acquire(blocking=False):
            return False
        try:
            while self._is_full():
                untaken = self._count_untaken()
                self.server.pull_trigger()
                self.outbuf_lock.wait(STALLED_SECONDS)
                if self._is_full() and self._count_untaken() == untaken:
                    return False
            return True
        finally:
            self.waiting.release()

    def _count_untaken(self) -> int:
        """With what the kernel holds: it takes more in lumps, between which a slow client would seem to take nothing."""
        held = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4))
        return int(self.total_outbufs_len) + int.from_bytes(held, sys.byteorder)
