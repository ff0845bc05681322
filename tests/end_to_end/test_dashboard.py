"""The dashboard in a browser, over a mesh with every kind of trouble."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from isems.domain.finding import Severity
from tests.dashboard_mesh import CRITICAL, INACTIVE, LATE, LOST, SILENT_CONTROLLER, served_mesh

pytest.importorskip("playwright", reason="no browser can be driven on this machine")

from playwright.sync_api import Browser, Page, Route, expect

from tests.end_to_end.browsing import DESKTOP, PHONE, SCREENSHOTS, visit

#: Longer than anything here takes on a busy machine.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


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
    while not page.evaluate("localStorage.getItem('isems.kept.2.sparks') !== null"):
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


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_fleet_tells_who_needs_somebody(browser: Browser, address: str, language: str) -> None:
    with visit(browser, PHONE, locale=f"{language}-{language.upper()}") as visited:
        page = visited.page
        page.goto(address)
        await_fleet(page)
        headline, count, sentence, volts, margin = SAID[language]
        expect(page.locator(".strip h2")).to_contain_text(headline)
        expect(page.locator(".strip h2")).to_contain_text(count)
        first = page.locator("[data-node]").first
        assert first.get_attribute("data-node") == CRITICAL
        for text in (sentence, volts, margin):
            expect(first).to_contain_text(text)
        expect(page.get_by_text(SIMULATED[language]).locator("visible=true")).to_have_count(1)
        assert visited.troubles == []


def test_a_placeholder_is_hidden_and_says_so(browser: Browser, address: str) -> None:
    with visit(browser, locale="en-GB") as visited:
        visited.page.goto(address)
        shown = visited.page.locator(f'[data-node="{SILENT_CONTROLLER}"]')
        expect(shown).to_contain_text("Solar controller silent")
        expect(shown.locator(".nums")).to_have_text("–Vhidden")


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


def test_of_very_many_nodes_the_list_says_where_it_ends_and_the_search_finds_the_others(
    browser: Browser, address: str
) -> None:
    with visit(browser, locale="en-GB") as visited:
        page = visited.page
        page.route("**/v1/nodes", fill_list)
        page.goto(address)
        expect(page.locator(".strip h2")).to_have_text("1 needs you of 5000 nodes")
        expect(page.get_by_role("button", name="Fine")).to_contain_text("4999")
        expect(page.get_by_text("The list ends after the 1000 worst nodes.")).to_be_visible()
        page.get_by_placeholder("Find a node").fill("Dach 1")
        expect(page.locator("[data-node] h3")).to_have_text(["Dach 1"])
        assert visited.troubles == []
        for name in (
            "Map",
            "Compare",
        ):  # which asks for the measurements of nodes that the collector has never heard of
            page.get_by_role("link", name=name).click()
            expect(page.get_by_text("Only the 1000 worst of 5000 nodes are here.")).to_be_visible()


def fill_list(route: Route) -> None:
    """Answer as if there were more nodes than a page holds, and those that are fine on the next one."""
    worst, *rest = route.fetch().json()["nodes"]
    fine = next(one for one in rest if one["state"] == Severity.FINE)
    others = [fine | {"node": f"Fern {number}", "newest": None} for number in range(999)]
    states = dict.fromkeys(Severity, 0) | {worst["state"]: 1, Severity.FINE: 4999}
    route.fulfill(json={"nodes": [worst, *others], "next": "more", "states": states, "inactive": 0})


def test_where_only_the_worst_nodes_came_it_says_that_there_are_more(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.route("**/v1/nodes", lambda route: route.abort("connectionreset"))
        page.goto(address)
        expect(page.locator(".banner")).to_contain_text("Only the 12 worst of 21 nodes have come.")
        expect(page.locator("[data-node]")).to_have_count(12)
        expect(page.locator(".outline")).to_have_count(0)
        expect(page.locator(".strip h2")).to_have_text("3 need you of 20 nodes")
        page.unroute("**/v1/nodes")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("[data-node]")).to_have_count(20)
        expect(page.locator(".banner")).to_have_count(0)


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_a_worst_node_does_not_wait_for_all_others(browser: Browser, address: str, size: tuple[int, int]) -> None:
    with visit(browser, size, locale="en-GB") as visited:
        page = visited.page
        page.route("**/v1/nodes", lambda route: route.abort("connectionreset"))
        page.goto(f"{address}#/nodes/{quote(CRITICAL)}")
        expect(page.locator(".verdict .line")).to_be_visible()


def test_of_nodes_that_it_does_not_know_the_collector_page_claims_nothing(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.route("**/v1/nodes*", lambda route: None)
        page.goto(f"{address}#/collector")
        expect(page.get_by_role("heading", name="Clocks")).to_be_visible()
        expect(page.get_by_text("No node's clock is known to be wrong")).to_have_count(0)


def test_a_picture_that_cannot_be_loaded_takes_nothing_else_away(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.route("**/assets/fleet-*", lambda route: route.abort("connectionrefused"))
        with page.expect_event("requestfailed", lambda request: "/assets/fleet-" in request.url):
            page.goto(address)
        page.evaluate("window.isStillHere = true")
        with page.expect_event("requestfailed", lambda request: "/assets/fleet-" in request.url):
            pass  # it is tried again
        assert page.evaluate("window.isStillHere")
        expect(page.locator("[data-node]")).to_have_count(20)


def test_what_was_kept_is_of_the_past_until_there_is_an_answer(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.clock.install()
        page.goto(address)
        await_fleet(page)
        page.clock.fast_forward(3 * 3_600_000)
        page.route("**/v1/nodes*", lambda route: None)  # nobody answers, and nobody says so
        page.reload()
        expect(page.locator(".strip h2")).to_contain_text("3 needed you")
        expect(page.locator(".fleet")).to_have_class("fleet frozen")


def test_a_page_that_cannot_be_loaded_comes_when_the_collector_is_back(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.route("**/assets/node-*", lambda route: route.abort("connectionrefused"))
        page.goto(address)
        await_fleet(page)
        visited.lose_collector()
        with page.expect_event("requestfailed", lambda request: request.method == "HEAD"):
            page.locator(f'[data-node="{CRITICAL}"]').click()
        expect(page.locator(".nav")).to_be_visible()  # and not the browser's own error
        page.unroute("**/assets/node-*")
        visited.is_cut_off = False
        expect(page.locator("h1")).to_have_text(CRITICAL)


def test_without_the_collector_it_shows_what_it_last_knew_and_comes_back(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        page.clock.install()
        page.goto(address)
        await_fleet(page)
        visited.lose_collector()
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


REFUSED = {
    "en": "the database /isems.db cannot be used: disk I/O error. It tries again by itself.",
    "de": "Die Datenbank /isems.db ist nicht zu benutzen: Lese- oder Schreibfehler. Es wird von selbst weiter versucht.",
}


@pytest.mark.parametrize("language", ["en", "de"])
def test_why_the_collector_cannot_answer_is_said_in_the_readers_language(
    browser: Browser, address: str, language: str
) -> None:
    problem = {"status": 503, "detail": "the database /isems.db cannot be used: disk I/O error"}
    with visit(browser, PHONE, locale=f"{language}-{language.upper()}") as visited:
        page, loaded = visited.page, []
        page.on("request", lambda request: loaded.append(request.url))
        page.route("**/v1/nodes*", lambda route: route.fulfill(status=503, json=problem))
        page.goto(address)
        expect(page.locator(".banner p")).to_have_text(REFUSED[language])
        # Who reads English needs no other language.
        assert any("/assets/said-" in url for url in loaded) == (language == "de")


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
