"""Whole files of what boards really sent, received with an hour's outage."""

import pytest

from tests.test_firmware_data import payloads_of
from tests.test_replay import PUBLISHED, check_outage


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_outage_costs_nothing_of_any_file(name: str, sqlite_url: str) -> None:
    print(f"\n{name}: {check_outage(list(payloads_of(name)), sqlite_url, sqlite_url)._asdict()}")
