"""What a benchmark is and how its rounds are judged."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple


class Round(NamedTuple):
    """One round: our figure and the limit measured right after it; None where the bar is absolute."""

    figure: float
    limit: float | None = None


@dataclass(frozen=True)
class Size:
    """How much work; the tests use a tiny one."""

    lines: int = 3660
    nodes: int = 100
    commits: int = 40
    days: tuple[int, ...] = (1, 30)
    requests: int = 25
    messages: int = 5_000
    backlog: int = 100_000
    groups: int = 44
    polled: int = 1000
    polled_at_once: int = 400
    poll_seconds: float = 0.5


@dataclass(frozen=True)
class Benchmark:
    """A row of the table. `start` prepares and gives what measures a round; the bar is on figure / limit, or, where
    rounds have no limit, on the figure. A row without a bar is reported only.

    `is_absolute`: the bar is on the figure, and the limit stands beside it for orientation.
    """

    name: str
    work: str
    unit: str
    limit: str
    start: Callable[[Size], AbstractContextManager[Callable[[], Round]]]
    at_least: float | None = None
    at_most: float | None = None
    is_absolute: bool = False


@dataclass(frozen=True)
class Outcome:
    """The judged rounds of one benchmark."""

    benchmark: Benchmark
    rounds: Sequence[Round]

    @property
    def figure(self) -> float:
        return median(one.figure for one in self.rounds)

    @property
    def limit(self) -> float | None:
        limits = [one.limit for one in self.rounds if one.limit is not None]
        return median(limits) if limits else None

    @property
    def judged(self) -> list[float]:
        """What the bar is on, of each round."""
        is_absolute = self.benchmark.is_absolute
        return [one.figure if one.limit is None or is_absolute else one.figure / one.limit for one in self.rounds]

    @property
    def value(self) -> float:
        return median(self.judged)

    @property
    def has_passed(self) -> bool | None:
        """None where there is no bar."""
        if self.benchmark.at_least is not None:
            return self.value >= self.benchmark.at_least
        if self.benchmark.at_most is not None:
            return self.value <= self.benchmark.at_most
        return None

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.benchmark.name,
            "work": self.benchmark.work,
            "unit": self.benchmark.unit,
            "figure": self.figure,
            "limit": self.limit,
            "limit_is": self.benchmark.limit,
            "judged": self.value,
            "lowest": min(self.judged),
            "highest": max(self.judged),
            "at_least": self.benchmark.at_least,
            "at_most": self.benchmark.at_most,
            "passed": self.has_passed,
        }


def run(benchmarks: Sequence[Benchmark], size: Size, rounds: int) -> list[Outcome]:
    """Measure in interleaved rounds: a busy moment of the machine then hits all rows, not one."""
    measured: list[list[Round]] = [[] for _ in benchmarks]
    with ExitStack() as stack:
        measures = [stack.enter_context(benchmark.start(size)) for benchmark in benchmarks]
        for _ in range(rounds):
            for results, measure in zip(measured, measures, strict=True):
                results.append(measure())
    return [Outcome(benchmark, results) for benchmark, results in zip(benchmarks, measured, strict=True)]


HEAD = ("", "work", "figure", "limit in this run", "judged", "spread", "bar", "")


def table(outcomes: Sequence[Outcome]) -> str:
    """Give the table as Markdown, aligned for the console."""
    rows = [HEAD, *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _row(outcome: Outcome) -> tuple[str, ...]:
    benchmark, limit, judged = outcome.benchmark, outcome.limit, outcome.judged
    return (
        benchmark.name,
        benchmark.work,
        f"{_number(outcome.figure)} {benchmark.unit}",
        "" if limit is None else f"{_number(limit)} {benchmark.unit}: {benchmark.limit}",
        _number(outcome.value),
        f"{_number(min(judged))} to {_number(max(judged))}",
        _bar(benchmark),
        {True: "pass", False: "FAIL", None: "reported"}[outcome.has_passed],
    )


def _bar(benchmark: Benchmark) -> str:
    if benchmark.at_least is not None:
        return f">= {_number(benchmark.at_least)}"
    return "" if benchmark.at_most is None else f"<= {_number(benchmark.at_most)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
