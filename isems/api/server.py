"""The web server of `isems serve`: waitress, in a thread of its own."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.trigger import trigger

from isems.config import Config
from isems.errors import ConfigError

log = logging.getLogger(__name__)

THREADS = 16
#: Nothing is taken in over HTTP yet; without a limit a body of any size would be written to the disk first.
MAX_REQUEST_BYTES = 65_536
#: How long running requests may take once we were told to stop.
END_SECONDS = 3
#: No such byte may stand in a request line.
NOT_ASCII = re.compile(rb"[\x80-\xff]")


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
        bell.pull_trigger(lambda: wasyncore.close_all(sockets, ignore_all=True))
        thread.join(timeout=END_SECONDS)


def _listen(app: Flask, config: Config, sockets: dict[int, Any]) -> Any:
    try:
        return create_server(
            app,
            map=sockets,
            host=config.host,
            port=config.port,
            threads=THREADS,
            clear_untrusted_proxy_headers=True,
            max_request_body_size=MAX_REQUEST_BYTES,
            ident=None,
        )
    except (OSError, ValueError) as error:
        wasyncore.close_all(sockets, ignore_all=True)
        place = f"{config.host!r}, {config.port}"
        expected = "an address of this machine and a free port"
        raise ConfigError(f"ISEMS_HOST, ISEMS_PORT is {place}, expected {expected}: {error}") from error


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress brings no types
    """Takes node names as curl sends them: UTF-8 that should have been percent-encoded."""

    def parse_header(self, header_plus: bytes) -> None:
        line, end, rest = header_plus.partition(b"\r\n")
        super().parse_header(NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line) + end + rest)


class _Channel(HTTPChannel):  # type: ignore[misc]
    parser_class = _Parser
