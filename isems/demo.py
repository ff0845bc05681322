"""What `make run` shows where nothing is configured: a simulated mesh beside us, in a database of its own."""

import asyncio
import logging
import os
import shutil
import sys
import tempfile
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from isems.collector import import_file
from isems.config import CHECKOUT, Config, parse_broker, sqlite_url
from isems.domain.clock import Moment
from isems.errors import SourceError
from isems.ingest import IngestResult
from isems.storage.database import Database

log = logging.getLogger(__name__)

NODES = 12
HISTORY_DAYS = 30
POLL_SECONDS = 60
#: The line with which `isems simulate` says that it serves.
READY = "ready"
#: How long the mesh may take to end before it is killed, and a broker to listen.
END_SECONDS = 5
START_SECONDS = 10
#: Where nobody but our broker listens, on the port of the nodes.
BROKER_HOST = "127.82.0.1"
#: Debian keeps the broker off the PATH of ordinary users.
BROKER_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
#: The board (counted from 0) that only publishes, as one does that no request reaches; where there is a broker.
UNPOLLED = 6
#: Becomes the program in its arguments, which the kernel ends when its parent (the first argument) ends, even if killed.
_EXEC = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class SimulatedMesh(msgspec.Struct, frozen=True):
    """A running mesh: where to poll its nodes, and the folder with the logs of what they did before."""

    addresses: tuple[str, ...]
    history: Path
    #: Where its boards publish, as in MQTT_SERVER; None: nowhere.
    broker: str | None


def demo_config(config: Config) -> Config:
    """Point the settings at the demonstration's own database; what is configured is never opened nor contacted."""
    folder = CHECKOUT if (CHECKOUT / "app.py").is_file() else Path.cwd()
    default = Config(database_url=sqlite_url(folder / "isems-demo.db"), poll_interval=POLL_SECONDS)
    mqtt = [field for field in config.__struct_fields__ if field.startswith("mqtt_")]
    fields = ("database_url", "poll_interval", "router_ips", "push_tokens", "broker", *mqtt)
    return msgspec.structs.replace(config, **{field: getattr(default, field) for field in fields})


def config_with(config: Config, mesh: SimulatedMesh) -> Config:
    """Point the settings of a demonstration at its nodes and its broker."""
    polled = [one for number, one in enumerate(mesh.addresses) if mesh.broker is None or number != UNPOLLED]
    return msgspec.structs.replace(config, router_ips=tuple(polled), broker=mesh.broker and parse_broker(mesh.broker))


@asynccontextmanager
async def simulated_mesh(port: int) -> AsyncIterator[SimulatedMesh]:
    """Run the mesh in a process of its own while the context lasts, all nodes on one port of many addresses.

    Raises SourceError when it does not start. The child ends with us, however we end: it watches its input. Where
    there is a mosquitto, one of our own runs on the same port, and the boards publish to it.
    """
    with tempfile.TemporaryDirectory(prefix="isems-demo-") as folder:
        async with own_broker(port, Path(folder)) as broker:
            command = [sys.executable, "-m", "isems", "simulate", "--nodes", str(NODES), "--days", str(HISTORY_DAYS)]
            command += ["--port", str(port), "--history", folder, "--until-input-ends"]
            command += ["--mqtt", broker] if broker else []
            # Not in our session, or Ctrl-C would end it before us.
            child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
            try:
                yield SimulatedMesh(await _read_addresses(child), Path(folder), broker)
            finally:
                await _end(child)


@asynccontextmanager
async def own_broker(port: int, folder: Path) -> AsyncIterator[str | None]:
    """Run a mosquitto that only this computer reaches, while the context lasts; gives where, or None without one."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=os.pathsep.join(BROKER_FOLDERS))
    if program is None:
        log.info("MQTT is not shown, as there is no mosquitto here; on Debian: apt install mosquitto")
        yield None
        return
    settings = [f"listener {port} {BROKER_HOST}", "allow_anonymous true", "persistence false", "log_type error"]
    settings += ["connection_messages false"]  # each message of a board is a new connection
    # Else it changes its user, and the kernel forgets with whom it is to end.
    settings += ["user root"] if os.geteuid() == 0 else []
    (folder / "mosquitto.conf").write_text("\n".join(settings) + "\n", encoding="utf-8")
    command = [sys.executable, "-I", "-S", "-c", _EXEC, str(os.getpid()), program, "-c", f"{folder}/mosquitto.conf"]
    child = await asyncio.create_subprocess_exec(*command, start_new_session=True)
    try:
        is_up = await _listens(child, port)
        if not is_up:
            log.warning("MQTT is not shown, as mosquitto does not start; its own words stand above")
        yield f"{BROKER_HOST}:{port}" if is_up else None
    finally:
        await _end(child)


async def _listens(child: Process, port: int) -> bool:
    """Wait until a broker listens; False where it ended or does not get there."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while child.returncode is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(BROKER_HOST, port)
                    writer.close()
                    return child.returncode is None
                await asyncio.sleep(0.05)
    return False


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
