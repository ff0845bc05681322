"""Do two devices send under one node id?

Boards are delivered with the same id, and nothing else in a record tells them apart. But each counts down to its own
shutdown: in the records of two devices, in the order of time, the moment of shutdown that they announce changes to and
fro. A reboot changes it once, and never back.
"""

from collections.abc import Iterable

from isems.domain.measurement import SHUTDOWN_MARKS, Trace

#: Announced shutdowns this near are one: a counter of minutes, its oscillator's error over a few minutes, and clocks.
SAME_SHUTDOWN_SECONDS = 150
#: Returns to a shutdown that was left before: one could be a clock that stepped and was set back.
PROVING_RETURNS = 2


def is_shared(traces: Iterable[Trace]) -> bool:
    """Tell whether a node's records, in the order of time, are of two devices at least.

    Devices that were switched on within two and a half minutes of each other cannot be told apart.
    """
    shutdowns: list[float] = []
    current, returns = -1, 0
    for trace in traces:
        minutes = trace.minutes_until_shutdown
        if minutes is None or minutes in SHUTDOWN_MARKS:
            continue
        announced = trace.measured_at + minutes * 60
        if shutdowns and abs(shutdowns[current] - announced) <= SAME_SHUTDOWN_SECONDS:  # nearly always
            shutdowns[current] = announced
            continue
        found = next((i for i, one in enumerate(shutdowns) if abs(one - announced) <= SAME_SHUTDOWN_SECONDS), None)
        if found is None:
            shutdowns.append(announced)
            current = len(shutdowns) - 1
            continue
        shutdowns[found] = announced
        current, returns = found, returns + 1
    return returns >= PROVING_RETURNS
