"""What a run takes: time, memory and disk of the process itself; and whether there is room for it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.upgrading import ISEMS, path_of

MEGABYTE = 1_000_000
#: Of a generated row on disk, with its indexes, its backup, its successor and the journals; generously.
BYTES_PER_ROW = 1000


class Run(NamedTuple):
    """An upgrade that ended well."""

    said: list[str]
    seconds: float
    #: Most bytes in memory at once.
    memory: int
    #: Most bytes on disk at once beyond those that were there before; 0 where a server has them.
    disk: int


def tell(sentence: str) -> None:
    """Say what goes on, to whoever watches."""
    if sys.stderr.isatty():
        print(sentence, file=sys.stderr)


def require_room(url: str, rows: int) -> None:
    """Without room for so many generated rows the test is skipped, or fails where CI=true."""
    folder = path_of(url).parent if "sqlite" in url else Path(tempfile.gettempdir())
    needed, free = rows * BYTES_PER_ROW // MEGABYTE, shutil.disk_usage(folder).free // MEGABYTE
    sentence = f"{rows} rows need {needed} MB in {folder}, {free} MB are free"
    if needed <= free:
        tell(sentence)
    elif os.environ.get("CI") == "true":
        pytest.fail(sentence, pytrace=False)
    else:
        pytest.skip(sentence)


def run_measured(url: str) -> Run:
    """Run the upgrade to its end; its progress bars are seen where somebody watches."""
    before = _bytes_in_files(url, None)
    began = time.perf_counter()
    memory = disk = 0
    with subprocess.Popen(ISEMS, env=os.environ | {"DATABASE_URL": url}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.poll() is None:
            memory = max(memory, _peak_memory(process.pid))
            disk = max(disk, _bytes_in_files(url, process.pid) - before)
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        said = process.stdout.read().splitlines()
    assert process.returncode == 0
    return Run(said, seconds, memory, disk)


def _peak_memory(pid: int) -> int:
    found = re.search(r"VmHWM:\s+([0-9]+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _bytes_in_files(url: str, pid: int | None) -> int:
    """The size of a SQLite database with all beside it, and of the nameless files that a process works with."""
    if "sqlite" not in url:
        return 0
    held = Path(f"/proc/{pid}/fd").glob("*") if pid else ()
    return sum(map(_size, path_of(url).parent.iterdir())) + sum(map(_size_if_nameless, held))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # it was there a moment ago


def _size_if_nameless(descriptor: Path) -> int:
    try:
        return _size(descriptor) if str(descriptor.readlink()).endswith(" (deleted)") else 0
    except OSError:
        return 0
