"""Which program wrote a record, and the units that follow from it."""

import pytest

from isems.domain.measurement import Dialect
from isems.formats.dialects import dialect_of, disconnect_volts, minutes_from_ticks
from tests.formats.reading import AVR_BOARD, BOARD, POSITION, ROUTER, parse_one, with_field


@pytest.mark.parametrize(
    ("firmware", "disconnect", "dialect"),
    [
        *(("ATmega8_A_1", 11.7, Dialect.ROUTER), ("", 11.7, Dialect.ROUTER), ("0", 0, Dialect.ROUTER)),
        *(("ATmega8_A_1", 11700, Dialect.AVR_BOARD), ("ESP_1A", 11.7, Dialect.AVR_BOARD)),
        *(("ESP_1A", 11700, Dialect.AVR_BOARD), ("", 11700, Dialect.AVR_BOARD), ("0", 11700, Dialect.AVR_BOARD)),
        *(("FF-ESP-1A", 11.9, Dialect.BOARD), ("ESP_2.0", 11.9, Dialect.BOARD), ("unknown", 11.9, Dialect.BOARD)),
        *(("ESP_2.1", None, Dialect.BOARD), ("ATmega8_A_1", None, Dialect.ROUTER)),
        *((None, None, Dialect.UNKNOWN), (None, 11.9, Dialect.UNKNOWN), (None, 11700, Dialect.AVR_BOARD)),
    ],
)
def test_firmware_and_disconnect_voltage_tell_the_program(
    firmware: str | None, disconnect: float | None, dialect: Dialect
) -> None:
    assert dialect_of(firmware, disconnect) is dialect


def test_every_whole_number_of_millivolts_becomes_exactly_its_volts() -> None:
    assert all(disconnect_volts(float(sent)) == float(f"{sent}e-3") for sent in range(101, 50_000))


@pytest.mark.parametrize("volts", [0, 10.0, 11.67, 11.9, 13.0, 24.6, 100, -5, None])
def test_a_disconnect_voltage_in_volts_stays(volts: float | None) -> None:
    assert disconnect_volts(volts) == volts


def test_every_count_of_ticks_becomes_exactly_its_minutes() -> None:
    assert all(minutes_from_ticks(float(ticks)) * 4 == ticks for ticks in range(42_201))  # type: ignore[operator]


@pytest.mark.parametrize("line", [ROUTER, BOARD, AVR_BOARD], ids=["router", "board", "AVR board"])
@pytest.mark.parametrize("mark", [0, 99999])
def test_the_marks_of_the_watchdog_are_no_counts_in_any_dialect(line: str, mark: int) -> None:
    sent = with_field(line, POSITION["minutes_until_shutdown"], str(mark))
    assert parse_one(sent).minutes_until_shutdown == mark


@pytest.mark.parametrize(("line", "minutes"), [(ROUTER, 3600), (BOARD, 900), (AVR_BOARD, 3600)])
def test_only_boards_count_in_ticks(line: str, minutes: float) -> None:
    sent = with_field(line, POSITION["minutes_until_shutdown"], "3600")
    assert parse_one(sent).minutes_until_shutdown == minutes


def test_all_other_voltages_are_volts_in_every_dialect() -> None:
    measurement = parse_one(AVR_BOARD)
    assert (measurement.battery_volts, measurement.charge_end_volts) == (12.773, 14.907)
