"""The dashboard in a browser, over a mesh with every kind of trouble."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isems.api.dashboard import BUILD, INDEX
from tests.dashboard_mesh import CRITICAL, HOSTILE, INACTIVE, LATE, LOST, SILENT_CONTROLLER, served_mesh
from tests.services import CHROMIUM, require_service

pytest.importorskip("playwright", reason="no browser can be driven on this machine")

from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.browsing import DESKTOP, PHONE, SCREENSHOTS, run_browser, visit

#: Longer than anything here takes on a busy machine.
PATIENCE_MS = 30_000
MAX_FIRST_LOAD_BYTES = 100_000
#: A phone in the field: a sixth of this machine, and 1.6 Mbit/s at 150 ms.
SLOWER = 6
NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
MANY = 300
NOTE_FIRST_CARD = """new MutationObserver((_, observer) => {
    if (!document.querySelector("[data-node]")) return;
    observer.disconnect();
    window.firstCardMs = performance.now();
}).observe(document, { childList: true, subtree: true });"""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = require_service(CHROMIUM)
    assert (BUILD / INDEX).is_file(), "the dashboard is not built: `make setup` builds it"
    with run_browser(program) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mesh")
    with served_mesh(f"sqlite:///{folder / 'isems.db'}", int(time.time())) as address:
        yield address


def await_fleet(page: Page) -> None:
    """Wait until everything is there, the lines of the last two days included."""
    page.locator("[data-node] .spark path").first.wait_for(state="attached", timeout=PATIENCE_MS)
    # Those of lost nodes come after the others; when all are there they are kept.
    end = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate("localStorage.getItem('isems.kept.sparks') !== null"):
        assert time.monotonic() < end, "the lines of all nodes did not come"
        page.wait_for_timeout(50)
    page.evaluate("document.fonts.ready")


SAID = {
    "en": ("3 need you", "of 20 nodes", "Needs you. Battery close to disconnect", "12.04V", "+0.14\u202fV"),
    "de": (
        "3 brauchen Hilfe",
        "von 20 Knoten",
        "Braucht Hilfe. Akku kurz vor der Abschaltung",
        "12,04V",
        "+0,14\u202fV",
    ),
}
SIMULATED = {"en": "These nodes are not real.", "de": "Diese Knoten gibt es nicht."}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_fleet_tells_who_needs_somebody_and_asks_nobody_outside(
    browser: Browser, address: str, size: tuple[int, int], language: str, theme: str
) -> None:
    with visit(browser, size, locale=f"{language}-{language.upper()}", color_scheme=theme) as visited:
        page = visited.page
        page.goto(address)
        await_fleet(page)
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"fleet-{size[0]}-{language}-{theme}.png")

        headline, count, sentence, volts, margin = SAID[language]
        expect(page.locator(".strip h2")).to_contain_text(headline)
        expect(page.locator(".strip h2")).to_contain_text(count)
        first = page.locator("[data-node]").first
        assert first.get_attribute("data-node") == CRITICAL
        for text in (sentence, volts, margin):
            expect(first).to_contain_text(text)
        expect(page.get_by_text(SIMULATED[language]).locator("visible=true")).to_have_count(1)
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert not visited.scrolls_sideways()
        assert visited.check_accessibility() == []
        assert visited.troubles == []


def test_a_placeholder_is_hidden_and_says_so(browser: Browser, address: str) -> None:
    with visit(browser, locale="en-GB") as visited:
        visited.page.goto(address)
        shown = visited.page.locator(f'[data-node="{SILENT_CONTROLLER}"]')
        expect(shown).to_contain_text("Solar controller silent")
        expect(shown.locator(".nums")).to_have_text("–Vhidden")


def test_names_are_text_whatever_they_hold(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.goto(address)
        await_fleet(page)
        names = page.locator("[data-node]").evaluate_all("all => all.map(one => one.dataset.node)")
        shown = page.locator("[data-node] h3 bdi").all_text_contents()
        assert shown == names
        assert set(HOSTILE) <= set(names)
        assert page.locator("#app img, #app script").count() == 0
        for name in HOSTILE:
            page.evaluate(
                "name => [...document.querySelectorAll('[data-node]')].find(o => o.dataset.node === name).click()", name
            )
            expect(page.locator("h1 bdi")).to_have_text(name)
            assert not visited.scrolls_sideways()
            page.reload()
            expect(page.locator("h1 bdi")).to_have_text(name)
            page.go_back()
            await_fleet(page)
        assert visited.troubles == []


def test_what_is_chosen_is_remembered(browser: Browser, address: str) -> None:
    with visit(browser, locale="en-GB", color_scheme="light") as visited:
        page = visited.page
        page.goto(address)
        page.get_by_role("button", name="Settings").click()
        page.get_by_role("button", name="Deutsch").click()
        page.get_by_role("button", name="Dunkel").click()
        page.get_by_role("button", name="Fertig").click()
        page.reload()
        expect(page.locator(".strip h2")).to_contain_text("3 brauchen Hilfe")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert visited.troubles == []


def test_nodes_are_found_filtered_and_opened_by_keyboard(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.goto(address)
        await_fleet(page)
        focused = "document.activeElement.dataset.node"
        page.keyboard.press("ArrowDown")
        assert page.evaluate(focused) == CRITICAL
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert page.evaluate(focused) == LOST
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(LOST)
        expect(page.locator("h1")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator(f'[data-node="{LOST}"]')).to_be_focused()

        page.keyboard.press("/")
        page.keyboard.type("bootshaus")
        expect(page.locator("[data-node]")).to_have_count(1)
        page.keyboard.press("ArrowDown")
        assert page.evaluate(focused) == LATE
        page.keyboard.press("/")
        page.keyboard.press("Escape")
        expect(page.locator("[data-node]")).to_have_count(20)

        page.get_by_role("button", name="Late", exact=False).click()
        expect(page.locator("[data-node]")).to_have_count(1)
        page.get_by_role("button", name="Late", exact=False).click()
        page.get_by_role("button", name="Show 1 inactive node").click()
        expect(page.locator(f'[data-node="{INACTIVE}"]')).to_have_count(1)
        assert visited.troubles == []


def ask_in_vain(page: Page, milliseconds: int) -> None:
    """Let so much time pass, and wait until the nodes were asked for: the next attempt is planned from then on."""
    with page.expect_event("requestfailed", lambda request: "/v1/nodes" in request.url):
        page.clock.fast_forward(milliseconds)


def test_without_the_collector_it_shows_what_it_last_knew_and_comes_back(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.clock.install()
        page.goto(address)
        await_fleet(page)
        visited.is_cut_off = True
        ask_in_vain(page, 65_000)
        expect(page.locator(".strip h2")).to_contain_text("3 need you")  # one poll may fail unnoticed
        ask_in_vain(page, 60_000)
        expect(page.get_by_text("Collector out of reach for 2\u202fmin")).to_be_visible()
        expect(page.locator(".strip h2")).to_contain_text("3 needed you")
        expect(page.locator("[data-node] .age").first).to_contain_text("at ")
        page.screenshot(path=SCREENSHOTS / "fleet-offline.png")
        visited.is_cut_off = False
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".strip h2")).to_contain_text("3 need you")
        expect(page.get_by_text("Collector out of reach")).to_have_count(0)


def test_what_was_kept_is_shown_before_the_collector_answers(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.goto(address)
        await_fleet(page)
        page.route("**/v1/**", lambda route: route.abort("connectionrefused"))
        page.reload()
        expect(page.locator("[data-node]")).to_have_count(20)
        expect(page.locator(".spark path").first).to_be_attached()


def test_an_empty_collector_says_how_nodes_come(browser: Browser, tmp_path: Path) -> None:
    with (
        served_mesh(f"sqlite:///{tmp_path / 'isems.db'}", None) as address,
        visit(browser, PHONE, locale="en-GB") as visited,
    ):
        visited.page.goto(address)
        expect(visited.page.get_by_text("No node has reported yet")).to_be_visible()
        visited.page.screenshot(path=SCREENSHOTS / "fleet-empty.png")
        assert visited.troubles == []


def test_three_hundred_nodes_on_a_slow_phone(browser: Browser, tmp_path: Path) -> None:
    with (
        served_mesh(f"sqlite:///{tmp_path / 'isems.db'}", int(time.time()), fine=MANY - 12) as address,
        visit(browser, PHONE, locale="en-GB") as visited,
    ):
        page = visited.page
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", NETWORK)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.add_init_script(NOTE_FIRST_CARD)
        page.goto(address)
        await_fleet(page)
        expect(page.locator("[data-node]")).to_have_count(MANY)
        seen = page.evaluate("firstCardMs")
        sent = page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".filter(one => !one.name.includes('/v1/')).reduce((sum, one) => sum + one.encodedBodySize, 0)"
        )
        print(f"\nprogram {sent / 1000:.1f} kB; on a slow phone the worst of {MANY} nodes after {seen:.0f} ms")
        assert 0 < sent <= MAX_FIRST_LOAD_BYTES
        assert visited.troubles == []


def test_the_old_pages_lead_to_the_new_ones(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.goto(f"{address}details/Elektra-Dach/charts")
        expect(page.get_by_text("No such node")).to_be_visible()
        page.goto(f"{address}api/details/{LATE}")
        expect(page.locator("h1")).to_have_text(LATE)
        page.goto(f"{address}list")
        expect(page.locator(".strip h2")).to_contain_text("3 need you")
        assert visited.troubles == []
