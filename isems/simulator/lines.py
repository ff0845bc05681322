"""A session's records as CSV lines, by program. Field order and number forms: docs/wire-formats.md.

These loops make every line of a mesh's history, so they are long, look numbers up instead of formatting them,
and call nothing per record.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from isems.simulator.chance import NOISE_MASK, NOISE_STRIDE, chance, noise_table
from isems.simulator.energy import charge_end_volts
from isems.simulator.lua import STATUS_TEXTS, level_texts, lua51, lua53, millivolt_texts
from isems.simulator.nodes import NodeSpec, Program
from isems.simulator.sessions import FIRST_TICKS, TICK_SECONDS, Season, Session
from isems.simulator.weather import DAY, STEP

Record = tuple[int, str]
"""True time in epoch seconds, and the line as printed, without newline."""

#: Seconds from power-on to a router's first record: boot, then one capture window of 60 s.
ROUTER_FIRST = 105
#: A router's cycle: 60 s of capture and the program's run time, which varies by the second number.
ROUTER_PERIOD, ROUTER_JITTER = 60.7, 0.7
#: An AVR board's first 14 and further 28 serial lines.
AVR_BOARD_FIRST, AVR_BOARD_PERIOD, AVR_BOARD_JITTER = 24, 47.5, 0.5
BOARD_FIRST = 5
#: The AVR's converter: millivolts a level at the panel and at the battery (docs/nodes.md, sensors).
PANEL_LEVEL, BATTERY_LEVEL = 29.13, 17.57
_HALF_STEP = STEP // 2
_FIRMWARES = {
    Program.ROUTER: "ATmega8_A_1",
    Program.AVR_BOARD: "ATmega8_A_1",
    Program.OLD_BOARD: "FF-ESP-1A",
    Program.BOARD: "ESP_2.0",
    Program.BOARD_LUA53: "ESP_2.0",
}
#: The AVR board's night test gone wrong, from 17 h at UTC+2 for the rest of the session (docs/nodes.md, gauge and health).
_WRONG_HEALTH_AT, _WRONG_HEALTH = 15 * 3600 + 86, ("-2400", "-800", "-44")


def session_lines(spec: NodeSpec, season: Season, session: Session, skip: int = 0) -> Iterator[Record]:
    """Print a session's records in order, without the first `skip` (0 for programs that remember, see `can_skip`)."""
    if spec.program is Program.ROUTER:
        return _router_lines(spec, season, session, skip)
    if spec.program is Program.AVR_BOARD:
        return _avr_board_lines(spec, season, session)
    return _board_lines(spec, season, session, skip)


def can_skip(spec: NodeSpec) -> bool:
    """Tell whether a record depends on nothing but its own time.

    The AVR board's status bits stick and the old board's panel voltage stays over night: these need the whole session.
    """
    return spec.program not in (Program.AVR_BOARD, Program.OLD_BOARD)


def first_and_period(spec: NodeSpec) -> tuple[int, float]:
    """Give the seconds from boot to the first record, and (at most a second less than) those between records."""
    if spec.program is Program.ROUTER:
        return ROUTER_FIRST, ROUTER_PERIOD
    if spec.program is Program.AVR_BOARD:
        return AVR_BOARD_FIRST, AVR_BOARD_PERIOD
    return BOARD_FIRST, float(TICK_SECONDS)


def initial_line(spec: NodeSpec) -> str:
    """Give the line an AVR board shows before its controller was heard."""
    return f"{spec.name};1" + ";0" * 17


class _Span(NamedTuple):
    """Half a grid step: values at its start and their slopes per second; millivolts, degrees, percent."""

    start: int
    until: int
    open_circuit: float
    open_circuit_slope: float
    mpp: float
    mpp_slope: float
    battery: float
    battery_slope: float
    celsius: float
    celsius_slope: float
    gauge: float
    gauge_slope: float
    panel_noise: float
    battery_noise: float
    is_dark: bool


def _span(season: Season, at: int) -> _Span:
    energy = season.energy
    point = (at - season.start) // STEP
    begin = season.start + point * STEP
    is_late = at - begin >= _HALF_STEP
    start = begin + _HALF_STEP if is_late else begin
    x = float(start - begin)
    is_dark = energy.open_circuit_volts[point + is_late] == 0.0
    idle, idle_slope = _line(energy.open_circuit_volts[point], energy.open_circuit_volts[point + 1], x)
    mpp, mpp_slope = _line(energy.mpp_volts[point], energy.mpp_volts[point + 1], x)
    if not is_dark and 0.0 in (energy.open_circuit_volts[point], energy.open_circuit_volts[point + 1]):
        # Dawn or dusk falls into this step: no panel passes through all voltages down to zero.
        idle, mpp = energy.open_circuit_volts[point + is_late], energy.mpp_volts[point + is_late]
        idle_slope = mpp_slope = 0.0
    battery, battery_slope = _line(energy.battery_volts[point], energy.battery_volts[point + 1], x)
    celsius, celsius_slope = _line(energy.celsius[point], energy.celsius[point + 1], x)
    gauge, gauge_slope = _line(season.gauge[point], season.gauge[point + 1], x)
    if abs(gauge_slope) * STEP > 8.0:
        # A new start of the gauge, not a movement of it.
        gauge, gauge_slope = season.gauge[point + 1], 0.0
    return _Span(
        start, start + _HALF_STEP, idle * 1000, idle_slope * 1000, mpp * 1000, mpp_slope * 1000, battery * 1000,
        battery_slope * 1000, celsius, celsius_slope, gauge, gauge_slope, 350.0 if mpp > 0.93 * idle else 45.0,
        4.0 if is_dark else 18.0, is_dark,
    )  # fmt: skip


def _line(before: float, after: float, x: float) -> tuple[float, float]:
    slope = (after - before) / STEP
    return before + slope * x, slope


def _router_lines(  # noqa: C901, PLR0912 (see above)
    spec: NodeSpec, season: Season, session: Session, skip: int
) -> Iterator[Record]:
    noise = noise_table(spec.seed, spec.name)
    jitter = [ROUTER_JITTER * 0.5 * (1.0 + value) for value in noise]
    panel, battery, codes = level_texts(PANEL_LEVEL), level_texts(BATTERY_LEVEL), STATUS_TEXTS
    head, middle = f"{spec.name};1;", f";{spec.power_save_level};"
    hours = spec.battery_amp_hours / (spec.panel_watts / 15.0)
    is_small = hours <= 2.5
    forbidden_level = (spec.disconnect_volts + 0.2) * 1000 / BATTERY_LEVEL
    tails: dict[int, tuple[str, int]] = {}
    first, end, watchdog_at = session.boot + ROUTER_FIRST, session.end, session.watchdog_at
    until, number, step, mask = 0, skip, NOISE_STRIDE, NOISE_MASK
    while True:
        at = first + int(number * ROUTER_PERIOD + jitter[number & mask])
        number += 1
        if at >= end:
            return
        if at >= until:
            (start, until, idle, idle_slope, mpp, mpp_slope, volts, volts_slope, celsius, celsius_slope,
             gauge, gauge_slope, _, battery_noise, is_dark) = _span(season, at)  # fmt: skip
            idle, idle_slope, mpp, mpp_slope = (v / PANEL_LEVEL for v in (idle, idle_slope, mpp, mpp_slope))
            volts, volts_slope = volts / BATTERY_LEVEL, volts_slope / BATTERY_LEVEL
            battery_noise /= BATTERY_LEVEL
        x = at - start
        dice = noise[at * step & mask]
        tenths = int((celsius + celsius_slope * x) * 10.0)
        tail = tails.get(tenths)
        if tail is None:
            tail = tails[tenths] = _router_tail(spec, tenths)
        charge = gauge + gauge_slope * x
        level = int(volts + volts_slope * x + battery_noise * dice)
        minutes = (watchdog_at - at) // 60
        code = tail[1]
        if is_dark:
            voltages = "0;0"
            code |= 0x400
        else:
            tracked = int(mpp + mpp_slope * x + 1.6 * dice)
            voltages = f"{panel[int(idle + idle_slope * x + 1.4 * dice)]};{panel[tracked]}"
            if tracked * PANEL_LEVEL < level * BATTERY_LEVEL:
                code |= 0x400
            elif charge < 100.0:
                code |= 0x800
        if charge >= 100.0:
            code |= 0x200
        if is_small:
            code |= 0x040
        elif charge > 50.0:
            code |= 0x100
        elif charge <= 30.0:
            code |= 0x080
        if level < forbidden_level or minutes < 15:
            code |= 0x002
        yield (
            at,
            f"{head}{at};ATmega8_A_1;{minutes}{middle}{voltages};{battery[level]};{int(charge)}{tail[0]}{codes[code]}",
        )


def _router_tail(spec: NodeSpec, tenths: int) -> tuple[str, int]:
    """Fields 11 to 18 and the status bits that follow from a temperature in tenths of a degree."""
    degrees = max(0, tenths // 10)
    volts = charge_end_volts(spec, tenths / 10) if spec.reports_charge_end else 14.2
    end = lua51(int(volts * 1000 + 1e-6) / 1000)
    is_missing = end == "14.2" and degrees == 0
    code = (0x020 if is_missing else 0) | (0x008 if tenths >= 400 else 0)
    return f";100;{degrees};{lua51(spec.disconnect_volts)};{end};{_place(spec)};", code


def _place(spec: NodeSpec) -> str:
    """Fields 15 to 18, as configured."""
    numbers = (spec.battery_amp_hours, spec.panel_watts, spec.latitude, spec.longitude)
    if spec.program is Program.BOARD_LUA53:
        # Configured as `50.0` there; the rest prints as its owner wrote it.
        return ";".join([lua53(float(numbers[0])), *(lua51(number) for number in numbers[1:])])
    return ";".join(lua51(number) for number in numbers)


def _avr_board_lines(spec: NodeSpec, season: Season, session: Session) -> Iterator[Record]:
    noise = noise_table(spec.seed, spec.name)
    jitter = [AVR_BOARD_JITTER * 0.5 * (1.0 + value) for value in noise]
    panel, battery, codes = level_texts(PANEL_LEVEL), level_texts(BATTERY_LEVEL), STATUS_TEXTS
    hours = spec.battery_amp_hours / (spec.panel_watts / 15.0)
    tails: dict[int, str] = {}
    wrong_from, wrong_health = _wrong_health(spec, session)
    first, end = session.boot + AVR_BOARD_FIRST, session.end
    # The program never clears its bits, and compares volts with a threshold in millivolts: bit 10 is always set.
    code, until, number = 0x002, 0, 0
    while True:
        at = first + int(number * AVR_BOARD_PERIOD + jitter[number & NOISE_MASK])
        number += 1
        if at >= end:
            return
        if at >= until:
            span = _span(season, at)
            until = span.until
        x = at - span.start
        dice = noise[at * NOISE_STRIDE & NOISE_MASK]
        tenths = int((span.celsius + span.celsius_slope * x) * 10.0 + 0.5)
        tail = tails.get(tenths)
        if tail is None:
            tail = tails[tenths] = _avr_board_tail(spec, tenths)
        charge = span.gauge + span.gauge_slope * x
        level = int((span.battery + span.battery_slope * x + span.battery_noise * dice) / BATTERY_LEVEL)
        tracked = idle = 0
        if not span.is_dark:
            tracked = int((span.mpp + span.mpp_slope * x) / PANEL_LEVEL + 1.6 * dice)
            idle = int((span.open_circuit + span.open_circuit_slope * x) / PANEL_LEVEL + 1.4 * dice)
        health = wrong_health if at >= wrong_from else "100"
        code |= 0x800 if tracked * PANEL_LEVEL >= level * BATTERY_LEVEL else 0x400
        if charge >= 100.0:
            code = (code | 0x200) & ~0x800
        if health != "100" or hours <= 5.0:
            code |= 0x040
        else:
            code |= 0x100 if charge > 50.0 else 0x080
        if tenths >= 400:
            code |= 0x008
        yield (
            at,
            f"{spec.name};1;{at};ATmega8_A_1;{(session.watchdog_at - at) // 60};0;{panel[idle]};{panel[tracked]}"
            f";{battery[level]};{int(charge)};{health}{tail}{codes[code]}",
        )


def _avr_board_tail(spec: NodeSpec, tenths: int) -> str:
    """Fields 12 to 18 at a temperature in tenths of a degree; the threshold stays in millivolts."""
    end = lua51(int(charge_end_volts(spec, tenths / 10) * 1000 + 1e-6) / 1000)
    return f";{lua51(tenths / 10)};{spec.disconnect_volts * 1000:.0f};{end};{_place(spec)};"


def _wrong_health(spec: NodeSpec, session: Session) -> tuple[int, str]:
    at = session.boot - session.boot % DAY + _WRONG_HEALTH_AT
    at += DAY if at < session.boot else 0
    return at, _WRONG_HEALTH[int(3 * chance(spec.seed, spec.name, "health", at))]


def _board_lines(  # noqa: C901, PLR0912 (see above)
    spec: NodeSpec, season: Season, session: Session, skip: int
) -> Iterator[Record]:
    noise = noise_table(spec.seed, spec.name)
    is_lua53, is_old = spec.program is Program.BOARD_LUA53, spec.program is Program.OLD_BOARD
    texts, codes = millivolt_texts(is_lua53), STATUS_TEXTS
    # Lua 5.3 tells the constant 0 from a computed 0.0.
    dark = "0;0.0" if is_lua53 else "0;0"
    head, firmware = f"{spec.name};1;", f";{_FIRMWARES[spec.program]};"
    resolution = 100.0 if is_old else 20.0
    tails: dict[tuple[int, int], tuple[str, int]] = {}
    first, end = session.boot + BOARD_FIRST, session.end
    until, number, step, mask = 0, skip, NOISE_STRIDE, NOISE_MASK
    while True:
        at = first + number * TICK_SECONDS
        if at >= end:
            return
        ticks = FIRST_TICKS - number + 1 if number else FIRST_TICKS
        if at >= until:
            (start, until, idle, idle_slope, mpp, mpp_slope, volts, volts_slope, celsius, celsius_slope,
             gauge, gauge_slope, panel_noise, battery_noise, is_dark) = _span(season, at)  # fmt: skip
            health = _board_health(spec, session, start)
            hours = spec.battery_amp_hours * health / 100 / (spec.panel_watts / 15.0)
        x = at - start
        dice = noise[at * step & mask]
        charge = int(gauge + gauge_slope * x)
        millivolts = int(volts + volts_slope * x + battery_noise * dice)
        place = (int((celsius + celsius_slope * x + 0.03 * dice) * resolution), health)
        tail = tails.get(place)
        if tail is None:
            tail = tails[place] = _board_tail(spec, place[0], health)
        code = tail[1]
        if is_dark:
            voltages = dark
            code |= 0x400
        else:
            tracked = int(mpp + mpp_slope * x + panel_noise * dice)
            open_circuit = int(idle + idle_slope * x + 20.0 * dice)
            voltages = f"{texts[open_circuit]};{texts[tracked]}"
            if is_old:
                # Keeps the day's last panel voltage and an offset until the next reboot.
                dark = f"{texts[open_circuit]};0.3"
            if tracked < millivolts:
                code |= 0x400
            elif charge < 100 and (is_old or open_circuit >= tracked):
                code |= 0x800
        if charge >= 100:
            code |= 0x200
        if hours <= 5.0:
            code |= 0x040
        else:
            code |= 0x100 if charge > 50 else 0x080
        if millivolts < 12100 or ticks < 15:
            code |= 0x002
        stamp = at if number or not session.is_cold else BOARD_FIRST
        yield at, f"{head}{stamp}{firmware}{ticks};0;{voltages};{texts[millivolts]};{charge}{tail[0]}{codes[code]}"
        number += 1


def _board_tail(spec: NodeSpec, place: int, health: int) -> tuple[str, int]:
    """Fields 11 to 18 and temperature bits; `place` counts 0.01 degrees (old board) or 0.05 (new board)."""
    # The new board adds steps of 0.05 up and floors the sum: some land just below.
    hundredths = place if spec.program is Program.OLD_BOARD else 5 * place - (place % 3 == 0)
    print_number: Callable[[float], str] = lua53 if spec.program is Program.BOARD_LUA53 else lua51
    end = int(charge_end_volts(spec, hundredths / 100) * 1000 + 1e-6) / 1000
    code = (0x008 if hundredths >= 4000 else 0) | (0x004 if hundredths <= -1000 else 0)
    numbers = f"{print_number(hundredths / 100)};{print_number(spec.disconnect_volts)};{print_number(end)}"
    return f";{health};{numbers};{_place(spec)};", code


def _board_health(spec: NodeSpec, session: Session, at: int) -> int:
    """100 until the node has been up from 22 h to 4 h of its time (UTC+1), then what that night told."""
    tested = at - (at - 3 * 3600) % DAY
    return spec.worn_percent if session.boot <= tested - 6 * 3600 else 100
