"""What nodes measured, for Prometheus: base units, only values that can be trusted, nothing that is old."""

from collections.abc import Iterable

from isems.api.exposition import Metric, label
from isems.domain.limits import list_untrusted
from isems.domain.measurement import Measurement
from isems.domain.status import StatusFlag, decode_status

#: Field of a measurement: metric, what a value is multiplied by to have the base unit, and its meaning.
VALUES = {
    "battery_volts": ("isems_battery_voltage_volts", 1, "Battery voltage."),
    "panel_open_circuit_volts": ("isems_panel_open_circuit_voltage_volts", 1, "Open-circuit voltage of the panel."),
    "panel_mpp_volts": ("isems_panel_mpp_voltage_volts", 1, "Panel voltage at the point of maximum power."),
    "charge_end_volts": ("isems_battery_charge_end_voltage_volts", 1, "Voltage at which charging ends."),
    "state_of_charge_percent": ("isems_battery_charge_ratio", 0.01, "The node's guess of the battery's charge."),
    "state_of_health_percent": ("isems_battery_health_ratio", 0.01, "The node's guess of the battery's health."),
    "battery_celsius": ("isems_battery_temperature_celsius", 1, "Battery temperature."),
    "power_save_level": ("isems_node_power_save_level", 1, "0 is off, 6 the most."),
    "minutes_until_shutdown": ("isems_node_shutdown_seconds", 60, "Until the watchdog cuts the power; 0 is off."),
}
FLAGS = {flag: flag.name.lower() for flag in StatusFlag if flag is not StatusFlag.UNUSED and flag.name}


def describe_nodes(newest: Iterable[Measurement], fresh_since: int) -> list[Metric]:
    """Give the metrics of nodes by their newest measurements; of those older than `fresh_since` only their time."""
    seen = Metric("isems_node_last_sample_timestamp_seconds", "gauge", "When the newest measurement was taken.")
    status = Metric("isems_node_status", "gauge", "Flags of the status code: 1 is set.")
    disconnect = Metric(
        "isems_battery_low_voltage_disconnect_volts", "gauge", "Voltage below which the node cuts itself off."
    )
    values = {field: Metric(name, "gauge", meaning) for field, (name, _, meaning) in VALUES.items()}
    for measurement in newest:
        node = label(node=measurement.node)
        seen.add(measurement.measured_at, node)
        if (measurement.measured_at or 0) < fresh_since:
            continue
        untrusted = list_untrusted(measurement)
        for field, metric in values.items():
            value = getattr(measurement, field)
            if value is not None and field not in untrusted:
                metric.add(value if VALUES[field][1] == 1 else round(value * VALUES[field][1], 9), node)
        disconnect.add(measurement.configuration.low_voltage_disconnect_volts, node)
        if measurement.status is not None:
            flags = decode_status(measurement.status)
            for flag, name in FLAGS.items():
                status.add(int(flag in flags), f"{node},{label(flag=name)}")
    return [seen, *values.values(), disconnect, status]
