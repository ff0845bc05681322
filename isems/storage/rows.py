"""A measurement as a row: scaled integers, and exactly what they cannot hold.

``encode`` and ``decode`` are each other's inverse: what a node sent is what is read back.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from isems.domain.measurement import Configuration, Dialect, Measurement, Trace
from isems.domain.status import STATUS_MASK

#: node_id, measured_at, configuration_id, nine scaled values, status, time_repaired, exact.
Row = tuple[Any, ...]

#: PostgreSQL's integer; SQLite would hold more, but one schema serves both.
MAX_INTEGER = 2**31 - 1
#: Values remembered for each scale before its memory is emptied.
MAX_REMEMBERED = 100_000


class Scale(NamedTuple):
    """How a field of Measurement is stored: column value = field x factor."""

    field: str
    factor: int


#: In the order of the table's columns.
SCALES = (
    Scale("minutes_until_shutdown", 4),  # ticks of 15 s, what boards count in
    Scale("power_save_level", 1),
    Scale("panel_open_circuit_volts", 1000),
    Scale("panel_mpp_volts", 1000),
    Scale("battery_volts", 1000),
    Scale("state_of_charge_percent", 1),
    Scale("state_of_health_percent", 1),
    Scale("battery_celsius", 100),
    Scale("charge_end_volts", 1000),
)
#: What a trace is made of.
TRACE_COLUMNS = ("measured_at", "shutdown_ticks", "battery_centicelsius", "exact")
CONFIGURATION_FIELDS = (
    "isems_revision",
    "firmware",
    "low_voltage_disconnect_volts",
    "rated_battery_amp_hours",
    "rated_panel_watts",
    "latitude",
    "longitude",
)


class InexactError(ValueError):
    """A value does not scale to an integer that gives it back."""


class _Scaled(dict[float | None, int | None]):
    """`scaled[value]` is the column's integer, remembered; raises InexactError where it would not be exact."""

    def __init__(self, factor: int) -> None:
        super().__init__({None: None})
        self.factor = factor

    def __missing__(self, value: float) -> int:
        scaled = nearest(value, self.factor)
        if scaled is None or scaled / self.factor != value:
            raise InexactError
        if len(self) >= MAX_REMEMBERED:
            self.clear()
            self[None] = None
        self[value] = scaled
        return scaled


def nearest(value: float, factor: int) -> int | None:
    """Give the integer nearest to value x factor, or None where the column cannot hold it."""
    scaled = value * factor
    return round(scaled) if abs(scaled) <= MAX_INTEGER else None


_shutdown, _, _millivolts, _, _, _whole, _, _centi, _ = (_Scaled(scale.factor) for scale in SCALES)


def encode_rows(
    node_ids: Mapping[str, int], configuration_ids: Mapping[int, int], measurements: Iterable[Measurement]
) -> list[Row]:
    """Give the rows of measurements whose `measured_at` is known; configurations are looked up by their `id()`.

    A loop and no function a row: every record that is stored comes through here.
    """
    shutdown, whole, millivolts, centi = _shutdown, _whole, _millivolts, _centi
    rows: list[Row] = []
    add = rows.append
    for measurement in measurements:
        node_id = node_ids[measurement.node]
        configuration_id = configuration_ids[id(measurement.configuration)]
        try:
            add(
                (
                    node_id,
                    measurement.measured_at,
                    configuration_id,
                    shutdown[measurement.minutes_until_shutdown],
                    whole[measurement.power_save_level],
                    millivolts[measurement.panel_open_circuit_volts],
                    millivolts[measurement.panel_mpp_volts],
                    millivolts[measurement.battery_volts],
                    whole[measurement.state_of_charge_percent],
                    whole[measurement.state_of_health_percent],
                    centi[measurement.battery_celsius],
                    millivolts[measurement.charge_end_volts],
                    whole[measurement.status],
                    1 if measurement.time_repaired else 0,  # the driver takes longer over a bool
                    None,
                )
            )
        except InexactError:
            add(encode_exactly(node_id, configuration_id, measurement, {}))
    return rows


def encode(node_id: int, configuration_id: int, measurement: Measurement) -> Row:
    """Give the row of one measurement whose `measured_at` is known."""
    ids = {measurement.node: node_id}, {id(measurement.configuration): configuration_id}
    return encode_rows(*ids, [measurement])[0]


def encode_exactly(node_id: int, configuration_id: int, measurement: Measurement, exact: dict[str, Any]) -> Row:
    """Give the row with every value that is no exact integer, and `exact` itself, in the last column."""
    exact = dict(exact)
    values: list[int | None] = []
    for field, factor in SCALES:
        value = getattr(measurement, field)
        scaled = None if value is None else nearest(value, factor)
        if value is not None and (scaled is None or scaled / factor != value):
            exact[field] = value
        values.append(scaled)
    status = measurement.status
    if status is not None and status > MAX_INTEGER:
        exact["status"] = f"{status:x}"
        status &= STATUS_MASK
    text = msgspec.json.encode(exact).decode() if exact else None
    return (
        node_id,
        measurement.measured_at,
        configuration_id,
        *values,
        status,
        int(measurement.time_repaired),
        text,
    )


def decode(name: str, configuration: Configuration, row: Row) -> Measurement:
    """Give back the measurement of a row."""
    measured_at, _, ticks, level, open_circuit, mpp, battery, charge, health, celsius, end, status, repaired, text = (
        row[1:]
    )
    measurement = Measurement(
        name,
        measured_at,
        configuration,
        None if ticks is None else ticks / 4,
        level,
        None if open_circuit is None else open_circuit / 1000,
        None if mpp is None else mpp / 1000,
        None if battery is None else battery / 1000,
        charge,
        health,
        None if celsius is None else celsius / 100,
        None if end is None else end / 1000,
        status,
        bool(repaired),
    )
    return measurement if text is None else _restore(measurement, text)


def _restore(measurement: Measurement, text: str) -> Measurement:
    exact: dict[str, Any] = msgspec.json.decode(text)
    if "status" in exact:
        exact["status"] = int(exact["status"], 16)
    if "dialect" in exact:
        exact["dialect"] = Dialect(exact["dialect"])
    of_configuration = {field: exact.pop(field) for field in Configuration.__struct_fields__ if field in exact}
    if of_configuration:
        configuration = msgspec.structs.replace(measurement.configuration, **of_configuration)
        measurement = msgspec.structs.replace(measurement, configuration=configuration)
    return msgspec.structs.replace(measurement, **exact)


_rows_of_traces = msgspec.json.Decoder(list[tuple[int, int | None, int | None, str | None]])


def decode_traces(text: str) -> list[Trace]:
    """Give back the traces of rows, of which a JSON text holds the `TRACE_COLUMNS`."""
    traces = []
    for measured_at, ticks, celsius, exact in _rows_of_traces.decode(text):
        trace = Trace(measured_at, None if ticks is None else ticks / 4, None if celsius is None else celsius / 100)
        traces.append(trace if exact is None else _restore_trace(trace, exact))
    return traces


def _restore_trace(trace: Trace, text: str) -> Trace:
    exact: dict[str, Any] = msgspec.json.decode(text)
    known = {field: exact[field] for field in Trace.__struct_fields__ if field in exact}
    return msgspec.structs.replace(trace, **known)


def has_own_configuration(text: str | None) -> bool:
    """Tell whether a row's last column says that its configuration is another than the one it refers to."""
    return text is not None and not msgspec.json.decode(text).keys().isdisjoint(Configuration.__struct_fields__)


def merge(older: Measurement, newer: Measurement) -> Measurement | None:
    """Unite two records of one node and second: what one does not know, the other fills in.

    None when a field known to both differs: then they are no records of the same thing.
    """
    fields = {scale.field: None for scale in SCALES} | {"status": None}
    united = _unite(older, newer, tuple(fields))
    configured = _unite(older.configuration, newer.configuration, CONFIGURATION_FIELDS)
    if united is None or configured is None:
        return None
    known = older.configuration if older.configuration.dialect is not Dialect.UNKNOWN else newer.configuration
    configuration = msgspec.structs.replace(known, **configured)
    return msgspec.structs.replace(older, configuration=configuration, **united)


def _unite(older: object, newer: object, fields: tuple[str, ...]) -> dict[str, Any] | None:
    united = {}
    for field in fields:
        one, other = getattr(older, field), getattr(newer, field)
        if one is not None and other is not None and one != other:
            return None
        united[field] = other if one is None else one
    return united
