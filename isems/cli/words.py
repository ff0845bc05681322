"""How results are told on a terminal."""

import sys
from collections.abc import Iterator, Sequence

import click

from isems.capacity import StorageReport
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


def size(count: float) -> str:
    """Give a number of bytes as people say it, in powers of ten: 40 B, 1.2 kB, 350 MB."""
    for power, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.3g} {unit}"
    return f"{count:.0f} B"


def describe_storage(report: StorageReport) -> Iterator[str]:
    """Tell how much room the data take, as far as it can be told."""
    yield f"database: {size(report.database_bytes)} for {report.measurements} measurements"
    if report.bytes_per_measurement is not None:
        yield f"each takes: {size(report.bytes_per_measurement)}, with roll-ups, indexes and all else"
    growth = "" if report.growth_bytes_per_day is None else f", {size(report.growth_bytes_per_day)}"
    yield f"growth: {report.measurements_per_day:.0f} measurements a day{growth}"
    if report.disk_free_bytes is not None:
        until = "" if report.days_until_full is None else f", enough for {report.days_until_full:.0f} days"
        yield f"disk: {size(report.disk_free_bytes)} free{until}"
    if report.written_bytes_per_day is not None and report.written_since is not None:
        since = report.written_since.date().isoformat()
        yield f"written: {size(report.written_bytes_per_day)} a day on average since {since}, by this program"


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
