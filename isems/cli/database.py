"""Commands that look after the database."""

import sys
from contextlib import ExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from isems.capacity import report_storage
from isems.cli.base import FAILED, commands, exit_on_errors, opened, read_own_moment
from isems.cli.words import describe_storage, is_quiet, printable, size
from isems.config import Config, read_days_to_keep
from isems.domain.buckets import DAY
from isems.errors import ConfigError, StorageError
from isems.storage.adoption import PREDECESSORS_DEFAULT
from isems.storage.database import Database
from isems.storage.partitions import Layout, partition
from isems.storage.predecessor import Progress
from isems.switchover.adopt import adopt
from isems.switchover.move import Upgraded, Voice
from isems.switchover.move import upgrade as upgrade_any
from isems.switchover.plan import describe_upgrade
from isems.upkeep import PruneReport, find_prunable, roll_up_all, shrink
from isems.upkeep import prune as prune_all


@commands.group()
def db() -> None:
    """Look after the database."""


#: Where to look for the predecessor's measurements if DATABASE_URL is not set.
default_database = click.option(
    "--predecessors-default",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=PREDECESSORS_DEFAULT,
    show_default=True,
    help="The predecessor's database where DATABASE_URL was never set.",
)


@db.command()
@click.option("--timezone", metavar="ZONE", help="The zone of the predecessor's times, where PostgreSQL's is another.")
@default_database
def upgrade(timezone: str | None, predecessors_default: Path) -> None:
    """Create the database, or bring an older one up to this version."""
    with exit_on_errors():
        config = Config.from_environment()
        zone = None if timezone is None else _read_zone(timezone)
        with opened(config.database_url) as database, _Bars() as bars:
            voice = Voice(bars.say, bars.show)
            if not config.is_database_named:
                adopt(predecessors_default, database, voice)
            upgraded = upgrade_any(database, read_own_moment(config), voice, zone)
        click.echo(f"{database.place} {_describe_upgrade(upgraded)}.")


def _read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ConfigError(f"--timezone is {name!r}, expected the name of a time zone, such as Europe/Berlin") from None


class _Bars:
    """Progress bars, one for each kind of work, and the lines said between them; no bar where nobody watches."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._label = ""

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def say(self, sentence: str) -> None:
        """Tell a line, below the bar before it."""
        self._stack.close()
        self._label = ""
        click.echo(sentence)

    def show(self, label: str, done: int, total: int) -> None:
        """Show how much of a work is done."""
        if label != self._label:
            self._stack.close()
            self._label = label
            bar = click.progressbar(length=total, label=label, show_pos=True, file=sys.stderr, hidden=is_quiet())
            self._bar = self._stack.enter_context(bar)
        self._bar.length = total
        self._bar.update(done - self._bar.pos)


def _describe_upgrade(upgraded: Upgraded) -> str:
    if upgraded.before == upgraded.after:
        return "is up to date"
    if upgraded.before is None:
        return "was created"
    text = f"was upgraded from version {upgraded.before} to {upgraded.after}"
    return text if upgraded.moved is None or not upgraded.moved.done else f"{text}: {_describe_move(upgraded.moved)}"


def _describe_move(moved: Progress) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(moved.rejected.items()))
    rejected = sum(moved.rejected.values())
    parts = [
        f"{moved.moved} rows moved",
        f"{moved.duplicate} duplicate" if moved.duplicate else "",
        f"{rejected} rejected" + (f" ({reasons})" if reasons else ""),
        f"{moved.doubled} in doubled hours, of which {moved.second} in the second pass",
    ]
    return ", ".join(filter(None, parts)) + f"; times read as those of {moved.zone}"


@db.command("partition")
@click.option(
    "--by",
    type=click.Choice(list(Layout)),
    default=Layout.MONTHS,
    show_default=True,
    help="A table for each month, or as TimescaleDB or Citus does it.",
)
def partition_measurements(by: Layout) -> None:
    """Divide the table of measurements, on PostgreSQL: for large installations. Collectors wait meanwhile."""
    with exit_on_errors():
        config = Config.from_environment()
        with opened(config.database_url) as database:
            if database.is_sqlite:
                raise ConfigError(f"DATABASE_URL is {database.place!r}, expected PostgreSQL: SQLite has no partitions")
            with database.write() as connection:
                partition(connection, by)
            click.echo(f"{database.place}: the table of measurements is divided by {by}.")


@commands.command()
@click.option("--before-upgrade", is_flag=True, help="Tell what `db upgrade` would do.")
@click.option("--json", "is_json", is_flag=True, help="The room that the data take as one JSON object, for a script.")
@default_database
def doctor(*, before_upgrade: bool, is_json: bool, predecessors_default: Path) -> None:
    """Examine the database without changing it: the room it takes, its growth, how long the disk will do."""
    if before_upgrade and is_json:
        raise click.UsageError("--before-upgrade tells people: --json is not for it")
    config = Config.from_environment()
    with opened(config.database_url) as database:
        if before_upgrade:
            default = None if config.is_database_named else predecessors_default
            for sentence in describe_upgrade(database, read_own_moment(config), default=default):
                click.echo(sentence)
            return
        with database.read() as connection:
            report = report_storage(connection, read_own_moment(config).now)
    click.echo(msgspec.json.encode(report) if is_json else "\n".join(describe_storage(report)))


@commands.command()
@click.option("--keep-raw", metavar="DAYS", required=True, help="How many days of raw data to keep, such as 400d.")
@click.option("--dry-run", is_flag=True, help="Tell what would be deleted, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
def prune(keep_raw: str, *, dry_run: bool, as_json: bool) -> None:
    """Delete raw data that are older than DAYS; their roll-ups by hour and day stay, and of each node its newest 1440.

    Each day is deleted only after its roll-ups were compared with it.
    """
    config = Config.from_environment()
    now = read_own_moment(config).now
    before = now - _read_days(keep_raw) * DAY
    with opened(config.database_url) as database, _Bars() as bars:
        database.make_ready()
        if dry_run:
            report = find_prunable(database, before, config.timezone)
            report.bytes = _estimate_bytes(database, report.rows, now)
        else:
            report = _prune(database, before, config.timezone, bars)
    click.echo(msgspec.json.encode(report).decode() if as_json else _describe_pruned(report, is_dry=dry_run))
    if report.unverified or report.failed:
        sys.exit(FAILED)


def _read_days(text: str) -> int:
    try:
        return read_days_to_keep(text)
    except ValueError as error:
        raise ConfigError(f"--keep-raw is {text!r}, expected {error}") from None


def _prune(database: Database, before: int, zone: ZoneInfo, bars: _Bars) -> PruneReport:
    if not roll_up_all(database, zone, min_hours=1, tell=lambda done, total: bars.show("Rolling up", done, total)):
        raise StorageError("another process is rolling up history: try again when it is done")
    report = prune_all(database, before, zone, tell=lambda done, total: bars.show("Pruning", done, total))
    report.bytes = shrink(database)
    return report


def _estimate_bytes(database: Database, rows: int, now: int) -> int | None:
    """Give what the disk gets back for so many records, by what one takes on average."""
    if not database.is_sqlite:
        return 0  # PostgreSQL keeps the room for the rows to come
    with database.read() as connection:
        each = report_storage(connection, now).bytes_per_measurement
    return None if each is None else round(rows * each)


def _describe_pruned(report: PruneReport, *, is_dry: bool) -> str:
    did = "would be deleted" if is_dry else "were deleted"
    text = f"{report.rows} records of {report.nodes} nodes, {report.days} days in all, {did}"
    if report.bytes is not None:
        text += f"; {f'about {size(report.bytes)} would be' if is_dry else f'{report.bytes} bytes were'} given back to the disk"
    if report.unverified:
        names = ", ".join(printable(name) for name in report.unverified)
        text += f". Nothing more of these, whose roll-ups are not complete or differ from their records: {names}"
    if report.failed:
        reasons = "; ".join(f"{printable(name)} ({printable(why)})" for name, why in report.failed.items())
        text += f". These could not be deleted, or not all: {reasons}"
    return text
