"""Commands that show what is known."""

import click
import msgspec

from isems.cli.base import commands, opened, read_config, read_own_moment
from isems.cli.words import age, echo_table, printable
from isems.domain.clock import ClockState
from isems.fleet import Node, list_nodes


@commands.command("nodes")
@click.option("--json", "is_json", is_flag=True, help="One JSON list, for a script.")
def nodes(*, is_json: bool) -> None:
    """List the nodes: their newest voltage and its age, their clocks, and ids that two devices share."""
    config = read_config()
    moment = read_own_moment(config)
    with opened(config.database_url) as database:
        found = list_nodes(database, moment)
    if is_json:
        click.echo(msgspec.json.encode(found))
    elif not found:
        click.echo("No node is known yet.")
    else:
        echo_table([NODE_COLUMNS, *(_row_of(node, moment.now) for node in found)])


NODE_COLUMNS = ("node", "age", "battery", "clock", "conflicts", "addresses", "polled by", "note")


def _row_of(node: Node, now: int) -> tuple[str, ...]:
    return (
        printable(node.name),
        "" if node.measured_at is None else age(now - int(node.measured_at.timestamp())),
        "" if node.battery_volts is None else f"{node.battery_volts:.2f} V",
        _describe_clock(node),
        str(node.conflict_count or ""),
        " ".join(map(printable, node.addresses)),
        " ".join(map(printable, node.collectors)),
        "two devices send under this id" if node.is_shared else "",
    )


def _describe_clock(node: Node) -> str:
    if node.clock_state in (ClockState.BEHIND, ClockState.AHEAD):
        return f"{node.clock_state} by {age(abs(node.clock_offset_seconds or 0))}"
    return node.clock_state or ""
