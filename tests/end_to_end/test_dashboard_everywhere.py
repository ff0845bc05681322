"""Every page of the dashboard in every form, over the simulated mesh with faults, and what no node should send."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from urllib.parse import parse_qs, quote
from zoneinfo import ZoneInfo

import pytest

from tests.troubled_mesh import EMPTY, NAMES, NOWHERE, WORST, served_troubled_mesh

pytest.importorskip("playwright", reason="no browser can be driven on this machine")

from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.browsing import DESKTOP, PHONE, SCREENSHOTS, Visit, visit

PATIENCE_MS = 30_000
#: Where a page is, and what is there once it has all it shows.
PAGES = {
    "fleet": ("#/", "[data-node] .spark path"),
    "node": (f"#/nodes/{quote(WORST, safe='')}", ".lanes canvas"),
    "compare": ("#/compare", ".cell .smallchart path[d*=L]"),
    "map": ("#/map", ".land"),
    "collector": ("#/collector", ".raw"),
}

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_troubled_mesh(tmp_path_factory.mktemp("mesh")) as address:
        yield address


def open_page(visited: Visit, address: str, name: str) -> None:
    """Go to a page and wait for what it is there for."""
    place, awaited = PAGES[name]
    visited.page.goto(f"{address}{place}")
    visited.page.locator(awaited).first.wait_for(state="attached", timeout=PATIENCE_MS)


def take_troubles(visited: Visit) -> list[str]:
    """Give what went wrong since this was asked last."""
    troubles, visited.troubles[:] = [*visited.troubles], []
    return troubles


def test_every_page_works_for_everybody_and_asks_nobody_outside(browser: Browser, address: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    wrong = []
    for size, language, theme in product((PHONE, DESKTOP), ("en", "de"), ("light", "dark")):
        with visit(browser, size, locale=f"{language}-{language.upper()}", color_scheme=theme) as visited:
            for name in PAGES:
                open_page(visited, address, name)
                shown = f"{name}-{size[0]}-{language}-{theme}"
                visited.page.screenshot(path=SCREENSHOTS / f"{shown}.png")
                found = [*visited.check_accessibility(), *take_troubles(visited)]
                found += ["wider than the window"] if visited.scrolls_sideways() else []
                is_higher = visited.page.evaluate("document.documentElement.scrollHeight > innerHeight")
                # On a desktop the parts of a page scroll by themselves.
                found += ["higher than the window"] if size == DESKTOP and is_higher else []
                found += ["not one h1"] if visited.page.locator("h1").count() != 1 else []
                found += ["not marked as simulated"] if visited.page.locator(".simulated:visible").count() != 1 else []
                wrong += [f"{shown}: {one}" for one in found]
            assert visited.page.evaluate("document.documentElement.lang") == language
            assert visited.page.evaluate("document.documentElement.dataset.theme") == theme
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_german_collector_page_says_all_troubles_in_german(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="de-DE") as visited:
        open_page(visited, address, "collector")
        expect(visited.page.get_by_text("Kein Log: /ISEMS/").first).to_be_visible()
        assert visited.page.locator("#app [lang=en]").all_text_contents() == []


def test_no_page_is_wider_than_a_small_phone_or_than_large_letters_make_it(browser: Browser, address: str) -> None:
    wrong = []
    for width, percent, language in product((320, 390), (100, 200), ("en", "de")):
        if (width, percent) == (390, 100):
            continue  # that is every page in every form
        with visit(browser, (width, 640), locale=f"{language}-{language.upper()}") as visited:
            for name in PAGES:
                open_page(visited, address, name)
                visited.page.evaluate("percent => (document.documentElement.style.fontSize = `${percent}%`)", percent)
                if visited.scrolls_sideways():
                    wrong.append(f"{name} in {language}, {width} px, {percent} %: {visited.page.evaluate(WIDEST)}")
    assert not wrong, "\n" + "\n".join(wrong)


#: What stands out at the right and is not cut.
WIDEST = """(() => {
    const isCut = one => one !== document.body && (getComputedStyle(one).overflowX !== "visible" || isCut(one.parentElement));
    return [...document.querySelectorAll("#app *")]
        .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !isCut(one.parentElement))
        .slice(0, 4).map(one => one.outerHTML.slice(0, 100)).join("; ");
})()"""


def last_night(now: datetime) -> tuple[datetime, datetime]:
    """From eight in the evening, eight hours; as much of it as the last day has."""
    begun = now - timedelta(hours=1)
    evening = begun.replace(hour=20, minute=0, second=0, microsecond=0)
    evening -= timedelta(days=evening > begun)
    begin = max(evening, now - timedelta(hours=23))
    return begin, min(begin + timedelta(hours=8), now)


def draw_fingers(page: Page, selector: str, *ways: tuple[float, float]) -> None:
    """Draw fingers over the charts, each from one share of their time to another."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    left, width = box["x"] + GUTTER, box["width"] - GUTTER - RIGHT
    session = page.context.new_cdp_session(page)
    for step, kind in enumerate(["touchStart", *["touchMove"] * 8, "touchEnd"]):
        shares = [begin + (end - begin) * min(step, 8) / 8 for begin, end in ways]
        points = [{"x": left + width * share, "y": box["y"] + 90, "id": number} for number, share in enumerate(shares)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else points})


def chosen_span(page: Page) -> tuple[datetime, datetime]:
    """The part of the time that the address of a node's page names."""
    query = parse_qs(page.url.partition("?")[2])
    begin, end = (datetime.fromisoformat(query[key][0]) for key in ("from", "to"))
    return begin, end


#: Beside the plots (frontend/src/charts/lane.ts).
GUTTER, RIGHT = 40, 8


def test_on_a_roof_one_finds_the_worst_node_and_what_became_of_it_last_night(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB", has_touch=True, is_mobile=True) as visited:
        page = visited.page
        page.clock.install()
        page.goto(address)
        first = page.locator("[data-node]").first
        expect(first.locator("h3")).to_have_text(WORST)
        first.tap()
        expect(page.locator(".verdict .line")).to_have_text("Battery close to disconnect")
        expect(page.locator(".findings .s-crit").first).to_contain_text("Battery close to disconnect")

        page.get_by_role("button", name="1 d", exact=True).tap()
        page.locator(".lanes canvas").first.wait_for()
        page.locator(".lanes").scroll_into_view_if_needed()
        header = page.locator(".a-history header")
        expect(header).to_contain_text("now")
        now = datetime.fromtimestamp(page.evaluate("Date.now()") / 1000, ZoneInfo("Europe/Berlin"))
        night = last_night(now)
        begin, end = (1 - (now - at) / timedelta(days=1) for at in night)
        draw_fingers(page, ".lanes", (begin, end))
        expect(header).not_to_contain_text("now")
        drawn = chosen_span(page)
        assert all(abs(one - wanted) < timedelta(minutes=20) for one, wanted in zip(drawn, night, strict=True))
        expect(page.locator(".readout")).to_contain_text("V")

        # What was under the fingers stays there: they end three times as far apart.
        whole = page.url
        draw_fingers(page, ".lanes", (0.4, 0.2), (0.6, 0.8))
        expect(page).not_to_have_url(whole)
        pinched, third = chosen_span(page), (drawn[1] - drawn[0]) / 3
        wanted_span = (drawn[0] + third, drawn[1] - third)
        assert all(abs(one - wanted) < third / 10 for one, wanted in zip(pinched, wanted_span, strict=True))

        page.get_by_role("button", name="Settings").click()
        page.get_by_role("button", name="Deutsch").click()
        page.get_by_role("button", name="Fertig").click()
        expect(page.locator(".verdict .line")).to_have_text("Akku kurz vor der Abschaltung")
        link, span = page.url, header.text_content()
        page.reload()
        expect(page.locator(".verdict .line")).to_have_text("Akku kurz vor der Abschaltung")
        expect(header).to_have_text(span or "")
        assert page.url == link

        assert visited.troubles == []
        visited.lose_collector()
        page.clock.fast_forward(65_000)
        page.clock.fast_forward(60_000)
        lost = page.get_by_text("Sammler nicht erreichbar seit 2\u202fmin")
        expect(lost).to_be_visible()
        expect(page.locator(".trio dd").first).to_contain_text("11,96")
        visited.is_cut_off = False
        page.get_by_role("button", name="Nochmal versuchen").click()
        expect(lost).to_have_count(0)
        assert page.url == link


def test_what_nodes_call_themselves_and_send_is_text_on_every_page(browser: Browser, address: str) -> None:
    with visit(browser, PHONE, locale="en-GB") as visited:
        page = visited.page
        open_page(visited, address, "fleet")
        assert set(NAMES) <= set(page.locator("[data-node] h3 bdi").all_text_contents())
        for name in NAMES:
            page.goto(f"{address}#/nodes/{quote(name, safe='')}")
            expect(page.locator("h1 bdi")).to_have_text(name)
            expect(page.locator(".verdict")).to_be_visible()
            assert not visited.scrolls_sideways(), name
            assert page.locator(NOT_OURS).count() == 0, name
            assert page.title() == f"{name} · ISEMS"
        open_page(visited, address, "compare")
        assert set(NAMES) <= set(page.locator(".cell h2 bdi").all_text_contents())
        open_page(visited, address, "map")
        pins = page.locator(".pin").evaluate_all("all => all.map(one => one.dataset.mark)")
        listed = page.locator("#without [data-node]").evaluate_all("all => all.map(one => one.dataset.node)")
        assert set(NAMES) <= {*pins, *listed}
        assert set(listed) == {EMPTY, NOWHERE}
        open_page(visited, address, "collector")
        expect(page.get_by_text("<img src=x onerror=alert(2)>;1;yesterday;\\u202eend")).to_be_visible()
        assert page.locator(NOT_OURS).count() == 0
        assert visited.troubles == []


#: What would be there, had a text been taken for HTML.
NOT_OURS = "#app img:not(.leaflet-marker-icon), #app script, #app b[onmouseover]"


def test_pages_are_opened_by_keyboard_and_left_by_the_back_button(browser: Browser, address: str) -> None:
    with visit(browser, DESKTOP, locale="en-GB") as visited:
        page = visited.page
        open_page(visited, address, "fleet")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        names = ("Map", "Compare", "Collector")
        for name in names:
            page.get_by_role("navigation").get_by_role("link", name=name).press("Enter")
            expect(page.locator("h1")).to_have_text(name)
            expect(page.locator("h1")).to_be_focused()
        for name in reversed(names[:-1]):
            page.go_back()
            expect(page.locator("h1")).to_have_text(name)
        page.go_forward()
        expect(page.locator("h1")).to_have_text("Compare")
        page.keyboard.press("Escape")
        page.locator(f'[data-node="{WORST}"]').press("Enter")
        expect(page.locator("h1")).to_have_text(WORST)
        page.locator(".chart").press("+")
        page.locator(".chart").press("+")
        page.go_back()
        expect(page).to_have_url(f"{address}#/")
        assert visited.troubles == []
