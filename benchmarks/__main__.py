"""`python -m benchmarks [--json] [--full] [--rounds N] [names...]`: the table of budgets; exit code 1 below a bar."""

import argparse
import json
import platform
import sqlite3
import sys
from collections.abc import Sequence
from os import cpu_count, getloadavg

from benchmarks import history, polling, postgres, receiving, service, storing
from benchmarks.outcome import Benchmark, Size, run, table
from isems.cli import prepare_process

USUAL = [
    *storing.BENCHMARKS,
    *postgres.BENCHMARKS,
    *service.BENCHMARKS,
    *history.BENCHMARKS,
    *receiving.BENCHMARKS,
    *polling.BENCHMARKS,
]


def machine() -> str:
    return (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()},"
        f" {cpu_count()} cores, load {getloadavg()[0]:.1f} at the start"
    )


def choose(names: Sequence[str], *, is_full: bool) -> list[Benchmark]:
    """Give the benchmarks of these names, else all; raises ValueError for a name that is none."""
    known = {benchmark.name: benchmark for benchmark in [*USUAL, *history.FULL]}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no benchmark {name!r}, only {', '.join(known)}")
    return [known[name] for name in names] or [*USUAL, *(history.FULL if is_full else [])]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these rows")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--full", action="store_true", help="with a year of history: takes minutes and 3 GB of disk")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    asked = parser.parse_args(arguments)
    try:
        chosen = choose(asked.names, is_full=asked.full)
    except ValueError as error:
        parser.error(str(error))
    prepare_process()  # as the commands do
    here = machine()
    outcomes = run(chosen, Size(), max(1, asked.rounds))
    if asked.json:
        print(json.dumps({"machine": here, "rows": [outcome.as_dict() for outcome in outcomes]}, indent=2))
    else:
        print(f"{here}; the median of {max(1, asked.rounds)} interleaved rounds\n\n{table(outcomes)}")
    return 1 if any(outcome.has_passed is False for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
