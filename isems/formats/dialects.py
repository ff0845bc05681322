"""Which node program wrote a record, and the units that this settles (docs/wire-formats.md, who sends what)."""

from isems.domain.measurement import SHUTDOWN_UNSET, Dialect

#: What X prints before its controller told a firmware id: it must not be taken for a board's id.
AVR_BOARD_FIRST_FIRMWARE = "ESP_1A"
#: A disconnect voltage above this is in millivolts (docs/wire-formats.md, who sends what).
MAX_DISCONNECT_VOLTS = 100
#: Boards count time to shutdown in ticks of 15 s under a label that says minutes (docs/nodes.md, time to shutdown).
TICKS_PER_MINUTE = 4


def dialect_of(firmware: str | None, disconnect: float | None) -> Dialect:
    """Tell the dialect from the firmware id (None: the format has none) and the disconnect voltage as sent."""
    if disconnect is not None and disconnect > MAX_DISCONNECT_VOLTS:
        return Dialect.AVR_BOARD
    if firmware is None:
        return Dialect.UNKNOWN
    if firmware == AVR_BOARD_FIRST_FIRMWARE:
        return Dialect.AVR_BOARD
    if firmware.startswith(("FF-ESP", "ESP_")) or firmware == "unknown":
        return Dialect.BOARD
    return Dialect.ROUTER


def disconnect_volts(sent: float | None) -> float | None:
    """Give the disconnect voltage in volts, whether it was sent in volts or millivolts."""
    if sent is not None and sent > MAX_DISCONNECT_VOLTS:
        return sent / 1000
    return sent


def minutes_from_ticks(sent: float | None) -> float | None:
    """Give a board's time to shutdown in minutes; it was sent in ticks of 15 seconds."""
    if sent is None or sent == SHUTDOWN_UNSET:
        return sent
    return sent / TICKS_PER_MINUTE
