"""The texts beside the CSV log: the routers' JSON and HTML, the boards' status pages."""

from isems.domain.status import StatusFlag
from isems.simulator.nodes import NodeSpec, Program

#: JSON key and CSV field (counted from 0), in the order of the routers' file; None: the summary.
_ROUTER_JSON: tuple[tuple[str, int | None, bool], ...] = (
    ("System status summary", None, True),
    ("µC firmware and controller type", 3, True),
    ("Next reboot", 4, False),
    ("Power save level", 5, False),
    ("Solar panel open circuit voltage", 6, False),
    ("MPP-Tracking voltage", 7, False),
    ("Battery voltage", 8, False),
    ("Charge state (0-100%)", 9, False),
    ("Battery temperature (Celsius)", 11, False),
    ("Battery health estimate (0-100%)", 10, False),
    ("Low voltage disconnect voltage", 12, False),
    ("Temperature corrected charge end voltage", 13, False),
    ("Rated battery capacity in Ah (when new)", 14, False),
    ("Rated solar module power in Watt", 15, False),
    ("Latitude", 16, False),
    ("Longitude", 17, False),
)
#: Label, CSV field and unit of the status pages of all programs.
_PAGE: tuple[tuple[str, int, str], ...] = (
    ("Charge state: ", 9, "%"),
    ("Next scheduled reboot by watchdog in: ", 4, " minutes"),
    ("Battery voltage: ", 8, " Volt"),
    ("Temperature corrected charge end voltage: ", 13, " Volt"),
    ("Battery temperature: ", 11, "&deg;C"),
    ("Battery health estimate: ", 10, "%"),
    ("Power save level: ", 5, ""),
    ("Solar panel open circuit voltage: ", 6, " Volt"),
    ("MPP-Tracking voltage: ", 7, " Volt"),
    ("Low voltage disconnect voltage: ", 12, " Volt"),
    ("Rated battery capacity (when new): ", 14, " Ah"),
    ("Rated solar module power: ", 15, " Watt"),
)
_WARNINGS = (
    (StatusFlag.HEALTHY, "Healthy. "),
    (StatusFlag.BATTERY_LEVEL_LOW, "Warning: Battery level low. Increased battery wear. "),
    (
        StatusFlag.ENERGY_CAPACITY_TOO_SMALL,
        " Warning: Energy storage capacity too small. Check battery size and/or wear. ",
    ),
    (StatusFlag.TEMP_SENSOR_NOT_CONNECTED, "Warning: Temperature sensor not connected. "),
    (StatusFlag.BATTERY_OVERHEATING, "Warning: Battery overheating. "),
    (StatusFlag.LOW_BATTERY_TEMPERATURE, "Warning: Low battery temperature. "),
)
_NO_CONTROLLER = "No information. Error: No communication with solar controller."


def summary(code: int) -> str:
    """Give the words for a status code. (Those for heat and frost were in no recorded sample and are ours.)"""
    flags = StatusFlag(code)
    if StatusFlag.NO_SOLAR_COMMUNICATION in flags:
        return _NO_CONTROLLER
    return _charge_words(flags) + "".join(words for flag, words in _WARNINGS if flag in flags)


def _charge_words(flags: StatusFlag) -> str:
    if StatusFlag.FULLY_CHARGED in flags:
        return "Fully charged. "
    if StatusFlag.CHARGING in flags:
        return "Charging. "
    return "Discharging. " if StatusFlag.DISCHARGING in flags else ""


def router_json(line: str) -> str:
    """Give a router's JSON file for its newest record: one member a line, nothing escaped."""
    fields = line.split(";")
    words = summary(int(fields[18], 16))
    members = [f'"Node-ID":  "{fields[0]}"', f'"Timestamp": {fields[2]}']
    for key, field, is_text in _ROUTER_JSON:
        value = words if field is None else fields[field]
        members.append(f'"{key}": "{value}"' if is_text else f'"{key}": {value}')
    members.append(f'"Status code":  "0x{fields[18]}"')
    return "{\n" + ",\n".join(members) + "\n}\n"


def router_html(line: str) -> str:
    """Give a router's HTML fragment for its newest record."""
    fields = line.split(";")
    rows = [f"<h3>Status of {fields[0]} (local node)</h3>", f"<b>Summary: </b>{summary(int(fields[18], 16))}<br><br>"]
    rows += [f"<b>{label}</b>{fields[field]}{unit}<br><br>" for label, field, unit in _PAGE]
    rows += [f"<b>Solar controller type and firmware:</b> {fields[3]}<br><br>"]
    return "\n".join([*rows, f"<b>Status code:</b> 0x{fields[18]}<br><br>", ""])


def board_page(spec: NodeSpec, line: str | None, uptime: int) -> str:
    """Give a board's status page; `line` is the newest record, None before the first."""
    if line is None:
        return f"<h1>Independent Solar Energy Mesh</h1><br><h2>Status of {spec.name}</h2><br> No data yet."
    fields = line.split(";")
    rows = [f"Summary: {summary(int(fields[18], 16))}"]
    rows += [f"{label}{fields[field]}{unit}" for label, field, unit in _PAGE]
    version = "1.2 " if spec.program in (Program.BOARD, Program.BOARD_LUA53) else ""
    rows += [f"Unix-Timestamp: {fields[2]} (local time)", f"Solar controller type and firmware: {version}{fields[3]}"]
    rows += [f"Latitude: {fields[16]}", f"Longitude: {fields[17]}", f"Status code: 0x{fields[18]}"]
    if spec.program is not Program.AVR_BOARD:
        rows += ["Free RAM in Bytes: 141819", f"Uptime in seconds: {uptime}"]
    head = f"<h1>Independent Solar Energy Mesh</h1><br><h2>Status of {spec.name} (local node)</h2><br><br>"
    return head + "<br>".join(rows)
