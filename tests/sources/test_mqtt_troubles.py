"""Each trouble with a broker, for real: the sentence that an operator reads says what to do, and never shows a secret."""

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from isems.config import Broker
from isems.errors import ConfigError
from isems.sources import mqtt
from isems.sources.mqtt_tls import make_tls_context
from tests.certificates import Certificates, Pair, encrypt_key, tls_listener
from tests.services import MOSQUITTO, free_port, require_service, run_mosquitto
from tests.sources.brokers import at, fake_broker, keep, receiving, wait_for

SECONDS = 30
PASSWORD = "correct horse"


class Ports(NamedTuple):
    plain: int
    tls: int
    expired: int
    other_host: int
    with_client: int


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Ports]:
    """One broker with many doors; the plain one wants a login."""
    require_service(MOSQUITTO)
    folder = tmp_path_factory.mktemp("broker")
    passwords = folder / "passwords"
    passwords.write_text("collector:$7$invalid\n")
    passwords.chmod(0o600)
    tls, expired, other_host, with_client = (free_port() for _ in range(4))
    authority = certificates.authority
    settings = [
        *("allow_anonymous false", f"password_file {passwords}"),
        *tls_listener(tls, authority, certificates.broker, "allow_anonymous true"),
        *tls_listener(expired, authority, certificates.expired),
        *tls_listener(other_host, authority, certificates.other_host),
        *tls_listener(
            *(with_client, authority, certificates.broker, "allow_anonymous true"),
            *("require_certificate true", "use_identity_as_username true"),
        ),
    ]
    with run_mosquitto(folder, *settings, is_per_listener=True) as broker:
        yield Ports(broker.port, tls, expired, other_host, with_client)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(mqtt, "LAST_PAUSE", 0.05)


def first_state(broker: Broker) -> tuple[bool, str]:
    with receiving(broker, keep([])) as states:
        return states.get(timeout=SECONDS)


def tls_to(port: int, certificates: Certificates, own: Pair | None = None, **more: Any) -> Broker:
    files = {"ca": certificates.authority.certificate}
    if own is not None:
        files |= {"certificate": own.certificate, "key": own.key}
    return at(port, is_tls=True, **files | more)


def test_a_client_certificate_opens_the_door(ports: Ports, certificates: Certificates) -> None:
    state = first_state(tls_to(ports.with_client, certificates, certificates.client))
    assert state == (True, "receiving by MQTT 5")


def test_certificate_and_key_may_share_a_file(ports: Ports, certificates: Certificates, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(certificates.client.key.read_bytes() + certificates.client.certificate.read_bytes())
    assert first_state(tls_to(ports.with_client, certificates, certificate=both)) == (True, "receiving by MQTT 5")


def test_a_missing_client_certificate(ports: Ports, certificates: Certificates) -> None:
    assert first_state(tls_to(ports.with_client, certificates)) == (
        False,
        "the broker lets nobody in without a client certificate: name ours in ISEMS_MQTT_CERTIFICATE",
    )


def test_a_client_certificate_of_an_authority_that_the_broker_does_not_know(
    ports: Ports, certificates: Certificates
) -> None:
    assert first_state(tls_to(ports.with_client, certificates, certificates.unknown_client)) == (
        False,
        "the broker refuses our client certificate (unknown ca): is the one in ISEMS_MQTT_CERTIFICATE still right?",
    )


def test_a_certificate_of_the_broker_that_has_expired(ports: Ports, certificates: Certificates) -> None:
    assert first_state(tls_to(ports.expired, certificates)) == (
        False,
        "the broker's certificate has expired: renew it there, or set this machine's clock if that is wrong",
    )


def test_a_certificate_of_another_host(ports: Ports, certificates: Certificates) -> None:
    assert first_state(tls_to(ports.other_host, certificates)) == (
        False,
        "the broker's certificate is not for 127.0.0.1: name it in MQTT_SERVER as its certificate does",
    )


def test_an_authority_that_we_do_not_know(ports: Ports, certificates: Certificates) -> None:
    beginning = "the broker's certificate is signed by an authority that is not known here: "
    other = tls_to(ports.tls, certificates, ca=certificates.stranger.certificate)
    assert first_state(other) == (False, f"{beginning}the file of ISEMS_MQTT_CA has another")
    assert first_state(at(ports.tls, is_tls=True)) == (False, f"{beginning}name its file in ISEMS_MQTT_CA")


def test_with_an_own_authority_those_of_the_system_are_not_trusted(
    ports: Ports, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority.certificate))  # the system's, for this process
    assert first_state(at(ports.tls, is_tls=True)) == (True, "receiving by MQTT 5")
    state = first_state(tls_to(ports.tls, certificates, ca=certificates.stranger.certificate))
    assert not state[0]


def test_plain_where_the_broker_wants_tls(ports: Ports) -> None:
    assert first_state(at(ports.tls)) == (
        False,
        "the broker hung up before it answered: if this port wants TLS, MQTT_SERVER has to begin with mqtts://",
    )


def test_tls_where_the_broker_speaks_plainly(ports: Ports, certificates: Certificates) -> None:
    assert first_state(tls_to(ports.plain, certificates)) == (
        False,
        "the broker speaks no TLS on this port: without TLS MQTT_SERVER begins with mqtt:// and names another port",
    )


@pytest.mark.parametrize("user", ["collector", "nobody"])
def test_a_wrong_login(ports: Ports, user: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        state = first_state(at(ports.plain, user=user, password=PASSWORD))
    assert state == (
        False,
        "the broker refuses the login: check user and password (MQTT_SERVER, ISEMS_MQTT_USER, ISEMS_MQTT_PASSWORD)",
    )
    assert PASSWORD not in caplog.text
    assert user not in caplog.text


def test_no_login_where_one_is_wanted(ports: Ports) -> None:
    assert first_state(at(ports.plain)) == (
        False,
        "the broker lets nobody in without a login: "
        "set user and password (MQTT_SERVER, ISEMS_MQTT_USER, ISEMS_MQTT_PASSWORD)",
    )


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_broker_that_accepts_and_never_answers(
    is_tls: bool, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_SECONDS", 0.5)
    with fake_broker(lambda packet: b"") as (port, _):
        state = first_state(tls_to(port, certificates) if is_tls else at(port))
    assert state == (
        False,
        "the broker takes the connection, but does not answer as one does: is it MQTT on this port?",
    )


def test_a_broker_that_is_down() -> None:
    assert first_state(at(free_port())) == (
        False,
        "the broker cannot be reached (Connection refused): does it run, and is MQTT_SERVER right?",
    )


def test_a_name_without_an_address() -> None:
    assert first_state(Broker(host="broker.invalid", port=1883)) == (
        False,
        "no address is known for broker.invalid: is MQTT_SERVER right, and does this machine know the name?",
    )


def test_a_broker_that_cannot_share_messages_out() -> None:
    def answer(packet: bytes) -> bytes | None:
        if packet[0] == 0x10:
            return b"\x20\x03\x00\x00\x00"
        return b"\x90\x05" + packet[2:4] + b"\x00\x9e\x9e" if packet[0] == 0x82 else b""

    with fake_broker(answer) as (port, _), receiving(at(port), keep([]), group="mesh") as states:
        assert states.get(timeout=SECONDS) == (
            False,
            "the broker cannot share messages out: without ISEMS_MQTT_SHARE one collector receives them all",
        )


def test_a_certificate_that_is_renewed_counts_from_the_next_connection(
    ports: Ports, certificates: Certificates, tmp_path: Path
) -> None:
    """No restart: who renews certificates does so at night, by a timer."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificates.stranger.certificate.read_bytes())
    with receiving(tls_to(ports.tls, certificates, ca=ca), keep([])) as states:
        assert not states.get(timeout=SECONDS)[0]
        ca.write_text("nothing")
        assert states.get(timeout=SECONDS) == (
            False,
            f"ISEMS_MQTT_CA is {str(ca)!r}, expected a certificate in PEM form in it",
        )
        ca.write_bytes(certificates.authority.certificate.read_bytes())
        assert states.get(timeout=SECONDS) == (True, "receiving by MQTT 5")


def test_a_trouble_that_lasts_is_told_once(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    with fake_broker(lambda packet: None) as (port, received), receiving(tls_to(port, certificates), keep([])):
        wait_for(lambda: len(received) >= 4, SECONDS)
    assert len([one for one in caplog.records if one.name == "isems.sources.mqtt"]) == 1


def test_an_older_tls_is_not_spoken(certificates: Certificates) -> None:
    context = make_tls_context(tls_to(1, certificates))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


# -- files that are wrong -------------------------------------------------------------------------


def refusal(**files: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        make_tls_context(at(1, is_tls=True, **files))
    return str(caught.value)


@pytest.mark.parametrize("field", ["ca", "certificate", "key"])
def test_a_file_that_cannot_be_used_is_named(field: str, tmp_path: Path, certificates: Certificates) -> None:
    good = {"certificate": certificates.client.certificate} if field == "key" else {}
    name = f"ISEMS_MQTT_{field.upper()}"
    kind = "private key" if field == "key" else "certificate"
    missing, folder, empty, broken = (tmp_path / name for name in ("missing", "folder", "empty", "broken"))
    folder.mkdir()
    empty.touch()
    broken.write_text(f"-----BEGIN {kind.upper()}-----\nabc\n-----END {kind.upper()}-----\n")
    may_read = "expected a file that we may read"
    assert refusal(**good, **{field: missing}) == f"{name} is {str(missing)!r}, {may_read}: No such file or directory"
    assert refusal(**good, **{field: folder}) == f"{name} is {str(folder)!r}, {may_read}: Is a directory"
    assert refusal(**good, **{field: empty}) == f"{name} is {str(empty)!r}, expected a {kind} in PEM form in it"
    assert refusal(**good, **{field: broken}).startswith(f"{name} is {str(broken)!r}, expected ")


def test_a_key_of_another_certificate_or_with_a_passphrase_is_refused(
    tmp_path: Path, certificates: Certificates
) -> None:
    """OpenSSL would ask for it on the terminal, and a service wait for ever."""
    own, other = certificates.client, certificates.broker.key
    assert refusal(certificate=own.certificate, key=other) == (
        f"ISEMS_MQTT_KEY is {str(other)!r}, expected the private key of the certificate: KEY_VALUES_MISMATCH"
    )
    encrypted = encrypt_key(own.key, tmp_path)
    assert refusal(certificate=own.certificate, key=encrypted) == (
        f"ISEMS_MQTT_KEY is {str(encrypted)!r}, expected a private key without a passphrase: it has one"
    )
    assert refusal(certificate=own.certificate) == (
        f"ISEMS_MQTT_CERTIFICATE is {str(own.certificate)!r}, expected a private key in PEM form in it"
    )
