"""What a variable or its file says, whatever the variable."""

from pathlib import Path

import pytest

from isems.errors import ConfigError
from tests.config.reading import read, refusal


def test_the_cause_of_a_refusal_is_not_kept_beside_it() -> None:
    # A traceback in somebody's log would show it with the value.
    with pytest.raises(ConfigError) as caught:
        read(DATABASE_URL="postgresql://isems:geheim@127.0.0.1:port/isems")
    assert caught.value.__suppress_context__


def test_blanks_around_addresses_are_ignored() -> None:
    """Defect 23: a blank after the comma made `%20b` of the second host."""
    assert read(ISEMS_ROUTER_IPS="a, b").router_ips == ("a", "b")
    assert read(ISEMS_ROUTER_IPS=" , a ,,b\n c,a, ").router_ips == ("a", "b", "c")


@pytest.mark.parametrize("name", ["DATABASE_URL", "MQTT_SERVER", "SENTRY_DSN", "ISEMS_ROUTER_IPS", "ISEMS_PORT"])
def test_a_file_can_hold_the_value(name: str, tmp_path: Path) -> None:
    values = {
        "DATABASE_URL": "postgresql://isems:geheim@db/isems",
        "MQTT_SERVER": "mqtt://isems:geheim@broker",
        "SENTRY_DSN": "https://key@sentry.example/1",
        "ISEMS_ROUTER_IPS": "a\nb",
        "ISEMS_PORT": "8080",
    }
    file = tmp_path / "value"
    file.write_text(f"  {values[name]}\n", encoding="utf-8")
    assert read(**{f"{name}_FILE": str(file)}) == read(**{name: values[name]})


def test_the_variable_itself_wins_over_its_file(tmp_path: Path) -> None:
    assert read(ISEMS_PORT="1", ISEMS_PORT_FILE=str(tmp_path / "missing")).port == 1


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing", tmp_path, binary):
        assert refusal(SENTRY_DSN_FILE=str(path)).startswith(f"SENTRY_DSN_FILE is {str(path)!r}, expected ")


def test_a_file_too_long_to_be_read_is_refused_and_not_cut(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("0123456789abcdef=Dach\n" * 4000, encoding="utf-8")
    assert "at most 65536 characters" in refusal(ISEMS_PUSH_TOKENS_FILE=str(file))
