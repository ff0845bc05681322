"""Every page of the dashboard in every form, over the simulated mesh with faults, and what no node should send."""

from collections.abc import Iterator
from itertools import product
from urllib.parse import quote

import pytest

from isems.api.dashboard import BUILD, INDEX
from tests.services import CHROMIUM, require_service
from tests.troubled_mesh import TIGHT, served_troubled_mesh

pytest.importorskip("playwright", reason="no browser can be driven on this machine")

from playwright.sync_api import Browser, expect

from tests.end_to_end.browsing import DESKTOP, PHONE, SCREENSHOTS, Visit, run_browser, visit

PATIENCE_MS = 30_000
#: Where a page is, and what is there once it has all it shows.
PAGES = {
    "fleet": ("#/", "[data-node] .spark path"),
    "node": (f"#/nodes/{quote(TIGHT, safe='')}", ".lanes canvas"),
    "compare": ("#/compare", ".cell .small path[d*=L]"),
    "map": ("#/map", ".land"),
    "collector": ("#/collector", ".raw"),
}

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = require_service(CHROMIUM)
    assert (BUILD / INDEX).is_file(), "the dashboard is not built: `make setup` builds it"
    with run_browser(program) as browser:
        yield browser


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
                found += ["not one h1"] if visited.page.locator("h1").count() != 1 else []
                wrong += [f"{shown}: {one}" for one in found]
            assert visited.page.evaluate("document.documentElement.lang") == language
            assert visited.page.evaluate("document.documentElement.dataset.theme") == theme
    assert not wrong, "\n" + "\n".join(wrong)
