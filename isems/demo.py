"""What `make run` shows where nothing is configured: a simulated mesh beside us, in a database of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from isems.collector import import_file
from isems.config import CHECKOUT, Config
from isems.domain.clock import Moment
from isems.errors import SourceError
from isems.ingest import IngestResult
from isems.simulator import addresses, make_mesh
from isems.storage.database import Database

NODES = 12
HISTORY_DAYS = 30
POLL_SECONDS = 60
#: The line with which `isems simulate` says that it serves.
READY = "ready"


def demo_config(config: Config) -> Config:
    """Point the settings at the simulated mesh; the configured database is never opened."""
    folder = CHECKOUT if (CHECKOUT / "app.py").is_file() else Path.cwd()
    return msgspec.structs.replace(
        config,
        database_url=f"sqlite:///{folder / 'isems-demo.db'}",
        router_ips=tuple(addresses(make_mesh(NODES))),
        poll_interval=POLL_SECONDS,
    )


@contextmanager
def simulated_mesh() -> Iterator[Path]:
    """Run the mesh in a process of its own while the context lasts; gives the folder of its history.

    Raises SourceError when it does not start. The child ends with us, however we end: it watches its input.
    """
    with tempfile.TemporaryDirectory(prefix="isems-demo-") as folder:
        command = [sys.executable, "-m", "isems", "simulate", "--nodes", str(NODES), "--days", str(HISTORY_DAYS)]
        command += ["--history", folder, "--until-input-ends"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            _await_ready(child)
            yield Path(folder)
        finally:
            child.terminate()
            child.wait(timeout=10)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def _await_ready(child: "subprocess.Popen[str]") -> None:
    for line in child.stdout or ():
        if line.strip() == READY:
            return
    raise SourceError("the simulated mesh did not start; its own words stand above")


def import_history(
    database: Database, folder: Path, moment: Moment, progress: Callable[[int, int], None]
) -> IngestResult:
    """Store the history that the simulated nodes had before we came; `progress` hears of files done and all."""
    total = IngestResult()
    files = sorted(folder.glob("*.log.gz"))
    for done, path in enumerate(files, 1):
        total.add(import_file(database, path, moment, lambda _: None))
        progress(done, len(files))
    return total
