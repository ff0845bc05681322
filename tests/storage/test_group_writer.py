"""GroupWriter: when a group is written, and that nothing which came is forgotten."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from isems.storage.group_writer import GroupWriter

FOR_EVER = 3600


class Log:
    """Remembers what was written; `*` is a rest."""

    def __init__(self) -> None:
        self.groups: list[list[str] | str] = []
        self.changed = threading.Condition()

    def write(self, items: Sequence[str]) -> list[str | Exception]:
        self._note(list(items))
        if "broken" in items:
            raise ZeroDivisionError("oops")
        return [ValueError(item) if item == "bad" else item.upper() for item in items]

    def rest(self) -> None:
        self._note("*")

    def _note(self, what: list[str] | str) -> None:
        with self.changed:
            self.groups.append(what)
            self.changed.notify_all()

    def wait_for(self, count: int) -> list[list[str] | str]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.groups) >= count, timeout=10)
            return list(self.groups)


@contextmanager
def writer(log: Log, interval: float = 0, limit: int = 100, rest: float = FOR_EVER) -> Iterator[GroupWriter[str, str]]:
    made: GroupWriter[str, str] = GroupWriter(
        log.write, log.rest, interval_seconds=interval, limit=limit, rest_seconds=rest
    )
    try:
        yield made
    finally:
        made.close()


def test_what_comes_within_the_interval_is_one_group() -> None:
    log = Log()
    with writer(log, interval=0.3) as made:
        started = time.monotonic()
        futures = [made.put(item) for item in "abc"]
        assert [future.result(10) for future in futures] == ["A", "B", "C"]
        assert time.monotonic() - started >= 0.3
        assert log.groups == [["a", "b", "c"]]


def test_enough_of_it_is_written_at_once() -> None:
    log = Log()
    with writer(log, interval=FOR_EVER, limit=3) as made:
        futures = [made.put(item) for item in "abc"]
        assert [future.result(10) for future in futures] == ["A", "B", "C"]


def test_a_group_weighs_no_more_than_the_limit_unless_one_alone_does() -> None:
    log = Log()
    with writer(log, interval=FOR_EVER, limit=10) as made:
        first = made.put("a", 4)
        second = made.put("b", 40)
        assert (first.result(10), second.result(10)) == ("A", "B")
        assert log.groups == [["a"], ["b"]]


def test_what_waits_can_be_written_now() -> None:
    log = Log()
    with writer(log, interval=FOR_EVER) as made:
        future = made.put("a")
        made.flush()
        assert future.result(0) == "A"
        made.flush()  # nothing waits
        assert log.groups == [["a"]]


def test_in_a_hurry_what_waits_is_written_without_being_waited_for() -> None:
    with writer(Log(), interval=FOR_EVER) as made:
        future = made.put("a")
        made.hurry()
        assert future.result(10) == "A"


def test_to_write_now_means_to_wait_for_the_group_in_hand_too() -> None:
    log, go_on = Log(), threading.Event()
    begin = log.write

    def write_slowly(items: Sequence[str]) -> list[str | Exception]:
        results = begin(items)
        go_on.wait(10)
        return results

    log.write = write_slowly  # type: ignore[method-assign]
    with writer(log) as made:
        future = made.put("a")
        log.wait_for(1)
        threading.Timer(0.1, go_on.set).start()
        made.flush()
        assert future.done()


def test_a_smaller_limit_counts_at_once() -> None:
    with writer(Log(), interval=FOR_EVER, limit=10) as made:
        future = made.put("a", 4)
        made.set_limit(3)
        assert future.result(10) == "A"


def test_without_an_interval_it_is_written_as_soon_as_it_can_be() -> None:
    with writer(Log()) as made:
        assert made.put("a").result(10) == "A"


def test_one_that_fails_fails_alone_and_the_writer_goes_on() -> None:
    log = Log()
    with writer(log, interval=0.05) as made:
        good, bad = made.put("good"), made.put("bad")
        assert good.result(10) == "GOOD"
        with pytest.raises(ValueError, match="bad"):
            bad.result(10)
        with pytest.raises(ZeroDivisionError):
            made.put("broken").result(10)
        assert made.put("later").result(10) == "LATER"


def test_what_waits_at_the_end_is_written_before_the_last_rest() -> None:
    log = Log()
    with writer(log, interval=FOR_EVER) as made:
        future = made.put("a")
    assert future.result(0) == "A"
    assert log.groups == [["a"], "*"]
    made.close()
    with pytest.raises(RuntimeError, match="closed"):
        made.put("b")


def test_after_a_quiet_while_it_rests_once_until_something_comes() -> None:
    log = Log()
    with writer(log, rest=0.05) as made:
        assert log.wait_for(1) == ["*"]  # what an earlier process left
        time.sleep(0.2)
        assert log.groups == ["*"]
        made.put("a").result(10)
        assert log.wait_for(3) == ["*", ["a"], "*"]


def test_while_something_comes_it_does_not_rest() -> None:
    log = Log()
    with writer(log, rest=0.5) as made:
        for number in range(20):
            made.put(str(number)).result(10)
            time.sleep(0.05)
        assert "*" not in log.groups


def test_a_rest_that_fails_is_told_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    log.rest = lambda: 1 / 0  # type: ignore[method-assign, assignment]
    with writer(log) as made:
        assert made.put("a").result(10) == "A"
    assert "will be later" in caplog.text


def test_one_that_was_given_up_is_not_written() -> None:
    log = Log()
    with writer(log, interval=0.2) as made:
        assert made.put("a").cancel()
        assert made.put("b").result(10) == "B"
    assert log.groups[0] == ["b"]
