"""What can be wrong with a simulated node."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from random import Random

from isems.errors import ConfigError
from isems.simulator.nodes import NodeSpec, Program
from isems.simulator.sessions import Session

#: A router that was never told the time starts with the date of its firmware's newest file.
UNSET_ROUTER_TIME = 1538049555
#: Even node numbers are some hours ahead, odd ones some years.
AHEAD_SECONDS = (3 * 3600, 2 * 365 * 86400)
#: Seconds between two power cuts of a node with the fault `reboot`.
POWER_CYCLE = 1200
_GARBAGE_BYTES = 1500


class Fault(StrEnum):
    """One thing that is wrong with a node as long as the mesh runs."""

    DEAD = "dead"
    SLOW = "slow"
    TRICKLE = "trickle"
    GARBAGE = "garbage"
    CLOCK_UNSET = "clock_unset"
    CLOCK_AHEAD = "clock_ahead"
    SILENT_CONTROLLER = "silent_controller"
    REBOOT = "reboot"
    DUPLICATE = "duplicate"


def parse_fault(text: str) -> tuple[int, Fault]:
    """Read ``<node number>=<fault>``, numbers counted from 0 as in the mesh; ConfigError on anything else."""
    number, separator, name = text.strip().partition("=")
    if not separator or not (number.isascii() and number.isdigit()):
        raise ConfigError(f"fault {text!r} is not of the form <node number>=<fault>, for example 3=slow")
    try:
        return int(number), Fault(name)
    except ValueError:
        known = ", ".join(Fault)
        raise ConfigError(f"fault {text!r} names no known fault {name!r}; known are {known}") from None


def assign_faults(mesh: Sequence[NodeSpec], texts: Iterable[str]) -> dict[str, Fault]:
    """Read faults for the nodes of a mesh; gives node name -> fault, as `serve_mesh` takes it."""
    faults: dict[str, Fault] = {}
    for text in texts:
        number, fault = parse_fault(text)
        if number >= len(mesh):
            raise ConfigError(f"fault {text!r} is for node {number}, but the mesh has nodes 0 to {len(mesh) - 1}")
        faults[mesh[number].name] = fault
    check_faults(mesh, faults)
    return faults


def check_faults(mesh: Sequence[NodeSpec], faults: dict[str, Fault]) -> None:
    """Refuse faults for nodes that are not there or cannot have them."""
    specs = {spec.name: spec for spec in mesh}
    for name, fault in faults.items():
        if name not in specs:
            raise ConfigError(f"fault {fault.value} is for node {name!r}, which is not in the mesh")
        if fault is Fault.SILENT_CONTROLLER and specs[name].program not in (Program.ROUTER, Program.AVR_BOARD):
            raise ConfigError(f"fault {fault.value} is for node {name!r}, which has no controller of its own")
        if fault is Fault.DUPLICATE and not specs[name].publishes:
            raise ConfigError(f"fault {fault.value} is for node {name!r}, which does not publish")


def own_time(spec: NodeSpec, fault: Fault | None, session: Session, at: int) -> int:
    """Give what the node's own clock shows at an instant (epoch seconds) of a session."""
    if fault is Fault.CLOCK_UNSET:
        return at - session.boot + (UNSET_ROUTER_TIME if spec.program is Program.ROUTER else 0)
    if fault is Fault.CLOCK_AHEAD:
        return at + AHEAD_SECONDS[spec.index % 2]
    return at


def faulty_line(spec: NodeSpec, fault: Fault | None, session: Session, at: int, line: str) -> str:
    """Give a record as a node with this fault prints it."""
    if fault in (Fault.CLOCK_UNSET, Fault.CLOCK_AHEAD):
        name, revision, _, rest = line.split(";", 3)
        return f"{name};{revision};{own_time(spec, fault, session, at)};{rest}"
    if fault is Fault.SILENT_CONTROLLER:
        return _silent_line(spec, at, line)
    return line


def garbage(spec: NodeSpec, at: int) -> bytes:
    """Give the bytes that a node with the fault `garbage` sends at an instant instead of its records."""
    return Random(f"{spec.name}/{at}").randbytes(_GARBAGE_BYTES)


def _silent_line(spec: NodeSpec, at: int, line: str) -> str:
    """A router's line when the capture of the serial stream was empty."""
    place = ";".join(line.split(";")[14:18])
    is_small = spec.battery_amp_hours / (spec.panel_watts / 15.0) <= 2.5
    return f"{spec.name};1;{at};;0;{spec.power_save_level}" + ";0" * 8 + f";{place};{'072' if is_small else '0B2'}"
