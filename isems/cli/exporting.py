"""The command that gives measurements away."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from isems.cli.base import FAILED, commands, opened, read_config
from isems.cli.words import is_quiet
from isems.domain.instants import MAX_INSTANT, parse_instant
from isems.errors import ConfigError
from isems.export import CSV, NDJSON, Selection, TextFormat, choose, read_pieces, write_file
from isems.export.files import check_target
from isems.export.parquet import check_duckdb, write_parquet
from isems.storage.database import Database

TEXT_FORMATS = {"csv": CSV, "ndjson": NDJSON}


@commands.command("export")
@click.option("--from", "first", metavar="TIME", help="From this instant on: RFC 3339, epoch seconds, or as now-7d.")
@click.option("--to", "end", metavar="TIME", help="Up to, not including, this instant.")
@click.option(
    "--nodes", "names", multiple=True, metavar="NAMES", help="Separated by commas, or repeated; default: all."
)
@click.option("--format", "form", type=click.Choice([*TEXT_FORMATS, "parquet"]), default="csv", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file; default: the standard output.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def export(
    first: str | None, end: str | None, names: tuple[str, ...], form: str, output: Path | None, force: bool
) -> None:
    """Write stored measurements as CSV, as a JSON object a line, or as Parquet."""
    config = read_config()
    selected = _read_range(first, end, config.timezone)
    if form == "parquet":
        check_duckdb()
        if output is None:
            raise ConfigError("--output is not set, expected a file: Parquet cannot be written to the standard output")
    if output is not None:
        check_target(output, is_forced=force)
    with opened(config.database_url) as database:
        selection = choose(database, names, *selected)
        lines = _lines(database, selection, TEXT_FORMATS.get(form, NDJSON))
        if output is None:
            _write_to_stdout(lines)
        elif form == "parquet":
            write_file(output, lambda file: write_parquet(file, lines), is_forced=force)
        else:
            write_file(output, lambda file: file.writelines(lines), is_forced=force)


def _read_range(first: str | None, end: str | None, zone: ZoneInfo) -> tuple[int, int]:
    now = int(time.time())
    begins = _read_instant("--from", first, now, zone, 0)
    ends = _read_instant("--to", end, now, zone, MAX_INSTANT + 1)
    if begins >= ends:
        raise ConfigError(f"--to is {end!r}, expected an instant after --from, which is {first!r}")
    return begins, ends


def _read_instant(option: str, text: str | None, now: int, zone: ZoneInfo, default: int) -> int:
    try:
        return default if text is None else parse_instant(text, now, zone)
    except ValueError as error:
        raise ConfigError(f"{option} is {error}") from None


def _lines(database: Database, selection: Selection, form: TextFormat) -> Iterator[bytes]:
    """Give the text, and show how much of it is done."""
    bar = click.progressbar(length=selection.seconds, label="Exporting", file=sys.stderr, hidden=is_quiet())
    with bar:
        for piece in read_pieces(database, selection, form):
            yield piece.data
            bar.update(piece.seconds)


def _write_to_stdout(lines: Iterable[bytes]) -> None:
    try:
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # whoever reads has enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered is not to fail again
        sys.exit(FAILED)
