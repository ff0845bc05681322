"""`ffopenmppt.json`, one object with a router's newest record (docs/wire-formats.md).

The router's program escapes nothing and may stop half-way, so the file is often not valid JSON. It has one
member per line, and is read that way: a member that is broken or missing is unknown, the others stay.
"""

from collections.abc import Iterator

from isems.domain.measurement import Configuration, Dialect, Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.errors import FormatError
from isems.formats.dialects import disconnect_volts
from isems.formats.numbers import number_of, status_of
from isems.formats.parsed import LineError, Parsed, check_node_name, read_text, read_time

MAX_BYTES = 16_384

NODE, TIME, STATUS = "Node-ID", "Timestamp", "Status code"
FIRMWARE = "µC firmware and controller type"
BATTERY_VOLTS = "Battery voltage"


def looks_like(data: bytes) -> bool:
    """Tell whether the bytes begin as a router's JSON does."""
    return data.lstrip()[:1] == b"{" and b'"Node-ID"' in data[:200]


def parse(payload: Payload) -> Parsed:
    """Read the one record.

    Raises FormatError when it is something else, too large or no UTF-8; a record cut before its values is rejected.
    """
    if not looks_like(payload.data):
        raise FormatError(f"no router's JSON: it begins with {payload.data[:40]!r}")
    if len(payload.data) > MAX_BYTES:
        raise FormatError(f"a router's JSON of {len(payload.data)} bytes, expected at most {MAX_BYTES}")
    try:
        text = payload.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"a router's JSON that is not UTF-8: {error.reason}") from error
    try:
        return Parsed([_read_members(dict(_split_members(text)))], [text], [])
    except LineError as error:
        return Parsed([], [], [Rejected(payload.data, error.reason, str(error))])


def _split_members(text: str) -> Iterator[tuple[str, str]]:
    """Give the key and the bare value of every line that begins as a member does."""
    # The last line of a file that was cut may hold half a value; a whole file ends with the brace.
    for line in text.split("\n")[:-1]:
        key, separator, value = line.strip().partition('":')
        if separator and key.startswith('"'):
            yield key[1:], value.removesuffix(",").strip()


def _read_members(members: dict[str, str]) -> Measurement:
    node = check_node_name(_unquote(members.get(NODE, "")))
    measured_at = read_time(members.get(TIME, ""))
    if BATTERY_VOLTS not in members:
        raise LineError(Reason.FIELD_COUNT, f"the record is cut: it has no '{BATTERY_VOLTS}'")

    def number(key: str) -> float | None:
        return number_of[members.get(key, "")]

    configuration = Configuration(
        isems_revision=None,
        firmware=read_text(_unquote(members[FIRMWARE])) if FIRMWARE in members else None,
        low_voltage_disconnect_volts=disconnect_volts(number("Low voltage disconnect voltage")),
        rated_battery_amp_hours=number("Rated battery capacity in Ah (when new)"),
        rated_panel_watts=number("Rated solar module power in Watt"),
        latitude=number("Latitude"),
        longitude=number("Longitude"),
        dialect=Dialect.ROUTER,
    )
    return Measurement(
        node=node,
        measured_at=measured_at,
        configuration=configuration,
        minutes_until_shutdown=number("Next reboot"),
        power_save_level=number("Power save level"),
        panel_open_circuit_volts=number("Solar panel open circuit voltage"),
        panel_mpp_volts=number("MPP-Tracking voltage"),
        battery_volts=number(BATTERY_VOLTS),
        state_of_charge_percent=number("Charge state (0-100%)"),
        state_of_health_percent=number("Battery health estimate (0-100%)"),
        battery_celsius=number("Battery temperature (Celsius)"),
        charge_end_volts=number("Temperature corrected charge end voltage"),
        status=status_of[_unquote(members.get(STATUS, ""))],
    )


def _unquote(value: str) -> str:
    """Take off the outer quotes; inner ones are the host name's own, the router escapes nothing."""
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
