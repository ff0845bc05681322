"""One browser for each file of tests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from isems.api.dashboard import BUILD, INDEX
from tests.services import CHROMIUM, require_service

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium, over the dashboard as it was built."""
    program = require_service(CHROMIUM)
    assert (BUILD / INDEX).is_file(), "the dashboard is not built: `make setup` builds it"
    from tests.end_to_end.browsing import run_browser  # no browser can be driven on every machine

    with run_browser(program) as browser:
        yield browser
