"""What `make run` shows where nothing is configured: a simulated mesh beside us, in a database of its own."""

import asyncio
import sys
import tempfile
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from isems.collector import import_file
from isems.config import CHECKOUT, Config, sqlite_url
from isems.domain.clock import Moment
from isems.errors import SourceError
from isems.ingest import IngestResult
from isems.storage.database import Database

NODES = 12
HISTORY_DAYS = 30
POLL_SECONDS = 60
#: The line with which `isems simulate` says that it serves.
READY = "ready"
#: How long the mesh may take to end before it is killed.
END_SECONDS = 5


class SimulatedMesh(msgspec.Struct, frozen=True):
    """A running mesh: where to poll its nodes, and the folder with the logs of what they did before."""

    addresses: tuple[str, ...]
    history: Path


def demo_config(config: Config) -> Config:
    """Point the settings at the demonstration's own database; the configured one is never opened."""
    folder = CHECKOUT if (CHECKOUT / "app.py").is_file() else Path.cwd()
    return msgspec.structs.replace(
        config, database_url=sqlite_url(folder / "isems-demo.db"), poll_interval=POLL_SECONDS
    )


@asynccontextmanager
async def simulated_mesh(port: int) -> AsyncIterator[SimulatedMesh]:
    """Run the mesh in a process of its own while the context lasts, all nodes on one port of many addresses.

    Raises SourceError when it does not start. The child ends with us, however we end: it watches its input.
    """
    with tempfile.TemporaryDirectory(prefix="isems-demo-") as folder:
        command = [sys.executable, "-m", "isems", "simulate", "--nodes", str(NODES), "--days", str(HISTORY_DAYS)]
        command += ["--port", str(port), "--history", folder, "--until-input-ends"]
        # Not in our session, or Ctrl-C would end it before us.
        child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
        try:
            yield SimulatedMesh(await _read_addresses(child), Path(folder))
        finally:
            await _end(child)


async def _read_addresses(child: Process) -> tuple[str, ...]:
    addresses: list[str] = []
    while child.stdout and (line := (await child.stdout.readline()).decode().strip()):
        if line == READY:
            return tuple(addresses)
        addresses.append(line)
    raise SourceError("the simulated mesh did not start; its own words stand above")


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), END_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()


async def import_history(
    database: Database, folder: Path, moment: Moment, progress: Callable[[int, int], None]
) -> IngestResult:
    """Store the history that the simulated nodes had before we came; `progress` hears of files done and all.

    When cancelled, the thread that stores ends with the piece it has in hand.
    """
    total = IngestResult()
    is_ended = threading.Event()

    def check(_: int) -> None:
        if is_ended.is_set():
            raise SourceError("the import was ended")

    files = sorted(folder.glob("*.log.gz"))
    try:
        for done, path in enumerate(files, 1):
            total.add(await asyncio.to_thread(import_file, database, path, moment, check))
            path.unlink()
            progress(done, len(files))
    finally:
        is_ended.set()
    return total
