"""The MQTT broker: where it is, who we are to it, which topics we want, and with whom we share the messages."""

import re
from pathlib import Path
from urllib.parse import unquote

import msgspec

from isems.config.values import Values, base_folder, nothing, split, without_login
from isems.errors import ConfigError

#: host, host:port, [v6]:port, and mqtt:// or mqtts:// with a login.
BROKER = re.compile(
    r"(?:(?P<scheme>mqtts?)://(?:(?P<login>.*)@)?)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]?#]+)(?::(?P<port>[0-9]{1,5}))?/?"
)
#: Fields of Broker, each with a variable of its own.
TLS_FILES = ("ca", "certificate", "key")
#: How the topics of both board programs begin as delivered: the newer one's with a slash that makes an empty first level.
FACTORY_PREFIXES = ("/isems/", "isems/testdrive/foobar/", "isems/")
#: The group of a shared subscription is one level of a topic.
GROUP = re.compile(r"[^\s/+#]{1,64}")
REPLICA = re.compile(r"[A-Za-z0-9_-]{1,20}")


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """The MQTT broker, and who we are to it."""

    host: str
    port: int
    is_tls: bool = False
    user: str | None = None
    password: str | None = None
    #: PEM files, read for each connection. With a file of authorities those of the system are not trusted.
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def place(self) -> str:
        """Host and port: what may be shown."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        """Show it without the login, wherever it may be shown."""
        return f"Broker({self.place})"


def read_broker(values: Values) -> Broker | None:
    """Give the broker with login and files, which have variables of their own.

    Raises ConfigError where one of them is wrong or does not fit the others.
    """
    broker = values.read("MQTT_SERVER", parse_broker, None, show=without_login)
    user = values.read("ISEMS_MQTT_USER", _printable, None, show=nothing)
    password = values.read("ISEMS_MQTT_PASSWORD", _printable, None, show=nothing)
    files = {name: values.read(f"ISEMS_MQTT_{name.upper()}", _pem_path, None, show=_path_only) for name in TLS_FILES}
    if broker is None:
        return None
    if broker.user and user:
        raise ConfigError("ISEMS_MQTT_USER is (not shown), expected nothing: MQTT_SERVER holds a user, too")
    if broker.password and password:
        raise ConfigError("ISEMS_MQTT_PASSWORD is (not shown), expected nothing: MQTT_SERVER holds a password, too")
    if password and not (user or broker.user):
        raise ConfigError("ISEMS_MQTT_PASSWORD is (not shown), expected a user as well: ISEMS_MQTT_USER is not set")
    for name, path in files.items():
        if path is not None and not broker.is_tls:
            raise ConfigError(
                f"ISEMS_MQTT_{name.upper()} is {str(path)!r}, expected MQTT_SERVER to begin with mqtts://"
            )
    if files["key"] is not None and files["certificate"] is None:
        raise ConfigError(f"ISEMS_MQTT_KEY is {str(files['key'])!r}, expected ISEMS_MQTT_CERTIFICATE to be set as well")
    return msgspec.structs.replace(broker, user=user or broker.user, password=password or broker.password, **files)


def parse_broker(text: str) -> Broker:
    """Read what MQTT_SERVER may say; raises ValueError with what was expected."""
    match = BROKER.fullmatch(text)
    is_tls = bool(match and match["scheme"] == "mqtts")
    port = int((match and match["port"]) or (8883 if is_tls else 1883))
    if match is None or not 1 <= port <= 65_535:
        raise ValueError("host, host:port, mqtt://user:password@host or mqtts://user:password@host")
    user, _, password = (unquote(part) for part in (match["login"] or "").partition(":"))
    if password and not user:
        raise ValueError("a user before the password")
    for part in filter(None, (user, password)):
        _printable(part)
    host = match["host"].strip("[]")
    return Broker(host=host, port=port, is_tls=is_tls, user=user or None, password=password or None)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("text without line ends and other control characters")
    return text


def _pem_path(text: str) -> Path:
    if "-----BEGIN" in text or "\n" in text:
        raise ValueError("the path of a PEM file, not what is in it")
    return base_folder() / text


def _path_only(text: str) -> str:
    """Show a path, but nothing that may be a key."""
    return nothing(text) if "\n" in text or "-----BEGIN" in text else repr(text)


def parse_prefixes(text: str) -> tuple[str, ...]:
    """Give the beginnings of topics; raises ValueError with what was expected."""
    prefixes = split(text)
    if not prefixes or any(not one.endswith("/") or set(one) & set("+#\0") for one in prefixes):
        raise ValueError("beginnings of topics, separated by commas, each ending in / and without + or #")
    return prefixes


def read_group(values: Values) -> tuple[str | None, str]:
    """Give the group among which the broker shares the messages out, and our name in it."""
    share = values.read("ISEMS_MQTT_SHARE", _group, None)
    replica = values.read("ISEMS_MQTT_REPLICA", _replica, "1")
    if share is None and replica != "1":
        raise ConfigError(
            f"ISEMS_MQTT_REPLICA is {replica!r}, expected ISEMS_MQTT_SHARE as well: else every replica gets everything"
        )
    return share, replica


def _group(text: str) -> str:
    if not (GROUP.fullmatch(text) and text.isprintable()):
        raise ValueError("a name of at most 64 characters without blanks, /, + and #")
    return text


def _replica(text: str) -> str:
    if not REPLICA.fullmatch(text):
        raise ValueError("a name of at most 20 letters, digits, - and _")
    return text
