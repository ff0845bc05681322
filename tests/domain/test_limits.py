import msgspec
import pytest

from isems.domain.limits import PLACEHOLDERS, is_controller_silent, is_position_trusted, list_untrusted
from isems.domain.measurement import SHUTDOWN_UNSET, Configuration, Dialect, Measurement

CONFIGURATION = Configuration("1", "MPPT", 11.9, 18, 100, 52.5, 13.4, Dialect.ROUTER)
USUAL = Measurement("a", 1_700_000_000, CONFIGURATION, 600, 0, 20.1, 17.2, 12.8, 60, 100, 17.25, 14.1, 0x900)


def changed(**values: object) -> Measurement:
    return msgspec.structs.replace(USUAL, **values)


def test_a_usual_record_is_believed_whole() -> None:
    assert list_untrusted(USUAL) == []


def test_a_silent_controllers_values_are_all_placeholders() -> None:
    silent = changed(battery_volts=0.0, state_of_health_percent=0.0, battery_celsius=0.0, status=0x0B2)
    assert list_untrusted(silent) == list(PLACEHOLDERS)


def test_an_unknown_value_is_not_named_as_untrusted() -> None:
    assert list_untrusted(changed(battery_volts=None, panel_mpp_volts=None, status=0x010)) == [
        field for field in PLACEHOLDERS if field not in ("battery_volts", "panel_mpp_volts")
    ]


def test_the_bit_that_an_avr_board_never_clears_does_not_hide_its_values() -> None:
    assert not is_controller_silent(0xFD2, 12.8)
    assert list_untrusted(changed(status=0xFD2)) == []


@pytest.mark.parametrize(("percent", "untrusted"), [(0, False), (100, False), (-44, True), (-2400, True), (101, True)])
def test_health_is_believed_from_0_to_100(percent: float, untrusted: bool) -> None:
    assert list_untrusted(changed(state_of_health_percent=percent)) == ["state_of_health_percent"] * untrusted


@pytest.mark.parametrize(("celsius", "untrusted"), [(-40, False), (85, False), (-142, True), (85.01, True)])
def test_temperature_is_believed_where_sensors_can_read(celsius: float, untrusted: bool) -> None:
    assert list_untrusted(changed(battery_celsius=celsius)) == ["battery_celsius"] * untrusted


def test_a_silent_controllers_impossible_health_is_named_once() -> None:
    named = list_untrusted(changed(battery_volts=0.0, state_of_health_percent=-44.0, status=0x010))
    assert named.count("state_of_health_percent") == 1


def test_an_unset_watchdog_is_no_time() -> None:
    assert list_untrusted(changed(minutes_until_shutdown=SHUTDOWN_UNSET)) == ["minutes_until_shutdown"]


@pytest.mark.parametrize(
    ("latitude", "longitude", "trusted"),
    [(52.5, 13.4, True), (0, 13.4, True), (0, 0, False), (91, 13, False), (52, -180.1, False), (None, 13.4, False)],
)
def test_a_position_is_on_the_globe_and_not_the_unset_one(
    latitude: float | None, longitude: float | None, trusted: bool
) -> None:
    assert is_position_trusted(latitude, longitude) is trusted
    where = msgspec.structs.replace(CONFIGURATION, latitude=latitude, longitude=longitude)
    known = [name for name, value in (("latitude", latitude), ("longitude", longitude)) if value is not None]
    assert list_untrusted(changed(configuration=where)) == ([] if trusted else known)
