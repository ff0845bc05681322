"""The status code: twelve flags, the first being the most significant bit (docs/nodes.md, status bits)."""

from enum import IntFlag


class StatusFlag(IntFlag):
    """One bit each; the mask of Bit_n in the producers' documentation is ``0x800 >> n``."""

    CHARGING = 0x800
    DISCHARGING = 0x400
    FULLY_CHARGED = 0x200
    HEALTHY = 0x100
    BATTERY_LEVEL_LOW = 0x080
    ENERGY_CAPACITY_TOO_SMALL = 0x040
    TEMP_SENSOR_NOT_CONNECTED = 0x020
    NO_SOLAR_COMMUNICATION = 0x010
    BATTERY_OVERHEATING = 0x008
    LOW_BATTERY_TEMPERATURE = 0x004
    FIRMWARE_UPGRADE_NOT_ALLOWED = 0x002
    UNUSED = 0x001


#: A status wider than this was never produced; its low bits count (docs/nodes.md, status bits).
STATUS_MASK = 0xFFF


def decode_status(status: int) -> StatusFlag:
    """Give the flags of a status code as sent; bits above the twelve known ones are left out."""
    return StatusFlag(status & STATUS_MASK)
