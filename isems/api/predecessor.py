"""The predecessor's two endpoints, compatible in shape, so that its phone app works unchanged."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from isems.api import context
from isems.api.answers import answer
from isems.domain.status import STATUS_MASK
from isems.storage.newest import Stored, select_newest, select_newest_of_each
from isems.storage.nodes import find_node

routes = Blueprint("predecessor", __name__)

#: How many measurements of one node are given: a day of minutes.
NEWEST = 1440
DAY = 86_400


@routes.get("/measurements/latest")
def get_newest_of_each() -> Response:
    """Give the newest measurement of every active node; with ``?all=true`` of every node."""
    active_since = int(time.time() - context.config().hide_inactive_after_days * DAY)
    with context.database().read() as connection:
        stored = select_newest_of_each(connection, None if request.args.get("all") == "true" else active_since)
    return answer(encode_measurements(stored, context.config().timezone))


@routes.get("/measurements/<node:name>/latest")
def get_newest_of_node(name: str) -> Response:
    """Give the newest 1440 measurements of one node, newest first."""
    question = (name, _name_as_sent())
    version = context.database().data_version()
    if response := context.tags().not_modified(question, version):
        return response
    with context.database().read() as connection:
        for candidate in _meanings(name):
            # PostgreSQL cannot even be asked for such a name, and no node has it.
            node_id = None if "\0" in candidate else find_node(connection, candidate)
            if node_id is not None:
                stored = select_newest(connection, candidate, node_id, NEWEST)
                response = answer(encode_measurements(stored, context.config().timezone))
                return context.tags().remember(question, version, response)
    return Response(f"No node is known by the name {name!r}.\n", status=404, mimetype="text/plain")


def _meanings(name: str) -> Iterator[str]:
    """Give the names that a path may stand for, the likeliest first."""
    yield name
    yield _name_as_sent()
    with suppress(UnicodeError):  # raw UTF-8, which the server of `flask run` takes for Latin-1
        yield name.encode("latin-1").decode("utf-8")


def _name_as_sent() -> str:
    """The name without percent-decoding, for ids that hold a percent sign and were not encoded."""
    uri: str = request.environ.get("REQUEST_URI") or request.environ.get("RAW_URI") or ""
    path, _, _ = uri.partition("?")
    return path.partition("/measurements/")[2].removesuffix("/latest")


def encode_measurements(stored: Sequence[Stored], zone: tzinfo) -> bytes:
    """Give the body of both endpoints."""
    return msgspec.json.encode({"measurements": [as_predecessor(one, zone) for one in stored]})


def as_predecessor(stored: Stored, zone: tzinfo) -> dict[str, Any]:
    """Translate to the predecessor's keys: the one place outside `formats` that knows them."""
    measurement = stored.measurement
    configuration = measurement.configuration
    measured_at = measurement.measured_at or 0
    return {
        "id": stored.node_id << 32 | measured_at,
        "nodeId": measurement.node,
        "isemsRevision": configuration.isems_revision,
        "timestamp": datetime.fromtimestamp(measured_at, zone).isoformat(),
        "openMPPTFirmwareVersion": configuration.firmware,
        "timeToShutdown": measurement.minutes_until_shutdown,
        "isPowerSaveMode": None if measurement.power_save_level is None else measurement.power_save_level > 0,
        "openCircuitVoltage": measurement.panel_open_circuit_volts,
        "mppVoltage": measurement.panel_mpp_volts,
        "batteryVoltage": measurement.battery_volts,
        # The existing app dies on null here.
        "batteryChargeEstimate": measurement.state_of_charge_percent or 0,
        "batteryHealthEstimate": measurement.state_of_health_percent,
        "batteryTemperature": measurement.battery_celsius,
        "lowVoltageDisconnectVoltage": configuration.low_voltage_disconnect_volts,
        "temperatureCorrectedVoltage": measurement.charge_end_volts,
        "rateBatteryCapacity": configuration.rated_battery_amp_hours,
        "ratedSolarModuleCapacity": configuration.rated_panel_watts,
        "latitude": configuration.latitude,
        "longitude": configuration.longitude,
        # And on anything but a string here; a digit more than three would shift every flag it shows.
        "status": f"0x{(measurement.status or 0) & STATUS_MASK:03x}",
    }
