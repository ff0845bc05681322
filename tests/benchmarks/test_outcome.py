"""Benchmarks are judged as the bars say."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.__main__ import choose
from benchmarks.history import FULL
from benchmarks.outcome import Benchmark, Outcome, Round, Size, run, table


def outcome(
    *rounds: Round, at_least: float | None = None, at_most: float | None = None, is_absolute: bool = False
) -> Outcome:
    @contextmanager
    def start(_size: Size) -> Iterator[Callable[[], Round]]:
        left = iter(rounds)
        yield lambda: next(left)

    benchmark = Benchmark("name", "work", "s", "ideal", start, at_least, at_most, is_absolute)
    (one,) = run([benchmark], Size(), len(rounds))
    return one


def test_the_median_of_the_ratios_is_judged_not_the_ratio_of_medians() -> None:
    one = outcome(Round(10, 10), Round(20, 10), Round(90, 100), at_least=1)
    assert one.value == 1
    assert (min(one.judged), max(one.judged)) == (0.9, 2)
    assert one.has_passed is True


@pytest.mark.parametrize(
    ("bars", "has_passed"),
    [
        ({"at_least": 0.5}, True),
        ({"at_least": 0.51}, False),
        ({"at_most": 0.5}, True),
        ({"at_most": 0.49}, False),
        ({}, None),
    ],
)
def test_a_bar_is_on_figure_by_limit_and_is_itself_enough(bars: dict[str, float], has_passed: bool | None) -> None:
    assert outcome(Round(5, 10), **bars).has_passed is has_passed


def test_without_a_limit_the_bar_is_on_the_figure() -> None:
    assert outcome(Round(48), at_most=48).has_passed is True
    assert outcome(Round(48.1), at_most=48).has_passed is False


def test_an_absolute_bar_is_on_the_figure_whatever_the_limit() -> None:
    judged = outcome(Round(6, 100), Round(4, 1), Round(7, 100), at_least=5, is_absolute=True)
    assert (judged.value, judged.limit, judged.has_passed) == (6, 100, True)


def test_the_table_names_what_failed() -> None:
    rows = table([outcome(Round(5, 10), at_least=0.6), outcome(Round(5, 10), at_least=0.4)]).splitlines()
    assert ["FAIL" in row for row in rows] == [False, False, True, False]
    assert "pass" in rows[3]
    assert len({len(row) for row in rows}) == 1


def test_a_name_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="no benchmark 'bulky', only bulk, mixed"):
        choose(["bulky"], is_full=False)
    assert [one.name for one in choose(["poll", "bulk"], is_full=False)] == ["poll", "bulk"]
    assert len(choose([], is_full=True)) == len(choose([], is_full=False)) + len(FULL)
