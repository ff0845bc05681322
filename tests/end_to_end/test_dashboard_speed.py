"""How long the dashboard takes on a slow phone, over many nodes, one of which was heard for a year."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.samples import DAY, fill
from isems.config import Config
from isems.storage.database import Database
from isems.storage.schema import metadata
from tests.dashboard_mesh import served

pytest.importorskip("playwright", reason="no browser can be driven on this machine")

from playwright.sync_api import Browser, CDPSession, expect

from tests.end_to_end.browsing import PHONE, visit

NODES = 300
YEAR_MINUTES = 365 * 24 * 60
OLDEST = "Node-0"
MAX_FIRST_LOAD_BYTES = 100_000
#: A phone in the field: a sixth of this machine, and 1.6 Mbit/s at 150 ms.
SLOWER = 6
NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
#: Of a machine that has other work; a quiet one takes a tenth.
PATIENCE_MS = 60_000
#: In the page: when each selector was there first, and when the page then had time for a finger.
NOTE = """window.note = one => new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${one} did not come`)), PATIENCE);
    const look = () => {
        if (!document.querySelector(one)) return;
        observer.disconnect();
        const there = performance.now();
        requestIdleCallback(() => resolve({ there, idle: performance.now() }));
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { childList: true, subtree: true });
    look();
});
window.card = note(".card");""".replace("PATIENCE", str(PATIENCE_MS))
#: In the page: what came from the collector by a time, as sent. For the icon of its tab nobody waits.
CAME = """by => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(one => one.responseEnd <= by && !one.name.endsWith(".svg")).map(one => ({
        path: one.name.slice(location.href.length), bytes: one.encodedBodySize, asked: one.startTime, came: one.responseEnd
    }))"""
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

expect.set_options(timeout=PATIENCE_MS)


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


def test_many_nodes_and_a_year_of_one_are_soon_there_on_a_slow_phone(browser: Browser, address: str) -> None:
    # Nothing stands between the page and the collector, and nobody asks the page how far it is: both would take its time.
    with visit(browser, PHONE, is_between=False, locale="en-GB") as visited:
        page = visited.page
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", NETWORK)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.add_init_script(NOTE)
        page.goto(address, wait_until="commit")
        worst = wait(session, "card")
        came = page.evaluate(CAME, worst["there"])
        expect(page.locator("[data-node]")).to_have_count(NODES)
        page.locator("[data-node] .spark path").first.wait_for(state="attached", timeout=PATIENCE_MS)

        asked = page.evaluate("performance.now()")
        page.evaluate("node => (location.hash = `#/nodes/${node}?range=1y`)", OLDEST)
        chart = wait(session, "note('.lanes canvas')")
        expect(page.locator(".a-history header")).to_contain_text("daily")

        program = sum(one["bytes"] for one in came if "v1/" not in one["path"])
        answers = sum(one["bytes"] for one in came if "v1/" in one["path"])
        print(
            f"\nprogram {program / 1000:.1f} kB, answers {answers / 1000:.1f} kB, in {count_trips(came)} round trips;"
        )
        print(f"on a slow phone the worst of {NODES} nodes after {worst['there']:.0f} ms,")
        print(f"time for a finger after {worst['idle']:.0f} ms;")
        print(f"the chart of a year {chart['there'] - asked:.0f} ms after it was asked for")
        assert 0 < program <= MAX_FIRST_LOAD_BYTES
        assert count_trips(came) == 2
        assert visited.troubles == []


def wait(session: CDPSession, noted: str) -> dict[str, float]:
    """Give when what is noted was there, and when the page was idle after it, in ms since the page was asked for."""
    asked = {"expression": noted, "awaitPromise": True, "returnByValue": True}
    answer: dict[str, Any] = session.send("Runtime.evaluate", asked)
    assert "exceptionDetails" not in answer, answer
    found: dict[str, float] = answer["result"]["value"]
    return found


def count_trips(came: list[dict[str, Any]]) -> int:
    """Count how often something was only asked for after something else of it had come."""
    trips, rest = 0, came
    while rest:
        trips += 1
        first = min(one["came"] for one in rest)
        rest = [one for one in rest if one["asked"] >= first]
    return trips
