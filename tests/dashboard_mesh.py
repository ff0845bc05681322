"""A mesh for tests of the dashboard: a node in every state, hostile names, and as many fine ones as are wanted."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isems.api.app import create_app
from isems.api.context import DEMO
from isems.api.server import web_server
from isems.config import Config
from isems.storage.database import Database
from tests.api.stored import line, store

HOUR = 3600
DAY = 24 * HOUR

CRITICAL = "Wagenplatz Süd"
SILENT_CONTROLLER = "Kleingarten 7 Hütte/Ost"
LOST = "Campingplatz Strand"
LATE = "Bootshaus Nordufer"
SILENT = "Windmühle Hohenfelde"
INACTIVE = "Alter Schuppen"
#: What nodes may call themselves.
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert('x')>",
    "\u202eעמוס a,b&c=%2F#?/../",
    "Long-" + "ä" * 110 + "-end",
)


def history(node: str, until: int, low: float, high: float, **fields: str) -> Iterator[str]:
    """Two days of a battery that goes from `low` volts by night to `high` by day, then half an hour of minutes."""
    times = [*range(until - 2 * DAY, until - HOUR // 2, HOUR // 4), *range(until - HOUR // 2, until + 1, 60)]
    for at in times:
        sun = max(0.0, math.sin((at % DAY / DAY - 0.25) * 2 * math.pi))
        volts = low + (high - low) * sun**0.7 - 0.2 * (1 - sun) * ((at - until) / (2 * DAY))
        charging = "900" if sun > 0.1 else "500"
        yield line(node, at, **({"battery": f"{volts:.3f}", "status": charging, "shutdown": "0"} | fields))


def make_mesh(database: Database, now: int, fine: int = 8) -> None:
    """Store the mesh as it is at `now` (epoch seconds)."""
    lines = [
        *history(CRITICAL, now - 72, 12.04, 12.6, status="480"),
        line(CRITICAL, now - 12, battery="12.040", status="480"),
        *history(SILENT_CONTROLLER, now - 240, 12.4, 13.9),
        *(line(SILENT_CONTROLLER, now - 180 + 60 * n, battery="0", status="0B2") for n in range(3)),
        *history(LOST, now - 2 * DAY - 10 * HOUR, 12.6, 14.1),
        *history("Balkon Süderstraße", now - 8, 12.2, 12.9, status="580"),
        *history("Schulzentrum Dach Süd 2", now - 30, 12.7, 13.9, status="520", celsius="25"),
        *history("Obstwiese am Hang", now - 14, 12.5, 13.9, status="540", amp_hours="7.2", watts="50"),
        *history(LATE, now - 20 * 60, 12.4, 13.9),
        *history(SILENT, now - 3 * HOUR, 12.8, 13.9),
        *history(INACTIVE, now - 40 * DAY, 12.8, 13.9),
    ]
    for number, name in enumerate(HOSTILE):
        lines += history(name, now - 20 - number, 12.7, 14.0)
    store(database, lines, now=now)
    for number in range(fine):
        store(database, history(f"Dach {number + 1}", now - 10 - number % 40, 12.7 + number % 9 / 20, 14.2), now=now)


@contextmanager
def served_mesh(url: str, now: int | None, *, fine: int = 8, is_simulated: bool = True) -> Iterator[str]:
    """Serve the mesh as it is at `now`, as `isems serve` does; None: no node has reported. Gives the dashboard's address."""
    database = Database(url)
    config = Config(database_url=url, port=0)
    if now is not None:
        make_mesh(database, now, fine)
    # The collector's clock stands still, or the nodes would be late before a slow machine is done with its tests.
    with served(database, config, lambda: now or time.time(), is_simulated=is_simulated) as address:
        yield address
    database.close()


@contextmanager
def served(
    database: Database, config: Config, clock: Callable[[], float], *, is_simulated: bool = False
) -> Iterator[str]:
    """Serve what a database holds, by that clock. Gives the dashboard's address."""
    app = create_app(config, database, clock=clock)
    app.extensions[DEMO] = is_simulated
    with web_server(app, config) as port:
        yield f"http://127.0.0.1:{port}/"
