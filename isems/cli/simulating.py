"""The command that plays a mesh of nodes."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import click

from isems.cli.base import (
    commands,
)
from isems.cli.words import is_quiet
from isems.demo import READY
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
    with click.progressbar(length=len(mesh), label="Simulating", file=sys.stderr, hidden=is_quiet()) as bar:
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
