"""`flask subscribe` over TLS as an operator sets it up, and what it says where that is wrong."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isems.storage.database import Database
from tests.certificates import Certificates, tls_listener
from tests.published import line, stored, wait_until
from tests.services import free_port, publish, run_mosquitto
from tests.subscribing import FLASK, ROOT, end, running, wait_for_line

PASSWORD = "correct horse"


def test_with_a_client_certificate_what_is_published_is_stored(
    sqlite_url: str, tmp_path: Path, certificates: Certificates
) -> None:
    now, port = int(time.time()), free_port()
    door = tls_listener(port, certificates.authority, certificates.broker, "require_certificate true")
    settings = {
        "MQTT_SERVER": f"mqtts://127.0.0.1:{port}",
        "ISEMS_MQTT_CA": str(certificates.authority.certificate),
        "ISEMS_MQTT_CERTIFICATE": str(certificates.client.certificate),
        "ISEMS_MQTT_KEY": str(certificates.client.key),
    }
    database = Database(sqlite_url)
    with (
        run_mosquitto(tmp_path, "allow_anonymous true", *door) as broker,
        running(sqlite_url, broker, **settings) as process,
    ):
        wait_for_line(process, f"127.0.0.1:{port}: receiving by MQTT 5")
        publish(broker.port, [("/isems/Dach/csvlog", line("Dach", now).encode())])
        wait_until(lambda: stored(database) == [("Dach", now)])
        end(process)
    database.close()


def test_a_wrong_password_is_one_line_without_it(sqlite_url: str, tmp_path: Path) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    passwords.touch(0o600)
    secret.write_text(f"{PASSWORD}\n")
    settings = {"ISEMS_MQTT_USER": "collector", "ISEMS_MQTT_PASSWORD_FILE": str(secret), "ISEMS_LOG_LEVEL": "DEBUG"}
    with (
        run_mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker,
        running(sqlite_url, broker, **settings) as process,
    ):
        wait_for_line(process, "the broker refuses the login: check user and password (MQTT_SERVER,")
        process.terminate()
        assert process.wait(60) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert "refuses" not in said
    assert PASSWORD not in said
    assert "collector" not in said


@pytest.mark.parametrize(
    "command",
    [(*FLASK, "subscribe"), (sys.executable, "-m", "isems", "serve"), (*FLASK[:2], "isems", "retire-replica", "1")],
    ids=["subscribe", "serve", "retire-replica"],
)
def test_a_wrong_file_ends_it_at_once_as_a_matter_of_configuration(
    command: tuple[str, ...], sqlite_url: str, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    environment = {"DATABASE_URL": sqlite_url, "MQTT_SERVER": "mqtts://127.0.0.1", "ISEMS_MQTT_CA": str(ca)}
    environment |= {"ISEMS_PORT": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (
        2,
        f"Error: ISEMS_MQTT_CA is {str(ca)!r}, expected a file that we may read: No such file or directory\n",
    )
