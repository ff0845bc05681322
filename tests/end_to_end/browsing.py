"""A browser that reaches nothing but this computer, and remembers what went wrong on its pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, Route, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
#: Kept as artifacts of a run; git ignores it.
SCREENSHOTS = ROOT / "screenshots"
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
PHONE = (390, 844)
DESKTOP = (1440, 900)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)


@contextmanager
def run_browser(program: Path, *flags: str) -> Iterator[Browser]:
    """Start a browser with a profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *flags])
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page, and what it should not have done."""

    page: Page
    troubles: list[str] = field(default_factory=list)
    #: Like a collector that is switched off.
    is_cut_off: bool = False

    def watch(self) -> None:
        self.page.on("console", lambda message: self.troubles.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("requestfailed", self._note_failed)
        self.page.on("dialog", lambda dialog: self.troubles.append(f"dialog: {dialog.message}"))

    def stand_between(self) -> None:
        """Decide for each request whether it passes."""
        self.page.route("**/*", self._let_pass)

    def lose_collector(self) -> None:
        """From now on nobody answers. What is still on its way arrives before that, or it would count as a sign of life."""
        self.page.wait_for_load_state("networkidle")
        self.is_cut_off = True

    def _note_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before the answer came
            self.troubles.append(f"failed: {request.failure} {request.url}")

    def _let_pass(self, route: Route) -> None:
        is_outside = urlsplit(route.request.url).hostname != "127.0.0.1"
        if is_outside:
            self.troubles.append(f"outside: {route.request.url}")
        if is_outside or self.is_cut_off:
            route.abort("connectionrefused")
        else:
            route.continue_()

    def check_accessibility(self) -> list[str]:
        """Give what axe-core finds wrong, each with the first place."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        # What passed is left where it is: it is megabytes.
        found = self.page.evaluate("axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)")
        return [f"{one['id']}: {one['nodes'][0]['html']} {one['nodes'][0].get('failureSummary')}" for one in found]

    def scrolls_sideways(self) -> bool:
        """Tell whether the page is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@contextmanager
def visit(
    browser: Browser, size: tuple[int, int] = PHONE, *, is_between: bool = True, **options: Any
) -> Iterator[Visit]:
    """Open a page as somebody who was never here. Standing between it and the collector takes time of each request."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    try:
        visited = Visit(context.new_page())
        visited.watch()
        if is_between:
            visited.stand_between()
        yield visited
    finally:
        context.close()
