"""TLS to the broker: our files, and what of it goes wrong, in words that say what to do."""

import ssl
from pathlib import Path
from typing import Any

from isems.config import Broker
from isems.errors import ConfigError, SourceError

#: A file of authorities has some hundred kilobytes.
MAX_FILE_BYTES = 4 * 1024 * 1024
SILENT = "the broker takes the connection, but does not answer as one does: is it MQTT on this port?"

#: X509_V_ERR_... of OpenSSL.
NOT_YET_VALID, EXPIRED, OTHER_HOST, OTHER_ADDRESS = 9, 10, 62, 64
UNKNOWN_AUTHORITY = (18, 19, 20, 21)


class _TlsSocket(ssl.SSLSocket):
    """Remembers what the broker said last: in TLS 1.3 it refuses our certificate after the handshake, and paho only
    tells that the connection is lost.
    """

    error: ssl.SSLError | None = None

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError as error:
            self.close()  # paho would leave it open
            if isinstance(error, TimeoutError):
                raise SourceError(SILENT) from error
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.error = error
            raise


def make_tls_context(broker: Broker) -> ssl.SSLContext:
    """Read the files of the settings. Raises ConfigError that names the one which is wrong."""
    context = ssl.create_default_context() if broker.ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TlsSocket
    if broker.ca is not None:
        _check_file("ISEMS_MQTT_CA", broker.ca, "CERTIFICATE-----")
        try:
            context.load_verify_locations(cafile=broker.ca)
        except (OSError, ValueError) as error:
            raise _wrong("ISEMS_MQTT_CA", broker.ca, "certificates in PEM form", error) from error
    if broker.certificate is not None:
        _load_own_certificate(context, broker.certificate, broker.key)
    return context


def _load_own_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    name, keeper = ("ISEMS_MQTT_CERTIFICATE", certificate) if key is None else ("ISEMS_MQTT_KEY", key)
    _check_file("ISEMS_MQTT_CERTIFICATE", certificate, "CERTIFICATE-----")
    _check_file(name, keeper, "PRIVATE KEY-----")
    try:
        context.load_cert_chain(certificate, key, password=_refuse_to_ask)
    except ssl.SSLError as error:
        is_other = error.reason == "KEY_VALUES_MISMATCH"
        expected = "the private key of the certificate" if is_other else "a certificate and its key in PEM form"
        raise _wrong(name, keeper, expected, error) from error
    except (OSError, ValueError) as error:
        raise _wrong(name, keeper, "a private key without a passphrase", error) from error


def _refuse_to_ask() -> str:
    """Keep OpenSSL from asking for it on the terminal."""
    raise ValueError("it has one")


def _check_file(name: str, path: Path, mark: str) -> None:
    try:
        with path.open("rb") as file:
            is_found = mark.encode() in file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise _wrong(name, path, "a file that we may read", error) from error
    if not is_found:
        kind = "private key" if "KEY" in mark else "certificate"
        raise ConfigError(f"{name} is {str(path)!r}, expected a {kind} in PEM form in it")


def _wrong(name: str, path: Path, expected: str, error: Exception) -> ConfigError:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return ConfigError(f"{name} is {str(path)!r}, expected {expected}: {reason}")


def last_error(socket: Any) -> ssl.SSLError | None:
    """Give what the broker said last over TLS, if that was an alert."""
    return getattr(socket, "error", None)


def describe_tls_error(error: ssl.SSLError | ConnectionError, broker: Broker) -> str:
    """Tell what is wrong with TLS, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _describe_distrust(error, broker)
    reason = str(getattr(error, "reason", None) or "")
    if "PROTOCOL_VERSION" in reason or reason == "UNSUPPORTED_PROTOCOL":
        return "the broker speaks only a TLS older than 1.2, which is not safe: update it"
    if "ALERT" in reason:
        if broker.certificate is None:
            return "the broker lets nobody in without a client certificate: name ours in ISEMS_MQTT_CERTIFICATE"
        said = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
        return f"the broker refuses our client certificate ({said}): is the one in ISEMS_MQTT_CERTIFICATE still right?"
    return "the broker speaks no TLS on this port: without TLS MQTT_SERVER begins with mqtt:// and names another port"


def _describe_distrust(error: ssl.SSLCertVerificationError, broker: Broker) -> str:
    code = error.verify_code
    if code == EXPIRED:
        return "the broker's certificate has expired: renew it there, or set this machine's clock if that is wrong"
    if code == NOT_YET_VALID:
        return "the broker's certificate is not valid yet: set this machine's clock, or the broker's when it was made"
    if code in (OTHER_HOST, OTHER_ADDRESS):
        return f"the broker's certificate is not for {broker.host}: name it in MQTT_SERVER as its certificate does"
    if code in UNKNOWN_AUTHORITY:
        where = "name its file in ISEMS_MQTT_CA" if broker.ca is None else "the file of ISEMS_MQTT_CA has another"
        return f"the broker's certificate is signed by an authority that is not known here: {where}"
    return f"the broker's certificate is not trusted: {error.verify_message}"
