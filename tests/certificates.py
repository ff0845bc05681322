"""Certificates for the tests, made by openssl: authorities, brokers' and a client's, good ones and bad ones."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


def make_authority(folder: Path, name: str) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", *KEY, "-nodes", "-keyout", pair.key, "-out", pair.certificate, "-subj", f"/CN={name}"),
    )
    return pair


def make_certificate(folder: Path, name: str, authority: Pair, *, host: str = "IP:127.0.0.1", days: int = 2) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    request = folder / f"{name}.csr"
    made_for = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={host}")
    _openssl("req", "-new", *KEY, "-nodes", "-keyout", pair.key, "-out", request, *made_for)
    signer = ("-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial")
    signed = ("-days", str(days), "-copy_extensions", "copy", "-out", pair.certificate)
    _openssl("x509", "-req", "-in", request, *signer, *signed)
    return pair


def encrypt_key(key: Path, folder: Path) -> Path:
    encrypted = folder / "encrypted.key"
    _openssl("ec", "-in", key, "-aes128", "-passout", "pass:geheim", "-out", encrypted)
    return encrypted


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Certificates:
    """What a broker and its clients need, and what is wrong with some of it."""

    folder: Path
    authority: Pair
    stranger: Pair
    broker: Pair
    expired: Pair
    other_host: Pair
    client: Pair
    #: Of a client whose authority the broker does not know.
    unknown_client: Pair


def make_certificates(folder: Path) -> Certificates:
    authority, stranger = make_authority(folder, "authority"), make_authority(folder, "stranger")
    return Certificates(
        folder=folder,
        authority=authority,
        stranger=stranger,
        broker=make_certificate(folder, "broker", authority),
        expired=make_certificate(folder, "expired", authority, days=-1),
        other_host=make_certificate(folder, "other", authority, host="DNS:other.example"),
        client=make_certificate(folder, "collector", authority),
        unknown_client=make_certificate(folder, "unknown", stranger),
    )


def tls_listener(port: int, authority: Pair, pair: Pair, *more: str) -> list[str]:
    """Lines of mosquitto's settings."""
    files = (f"cafile {authority.certificate}", f"certfile {pair.certificate}", f"keyfile {pair.key}")
    return [f"listener {port} 127.0.0.1", *files, *more]
