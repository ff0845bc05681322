"""Commands that take measurements in."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from isems.cli.base import (
    FAILED,
    commands,
    exit_on_errors,
    opened,
    prepare_process,
    read_config,
    read_own_moment,
    run_until_signal,
    start_log,
    upkeep_going_on,
)
from isems.cli.words import clear_line, counts, describe, is_quiet, printable
from isems.collector import WAVE_SECONDS, Collector, NodeReport, check_addresses, import_file
from isems.config import Config
from isems.domain.clock import Moment
from isems.errors import ConfigError, IsemsError
from isems.ingest import IngestResult
from isems.storage.database import Database
from isems.subscriber import Subscriber, check_broker, retire
from isems.upkeep import Upkeep, roll_up_all

log = logging.getLogger(__name__)

#: How long a single poll goes on with rolling up history.
UPKEEP_SECONDS = 60.0


@commands.command("update-data")
def update_data() -> None:
    """Poll every node of ISEMS_ROUTER_IPS once."""
    with exit_on_errors():
        config = read_config()
        if not config.router_ips:
            raise ConfigError("ISEMS_ROUTER_IPS is not set, expected the addresses of the nodes to poll")
        check_addresses(config.router_ips)
        prepare_process()
        with opened(config.database_url) as database:
            database.make_ready()
            reports = asyncio.run(_poll_once(config, database))
            _keep_up(config, database)
        asked = [report for report in reports if report.left is None]
        answered = [report for report in asked if report.error is None]
        _say_total(reports, answered, left=len(reports) - len(asked))
        if asked and not answered:
            sys.exit(FAILED)


def _keep_up(config: Config, database: Database) -> None:
    """Roll up and prune for a while: the next call goes on with it. What was polled is stored, whatever becomes of this."""
    end = time.monotonic() + UPKEEP_SECONDS
    try:
        Upkeep(database, config.timezone, config.keep_raw_days).do_due(is_over=lambda: time.monotonic() >= end)
    except IsemsError as error:
        click.echo(f"history could not be rolled up, the next call will try again: {error}", err=True)


async def _poll_once(config: Config, database: Database) -> list[NodeReport]:
    collector = Collector(config, database, commit_seconds=WAVE_SECONDS)
    bar = click.progressbar(length=len(config.router_ips), label="Polling", file=sys.stderr, hidden=is_quiet())
    try:
        with bar:

            def tell(report: NodeReport) -> None:
                bar.update(1)
                clear_line()
                click.echo(describe(report))

            return await collector.poll_once(tell)
    finally:
        collector.close()


def _say_total(reports: Sequence[NodeReport], answered: Sequence[NodeReport], *, left: int) -> None:
    total = IngestResult()
    for report in answered:
        total.add(report.result)
    others = f", {left} left to other collectors" if left else ""
    click.echo(f"{len(answered)} of {len(reports)} nodes answered{others}: {counts(total) or 'nothing new'}")


@commands.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_files(files: tuple[Path, ...]) -> None:
    """Store the logs in FILES (plain or gzipped) and tell what was stored and rejected."""
    config = read_config()
    prepare_process()
    with opened(config.database_url) as database:
        database.make_ready()
        imported = [_import_file(database, path, bar, read_own_moment(config)) for path, bar in _with_progress(files)]
        with click.progressbar(length=1, label="Rolling up", file=sys.stderr, hidden=is_quiet()) as bar:
            roll_up_all(database, config.timezone, tell=partial(_show, bar))
    if not all(imported):
        sys.exit(FAILED)


def _show(bar: Any, done: int, total: int) -> None:
    bar.length = max(total, 1)
    bar.update(done - bar.pos)


def _with_progress(files: Sequence[Path]) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """Give each file with the function to tell how many bytes of it are done."""
    size = sum(path.stat().st_size for path in files)
    with click.progressbar(length=size, label="Importing", file=sys.stderr, hidden=is_quiet()) as bar:
        for path in files:
            yield path, bar.update


def _import_file(database: Database, path: Path, progress: Callable[[int], None], moment: Moment) -> bool:
    """Import one file and tell about it; a broken one must not keep the others out."""
    name = printable(str(path))
    try:
        result = import_file(database, path, moment, progress)
    except IsemsError as error:
        clear_line()
        click.echo(f"{name}: failed: {printable(str(error).removeprefix(f'{path}: '))}", err=True)
        return False
    clear_line()
    click.echo(f"{name}: {counts(result) or 'holds no record'}")
    return True


@commands.command()
def subscribe() -> None:
    """Receive what nodes publish to MQTT_SERVER, until stopped."""
    with exit_on_errors():
        config = read_config()
        check_broker(config)
        start_log(config)
        prepare_process()
        with opened(config.database_url, has_inbox=True, is_durable=True) as database:
            database.make_ready()
            with upkeep_going_on(config):
                run_until_signal(Subscriber(config, database).run)
        log.info("stopped")


@commands.command("retire-replica")
@click.argument("replica")
def retire_replica(replica: str) -> None:
    """Store what MQTT_SERVER holds for REPLICA (see ISEMS_MQTT_REPLICA), which is not to come back, and end its session."""
    config = read_config()
    check_broker(config)
    start_log(config)
    with opened(config.database_url, has_inbox=True, is_durable=True) as database:
        database.make_ready()
        retired = run_until_signal(lambda stop: retire(config, database, replica, stop))
    if not retired.had_session:
        click.echo(f"replica {replica} is forgotten: the broker had no session of it")
        return
    came = f"{retired.messages} messages waited for it: {counts(retired.result)}" if retired.messages else "none waited"
    click.echo(f"replica {replica} is retired: {came}")
