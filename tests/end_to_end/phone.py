"""A slow phone: a browser that nobody watches while it works, for what drives tests would take its time.

It is told how slow it is, and asked afterwards what it noted by itself. Over two pipes, as Chromium offers that to
programs that started it (--remote-debugging-pipe): JSON messages that end in a null byte.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from typing import Any

from tests.end_to_end.browsing import FLAGS, PHONE

#: A phone in the field: a sixth of this machine, and 1.6 Mbit/s at 150 ms.
SLOWER = 6
NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
#: The numbers under which Chromium reads and writes.
READS, WRITES = 3, 4
#: Other numbers than those, whatever is open.
FIRST_FREE = 10
PIECE_BYTES = 65_536
LOOK_SECONDS = 0.5
#: After so long a browser is done with the page before, and ready for the next: nobody asks for two at once.
REST_SECONDS = 1.5
#: Of a machine that has other work; a quiet one takes a tenth.
PATIENCE_SECONDS = 60
ENDING_SECONDS = 10


class Chromium:
    """The one end of the pipes."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._rest = b""
        self._asked = 0

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Do something, in a page by its session; give what came of it."""
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        os.write(self._writes, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (answer := self._read()).get("id") != self._asked:
            pass  # events, of which nobody asked to hear
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select([self._reads], [], [], PATIENCE_SECONDS)[0], "the browser does not answer"
            piece = os.read(self._reads, PIECE_BYTES)
            assert piece, "the browser has ended"
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


@contextmanager
def run_slow_browser(program: Path) -> Iterator[Chromium]:
    """Start a browser for pages that are slow."""
    (their_reads, our_writes), (our_reads, their_writes) = _make_pipe(), _make_pipe()
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = [str(program), "--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", *FLAGS]
        actions = [(os.POSIX_SPAWN_DUP2, their_reads, READS), (os.POSIX_SPAWN_DUP2, their_writes, WRITES)]
        silent = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        child = os.posix_spawn(program, arguments, os.environ, file_actions=actions + silent)
        for end in (their_reads, their_writes):
            os.close(end)
        try:
            chromium = Chromium(our_reads, our_writes)
            yield chromium
            chromium.ask("Browser.close")
        finally:
            _end(child)
            for end in (our_reads, our_writes):
                os.close(end)


def _end(child: int) -> None:
    """Let a browser end by itself for a while."""
    end = time.monotonic() + ENDING_SECONDS
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(LOOK_SECONDS)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _make_pipe() -> list[int]:
    """Open a pipe with numbers that are not in the way."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE) for end in ends]
    for end in ends:
        os.close(end)
    return moved


class Visit:
    """A page on the slow phone."""

    def __init__(self, chromium: Chromium, session: str) -> None:
        self._chromium, self._session = chromium, session

    def go(self, address: str) -> None:
        """Ask for a page, and do not wait for it."""
        self._chromium.ask("Page.navigate", self._session, url=address)

    def work_out(self, expression: str) -> Any:
        """Give the value of what the page promises."""
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self._chromium.ask("Runtime.evaluate", self._session, **asked)
        assert "exceptionDetails" not in answer, answer
        return answer["result"]["value"]

    def wait_until(self, expression: str) -> None:
        """Wait until something holds in the page. To look takes its time, too, so that is seldom done."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.work_out(expression) is not True:
            assert time.monotonic() < end, f"it did not come to {expression}"
            time.sleep(LOOK_SECONDS)


@contextmanager
def visit_slowly(chromium: Chromium) -> Iterator[Visit]:
    """Be somebody who was never here, with a slow phone."""
    context = chromium.ask("Target.createBrowserContext")["browserContextId"]
    try:
        target = chromium.ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = chromium.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        width, height = PHONE
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        chromium.ask("Emulation.setDeviceMetricsOverride", session, **size)
        chromium.ask("Network.enable", session)
        chromium.ask("Network.emulateNetworkConditions", session, **NETWORK)
        chromium.ask("Emulation.setCPUThrottlingRate", session, rate=SLOWER)
        time.sleep(REST_SECONDS)
        yield Visit(chromium, session)
    finally:
        chromium.ask("Target.disposeBrowserContext", browserContextId=context)
