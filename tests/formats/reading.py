"""Payloads to parse, the recorded ones among them, and a second reading of a CSV line to compare with."""

import gzip
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from isems.domain.measurement import Measurement
from isems.domain.payload import Payload, Source
from isems.formats import Parsed, parse_payload

DATA = Path(__file__).resolve().parents[1] / "data" / "formats"

ROUTER = "Elektra-Dach;1;1530014973;ATmega8_A_1;8271;0;20.536;20.157;14.038;100;100;31;11.67;14.02;18;20;52.507309;13.458635;300"
BOARD = "Balkon-Neukoelln;1;1619576591;ESP_2.0;870;0;0;0;12.74;98;100;9.84;11.9;14.554;12;30;52.47388;13.39051;500"
AVR_BOARD = (
    "ESP32-Meshnode-1;1;1575420680;ATmega8_A_1;1390;0;0;0;12.773;99;-2400;1.4;11700;14.907;8;10;52.520008;13.404954;7C2"
)

#: Names of CSV fields 5 to 18, in their order.
NUMBERS = (
    *("minutes_until_shutdown", "power_save_level", "panel_open_circuit_volts", "panel_mpp_volts", "battery_volts"),
    *("state_of_charge_percent", "state_of_health_percent", "battery_celsius", "low_voltage_disconnect_volts"),
    *("charge_end_volts", "rated_battery_amp_hours", "rated_panel_watts", "latitude", "longitude"),
)
#: Where a field stands in a line, counted from 0 as `split` does.
POSITION = {name: index for index, name in enumerate(NUMBERS, start=4)}
BOARD_FIRMWARES = ("FF-ESP-1A", "ESP_2.0", "unknown")


def payload(data: bytes | str, format_hint: str | None = None, node_hint: str | None = None) -> Payload:
    if isinstance(data, str):
        data = data.encode()
    return Payload(
        data=data,
        source=Source.POLL,
        address="10.0.0.1",
        received_at=1_700_000_000,
        format_hint=format_hint,
        node_hint=node_hint,
    )


def parse(data: bytes | str, format_hint: str | None = None, node_hint: str | None = None) -> Parsed:
    return parse_payload(payload(data, format_hint, node_hint))


def parse_one(data: bytes | str, format_hint: str | None = None, node_hint: str | None = None) -> Measurement:
    """Parse what has to be exactly one record without anything rejected."""
    parsed = parse(data, format_hint, node_hint)
    assert parsed.rejected == []
    (measurement,) = parsed.measurements
    return measurement


def with_field(line: str, position: int, text: str) -> str:
    """Give the line with one field, counted from 0, exchanged."""
    fields = line.split(";")
    fields[position] = text
    return ";".join(fields)


def field_of(measurement: Measurement, name: str) -> Any:
    """Give a field of the measurement or of its configuration."""
    return getattr(measurement, name, None) if hasattr(measurement, name) else getattr(measurement.configuration, name)


def fields_of(measurement: Measurement) -> dict[str, Any]:
    """Give all fields in one flat dictionary."""
    flat = msgspec.structs.asdict(measurement)
    return {**msgspec.structs.asdict(flat.pop("configuration")), **flat}


def second_reading(line: str) -> dict[str, Any]:
    """Read a line by counting fields from its end, numbers as exact decimals: slower, and another way to the same."""
    parts = line.rstrip("\r").split(";")
    is_legacy = len(parts) == 18
    values = [*parts[-17:], ""] if is_legacy else parts[-18:]
    numbers = dict(zip(NUMBERS, map(exact, values[3:17]), strict=True))
    disconnect, minutes = numbers["low_voltage_disconnect_volts"], numbers["minutes_until_shutdown"]
    if disconnect is not None and disconnect > 100:
        numbers["low_voltage_disconnect_volts"] = disconnect / 1000
    elif minutes not in (None, 99999) and values[2] in BOARD_FIRMWARES:
        numbers["minutes_until_shutdown"] = minutes / 4
    return {
        "node": line.removesuffix(";" + ";".join(line.split(";")[len(parts) - len(values) + is_legacy :])),
        "isems_revision": values[0],
        "measured_at": int(Decimal(values[1])),
        "firmware": values[2],
        **numbers,
        "status": int(values[17], 16) if values[17] else None,
    }


def exact(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def as_exact(measurement: Measurement) -> dict[str, Any]:
    """Give what `second_reading` gives, from a measurement: the shortest decimal that means each number."""
    fields = fields_of(measurement)
    del fields["dialect"], fields["time_repaired"]
    return {name: Decimal(repr(value)) if isinstance(value, float) else value for name, value in fields.items()}


def recorded(name: str) -> bytes:
    """Give a recorded file, unpacked."""
    data = (DATA / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


def recorded_messages(name: str) -> list[dict[str, Any]]:
    """Give the messages of a recording."""
    return [json.loads(line) for line in recorded(name).splitlines()]
