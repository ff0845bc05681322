"""A database as the predecessor left it, made from what is to be found in it afterwards."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.storage.database import Database
from isems.storage.upgrade import run_migrations

BERLIN = ZoneInfo("Europe/Berlin")
VERSIONS = ("ae0a32b43c39", "256a79be1bd8", "ef784e202371")
#: In the order of `OldRow`, which leaves the id to the database.
COLUMNS = (
    "nodeId",
    "timestamp",
    "isemsRevision",
    "openMPPTFirmwareVersion",
    "timeToShutdown",
    "isPowerSaveMode",
    "openCircuitVoltage",
    "mppVoltage",
    "batteryVoltage",
    "batteryChargeEstimate",
    "batteryHealthEstimate",
    "batteryTemperature",
    "lowVoltageDisconnectVoltage",
    "temperatureCorrectedVoltage",
    "rateBatteryCapacity",
    "ratedSolarModuleCapacity",
    "latitude",
    "longitude",
    "status",
)
OldRow = tuple[Any, ...]


class Sent(NamedTuple):
    """What a node sent, and the measurement that must come of it."""

    row: OldRow
    measurement: Measurement


class Hardware(NamedTuple):
    """One of the four node programs, with the units it sends in."""

    firmware: str
    dialect: Dialect
    disconnect: float
    step: int


HARDWARE = (
    Hardware("ATmega8_A_1", Dialect.ROUTER, 11.9, 61),
    Hardware("ESP_2.0", Dialect.BOARD, 11.9, 15),
    Hardware("ATmega8_A_1", Dialect.AVR_BOARD, 11700.0, 47),
)


def local_text(instant: int, zone: ZoneInfo = BERLIN) -> str:
    """An instant as the predecessor stored it."""
    return datetime.fromtimestamp(instant, zone).strftime("%Y-%m-%d %H:%M:%S.%f")


def sent_at(node: str, instant: int, hardware: Hardware, random: Random, zone: ZoneInfo = BERLIN) -> Sent:
    """A record of a node at an instant, with random values."""
    ticks, mode = float(random.randrange(40_000)), random.random() < 0.2
    volts = [random.randrange(30_000) / 1000 for _ in range(3)]
    charge, health = float(random.randrange(101)), float(random.randrange(-50, 101))
    celsius, end = random.randrange(-1000, 6000) / 100, random.choice([14.2, 13.991, 0.0])
    status = random.choice([0x900, 0x300, 0x0B2, None])
    latitude = random.choice([52.507309, None])
    row = (
        *(node, local_text(instant, zone), "1", hardware.firmware, ticks, mode, *volts, charge, health, celsius),
        *(hardware.disconnect, end, 18.0, 20.0, latitude, 13.458635, status),
    )
    configuration = Configuration(
        "1",
        hardware.firmware,
        11.7 if hardware.dialect is Dialect.AVR_BOARD else hardware.disconnect,
        18.0,
        20.0,
        latitude,
        13.458635,
        hardware.dialect,
    )
    minutes = ticks / 4 if hardware.dialect is Dialect.BOARD else ticks
    values = (minutes, 1 if mode else None, *volts, charge, health, celsius, end, status)
    return Sent(row, Measurement(node, instant, configuration, *values))


def history(count: int, begins: Sequence[int], zone: ZoneInfo = BERLIN, nodes: int = 6) -> Iterator[Sent]:
    """So many records, in the order in which the predecessor stored them: polls of 15 minutes, node after node.

    The history leaps from one of `begins` to the next. The predecessor took nothing that was not newer, by local
    time, than what it had: of an autumn hour that is there twice it kept the first pass only. Node 0 is another:
    its log of the whole night came in one piece, so that both passes are there; node 1 was silent from before the first until the second.
    """
    random = Random(count)
    each = count // len(begins)
    return chain.from_iterable(islice(_polled(begin, random, zone, nodes), each) for begin in begins)


def _polled(begin: int, random: Random, zone: ZoneInfo, nodes: int) -> Iterator[Sent]:
    newest = dict.fromkeys(range(nodes), "")
    clocks = {node: begin + node for node in range(nodes)}
    time = begin
    while True:
        time += 900
        for node in range(nodes):
            hardware = HARDWARE[node % len(HARDWARE)]
            if node == 0 and _second_of_doubled(time + 3600, zone):
                continue  # not reached until the night is over
            known = newest[node]
            while clocks[node] < time:
                instant = clocks[node]
                clocks[node] += 61 if node == 0 else hardware.step
                stored = local_text(instant, zone)
                if stored <= known or (node == 1 and _is_silent(instant, zone)):
                    continue
                newest[node] = max(newest[node], stored)
                yield sent_at(f"Knoten {node}/Süd", instant, hardware, random, zone)


def _is_silent(instant: int, zone: ZoneInfo) -> bool:
    """Whether an instant is in a first pass, in the half hour before it or in the 20 minutes after it."""
    times = (instant, instant + 1800, instant - 1200)
    return any(local_text(time, zone)[:13] == local_text(time + 3600, zone)[:13] for time in times)


def _second_of_doubled(instant: int, zone: ZoneInfo) -> bool:
    """Whether an instant is within three hours of a second pass."""
    return any(datetime.fromtimestamp(instant + late, zone).fold for late in range(-3600, 7201, 900))


def make_database(url: str, rows: Iterable[OldRow] = (), version: str = VERSIONS[-1]) -> None:
    """The predecessor's database of a version, with these rows."""
    database = Database(url)
    with database.write_any_version() as connection:
        run_migrations(connection, version)
        insert_old(connection, rows, version)
    if database.is_sqlite:
        database.execute_alone("PRAGMA auto_vacuum = NONE", "VACUUM")  # as it was made without us
    database.close()


def insert_old(connection: Connection, rows: Iterable[OldRow], version: str = VERSIONS[-1]) -> None:
    """Add rows to the old table; without their status where it has no column."""
    columns = COLUMNS[: -1 if version == VERSIONS[0] else None]
    names, places = (", ".join(f"{mark}{name}{end}" for name in columns) for mark, end in (('"', '"'), (":", "")))
    statement = text(f"INSERT INTO measurement ({names}) VALUES ({places})")
    pieces = iter(rows)
    while piece := [dict(zip(columns, row[: len(columns)], strict=True)) for row in islice(pieces, 5000)]:
        connection.execute(statement, piece)


def instant(year: int, month: int, day: int, hour: int) -> int:
    """An instant in UTC."""
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def set_zone(url: str, zone: str) -> None:
    """Make a PostgreSQL database's sessions have this TimeZone."""
    database = Database(url)
    with database.write_any_version() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = '{zone}'")
    database.close()
