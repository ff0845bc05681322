"""The predecessor's two endpoints, compatible in shape, so that its phone app works unchanged."""

import time
from collections.abc import Sequence
from datetime import datetime, tzinfo

import msgspec
from flask import Blueprint, Response, request

from isems.api import context
from isems.api.answers import answer
from isems.api.paths import find_node_in_path, name_as_sent
from isems.domain.status import STATUS_MASK
from isems.storage.newest import Stored, select_newest, select_newest_of_each

routes = Blueprint("predecessor", __name__)

#: How many measurements of one node are given: a day of minutes.
NEWEST = 1440
DAY = 86_400
#: What stands before and behind the name in a path.
AROUND_NAME = ("/measurements/", "/latest")


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
    question = (name, name_as_sent(*AROUND_NAME))
    version = context.database().data_version()
    if response := context.tags().not_modified(question, version):
        return response
    with context.database().read() as connection:
        if node := find_node_in_path(connection, name, *AROUND_NAME):
            stored = select_newest(connection, node.name, node.id, NEWEST)
            response = answer(encode_measurements(stored, context.config().timezone))
            return context.tags().remember(question, version, response)
    return Response(f"No node is known by the name {name!r}.\n", status=404, mimetype="text/plain")


def encode_measurements(stored: Sequence[Stored], zone: tzinfo) -> bytes:
    """Give the body of both endpoints."""
    return msgspec.json.encode({"measurements": [as_predecessor(one, zone) for one in stored]})


class PredecessorMeasurement(msgspec.Struct, gc=False, rename="camel", kw_only=True):
    """A measurement under the predecessor's keys, which end as theirs did: JSON of a struct is made in a third of the
    time of a dictionary's.
    """

    id: int
    node_id: str
    isems_revision: str | None
    #: In local time, to be written with its offset.
    timestamp: datetime | str
    open_mppt_firmware_version: str | None = msgspec.field(name="openMPPTFirmwareVersion")
    time_to_shutdown: float | None
    is_power_save_mode: bool | None
    open_circuit_voltage: float | None
    mpp_voltage: float | None
    battery_voltage: float | None
    battery_charge_estimate: float
    battery_health_estimate: float | None
    battery_temperature: float | None
    low_voltage_disconnect_voltage: float | None
    temperature_corrected_voltage: float | None
    rate_battery_capacity: float | None
    rated_solar_module_capacity: float | None
    latitude: float | None
    longitude: float | None
    status: str


def as_predecessor(stored: Stored, zone: tzinfo) -> PredecessorMeasurement:
    """Translate to the predecessor's keys: the one place outside `formats` that knows them."""
    measurement = stored.measurement
    configuration = measurement.configuration
    measured_at = measurement.measured_at or 0
    return PredecessorMeasurement(
        id=stored.node_id << 32 | measured_at,
        node_id=measurement.node,
        isems_revision=configuration.isems_revision,
        timestamp=_local_time(measured_at, zone),
        open_mppt_firmware_version=configuration.firmware,
        time_to_shutdown=measurement.minutes_until_shutdown,
        is_power_save_mode=None if measurement.power_save_level is None else measurement.power_save_level > 0,
        open_circuit_voltage=measurement.panel_open_circuit_volts,
        mpp_voltage=measurement.panel_mpp_volts,
        battery_voltage=measurement.battery_volts,
        # The existing app dies on null here.
        battery_charge_estimate=measurement.state_of_charge_percent or 0,
        battery_health_estimate=measurement.state_of_health_percent,
        battery_temperature=measurement.battery_celsius,
        low_voltage_disconnect_voltage=configuration.low_voltage_disconnect_volts,
        temperature_corrected_voltage=measurement.charge_end_volts,
        rate_battery_capacity=configuration.rated_battery_amp_hours,
        rated_solar_module_capacity=configuration.rated_panel_watts,
        latitude=configuration.latitude,
        longitude=configuration.longitude,
        # And on anything but a string here; a digit more than three would shift every flag it shows.
        status=_STATUS[(measurement.status or 0) & STATUS_MASK],
    )


def _local_time(measured_at: int, zone: tzinfo) -> datetime | str:
    """Where the offset is zero, the encoder would write Z instead of it."""
    local = datetime.fromtimestamp(measured_at, zone)
    return local if local.utcoffset() else local.isoformat()


_STATUS = [f"0x{status:03x}" for status in range(STATUS_MASK + 1)]
