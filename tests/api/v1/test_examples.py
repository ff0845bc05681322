"""docs/api.md: its answers are what is answered, and it leaves no resource out."""

import re

from isems.api.v1.openapi import describe_api
from isems.storage.database import Database
from tests.api.v1.examples import EXAMPLE, PAGE, make_client, write_page


def test_every_example_is_answered_as_it_stands_in_the_page(database: Database) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert write_page(page, make_client(database)) == page


def test_every_resource_has_an_example() -> None:
    asked = {found["path"].partition("?")[0] for found in EXAMPLE.finditer(PAGE.read_text(encoding="utf-8"))}
    for path in describe_api()["paths"]:
        if not path.startswith("/node/") and path != "/node":  # as their twins with the node in the path
            pattern = re.compile("/api/v1" + path.replace("{node}", "[^/]+"))
            assert any(map(pattern.fullmatch, asked)), path
