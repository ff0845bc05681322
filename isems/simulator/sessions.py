"""When a node runs and reboots: fixed in absolute time, so that every process sees the same boots."""

from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from isems.simulator.chance import chance
from isems.simulator.energy import Energy, charge_end_volts, integrate
from isems.simulator.nodes import NodeSpec, Program
from isems.simulator.weather import STEP, season_bounds, season_weather

#: A board's watchdog counts ticks of 15 s down from 3600; the reboot takes a second (docs/nodes.md, time to shutdown).
TICK_SECONDS, FIRST_TICKS = 15, 3600
_BOARD_LIFE = 5 + TICK_SECONDS * (FIRST_TICKS + 1)
#: How long the AVR's watchdog keeps the load switched off.
_OFF_SECONDS = 10
#: Gauge: most percent it falls and rises in a grid step, and the jump from which it kick-starts (docs/nodes.md, gauge
#: and health).
#: Recorded routers and new boards hardly fall while the battery is charged; the two older programs do.
_GAUGE_SLEW = {Program.ROUTER: 3.7, Program.AVR_BOARD: 4.6, Program.OLD_BOARD: 6.0}
_BOARD_SLEW = 3.0
_FALLS_WHILE_CHARGED = (Program.AVR_BOARD, Program.OLD_BOARD)
_KICK_START = 30.0


class Session(msgspec.Struct, frozen=True):
    """One life of a node, from power-on or reboot to the next; instants in epoch seconds."""

    boot: int
    end: int
    #: When the AVR's watchdog cuts the power next (routers and AVR boards; 0 elsewhere).
    watchdog_at: int = 0
    #: True after a power cut that stopped the clock.
    is_cold: bool = False


class Season(msgspec.Struct, frozen=True):
    """All of a node's state from one season's start to the next."""

    start: int
    end: int
    energy: Energy
    #: Charge gauge in percent at every grid point.
    gauge: "array[float]"
    sessions: tuple[Session, ...]


class Timeline:
    """A node's past and future; seasons are worked out when asked for, and the last two are kept."""

    def __init__(self, spec: NodeSpec, power_cycle: int | None = None) -> None:
        """`power_cycle`: cut the power at every multiple of so many seconds (a fault)."""
        self.spec = spec
        self._power_cycle = power_cycle
        self._seasons: dict[int, Season] = {}

    def season(self, at: int) -> Season:
        """Give the season that holds an instant."""
        start, end = season_bounds(at)
        if start not in self._seasons:
            if len(self._seasons) > 1:
                self._seasons.pop(next(iter(self._seasons)))
            self._seasons[start] = _season(self.spec, start, end, self._power_cycle)
        return self._seasons[start]

    def session(self, at: int) -> Session | None:
        """Give the session that runs at an instant; None: the node is off."""
        return next((session for session in self.season(at).sessions if session.boot <= at < session.end), None)

    def sessions(self, start: int, end: int) -> Iterator[tuple[Season, Session]]:
        """Walk through all sessions that overlap [start, end)."""
        while start < end:
            season = self.season(start)
            for session in season.sessions:
                if session.end > start and session.boot < end:
                    yield season, session
            start = season.end


@lru_cache(maxsize=16)
def _season(spec: NodeSpec, start: int, end: int, power_cycle: int | None) -> Season:
    energy = integrate(spec, season_weather(spec.seed, start, end))
    sessions = tuple(_sessions(spec, energy.powered, power_cycle))
    return Season(start, end, energy, _gauge(spec, energy, sessions), sessions)


def _sessions(spec: NodeSpec, powered: Iterable[tuple[int, int]], power_cycle: int | None) -> Iterator[Session]:
    is_avr = spec.program in (Program.ROUTER, Program.AVR_BOARD)
    # Without a delay of its own, every node of the mesh would print in the same second.
    delay = int(STEP * chance(spec.seed, spec.name, "delay"))
    for since, end in powered:
        begin = since + delay
        lives = _watchdog_lives(spec, begin, end) if is_avr else _board_lives(begin, end)
        for life in lives:
            yield from _power_cycled(life, power_cycle) if power_cycle else (life,)


def _watchdog_lives(spec: NodeSpec, begin: int, end: int) -> Iterator[Session]:
    """Cut a powered span at the AVR's watchdog, which counts on whatever the load does."""
    period = spec.watchdog_minutes * 60 + _OFF_SECONDS
    phase = int(period * chance(spec.seed, spec.name, "watchdog"))
    boot = begin
    while boot < end:
        fires = boot + period - (boot - phase) % period
        yield Session(boot, min(fires, end), fires)
        boot = fires + _OFF_SECONDS


def _board_lives(begin: int, end: int) -> Iterator[Session]:
    boot = begin
    while boot < end:
        yield Session(boot, min(boot + _BOARD_LIFE, end))
        boot += _BOARD_LIFE + 1


def _power_cycled(life: Session, period: int) -> Iterator[Session]:
    boot = life.boot
    while boot < life.end:
        cut = boot + period - boot % period
        yield Session(boot, min(cut, life.end), life.watchdog_at, is_cold=True)
        boot = cut + _OFF_SECONDS


def _gauge(spec: NodeSpec, energy: Energy, sessions: Iterable[Session]) -> "array[float]":
    """Follow the voltage with the firmware's slew limit; every boot starts from the voltage anew."""
    slew = _GAUGE_SLEW.get(spec.program, _BOARD_SLEW)
    boots = {(session.boot - energy.start + STEP - 1) // STEP for session in sessions}
    gauge = array("f")
    level = 100.0
    for point, volts in enumerate(energy.battery_volts):
        estimate = _estimate(spec, energy, point, volts)
        can_fall = spec.program in _FALLS_WHILE_CHARGED or energy.mpp_volts[point] < volts
        if point in boots or (spec.program in _GAUGE_SLEW and estimate - level > _KICK_START):
            level = estimate
        else:
            level += max(-slew if can_fall else 0.0, min(slew, estimate - level))
        gauge.append(level)
    return gauge


def _estimate(spec: NodeSpec, energy: Energy, point: int, volts: float) -> float:
    """Percent from voltage alone: one line while the battery rests, another while it is charged."""
    if energy.mpp_volts[point] < volts:
        percent = (volts - 11.47) * 84.3
    else:
        full = charge_end_volts(spec, energy.celsius[point])
        percent = 100.0 if volts > full - 0.04 else 100.0 * (volts - 12.0) / (full - 12.0)
    return max(0.0, min(100.0, percent))
