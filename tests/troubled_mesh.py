"""The simulated mesh with everything wrong that the simulator knows, and beside it what no honest node would send."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from isems.collector import Collector
from isems.config import Config
from isems.simulator import Fault, Limits, NodeSpec, assign_faults, make_mesh, records, serve_mesh
from isems.storage.counters import write_counts
from isems.storage.database import Database
from tests.api.stored import line, store
from tests.dashboard_mesh import DAY, HOSTILE, HOUR, history, served
from tests.services import free_port

NODES = 8
DAYS = 2
FAULTS = ("0=dead", "1=garbage", "2=clock_unset", "3=slow", "4=silent_controller", "5=clock_ahead", "7=reboot")
#: Needs somebody most of all: a finger's breadth from the disconnect, and heard a moment ago.
WORST = "Turm am Wehr"
#: Sends records in which nothing stands.
EMPTY = "Nichts\u2066\u202e"
UNBROKEN = "W" * 200
NOWHERE = "Ohne Ort"
NAMES = (*HOSTILE, UNBROKEN, EMPTY)
#: Text where a record has text, and numbers as large as they may be.
MARKUP = "<b onmouseover=alert(3)>&lt\u202e"
REJECTED = (
    "<img src=x onerror=alert(2)>;1;yesterday;\u202eend",
    f"<script>alert(4)</script>;{'9' * 200};" + ";".join("0" * 17),
)
NOTHING = dict.fromkeys(
    (
        *("firmware", "shutdown", "power_save", "open_circuit", "mpp", "battery", "charge", "health", "celsius"),
        *("disconnect", "charge_end", "amp_hours", "watts", "latitude", "longitude", "status"),
    ),
    "",
)


@contextmanager
def served_troubled_mesh(folder: Path) -> Iterator[str]:
    """Store and serve it, as it is when it is done. Gives the dashboard's address."""
    url = f"sqlite:///{folder / 'isems.db'}"
    database = Database(url, has_inbox=True)
    now = int(time.time())
    mesh = make_mesh(NODES, seed=1)
    faults = assign_faults(mesh, FAULTS)
    for spec in mesh:
        until = now - 30 * HOUR if faults.get(spec.name) is Fault.DEAD else now - HOUR
        store(database, (line for _, line in records(spec, now - DAYS * DAY, until)), now=now)
    _store_hostile(database, now)
    # In a thread of its own: in this one a browser's loop may run.
    with ThreadPoolExecutor(1) as thread:
        config = thread.submit(asyncio.run, _poll(database, Config(database_url=url, port=0), mesh, faults)).result()
    now = int(time.time())
    with served(database, config, lambda: now, is_simulated=True) as address:
        yield address
    database.close()


async def _poll(database: Database, config: Config, mesh: Sequence[NodeSpec], faults: dict[str, Fault]) -> Config:
    """Ask each node once, over HTTP. Gives the settings with their addresses."""
    limits = Limits(slow_seconds=1, trickle_bytes=4000)
    port = free_port()
    async with await serve_mesh(
        mesh, base_host="127.84.0.1", port=port, clock=time.time, faults=faults, limits=limits
    ) as nodes:
        config = msgspec.structs.replace(config, router_ips=tuple(nodes.addresses), poll_deadline=5)
        with closing(Collector(config, database)) as collector:
            await collector.poll_once(lambda _: None)
    return config


def _store_hostile(database: Database, now: int) -> None:
    lines = [
        *history(WORST, now - 75, 11.96, 12.5, status="480"),
        line(WORST, now - 12, battery="11.960", status="480"),
        *history(NOWHERE, now - 9, 12.8, 13.9, latitude="0", longitude="0"),
        *(line(EMPTY, now - 70 + 60 * n, **NOTHING) for n in range(2)),
    ]
    for number, name in enumerate((*HOSTILE, UNBROKEN)):
        lines += history(name, now - 20 - number, 12.7, 14.0, firmware=MARKUP)
    # Another configuration, so that there is a history of them.
    lines.append(line(UNBROKEN, now - 5, firmware=f"{MARKUP}2", disconnect="11.8", latitude="89.9", longitude="-179.9"))
    lines.append(line(HOSTILE[0], now - 5, battery="999999999", celsius="-1e300", shutdown="1e15", watts="1e300"))
    lines += [*REJECTED, line(NOWHERE, now - 9, battery="9")]
    store(database, lines, now=now)
    with database.write() as connection:
        write_counts(connection)
