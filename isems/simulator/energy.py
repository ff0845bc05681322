"""Panel, battery and load of one node through a season, on the weather's grid."""

from array import array
from math import log

import msgspec

from isems.simulator.chance import chance
from isems.simulator.nodes import NodeSpec, Program
from isems.simulator.weather import DAY, STEP, Weather

#: Below this light (W/m2) the panel counts as dark and its voltages as 0.
DARK_LIGHT = 4.0
#: The load comes back above this battery voltage.
RETURN_VOLTS = 12.3
#: Above this the controller holds the battery at a safe voltage instead of charging it full.
HOT_CELSIUS, HOT_VOLTS = 42.0, 13.1
_KELVIN_VOLTS = 0.03
_STEP_HOURS = STEP / 3600
#: Open circuit voltage of a rested 12 V lead-acid battery: empty, and its rise to full.
_EMPTY_VOLTS, _RISE_VOLTS = 11.52, 1.3
#: Part of the charge current that stays in the battery, and of the panel's power that reaches it.
_CHARGE_EFFICIENCY, _PANEL_EFFICIENCY = 0.93, 0.78


class Energy(msgspec.Struct, frozen=True):
    """Volts and degrees at every grid point from `start`; and when the node had power."""

    start: int
    open_circuit_volts: "array[float]"
    mpp_volts: "array[float]"
    battery_volts: "array[float]"
    celsius: "array[float]"
    #: (from, to) in epoch seconds, the season's own ends included.
    powered: tuple[tuple[int, int], ...]


def charge_end_volts(spec: NodeSpec, celsius: float) -> float:
    """Give the charge end voltage at a battery temperature, as the controllers correct it."""
    return HOT_VOLTS if celsius > HOT_CELSIUS else spec.charge_end_volts + _KELVIN_VOLTS * (25.0 - celsius)


def integrate(spec: NodeSpec, weather: Weather) -> Energy:
    """Run a node's battery through a season, starting full.

    Simple and stable rather than exact: rest voltage linear in the state of charge, an acceptance current
    that shrinks as the battery fills, capacity that shrinks in the cold.
    """
    open_circuit, mpp, battery, celsius = (array("f") for _ in range(4))
    shade, load = _day_factors(spec, "shade", 0.12), _day_factors(spec, "load", 0.25)
    capacity, resistance = spec.battery_amp_hours, 0.9 / spec.battery_amp_hours + 0.03
    stored, has_power, since = 1.0, True, weather.start
    powered: list[tuple[int, int]] = []
    previous = RETURN_VOLTS
    for point, (sky, air) in enumerate(zip(weather.light, weather.celsius, strict=True)):
        at = weather.start + point * STEP
        slot = at % DAY // STEP
        light = sky * shade[slot]
        warm = air + spec.warmth + 0.005 * light
        # An AVR board prints no frost (docs/nodes.md, sensors); this one stands indoors.
        warm = max(warm, 0.1) if spec.program is Program.AVR_BOARD else warm
        full_volts = charge_end_volts(spec, warm)
        idle_volts, watts = _panel(spec, light, air)
        load_amps = spec.load_watts * load[slot] / 12.5 if has_power else 0.01
        offered = watts / 13.2
        rest = _EMPTY_VOLTS + _RISE_VOLTS * stored
        if offered > load_amps:
            spare = offered - load_amps
            accepted = 0.45 * capacity * (1.025 - stored)
            strain = min(1.0, spare / accepted)
            volts = rest + (full_volts - rest) * strain * (2.0 - strain)
            amps = min(spare, accepted) * _CHARGE_EFFICIENCY
            tracking = (min(spare, accepted) + load_amps) / offered
        else:
            amps, tracking = offered - load_amps, 1.0
            volts = rest + amps * resistance
        # Near full the tracker lets the panel run up towards its open circuit voltage.
        held = 0.983 - (0.983 - spec.mpp_fraction) * min(1.0, tracking * 1.15)
        open_circuit.append(idle_volts)
        mpp.append(idle_volts * held)
        battery.append(volts)
        celsius.append(warm)
        limit = spec.disconnect_volts if has_power else RETURN_VOLTS
        if (volts <= limit) if has_power else (volts > limit):
            crossing = _crossing(at, previous, volts, limit)
            if has_power:
                powered.append((since, crossing))
            has_power, since = not has_power, crossing
        previous = volts
        usable = capacity * max(0.7, min(1.05, 1.0 + 0.006 * (warm - 25.0)))
        stored = max(0.0, min(1.0, stored + amps * _STEP_HOURS / usable))
    if has_power:
        powered.append((since, weather.start + (len(battery) - 1) * STEP))
    return Energy(weather.start, open_circuit, mpp, battery, celsius, tuple(powered))


def _panel(spec: NodeSpec, light: float, air: float) -> tuple[float, float]:
    """Open circuit voltage and the watts that the panel offers the battery."""
    if light < DARK_LIGHT:
        return 0.0, 0.0
    heat = air + 0.028 * light - 25.0
    volts = spec.panel_volts * (1.0 + 0.042 * log(light / 1000.0) - 0.0031 * heat)
    return volts, spec.panel_watts * light / 1000.0 * _PANEL_EFFICIENCY * (1.0 - 0.004 * heat)


def _crossing(at: int, before: float, after: float, limit: float) -> int:
    """When, in the step that ends at `at`, the voltage passed the limit (never before the step)."""
    part = (limit - before) / (after - before) if after != before else 1.0
    return at - STEP + int(STEP * max(0.0, min(1.0, part)))


def _day_factors(spec: NodeSpec, what: str, depth: float) -> list[float]:
    """One factor for each quarter hour of the day: this node's trees and chimneys, or its users' habits."""
    hours = [1.0 - depth + 2 * depth * chance(spec.seed, spec.name, what, hour) for hour in range(24)]
    return [
        hours[slot // 4] + (hours[(slot // 4 + 1) % 24] - hours[slot // 4]) * (slot % 4) / 4
        for slot in range(DAY // STEP)
    ]
