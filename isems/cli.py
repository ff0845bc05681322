"""The commands. `isems` has them all; `add_commands` gives `flask` those that the predecessor had."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
import msgspec
from flask import Flask

from isems import __version__
from isems.api.app import create_app
from isems.api.context import DEMO
from isems.api.sentry import start_sentry
from isems.collector import WAVE_SECONDS, Collector, NodeReport, check_addresses, import_file
from isems.config import Config
from isems.demo import READY, demo_config, import_history, simulated_mesh
from isems.domain.clock import Moment
from isems.errors import ConfigError, IsemsError, SchemaOutdatedError
from isems.ingest import IngestResult
from isems.simulator import (
    Fault,
    Mesh,
    NodeSpec,
    SimulatedClock,
    assign_faults,
    make_mesh,
    serve_mesh,
    write_history,
)
from isems.sources.own_clock import read_moment
from isems.storage.adoption import PREDECESSORS_DEFAULT
from isems.storage.database import Database
from isems.storage.predecessor import Progress
from isems.subscriber import Subscriber
from isems.switchover.adopt import adopt
from isems.switchover.move import Upgraded, Voice
from isems.switchover.move import upgrade as upgrade_any
from isems.switchover.plan import describe_upgrade

log = logging.getLogger(__name__)

FAILED, MISUSED = 1, 2
#: A log may hold the records of any number of nodes; a line has room for some of their names.
MAX_NAMES = 3


@contextmanager
def exit_on_errors() -> Iterator[None]:
    """Turn our errors into one line and an exit code: 2 for usage and configuration, 1 for work that failed."""
    try:
        yield
    except (ConfigError, SchemaOutdatedError) as error:
        _say_and_exit(str(error), MISUSED)
    except IsemsError as error:
        _say_and_exit(str(error), FAILED)


def _say_and_exit(sentence: str, code: int) -> NoReturn:
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
        _say_and_exit(f"{error.format_message()} ('{prog_name or 'isems'} --help' tells more)", MISUSED)
    except click.ClickException as error:
        _say_and_exit(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _say_and_exit("interrupted", FAILED)


def add_commands(app: Flask) -> None:
    """Give `flask` the commands that the predecessor had."""
    for command in (update_data, subscribe, db):
        app.cli.add_command(command)
    app.extensions["migrate"] = _FlaskMigrate()


class _FlaskMigrate:
    """What the predecessor's Flask-Migrate asks, when its `flask db upgrade` runs instead of ours.

    `pip install -r requirements.txt` leaves it in the virtual environment, and `flask` prefers a package's command to
    the application's. Its first question to the application is for this extension.
    """

    @property
    def migrate(self) -> "_FlaskMigrate":
        return self

    def get_config(self, *_: object, **__: object) -> NoReturn:
        """Do in its place what was asked for."""
        if click.get_current_context().info_name != "upgrade":
            _say_and_exit("of the commands of 'flask db' there is only 'upgrade'", MISUSED)
        sys.exit(upgrade.main([], prog_name="flask db upgrade"))


# -- collecting -----------------------------------------------------------------------------------


@commands.command("update-data")
def update_data() -> None:
    """Poll every node of ISEMS_ROUTER_IPS once."""
    with exit_on_errors():
        config = _read_config()
        if not config.router_ips:
            raise ConfigError("ISEMS_ROUTER_IPS is not set, expected the addresses of the nodes to poll")
        check_addresses(config.router_ips)
        prepare_process()
        with _opened(config.database_url) as database:
            database.make_ready()
            reports = asyncio.run(_poll_once(config, database))
        answered = [report for report in reports if report.error is None]
        _say_total(reports, answered)
        if not answered:
            sys.exit(FAILED)


@commands.command()
def subscribe() -> None:
    """Receive what nodes publish to MQTT_SERVER, until stopped."""
    with exit_on_errors():
        config = _read_config()
        if not config.mqtt_server:
            raise ConfigError("MQTT_SERVER is not set, expected the address of the broker")
        _start_log(config)
        prepare_process()
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with _opened(config.database_url, has_inbox=True, is_durable=True) as database:
            database.make_ready()
            # Not here: a signal must find this thread where it waits for nothing that the handler touches.
            with ThreadPoolExecutor(1, thread_name_prefix="isems-mqtt") as thread:
                thread.submit(Subscriber(config, database).run, stop).result()
        log.info("stopped")


def prepare_process() -> None:
    """Let a process that stores much be interrupted less: by the collector of cyclic garbage, of which storing makes
    none, and by threads that wait for each other (`make bench BENCH=mqtt-50` shows it).
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(0.001)


def _start_log(config: Config) -> None:
    logging.basicConfig(level=config.log_level, format="%(asctime)s %(levelname)s %(message)s")


@contextmanager
def _opened(url: str, *, has_inbox: bool = False, is_durable: bool = False) -> Iterator[Database]:
    """Give the database and close it in the end, so that nothing of it is left in its journal."""
    database = Database(url, has_inbox=has_inbox, is_durable=is_durable)
    try:
        yield database
    finally:
        database.close()


async def _poll_once(config: Config, database: Database) -> list[NodeReport]:
    collector = Collector(config, database, commit_seconds=WAVE_SECONDS)
    bar = click.progressbar(length=len(config.router_ips), label="Polling", file=sys.stderr, hidden=_is_quiet())
    try:
        with bar:

            def tell(report: NodeReport) -> None:
                bar.update(1)
                _clear_line()
                click.echo(describe(report))

            return await collector.poll_once(tell)
    finally:
        collector.close()


def _read_config() -> Config:
    """Read the settings of a command that works by itself; what fails in it is reported as under a server."""
    config = Config.from_environment()
    start_sentry(config)
    return config


def _is_quiet() -> bool:
    return not sys.stderr.isatty()


def _clear_line() -> None:
    if not _is_quiet():
        click.echo("\r\033[K", nl=False, err=True)


def describe(report: NodeReport) -> str:
    """Tell in one line what a poll brought."""
    if report.error is not None:
        return printable(f"{report.address}: failed: {report.error}")
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


def _say_total(reports: Sequence[NodeReport], answered: Sequence[NodeReport]) -> None:
    total = IngestResult()
    for report in answered:
        total.add(report.result)
    click.echo(f"{len(answered)} of {len(reports)} nodes answered: {counts(total) or 'nothing new'}")


@commands.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_files(files: tuple[Path, ...]) -> None:
    """Store the logs in FILES (plain or gzipped) and tell what was stored and rejected."""
    config = _read_config()
    prepare_process()
    with _opened(config.database_url) as database:
        database.make_ready()
        imported = [_import_file(database, path, bar, _moment(config)) for path, bar in _with_progress(files)]
    if not all(imported):
        sys.exit(FAILED)


def _with_progress(files: Sequence[Path]) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """Give each file with the function to tell how many bytes of it are done."""
    size = sum(path.stat().st_size for path in files)
    with click.progressbar(length=size, label="Importing", file=sys.stderr, hidden=_is_quiet()) as bar:
        for path in files:
            yield path, bar.update


def _import_file(database: Database, path: Path, progress: Callable[[int], None], moment: Moment) -> bool:
    """Import one file and tell about it; a broken one must not keep the others out."""
    name = printable(str(path))
    try:
        result = import_file(database, path, moment, progress)
    except IsemsError as error:
        _clear_line()
        click.echo(f"{name}: failed: {printable(str(error).removeprefix(f'{path}: '))}", err=True)
        return False
    _clear_line()
    click.echo(f"{name}: {counts(result) or 'holds no record'}")
    return True


def _moment(config: Config) -> Moment:
    return read_moment(is_trusted_by_operator=config.is_clock_trusted)


# -- the database ---------------------------------------------------------------------------------


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
        with _opened(config.database_url) as database, _Bars() as bars:
            voice = Voice(bars.say, bars.show)
            if not config.is_database_named:
                adopt(predecessors_default, database, voice)
            upgraded = upgrade_any(database, _moment(config), voice, zone)
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
            bar = click.progressbar(length=total, label=label, show_pos=True, file=sys.stderr, hidden=_is_quiet())
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


@commands.command()
@click.option("--before-upgrade", is_flag=True, required=True, help="Tell what `db upgrade` would do.")
@default_database
def doctor(*, before_upgrade: bool, predecessors_default: Path) -> None:
    """Examine the database without changing it."""
    config = Config.from_environment()
    with _opened(config.database_url) as database:
        default = None if config.is_database_named else predecessors_default
        for sentence in describe_upgrade(database, _moment(config), default=default):
            click.echo(sentence)


# -- serving --------------------------------------------------------------------------------------


@commands.command()
@click.option(
    "--demo",
    type=click.Choice(["never", "auto", "always"]),
    default="never",
    help="Serve a simulated mesh from isems-demo.db: always, or where no source is configured (auto).",
)
def serve(demo: str) -> None:
    """Collect and serve until stopped."""
    config = Config.from_environment()
    _start_log(config)
    prepare_process()
    is_demo = demo == "always" or (demo == "auto" and not config.has_source)
    if is_demo:
        config = demo_config(config)
        click.echo(f"No node is configured: SIMULATED nodes are shown, kept in {config.database_url}", err=True)
    check_addresses(config.router_ips)
    # Each has connections of its own: a writer remembers more of what it wrote while nobody else uses them.
    is_durable = bool(config.mqtt_server)  # a broker forgets what was acknowledged
    collecting = _opened(config.database_url, has_inbox=True, is_durable=is_durable)
    with _opened(config.database_url) as served, collecting as database:
        database.make_ready()
        app = create_app(config, served)
        app.extensions[DEMO] = is_demo
        asyncio.run(_serve(config, database, app, is_demo=is_demo))


async def _serve(config: Config, database: Database, app: Flask, *, is_demo: bool) -> None:
    from isems.api.server import web_server  # no other command needs waitress

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with web_server(app, config) as port:
        work = asyncio.ensure_future(_collect(config, database, mesh_port=_next_port(port) if is_demo else None))
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await asyncio.gather(work, return_exceptions=not work.done() or work.cancelled())
    log.info("stopped")


def _next_port(port: int) -> int:
    """The simulated nodes' port: two services beside each other have different ones, so these have too."""
    return port + 1 if port < 65_535 else port - 1


async def _collect(config: Config, database: Database, *, mesh_port: int | None) -> None:
    async with AsyncExitStack() as stack:
        if mesh_port is not None:
            mesh = await stack.enter_async_context(simulated_mesh(mesh_port))
            config = msgspec.structs.replace(config, router_ips=mesh.addresses)
            result = await import_history(database, mesh.history, _moment(config), _log_history)
            log.info("history of the simulated nodes: %s", counts(result))
        log.info("polling %d addresses", len(config.router_ips))
        if config.mqtt_server and mesh_port is None:
            stack.callback(_start_subscriber(config, database))
        await Collector(config, database, commit_seconds=config.commit_interval).run()


def _start_subscriber(config: Config, database: Database) -> Callable[[], None]:
    """Receive in a thread of its own; gives what ends it."""
    subscriber, stop = Subscriber(config, database), threading.Event()
    thread = threading.Thread(target=subscriber.keep_running, args=(stop,), name="isems-mqtt")
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()

    return end


def _log_history(done: int, count: int) -> None:
    log.info("history of %d of %d simulated nodes imported", done, count)


# -- simulating -----------------------------------------------------------------------------------


@commands.command()
@click.option("--nodes", "count", type=click.IntRange(1, 2000), default=12, show_default=True)
@click.option("--days", type=click.FloatRange(0, 400), default=4.0, show_default=True, help="Days of the past.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help="Live through the past days this many times as fast; without it they are over at the start.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--host", default="127.83.0.1", show_default=True, help="Address of the first node; on loopback only.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8083, show_default=True)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="N=KIND",
    help=f"What is wrong with node N, from 0: {', '.join(Fault)}; repeatable.",
)
@click.option(
    "--history",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Write all records of the past days into this folder first, a file a node, for `isems import`.",
)
@click.option("--until-input-ends", is_flag=True, help="End when the standard input does (for a parent process).")
def simulate(  # noqa: PLR0913, PLR0917  one parameter an option
    count: int,
    days: float,
    speed: float | None,
    seed: int,
    host: str,
    port: int,
    faults: tuple[str, ...],
    history: Path | None,
    *,
    until_input_ends: bool,
) -> None:
    """Serve a mesh of simulated nodes over HTTP on loopback addresses."""
    if until_input_ends:
        threading.Thread(target=_end_with_input, daemon=True).start()
    mesh = make_mesh(count, seed)
    assigned = assign_faults(mesh, faults)
    now = time.time()
    past = now - days * 86_400
    if history is not None:
        _write_history(mesh, int(past), int(now), history)
    clock = time.time if speed is None else SimulatedClock(past, speed, time.time)
    asyncio.run(_simulate(serve_mesh(mesh, base_host=host, port=port, clock=clock, faults=assigned)))


def _write_history(mesh: Sequence[NodeSpec], start: int, end: int, folder: Path) -> None:
    with click.progressbar(length=len(mesh), label="Simulating", file=sys.stderr, hidden=_is_quiet()) as bar:
        write_history(mesh, start, end, folder, lambda done, count: bar.update(1))


async def _simulate(starting: Coroutine[Any, Any, Mesh]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await starting as mesh:
        for address in mesh.addresses:
            click.echo(address)
        click.echo(READY)
        sys.stdout.flush()
        await stop.wait()


def _end_with_input() -> None:
    """End this process as SIGTERM does once nobody holds the other end of its input, whatever it is at."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
