"""`python -m benchmarks.capacity [--write]`: the plan of docs/scaling.md, from the rows that docs/performance.md shows."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parent.parent / "docs"
FLEETS = (1_000, 100_000, 10_000_000)
#: What nodes do (docs/nodes.md): a record a minute, a message each 65 s, or a poll each quarter of an hour.
RECORD_SECONDS, MESSAGE_SECONDS, POLL_SECONDS = 60, 65, 900
DAY = 86_400
#: Half is left for what comes after an outage, and for whoever reads.
USABLE = 0.5
#: The row `poll` asks so many nodes.
POLLED = 1000
FACTORS = {"": 1, "k": 1000}
BEGIN, END = "<!-- python -m benchmarks.capacity --write -->", "<!-- end -->"


class Plan(NamedTuple):
    """What a fleet of nodes needs; rates are per second, bytes per day and without roll-ups."""

    nodes: int
    records: float
    messages: float
    polls: float
    sqlite_bytes: float
    postgres_bytes: float
    #: Processes that receive all messages, or poll all nodes.
    subscribers: int
    pollers: int
    #: Databases, since one has one writer at a time.
    shards: int


def read_rows(markdown: str) -> dict[str, float]:
    """Give the figures of a table of benchmarks, by the names of its rows, in their plain unit: 7.1 k/s is 7100."""
    rows = re.findall(r"^\| *([a-z0-9-]+) *\|[^|]*\| *([0-9.,]+) ([a-zA-Z]*)[^|]*\|", markdown, re.MULTILINE)
    return {name: float(number.replace(",", "")) * FACTORS.get(unit, 1) for name, number, unit in rows}


def plan(nodes: int, rows: Mapping[str, float]) -> Plan:
    """Derive what a fleet needs from the figures of mqtt-1000, poll, mixed-postgres, at-rest and at-rest-postgres."""
    records, messages, polls = nodes / RECORD_SECONDS, nodes / MESSAGE_SECONDS, nodes / POLL_SECONDS
    return Plan(
        nodes=nodes,
        records=records,
        messages=messages,
        polls=polls,
        sqlite_bytes=records * DAY * rows["at-rest"],
        postgres_bytes=records * DAY * rows["at-rest-postgres"],
        subscribers=ceil(messages / (USABLE * rows["mqtt-1000"])),
        pollers=ceil(polls / (USABLE * POLLED / rows["poll"])),
        shards=ceil(records / (USABLE * rows["mixed-postgres"])),
    )


def _bytes(number: float) -> str:
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} B"


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def table(plans: Sequence[Plan]) -> str:
    """Give the plans as Markdown, a fleet each column."""
    lines: list[tuple[str, list[str]]] = [
        ("nodes", [f"{one.nodes:,}" for one in plans]),
        ("records a second", [_number(one.records) for one in plans]),
        ("messages a second, by MQTT", [_number(one.messages) for one in plans]),
        ("or polls a second", [_number(one.polls) for one in plans]),
        ("bytes a day, SQLite", [_bytes(one.sqlite_bytes) for one in plans]),
        ("bytes a day, PostgreSQL", [_bytes(one.postgres_bytes) for one in plans]),
        ("subscribers", [_number(one.subscribers) for one in plans]),
        ("or polling collectors", [_number(one.pollers) for one in plans]),
        ("databases of PostgreSQL", [_number(one.shards) for one in plans]),
    ]
    head, *others = [f"| {name} | {' | '.join(cells)} |" for name, cells in lines]
    return "\n".join([head, "|---" + "|---:" * len(plans) + "|", *others])


def planned() -> str:
    """Give the table that docs/scaling.md should show."""
    rows = read_rows((DOCS / "performance.md").read_text())
    return table([plan(nodes, rows) for nodes in FLEETS])


def write(path: Path) -> None:
    """Put the table between its marks in a page."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{planned()}\n\n{END}{after}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it into docs/scaling.md")
    if parser.parse_args(arguments).write:
        write(DOCS / "scaling.md")
    else:
        print(planned())
    return 0


if __name__ == "__main__":
    sys.exit(main())
