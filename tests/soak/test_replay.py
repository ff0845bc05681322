"""Whole files of what boards really sent, received twice, and with an hour's outage."""

import pytest

from tests.test_firmware_data import payloads_of
from tests.test_replay import PUBLISHED, check_outage, check_twice


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_outage_costs_nothing_of_any_file(name: str, sqlite_url: str) -> None:
    print(f"\n{name}: {check_outage(list(payloads_of(name)), sqlite_url, sqlite_url)._asdict()}")


@pytest.mark.parametrize("name", PUBLISHED)
def test_all_of_a_file_sent_twice_is_stored_once(name: str, sqlite_url: str) -> None:
    print(f"\n{name}: {check_twice(list(payloads_of(name)), sqlite_url)._asdict()}")
