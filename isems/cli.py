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
from contextlib import AsyncExitStack, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import click
import msgspec
from flask import Flask

from isems import __version__
from isems.api.app import create_app
from isems.api.context import DEMO
from isems.api.push_store import store_in_groups
from isems.api.sentry import start_sentry
from isems.collector import WAVE_SECONDS, Collector, NodeReport, check_addresses, import_file
from isems.config import Config
from isems.demo import READY, config_with, demo_config, import_history, simulated_mesh
from isems.domain.clock import ClockState, Moment
from isems.errors import ConfigError, IsemsError, SchemaOutdatedError
from isems.fleet import Node, list_nodes
from isems.ingest import IngestResult
from isems.simulator import (
    Fault,
    Mesh,
    NodeSpec,
    Place,
    Publisher,
    SimulatedClock,
    assign_faults,
    make_mesh,
    parse_place,
    serve_mesh,
    write_history,
)
from isems.sources.own_clock import read_moment
from isems.storage.adoption import PREDECESSORS_DEFAULT
from isems.storage.database import Database
from isems.storage.predecessor import Progress
from isems.subscriber import Subscriber, check_broker, retire
from isems.switchover.adopt import adopt
from isems.switchover.move import Upgraded, Voice
from isems.switchover.move import upgrade as upgrade_any
from isems.switchover.plan import describe_upgrade

log = logging.getLogger(__name__)

T = TypeVar("T")

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
        check_broker(config)
        _start_log(config)
        prepare_process()
        with _opened(config.database_url, has_inbox=True, is_durable=True) as database:
            database.make_ready()
            _run_until_signal(Subscriber(config, database).run)
        log.info("stopped")


@commands.command("retire-replica")
@click.argument("replica")
def retire_replica(replica: str) -> None:
    """Store what MQTT_SERVER holds for REPLICA (see ISEMS_MQTT_REPLICA), which is not to come back, and end its session."""
    config = _read_config()
    check_broker(config)
    _start_log(config)
    with _opened(config.database_url, has_inbox=True, is_durable=True) as database:
        database.make_ready()
        retired = _run_until_signal(lambda stop: retire(config, database, replica, stop))
    if not retired.had_session:
        click.echo(f"replica {replica} is forgotten: the broker had no session of it")
        return
    came = f"{retired.messages} messages waited for it: {counts(retired.result)}" if retired.messages else "none waited"
    click.echo(f"replica {replica} is retired: {came}")


def _run_until_signal(work: Callable[[threading.Event], T]) -> T:
    """Do work that ends when it is done, or soon after SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Not here: a signal must find this thread where it waits for nothing that the handler touches.
    with ThreadPoolExecutor(1, thread_name_prefix="isems-mqtt") as thread:
        return thread.submit(work, stop).result()


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


@commands.command("nodes")
@click.option("--json", "is_json", is_flag=True, help="One JSON list, for a script.")
def nodes(*, is_json: bool) -> None:
    """List the nodes: their newest voltage and its age, their clocks, and ids that two devices share."""
    config = _read_config()
    moment = _moment(config)
    with _opened(config.database_url) as database:
        found = list_nodes(database, moment)
    if is_json:
        click.echo(msgspec.json.encode(found))
    elif not found:
        click.echo("No node is known yet.")
    else:
        _echo_table([NODE_COLUMNS, *(_row_of(node, moment.now) for node in found)])


NODE_COLUMNS = ("node", "age", "battery", "clock", "conflicts", "addresses", "note")


def _row_of(node: Node, now: int) -> tuple[str, ...]:
    return (
        printable(node.name),
        "" if node.measured_at is None else age(now - int(node.measured_at.timestamp())),
        "" if node.battery_volts is None else f"{node.battery_volts:.2f} V",
        _describe_clock(node),
        str(node.conflict_count or ""),
        " ".join(map(printable, node.addresses)),
        "two devices send under this id" if node.is_shared else "",
    )


def _describe_clock(node: Node) -> str:
    if node.clock_state in (ClockState.BEHIND, ClockState.AHEAD):
        return f"{node.clock_state} by {age(abs(node.clock_offset_seconds or 0))}"
    return node.clock_state or ""


def age(seconds: int) -> str:
    """Give a duration as people say it, in its largest unit: 40 s, 12 min, 3 h, 25 d; a negative one is in the future."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{sign}{seconds // size} {unit}"
    return f"{sign}{seconds} s"


def _echo_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


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
    if config.broker is not None and not is_demo:
        check_broker(config)
    # Each has connections of its own: a writer remembers more of what it wrote while nobody else uses them.
    is_durable = bool(config.broker or config.push_tokens)  # who sent it forgets what was acknowledged
    collecting = _opened(config.database_url, has_inbox=True, is_durable=is_durable)
    with _opened(config.database_url) as served, collecting as database:
        database.make_ready()
        with store_in_groups(config, database) if config.push_tokens else nullcontext() as store:
            app = create_app(config, served, store)
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
            config = config_with(config, mesh)
            result = await import_history(database, mesh.history, _moment(config), _log_history)
            log.info("history of the simulated nodes: %s", counts(result))
        log.info("polling %d addresses", len(config.router_ips))
        if config.broker:
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
    "--mqtt",
    metavar="HOST[:PORT]",
    help="A broker on this computer, to which the boards publish every 65 s as their programs do.",
)
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
    mqtt: str | None,
    faults: tuple[str, ...],
    history: Path | None,
    *,
    until_input_ends: bool,
) -> None:
    """Serve a mesh of simulated nodes over HTTP on loopback addresses; with --mqtt its boards publish as well."""
    broker = None if mqtt is None else parse_place(mqtt)
    if until_input_ends:
        threading.Thread(target=_end_with_input, daemon=True).start()
    mesh = make_mesh(count, seed)
    assigned = assign_faults(mesh, faults)
    now = time.time()
    past = now - days * 86_400
    if history is not None:
        _write_history(mesh, int(past), int(now), history)
    clock = SimulatedClock(time.time() if speed is None else past, speed or 1, time.time)
    starting = serve_mesh(mesh, base_host=host, port=port, clock=clock, faults=assigned)
    asyncio.run(_simulate(starting, broker, clock))


def _write_history(mesh: Sequence[NodeSpec], start: int, end: int, folder: Path) -> None:
    with click.progressbar(length=len(mesh), label="Simulating", file=sys.stderr, hidden=_is_quiet()) as bar:
        write_history(mesh, start, end, folder, lambda done, count: bar.update(1))


async def _simulate(starting: Coroutine[Any, Any, Mesh], broker: Place | None, clock: SimulatedClock) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await starting as mesh, asyncio.TaskGroup() as tasks:
        publishing = tasks.create_task(Publisher(mesh.memories, broker, clock).run()) if broker else None
        for address in mesh.addresses:
            click.echo(address)
        click.echo(READY)
        sys.stdout.flush()
        await stop.wait()
        if publishing:
            publishing.cancel()


def _end_with_input() -> None:
    """End this process as SIGTERM does once nobody holds the other end of its input, whatever it is at."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
