"""The page of a node in a browser: its charts, from where they are read and by hand."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.dashboard_mesh import CRITICAL, HOSTILE, LOST, SILENT_CONTROLLER, served_mesh

pytest.importorskip("playwright", reason="no browser can be driven on this machine")

from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.browsing import DESKTOP, PHONE, SCREENSHOTS, visit

PATIENCE_MS = 30_000

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("node")
    with served_mesh(f"sqlite:///{folder / 'isems.db'}", int(time.time())) as address:
        yield address


def open_node(page: Page, address: str, name: str, query: str = "") -> None:
    """Show a node and wait for its charts."""
    page.goto(f"{address}#/nodes/{quote(name, safe='')}{query}")
    page.locator(".lanes canvas").first.wait_for(timeout=PATIENCE_MS)
    page.locator(".daystrip svg").wait_for(timeout=PATIENCE_MS)


SAID = {
    "en": ("Battery close to disconnect", "Bring a charged battery", "12.04", "11.90\u202fV disconnect", "Berlin time"),
    "de": ("Akku kurz vor der Abschaltung", "Geladenen Akku", "12,04", "11,90\u202fV Abschaltung", "Zeit: Berlin"),
}


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_node_tells_why_it_needs_somebody(browser: Browser, address: str, language: str) -> None:
    with visit(browser, PHONE, locale=f"{language}-{language.upper()}") as visited:
        page = visited.page
        open_node(page, address, CRITICAL)
        page.locator(".a-history").scroll_into_view_if_needed()
        page.screenshot(path=SCREENSHOTS / f"node-charts-{language}.png")

        title, advice, volts, disconnect, zone = SAID[language]
        expect(page.locator(".verdict .line")).to_have_text(title)
        expect(page.locator(".verdict .sub").first).to_contain_text(advice)
        expect(page.locator(".trio dd").first).to_contain_text(volts)
        expect(page.locator(".ruler")).to_contain_text(disconnect)
        expect(page.locator(".a-history header")).to_contain_text(zone)
        assert visited.troubles == []


def test_a_dragged_part_is_zoomed_into_linked_to_and_left_again(browser: Browser, address: str) -> None:
    with visit(browser, DESKTOP, locale="en-GB") as visited:
        page = visited.page
        open_node(page, address, CRITICAL)
        lanes = page.locator(".lanes")
        lanes.hover(position={"x": 400, "y": 100})
        page.mouse.down()
        lanes.hover(position={"x": 470, "y": 100})
        page.mouse.up()
        # A day or less is shown record by record.
        expect(page.locator(".a-history header")).to_contain_text("every reading")
        zoomed = page.url
        assert "&from=" in zoomed

        page.reload()
        page.locator(".lanes canvas").first.wait_for(timeout=PATIENCE_MS)
        assert page.url == zoomed
        expect(page.locator(".a-history header")).to_contain_text("every reading")

        lanes.dblclick(position={"x": 400, "y": 100})
        expect(page.locator(".a-history header")).to_contain_text("now")
        assert "&from=" not in page.url
        page.locator(".chart").focus()
        page.keyboard.press("+")
        assert "&from=" in page.url
        page.keyboard.press("0")
        assert "&from=" not in page.url
        assert visited.troubles == []


def test_the_cursor_writes_above_the_chart_and_says_where_nothing_came(browser: Browser, address: str) -> None:
    with visit(browser, DESKTOP, locale="en-GB") as visited:
        page = visited.page
        open_node(page, address, LOST)
        page.locator(".lanes").hover(position={"x": 540, "y": 100})
        expect(page.locator(".readout")).to_contain_text("no data for 2\u202fdays")
        page.locator(".a-history .twin summary").click()
        expect(page.locator(".a-history .twin table")).to_contain_text("no data")
        expect(page.locator(".a-history .twin ul")).to_contain_text("Battery: lowest 12.")
        assert visited.troubles == []


def test_a_silent_controller_shows_what_was_believed_last(browser: Browser, address: str) -> None:
    with visit(browser, locale="en-GB") as visited:
        open_node(visited.page, address, SILENT_CONTROLLER)
        expect(visited.page.locator(".trio dd").first).to_have_text("– hidden")
        expect(visited.page.locator(".verdict")).to_contain_text("Last believed: 12.")
        expect(visited.page.locator(".a-values")).to_contain_text("hidden, cannot be believed")
        expect(visited.page.locator(".ruler")).to_have_count(0)
        assert visited.troubles == []


def test_every_range_can_be_looked_at(browser: Browser, address: str) -> None:
    with visit(browser, locale="en-GB") as visited:
        page = visited.page
        open_node(page, address, CRITICAL)
        names = {"1 d": "1 day", "30 d": "30 days", "1 y": "1 year", "All": "all", "7 d": "7 days"}
        for short, name in names.items():
            page.get_by_role("button", name=short, exact=True).click()
            expect(page.get_by_role("link", name=f"CSV, {name}")).to_be_visible()
            expect(page.locator(".lanes canvas").first).to_be_visible()
            assert not visited.scrolls_sideways()
        assert visited.troubles == []


def test_a_link_leads_to_the_records_as_csv(browser: Browser, address: str) -> None:
    with visit(browser, locale="en-GB") as visited:
        page = visited.page
        open_node(page, address, HOSTILE[2])
        with page.expect_download() as downloading:
            page.get_by_role("link", name="CSV, 7 days").click()
        first, *rows = Path(downloading.value.path()).read_text(encoding="utf-8").splitlines()
        assert first.startswith("measured_at,")
        assert len(rows) > 100


@pytest.mark.parametrize("name", [CRITICAL, SILENT_CONTROLLER])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_node_is_printed_with_its_charts_on_one_page(
    browser: Browser, address: str, size: tuple[int, int], name: str
) -> None:
    with visit(browser, size, locale="de-DE", color_scheme="dark") as visited:
        open_node(visited.page, address, name)
        sheet = visited.page.pdf(prefer_css_page_size=True)
        assert sheet.count(b"/Type /Page\n") == 1
        assert sheet.count(b"/Subtype /Image") >= 3  # the canvases of the lanes
        assert visited.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_an_unknown_node_is_named_as_such(browser: Browser, address: str) -> None:
    with visit(browser, locale="en-GB") as visited:
        visited.page.goto(f"{address}#/nodes/nobody")
        expect(visited.page.get_by_role("heading", name="No such node")).to_be_visible()


def test_a_node_is_shown_as_it_was_while_the_collector_is_out_of_reach(browser: Browser, address: str) -> None:
    with visit(browser, locale="en-GB") as visited:
        page = visited.page
        page.clock.install()
        open_node(page, address, CRITICAL)
        visited.is_cut_off = True
        page.clock.fast_forward(65_000)
        page.clock.fast_forward(60_000)
        expect(page.get_by_text("Collector out of reach")).to_be_visible()
        expect(page.locator(".verdict .age")).to_contain_text("at ")
        expect(page.locator(".a-history header")).not_to_contain_text("now")
        visited.is_cut_off = False
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("Collector out of reach")).to_have_count(0)
        expect(page.locator(".a-history header")).to_contain_text("now")
