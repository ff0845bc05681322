"""The MQTT broker: its login and files, and what of them fits together."""

from pathlib import Path

import pytest

from isems.config import Broker
from tests.config.reading import read, refusal

ROOT = Path(__file__).resolve().parents[2]
MQTTS = "mqtts://broker"


def test_login_and_files_of_the_broker_may_stand_apart(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("ge heim\n")
    broker = read(
        MQTT_SERVER=MQTTS,
        ISEMS_MQTT_USER="isems",
        ISEMS_MQTT_PASSWORD_FILE=str(tmp_path / "password"),
        ISEMS_MQTT_CA="/etc/ca.pem",
        ISEMS_MQTT_CERTIFICATE="own.pem",
        ISEMS_MQTT_KEY=str(tmp_path / "own.key"),
    ).broker
    assert broker == Broker(
        host="broker",
        port=8883,
        is_tls=True,
        user="isems",
        password="ge heim",
        ca=Path("/etc/ca.pem"),
        certificate=ROOT / "own.pem",
        key=tmp_path / "own.key",
    )
    assert read(MQTT_SERVER="mqtt://isems@broker", ISEMS_MQTT_PASSWORD="geheim").broker == Broker(
        host="broker", port=1883, user="isems", password="geheim"
    )


@pytest.mark.parametrize("broker", ["mqtt://isems:geheim@broker", "mqtts://isems:geheim@[fd00::1]:1"])
def test_a_broker_is_shown_without_its_login(broker: str) -> None:
    found = read(MQTT_SERVER=broker).broker
    assert found is not None
    for shown in (found.place, repr(found), str(found), repr(read(MQTT_SERVER=broker))):
        assert "geheim" not in shown
        assert "isems:" not in shown
    assert found.place in {"broker:1883", "[fd00::1]:1"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"MQTT_SERVER": "isems:geheim@broker"},
            "MQTT_SERVER is ***, expected host, host:port, mqtt://user:password@host or mqtts://user:password@host",
        ),
        ({"MQTT_SERVER": "mqtt://:geheim@broker"}, "MQTT_SERVER is 'mqtt://***', expected a user before the password"),
        (
            {"MQTT_SERVER": "mqtt://isems:ge%00heim@broker"},
            "MQTT_SERVER is 'mqtt://***', expected text without line ends and other control characters",
        ),
        (
            {"MQTT_SERVER": "mqtt://isems@broker", "ISEMS_MQTT_USER": "isems"},
            "ISEMS_MQTT_USER is (not shown), expected nothing: MQTT_SERVER holds a user, too",
        ),
        (
            {"MQTT_SERVER": "mqtt://isems:geheim@broker", "ISEMS_MQTT_PASSWORD": "geheim"},
            "ISEMS_MQTT_PASSWORD is (not shown), expected nothing: MQTT_SERVER holds a password, too",
        ),
        (
            {"MQTT_SERVER": "broker", "ISEMS_MQTT_PASSWORD": "geheim"},
            "ISEMS_MQTT_PASSWORD is (not shown), expected a user as well: ISEMS_MQTT_USER is not set",
        ),
        (
            {"MQTT_SERVER": "broker", "ISEMS_MQTT_USER": "ge\nheim"},
            "ISEMS_MQTT_USER is (not shown), expected text without line ends and other control characters",
        ),
        (
            {"MQTT_SERVER": "mqtt://broker", "ISEMS_MQTT_CA": "/etc/ca.pem"},
            "ISEMS_MQTT_CA is '/etc/ca.pem', expected MQTT_SERVER to begin with mqtts://",
        ),
        (
            {"MQTT_SERVER": "broker", "ISEMS_MQTT_CERTIFICATE": "/etc/own.pem"},
            "ISEMS_MQTT_CERTIFICATE is '/etc/own.pem', expected MQTT_SERVER to begin with mqtts://",
        ),
        (
            {"MQTT_SERVER": MQTTS, "ISEMS_MQTT_KEY": "/etc/own.key"},
            "ISEMS_MQTT_KEY is '/etc/own.key', expected ISEMS_MQTT_CERTIFICATE to be set as well",
        ),
        (
            {"MQTT_SERVER": MQTTS, "ISEMS_MQTT_KEY": "-----BEGIN PRIVATE KEY-----geheim"},
            "ISEMS_MQTT_KEY is (not shown), expected the path of a PEM file, not what is in it",
        ),
        (
            {"ISEMS_MQTT_REPLICA": "2"},
            "ISEMS_MQTT_REPLICA is '2', expected ISEMS_MQTT_SHARE as well: else every replica gets everything",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_without_a_secret(environment: dict[str, str], expected: str) -> None:
    assert refusal(**environment) == expected


def test_what_belongs_to_a_broker_may_stay_while_there_is_none() -> None:
    assert read(ISEMS_MQTT_PASSWORD="geheim", ISEMS_MQTT_CA="/etc/ca.pem").broker is None


def test_each_replica_of_a_group_has_a_name() -> None:
    config = read(ISEMS_MQTT_SHARE="mesh", ISEMS_MQTT_REPLICA="attic_2")
    assert (config.mqtt_share, config.mqtt_replica) == ("mesh", "attic_2")
