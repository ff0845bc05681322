"""Which messages have waited in the broker."""

import pytest

from isems.sources.mqtt_backlog import Backlog


def test_messages_that_waited_are_not_live_until_a_node_pauses() -> None:
    backlog = Backlog()
    assert not backlog.holds("a", 1000)  # a new session has no past
    backlog.is_expected = True
    assert backlog.holds("a", 1000)
    assert backlog.holds("a", 1001)
    assert backlog.holds("b", 1001)
    assert not backlog.holds("a", 1045)
    assert not backlog.holds("a", 1046)
    assert backlog.holds("b", 1040)
    assert not backlog.holds("b", 1081)


def test_made_up_nodes_fill_no_memory_and_change_nothing_for_those_that_were_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("isems.sources.mqtt_backlog.MAX_REMEMBERED", 3)
    backlog = Backlog()
    backlog.is_expected = True
    assert backlog.holds("a", 1000)
    assert all(backlog.holds(f"made up {n}", 1001) for n in range(100))
    assert len(backlog._last) == 3
    assert not backlog.holds("a", 1045)
    assert all(backlog.holds("one too many", 2000 + 65 * n) for n in range(3))
    assert not backlog.holds("a", 3000)
