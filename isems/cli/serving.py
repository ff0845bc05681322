"""The command that runs everything in one process."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack, nullcontext

import click
from flask import Flask

from isems.api.app import create_app
from isems.api.context import CONFIG, DEMO
from isems.api.push_store import store_in_groups
from isems.cli.base import (
    commands,
    opened,
    prepare_process,
    read_own_moment,
    start_log,
    upkeep_going_on,
)
from isems.cli.words import counts
from isems.collector import Collector, check_addresses
from isems.config import Config
from isems.demo import config_with, demo_config, import_history, simulated_mesh
from isems.storage.database import Database
from isems.subscriber import Subscriber, check_broker

log = logging.getLogger(__name__)


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
    start_log(config)
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
    collecting = opened(config.database_url, has_inbox=True, is_durable=is_durable)
    with opened(config.database_url) as served, collecting as database:
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
        work = asyncio.ensure_future(_collect(config, database, app, mesh_port=_next_port(port) if is_demo else None))
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await asyncio.gather(work, return_exceptions=not work.done() or work.cancelled())
    log.info("stopped")


def _next_port(port: int) -> int:
    """The simulated nodes' port: two services beside each other have different ones, so these have too."""
    return port + 1 if port < 65_535 else port - 1


async def _collect(config: Config, database: Database, app: Flask, *, mesh_port: int | None) -> None:
    async with AsyncExitStack() as stack:
        if mesh_port is not None:
            mesh = await stack.enter_async_context(simulated_mesh(mesh_port))
            config = config_with(config, mesh)
            app.extensions[CONFIG] = config  # what is shown of the sources are these
            result = await import_history(database, mesh.history, read_own_moment(config), _log_history)
            log.info("history of the simulated nodes: %s", counts(result))
        stack.enter_context(upkeep_going_on(config))
        collector = Collector(config, database, commit_seconds=config.commit_interval)
        log.info("polling %d addresses as %s", len(config.router_ips), collector.holder)
        if config.broker:
            stack.callback(_start_subscriber(config, database))
        await collector.run()


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
