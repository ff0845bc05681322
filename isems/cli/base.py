"""What all commands share: errors and exit codes, settings, the database, the log."""

import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import click

from isems import __version__
from isems.api.sentry import start_sentry
from isems.config import Config
from isems.domain.clock import Moment
from isems.errors import ConfigError, IsemsError, SchemaOutdatedError
from isems.sources.own_clock import read_moment
from isems.storage.database import Database
from isems.upkeep import Upkeep

T = TypeVar("T")

FAILED, MISUSED = 1, 2


@contextmanager
def exit_on_errors() -> Iterator[None]:
    """Turn our errors into one line and an exit code: 2 for usage and configuration, 1 for work that failed."""
    try:
        yield
    except (ConfigError, SchemaOutdatedError) as error:
        say_and_exit(str(error), MISUSED)
    except IsemsError as error:
        say_and_exit(str(error), FAILED)


def say_and_exit(sentence: str, code: int) -> NoReturn:
    """End with one line."""
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="isems")
def commands() -> None:
    """Collect, keep and serve the measurements of ISEMS nodes."""


def main(prog_name: str | None = None) -> None:
    """Run `isems`: usage errors take one line, as every other error does."""
    try:
        with exit_on_errors():
            sys.exit(commands.main(prog_name=prog_name or "isems", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(MISUSED)
    except click.UsageError as error:
        say_and_exit(f"{error.format_message()} ('{prog_name or 'isems'} --help' tells more)", MISUSED)
    except click.ClickException as error:
        say_and_exit(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say_and_exit("interrupted", FAILED)


def read_config() -> Config:
    """Read the settings of a command that works by itself; what fails in it is reported as under a server."""
    config = Config.from_environment()
    start_sentry(config)
    return config


def read_own_moment(config: Config) -> Moment:
    """Read our own clock, and whether these settings trust it."""
    return read_moment(is_trusted_by_operator=config.is_clock_trusted)


def prepare_process() -> None:
    """Let a process that stores much be interrupted less: by the collector of cyclic garbage, of which storing makes
    none, and by threads that wait for each other (`make bench BENCH=mqtt-50` shows it).
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(0.001)


def start_log(config: Config) -> None:
    """Log to the standard error, as a service does."""
    logging.basicConfig(level=config.log_level, format="%(asctime)s %(levelname)s %(message)s")


@contextmanager
def opened(url: str, *, has_inbox: bool = False, is_durable: bool = False) -> Iterator[Database]:
    """Give the database and close it in the end, so that nothing of it is left in its journal."""
    database = Database(url, has_inbox=has_inbox, is_durable=is_durable)
    try:
        yield database
    finally:
        database.close()


def run_until_signal(work: Callable[[threading.Event], T]) -> T:
    """Do work that ends when it is done, or soon after SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Not here: a signal must find this thread where it waits for nothing that the handler touches.
    with ThreadPoolExecutor(1, thread_name_prefix="isems-mqtt") as thread:
        return thread.submit(work, stop).result()


@contextmanager
def upkeep_going_on(config: Config) -> Iterator[None]:
    """Roll up and prune beside what is done meanwhile, on connections of its own."""
    stop = threading.Event()
    with opened(config.database_url, has_inbox=True) as database:
        upkeep = Upkeep(database, config.timezone, config.keep_raw_days)
        thread = threading.Thread(target=upkeep.run, args=(stop,), name="isems-upkeep")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
