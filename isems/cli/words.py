"""How results are told on a terminal."""

import sys
from collections.abc import Sequence

import click

from isems.collector import NodeReport
from isems.ingest import IngestResult

#: A log may hold the records of any number of nodes; a line has room for some of their names.
MAX_NAMES = 3


def describe(report: NodeReport) -> str:
    """Tell in one line what a poll brought."""
    if report.error is not None:
        return printable(f"{report.address}: failed: {report.error}")
    if report.left is not None:
        return printable(f"{report.address}: left to {report.left.holder}, which is polling it now")
    nodes = report.result.nodes
    names = ", ".join(nodes[:MAX_NAMES]) + (f" and {len(nodes) - MAX_NAMES} more" if len(nodes) > MAX_NAMES else "")
    parts = [f"{report.address}:", f"{names}:" if names else "", counts(report.result) or "nothing new"]
    line = printable(" ".join(part for part in parts if part))
    if report.note:
        line += f" ({printable(report.note)})"
    if report.short_memory is not None:
        line += f"; warning: it keeps only {report.short_memory} s, what lies between two polls is lost to us"
    return line


def counts(result: IngestResult) -> str:
    """Tell the counts that matter; the empty text where there are none."""
    if not result.records:
        return ""
    text = f"{result.stored} stored, {result.duplicate} duplicate, {result.rejected} rejected"
    if result.reasons:
        text += f" ({', '.join(f'{count} {reason}' for reason, count in sorted(result.reasons.items()))})"
    for count, word in ((result.completed, "completed"), (result.undecided, "waiting for our clock to be right")):
        text += f", {count} {word}" if count else ""
    return text


def printable(text: str) -> str:
    """Give a text from outside without anything that could steer a terminal."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def age(seconds: int) -> str:
    """Give a duration as people say it, in its largest unit: 40 s, 12 min, 3 h, 25 d; a negative one is in the future."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{sign}{seconds // size} {unit}"
    return f"{sign}{seconds} s"


def echo_table(rows: Sequence[Sequence[str]]) -> None:
    """Show rows of cells in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def is_quiet() -> bool:
    """Tell whether nobody watches, so that no progress is shown."""
    return not sys.stderr.isatty()


def clear_line() -> None:
    """Leave the line of a progress bar."""
    if not is_quiet():
        click.echo("\r\033[K", nl=False, err=True)
