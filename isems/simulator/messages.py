"""What boards publish by MQTT, and when (docs/nodes.md, pushed samples). No sockets here.

Both are made from the log that the same board shows to who polls it, so a record is the same by either way.
"""

from typing import NamedTuple

from isems.config import FACTORY_PREFIXES
from isems.simulator.faults import Fault, garbage
from isems.simulator.lines import BOARD_FIRST
from isems.simulator.memory import NodeMemory
from isems.simulator.nodes import NodeSpec, Program
from isems.simulator.sessions import Timeline
from isems.simulator.weather import DAY

#: Seconds between two messages, and from a board's first record to its first message.
PUSH_PERIOD = 65
CSV, JSON = "csvlog", "data.json"
#: The last level of a topic -> how the topic begins before the node id, as delivered.
PREFIXES = dict(zip((CSV, JSON), FACTORY_PREFIXES, strict=False))
#: Of the client id, bytes of UTF-8: boards whose ids begin alike have the same one.
CLIENT_ID_BYTES = 32
#: Members of the sample and their CSV fields (counted from 0), in the order of Lua 5.1's hash and of 5.3's.
_MEMBERS51 = {
    "batteryVoltage": 8,
    "status": 18,
    "batteryHealthEstimate": 10,
    "latitude": 16,
    "ratedSolarModuleCapacity": 15,
    "rateBatteryCapacity": 14,
    "timeToShutdown": 4,
    "batteryChargeEstimate": 9,
    "temperatureCorrectedVoltage": 13,
    "lowVoltageDisconnectVoltage": 12,
    "openCircuitVoltage": 6,
    "longitude": 17,
    "mppVoltage": 7,
    "isPowerSaveMode": 5,
    "batteryTemperature": 11,
}
_ORDER53 = (
    *("batteryVoltage", "mppVoltage", "lowVoltageDisconnectVoltage", "status", "rateBatteryCapacity", "timeToShutdown"),
    *("isPowerSaveMode", "batteryChargeEstimate", "batteryHealthEstimate", "openCircuitVoltage", "latitude"),
    *("temperatureCorrectedVoltage", "ratedSolarModuleCapacity", "longitude", "batteryTemperature"),
)
_MEMBERS53 = {name: _MEMBERS51[name] for name in _ORDER53}
#: A board that has no power for so long is not asked about again.
_FOREVER = 400 * DAY


class Message(NamedTuple):
    """What goes to the broker, always at QoS 1 and never retained."""

    topic: str
    payload: bytes


def client_id(spec: NodeSpec) -> bytes:
    """Give the id under which a board connects."""
    return f"isems-{spec.name}".encode()[:CLIENT_ID_BYTES]


def next_push(timeline: Timeline, after: int) -> int | None:
    """Give the next instant (epoch seconds) at which a board publishes; None: it has no power for a year."""
    for _, session in timeline.sessions(after, after + _FOREVER):
        first = session.boot + BOARD_FIRST + PUSH_PERIOD
        at = first + max(0, (after - first) // PUSH_PERIOD + 1) * PUSH_PERIOD
        if at < session.end:
            return at
    return None


def messages(memory: NodeMemory, at: int) -> list[Message]:
    """Give what a board publishes at an instant; `memory` has been brought there."""
    lines = [line for _, line in memory.log()]
    if not lines:
        return []
    return [
        Message(f"{PREFIXES[last]}{memory.spec.name}/{last}", _payload(memory, last, lines, at))
        for last in memory.spec.publishes
    ]


def _payload(memory: NodeMemory, last: str, lines: list[str], at: int) -> bytes:
    if memory.fault is Fault.GARBAGE:
        return garbage(memory.spec, at)
    return ("\n".join(lines) if last == CSV else sample(memory.spec, lines[-1])).encode()


def sample(spec: NodeSpec, line: str) -> str:
    """Give the JSON object that follows a record: its numbers, printed by the same routine, and a tick less.

    Real boards may have measured the battery voltage anew since, by day one sample in ten shows it.
    """
    fields = line.rsplit(";", 18)  # an id may hold one
    fields[4] = f"{int(fields[4]) - 1}"
    fields[18] = f'"{fields[18]}"'
    members = _MEMBERS53 if spec.program is Program.BOARD_LUA53 else _MEMBERS51
    return "{" + ",".join(f'"{name}":{fields[number]}' for name, number in members.items()) + "}"
