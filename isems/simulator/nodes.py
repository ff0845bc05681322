"""The nodes of a simulated mesh: what their owners bought and how they configured it."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from isems.simulator.chance import chance, pick


class Program(StrEnum):
    """The program a node runs; the names are those of docs/wire-formats.md."""

    ROUTER = "OW"
    BOARD = "N"
    BOARD_LUA53 = "N53"
    OLD_BOARD = "O"
    AVR_BOARD = "X"


class _Purchase(NamedTuple):
    """What differs from node to node by choice, not by chance."""

    name: str
    program: Program
    latitude: float
    longitude: float
    battery_amp_hours: float
    panel_watts: float
    load_watts: float
    watchdog_minutes: int


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One node; everything it will ever report follows from this and the time."""

    index: int
    seed: int
    name: str
    program: Program
    latitude: float
    longitude: float
    battery_amp_hours: float
    panel_watts: float
    #: Open circuit voltage of the panel at 25 degrees and 1000 W/m2.
    panel_volts: float
    #: Part of the open circuit voltage at which the tracker holds the panel.
    mpp_fraction: float
    load_watts: float
    #: Period of the controller's watchdog in minutes (routers and AVR boards).
    watchdog_minutes: int = 10000
    disconnect_volts: float = 11.7
    #: Charge end voltage at 25 degrees, before temperature correction.
    charge_end_volts: float = 14.2
    #: False: the controller's firmware prints it in lower case, and the router reports 14.2 for ever
    #: (docs/nodes.md, sensors).
    reports_charge_end: bool = True
    #: How much warmer than the air the battery is, in degrees.
    warmth: float = 2.0
    power_save_level: int = 0
    #: Health after the night test, percent (boards).
    worn_percent: int = 96
    #: Last levels of the MQTT topics to which its owner told the board to publish.
    publishes: tuple[str, ...] = ()


#: The demonstration mesh.
_DEMO = (
    _Purchase("Elektra-Dach", Program.ROUTER, 52.507309, 13.458635, 36, 100, 1.6, 10000),
    _Purchase("Kantine Süd", Program.ROUTER, 52.49871, 13.41833, 40, 80, 1.4, 7200),
    _Purchase("Gartenhaus-Süd", Program.ROUTER, 52.4731, 13.4012, 9, 50, 2.2, 4320),
    _Purchase("Balkon-Neukoelln", Program.BOARD, 52.47388, 13.39051, 24, 40, 0.6, 0),
    _Purchase("Kleingarten 7 Hütte/Ost", Program.ROUTER, 52.53914, 13.47725, 12, 100, 1.8, 10000),
    _Purchase("Kirchturm Mitte", Program.ROUTER, 52.534608, 13.403521, 60, 140, 2.4, 5760),
    _Purchase("Wagenplatz Süd", Program.BOARD_LUA53, 52.5, 13.25, 50, 100, 0.8, 0),
    _Purchase("Bücherei/Hof 2", Program.ROUTER, 52.54871, 13.35412, 36, 90, 1.7, 1440),
    _Purchase("Alte Gärtnerei/Hof 2", Program.OLD_BOARD, 52.46011, 13.432, 24, 50, 0.5, 0),
    _Purchase("Werkhalle Nordost", Program.ROUTER, 52.51296, 13.42012, 80, 150, 2.6, 10000),
    _Purchase("Schuppen Müggelsee", Program.AVR_BOARD, 52.43781, 13.64752, 18, 50, 0.7, 1440),
    _Purchase("Glockenstube Kreuzberg", Program.ROUTER, 52.50034, 13.43108, 36, 100, 1.5, 8640),
)

_PLACES = (
    *("Dach", "Balkon", "Gartenhaus", "Hütte", "Schuppen", "Turm", "Kantine", "Bücherei", "Werkstatt", "Gärtnerei"),
    *("Wagenplatz", "Bootshaus", "Lagerhalle", "Schule", "Jugendclub", "Kita Löwenzahn", "Kirche", "Café Größenwahn"),
)
_QUARTERS = (
    *("Neukölln", "Köpenick", "Weißensee", "Pankow", "Wedding", "Kreuzberg/SO36", "Moabit", "Lichtenberg", "Spandau"),
    *("Schöneberg", "Treptow", "Britz", "Rummelsburg", "Grünau", "Hönow", "Späthsfelde", "Bernau", "Erkner"),
)
_PUBLISHES = {
    Program.BOARD: ("csvlog", "data.json"),
    Program.BOARD_LUA53: ("csvlog",),
    Program.OLD_BOARD: ("data.json",),
}
#: Eight routers in twelve; the rest shared by the boards.
_PROGRAMS = tuple(purchase.program for purchase in _DEMO)


def make_mesh(count: int, seed: int = 1) -> list[NodeSpec]:
    """Give the first `count` nodes of the mesh that `seed` stands for; the first twelve are the demonstration.

    Node 2 (Gartenhaus-Süd) is too weak for a Berlin winter, node 4 (Kleingarten 7) has too small a battery
    for its panel, node 7 is power-cycled by its watchdog every day.
    """
    purchases = (_DEMO[index] if index < len(_DEMO) else _further(index, seed) for index in range(count))
    return [_build(index, seed, purchase) for index, purchase in enumerate(purchases)]


def _further(index: int, seed: int) -> _Purchase:
    program = _PROGRAMS[index % len(_PROGRAMS)]
    weak = chance(seed, index, "weak") < 0.1
    load = round(pick(1.2, 2.6, seed, index, "load") * (1.0 if program is Program.ROUTER else 0.35), 2)
    watts = 5 * round(load * pick(*((20, 26) if weak else (50, 75)), seed, index, "watts") / 5)
    amp_hours = round(load * pick(*((4, 6) if weak else (20, 32)), seed, index, "amp hours"))
    watchdog = 1440 * (1 + int(6 * chance(seed, index, "watchdog")))
    latitude = round(pick(52.38, 52.66, seed, index, "latitude"), 6)
    longitude = round(pick(13.12, 13.72, seed, index, "longitude"), 6)
    return _Purchase(_name(index), program, latitude, longitude, max(amp_hours, 7), max(watts, 10), load, watchdog)


def _name(index: int) -> str:
    """A name no other index has: place and quarter, and a number once all pairs are used."""
    number = index - len(_DEMO)
    place = _PLACES[number % len(_PLACES)]
    # Place and quarter lists are equally long: the second round of places is shifted by one quarter.
    quarter = _QUARTERS[(number + number // len(_PLACES)) % len(_QUARTERS)]
    again = number // (len(_PLACES) * len(_QUARTERS))
    return f"{place} {quarter}" + (f" {again + 1}" if again else "")


def _build(index: int, seed: int, purchase: _Purchase) -> NodeSpec:
    program = purchase.program
    is_avr = program in (Program.ROUTER, Program.AVR_BOARD)
    charge_end = 14.2 if is_avr else (14.7 if program is Program.OLD_BOARD else 14.1)
    return NodeSpec(
        index=index,
        seed=seed,
        **purchase._asdict(),
        panel_volts=round(pick(20.2, 21.9, seed, index, "panel"), 2),
        mpp_fraction=round(pick(0.76, 0.82, seed, index, "mpp"), 3),
        disconnect_volts=(11.67 if index % 3 == 0 else 11.7) if is_avr else 11.9,
        charge_end_volts=charge_end,
        reports_charge_end=index % 4 != 2,
        warmth=round(pick(0.5, 4.0, seed, index, "warmth"), 1),
        power_save_level=1 if chance(seed, index, "power save") < 0.2 else 0,
        worn_percent=85 + int(15 * chance(seed, index, "worn")),
        publishes=_PUBLISHES.get(program, ()),
    )
