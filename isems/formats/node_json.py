"""`data.json`: the flat object that boards publish and post (docs/wire-formats.md).

It has no node id (that is in the topic or URL), no revision, no firmware id and no time.
"""

import re

import msgspec

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.errors import FormatError
from isems.formats.dialects import disconnect_volts
from isems.formats.numbers import minutes_of_ticks, number_of, status_of
from isems.formats.parsed import LineError, Parsed, check_node_name

MAX_BYTES = 16_384
#: Lua prints a number that is none as a bare word, which JSON does not know (docs/wire-formats.md).
BARE_WORD = re.compile(rb'(":\s*)[+-]?(?:nan|inf(?:inity)?|nil)(?=\s*[,}])', re.IGNORECASE)
#: One of these at least tells a sample from any other object, such as a server's error message.
MEMBERS = frozenset(
    (
        *("timeToShutdown", "isPowerSaveMode", "openCircuitVoltage", "mppVoltage", "batteryVoltage", "status"),
        *("batteryChargeEstimate", "batteryHealthEstimate", "batteryTemperature", "temperatureCorrectedVoltage"),
        *("lowVoltageDisconnectVoltage", "rateBatteryCapacity", "ratedSolarModuleCapacity", "latitude", "longitude"),
    )
)


def looks_like(data: bytes) -> bool:
    """Tell whether the bytes begin as an object with members does."""
    return data.lstrip()[:1] == b"{"


def parse(payload: Payload) -> Parsed:
    """Read the one sample; its node is `payload.node_hint` and its `measured_at` None.

    Raises FormatError when the bytes are no JSON object or hold no member of a sample. Without a node hint the sample is rejected.
    """
    if len(payload.data) > MAX_BYTES:
        raise FormatError(f"JSON of {len(payload.data)} bytes, expected at most {MAX_BYTES}")
    members = _decode(payload.data)
    if MEMBERS.isdisjoint(members):
        raise FormatError("a JSON object without any member of a board's sample")
    try:
        if payload.node_hint is None:
            raise LineError(Reason.NODE_NAME, "a board's JSON names no node, and neither does the way it came")
        measurement = _read_members(check_node_name(payload.node_hint), members)
    except LineError as error:
        return Parsed([], [], [Rejected(payload.data, error.reason, str(error))])
    return Parsed([measurement], [payload.data.decode("utf-8", "replace")], [])


def _decode(data: bytes) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(BARE_WORD.sub(rb"\1null", data), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"no JSON object: {error}") from error


def _read_members(node: str, members: dict[str, msgspec.Raw]) -> Measurement:
    def text(key: str) -> str:
        return bytes(members.get(key, msgspec.Raw())).decode("utf-8", "replace").strip()

    def number(key: str) -> float | None:
        return number_of[text(key)]

    return Measurement(
        node=node,
        measured_at=None,
        configuration=Configuration(
            isems_revision=None,
            firmware=None,
            low_voltage_disconnect_volts=disconnect_volts(number("lowVoltageDisconnectVoltage")),
            rated_battery_amp_hours=number("rateBatteryCapacity"),
            rated_panel_watts=number("ratedSolarModuleCapacity"),
            latitude=number("latitude"),
            longitude=number("longitude"),
            dialect=Dialect.BOARD,
        ),
        minutes_until_shutdown=minutes_of_ticks[text("timeToShutdown")],
        power_save_level=number("isPowerSaveMode"),
        panel_open_circuit_volts=number("openCircuitVoltage"),
        panel_mpp_volts=number("mppVoltage"),
        battery_volts=number("batteryVoltage"),
        state_of_charge_percent=number("batteryChargeEstimate"),
        state_of_health_percent=number("batteryHealthEstimate"),
        battery_celsius=number("batteryTemperature"),
        charge_end_volts=number("temperatureCorrectedVoltage"),
        status=status_of[text("status").strip('"')] if text("status").startswith('"') else None,
    )
