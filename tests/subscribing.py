"""`flask subscribe` as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services import Broker

ROOT = Path(__file__).resolve().parent.parent
FLASK = (sys.executable, "-m", "flask")
SECONDS = 60


@contextmanager
def running(url: str, broker: Broker, *command: str, **more: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "DATABASE_URL": url, "MQTT_SERVER": broker.address, "ISEMS_CLOCK_TRUSTED": "yes"}
    process = subprocess.Popen(
        command or (*FLASK, "subscribe"), cwd=ROOT, env=environment | more, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def wait_for_line(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stderr is not None
    said = []
    for heard in process.stderr:
        said.append(heard)
        if words in heard:
            return
    raise AssertionError("".join(said))


def end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
