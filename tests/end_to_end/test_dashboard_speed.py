"""How long the dashboard takes on a slow phone, over many nodes, one of which was heard for a year."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks.samples import DAY, fill
from isems.config import Config
from isems.storage.database import Database
from isems.storage.schema import metadata
from tests.dashboard_mesh import served
from tests.services import CHROMIUM, require_service

pytest.importorskip("playwright", reason="no browser can be driven on this machine")

from tests.end_to_end.phone import run_slow_browser, visit_slowly

NODES = 300
YEAR_MINUTES = 365 * 24 * 60
OLDEST = "Node-0"
MAX_FIRST_LOAD_BYTES = 100_000
VISITS = 3
#: In the page: what the browser noted of a kind, also before it was asked.
NOTED = """const noted = kind => new Promise(resolve => {
    const observer = new PerformanceObserver(list => { observer.disconnect(); resolve(list.getEntries()); });
    observer.observe({ type: kind, buffered: true });
    setTimeout(() => resolve([]), 500);
});"""
#: In the page, when all is done: when the first nodes were to be seen, and when a finger was answered at once after that.
#: What was there before the program is no longer in the document.
FIRST = f"""(async () => {{
    {NOTED}
    const drawn = (await noted("largest-contentful-paint")).find(one => one.element?.closest("main"));
    let free = drawn.startTime;
    for (const {{ startTime, duration }} of await noted("longtask")) {{
        if (startTime < free + 50 && startTime + duration > free) free = startTime + duration;
    }}
    return {{ drawn: drawn.startTime, free }};
}})()"""
#: In the page: what the first nodes need, as it was sent. For the other nodes and the icon of the tab nobody waits.
CAME = """by => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map(one => ({
        path: one.name.slice(location.href.length), bytes: one.encodedBodySize, asked: one.startTime, came: one.responseEnd
    }))
    .filter(one => one.asked < by && one.path !== "v1/nodes" && !one.path.endsWith(".svg"))"""
#: In the page: goes to a node's year, and tells after how long its chart was drawn.
CHART = f"""new Promise(async resolve => {{
    const asked = performance.now();
    location.hash = "#/nodes/{OLDEST}?range=1y";
    while (!document.querySelector(".lanes canvas")) await new Promise(again => setTimeout(again, 20));
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve(performance.now() - asked);
    requestAnimationFrame(() => channel.port2.postMessage(null));
}})"""
#: What differs between the nodes, as it does in the field, or their answers would compress to nothing.
DIFFERENT = {
    "measured_at": "m.measured_at - n.id % 50",
    "configuration_id": "2",
    "shutdown_ticks": "m.shutdown_ticks + n.id * 4",
    "panel_open_circuit_millivolts": "m.panel_open_circuit_millivolts + n.id * 53 % 900",
    "panel_mpp_millivolts": "m.panel_mpp_millivolts + n.id * 91 % 900",
    # Five are close to their disconnect.
    "battery_millivolts": "iif(n.id % 60, 8400 + m.battery_millivolts / 3 + n.id * 37 % 900, 11800 + m.battery_millivolts % 90)",
    "state_of_charge_percent": "30 + n.id * 7 % 70",
    "battery_centicelsius": "m.battery_centicelsius + n.id * 13 % 700",
    "status": "iif(n.id % 3, 2304, 1280)",
}


@pytest.fixture(scope="module")
def program() -> Path:
    """Debian's Chromium."""
    return require_service(CHROMIUM)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("year")
    now = int(time.time())
    database = Database(f"sqlite:///{folder / 'isems.db'}")
    database.make_ready()
    fill(database, 1, YEAR_MINUTES, now)
    add_others(database, now)
    with served(database, Config(database_url="unused", port=0), lambda: now) as address:
        yield address
    database.close()


def add_others(database: Database, now: int) -> None:
    """Give the other nodes the last two days of the first: four records an hour, then each of the last half hour."""
    columns = [one.name for one in metadata.tables["measurement"].columns if one.name != "node_id"]
    values = [DIFFERENT.get(one, f"m.{one}") for one in columns]
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO configuration (id, key, node_id, isems_revision, firmware, low_voltage_disconnect_volts,"
            " latitude, longitude, dialect, is_placeholder) VALUES (2, 'others', 2, '1', '1.5-fw', 11.7, 52.5, 13.4, 'router', 0)"
        )
        names = [(f"Node-{number}", now) for number in range(1, NODES)]
        connection.exec_driver_sql("INSERT INTO node (name, configuration_id, first_seen_at) VALUES (?, 2, ?)", names)
        connection.exec_driver_sql(
            f"INSERT INTO measurement (node_id, {', '.join(columns)}) SELECT n.id, {', '.join(values)}"
            " FROM measurement m JOIN node n ON n.id > 1"
            " WHERE m.node_id = 1 AND (m.measured_at > ? OR (m.measured_at > ? AND m.measured_at / 60 % 15 = 0))",
            (now - 1800, now - 2 * DAY),
        )


def test_many_nodes_and_a_year_of_one_are_soon_there_on_a_slow_phone(program: Path, address: str) -> None:
    with run_slow_browser(program) as chromium:
        firsts, charts = [], []
        with visit_slowly(chromium) as visit:
            visit.go(f"{address}healthz")
            visit.wait_until("performance.getEntriesByType('paint').length > 0")
            empty = visit.work_out("performance.getEntriesByType('paint')[0].startTime")
        for _ in range(VISITS):
            with visit_slowly(chromium) as visit:
                visit.go(address)
                visit.wait_until(f"document.querySelectorAll('[data-node]').length === {NODES}")
                visit.wait_until("document.querySelector('[data-node] .spark path') !== null")
                firsts.append(visit.work_out(FIRST))
                came = visit.work_out(f"({CAME})({firsts[-1]['drawn']})")
                assert count_trips(came) == 2, came
                charts.append(visit.work_out(CHART))
                visit.wait_until("document.querySelector('.a-history header')?.textContent.includes('daily')")

    program_bytes = sum(one["bytes"] for one in came if "v1/" not in one["path"])
    answer_bytes = sum(one["bytes"] for one in came if "v1/" in one["path"])
    print(
        f"\nprogram {program_bytes / 1000:.1f} kB, answers {answer_bytes / 1000:.1f} kB, in {count_trips(came)} round trips;"
    )
    print(f"on a slow phone the worst of {NODES} nodes after {tell([one['drawn'] for one in firsts])},")
    print(f"time for a finger after {tell([one['free'] for one in firsts])};")
    print(f"the chart of a year {tell(charts)} after it was asked for")
    print(f"(one line of text, /healthz, after {empty:.0f} ms)")
    assert 0 < program_bytes <= MAX_FIRST_LOAD_BYTES


def tell(times: list[float]) -> str:
    """Give milliseconds: those in the middle, least and greatest."""
    return f"{median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})"


def count_trips(came: list[dict[str, Any]]) -> int:
    """Count how often something was only asked for after something else of it had come."""
    trips, rest = 0, came
    while rest:
        trips += 1
        first = min(one["came"] for one in rest)
        rest = [one for one in rest if one["asked"] >= first]
    return trips
