"""The settings. Only this file reads the environment; README.md has the same table for people."""

import os
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from unicodedata import category
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from isems.errors import ConfigError

#: Where a checkout has app.py; relative database paths start there, wherever cron was started.
CHECKOUT = Path(__file__).resolve().parent.parent

T = TypeVar("T")
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)", re.ASCII)
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
#: What may be written before :// in DATABASE_URL; only one driver of each is installed.
SQLITE_NAMES = ("sqlite", "sqlite+pysqlite")
POSTGRESQL_NAMES = ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")
#: host, host:port, [v6]:port, and mqtt:// or mqtts:// with a login.
BROKER = re.compile(
    r"(?:(?P<scheme>mqtts?)://(?:(?P<login>.*)@)?)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]?#]+)(?::(?P<port>[0-9]{1,5}))?/?"
)
#: Fields of Broker, each with a variable of its own.
TLS_FILES = ("ca", "certificate", "key")
#: The group of a shared subscription is one level of a topic.
GROUP = re.compile(r"[^\s/+#]{1,64}")
REPLICA = re.compile(r"[A-Za-z0-9_-]{1,20}")
DSN = re.compile(r"https?://[^/@\s]+@[^/@:\s]+(:[0-9]{1,5})?(/[^/\s]+)*/[0-9]+")
#: How the topics of both board programs begin as delivered: the newer one's with a slash that makes an empty first level.
FACTORY_PREFIXES = ("/isems/", "isems/testdrive/foobar/", "isems/")
#: Letters that stand in a URL as they are, and enough of them that nobody guesses them.
PUSH_TOKEN = re.compile(r"[A-Za-z0-9_.~-]{16,128}")
#: Where tiles of a map are, or a path on our own host; only letters that may stand in a Content-Security-Policy.
TILES = re.compile(r"(?P<origin>https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)?/(?!/)[^\s\"'<>\\]*")
#: A map in one file, which may have blanks in its name, then whom the map is due to.
ARCHIVE = re.compile(r"(?P<path>[^{}]+?\.pmtiles)(?:\s+(?P<attribution>.*))?")
MAX_NODE_BYTES = 255
#: Raw data are kept for that long at least: logs of routers reach back five days, and what is asked for again must be known.
MIN_KEPT_DAYS, MAX_KEPT_DAYS = 7, 36_500
#: File variables are for secrets: a few lines.
MAX_FILE_BYTES = 65_536


class PushToken(msgspec.Struct, frozen=True):
    """Who knows the text with this digest may push. The text itself is kept nowhere, so that nothing can show it."""

    digest: bytes
    #: The nodes that it may speak for; none: for all.
    nodes: frozenset[str] = frozenset()


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


class MapTiles(msgspec.Struct, frozen=True):
    """Pictures that the map is laid out with."""

    #: With {z}, {x} and {y} for zoom, column and row; as the API gives it also the place of a PMTiles archive.
    url: str
    #: Whom the map is due to.
    attribution: str

    @property
    def origin(self) -> str | None:
        """Whom browsers must ask; None: us."""
        match = TILES.fullmatch(self.url)
        return match and match["origin"]


class MapArchive(msgspec.Struct, frozen=True):
    """A PMTiles file with all tiles of a map. It is looked at where it is served: without it, too, data are collected."""

    path: Path
    #: Whom the map is due to; empty: as the file says.
    attribution: str


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting with its default. Durations are seconds."""

    database_url: str
    #: Whether DATABASE_URL says so, not the default.
    is_database_named: bool = False
    router_ips: tuple[str, ...] = ()
    broker: Broker | None = None
    #: Beginnings of topics, before the node id.
    mqtt_prefixes: tuple[str, ...] = FACTORY_PREFIXES
    push_tokens: tuple[PushToken, ...] = ()
    #: The group among which the broker shares the messages out, and our name in it.
    mqtt_share: str | None = None
    mqtt_replica: str = "1"
    hide_inactive_after_days: float = 30
    sentry_dsn: str | None = None
    is_development: bool = False
    host: str = "127.0.0.1"
    port: int = 5000
    poll_interval: int = 900
    poll_concurrency: int = 64
    poll_deadline: int = 30
    commit_interval: int = 1
    timezone: ZoneInfo = ZoneInfo("Europe/Berlin")
    #: Raw data older than that are pruned; None: all are kept.
    keep_raw_days: int | None = None
    #: The operator says that this machine's clock is right, whatever the kernel knows.
    is_clock_trusted: bool = False
    #: Nodes whose values /metrics shows.
    metrics_max_nodes: int = 1000
    #: None: the map is made of what we have ourselves.
    map_tiles: MapTiles | MapArchive | None = None
    log_level: str = "INFO"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Config":
        """Read the settings; `NAME_FILE` names a file that holds the value of NAME.

        Raises ConfigError naming the variable, its value and what was expected.
        """
        values = _Values(os.environ if environment is None else environment)
        share, replica = _read_group(values)
        return cls(
            database_url=values.read(
                "DATABASE_URL", _database_url, _database_url("sqlite:///isems.db"), show=_without_login
            ),
            is_database_named=bool(values.text("DATABASE_URL")),
            router_ips=values.read("ISEMS_ROUTER_IPS", _split, ()),
            broker=_read_broker(values),
            mqtt_prefixes=values.read("ISEMS_MQTT_PREFIXES", _prefixes, FACTORY_PREFIXES),
            mqtt_share=share,
            mqtt_replica=replica,
            push_tokens=values.read("ISEMS_PUSH_TOKENS", _push_tokens, (), show=_nothing),
            hide_inactive_after_days=values.read("HIDE_INACTIVE_AFTER_DAYS", _days, 30.0),
            sentry_dsn=values.read("SENTRY_DSN", _dsn, None, show=_nothing),
            is_development=values.read("FLASK_ENV", str, "") == "development",
            host=values.read("ISEMS_HOST", str, "127.0.0.1"),
            port=values.read("ISEMS_PORT", _whole(0, 65_535), 5000),
            poll_interval=values.read("ISEMS_POLL_INTERVAL", _duration(10, 86_400), 900),
            poll_concurrency=values.read("ISEMS_POLL_CONCURRENCY", _whole(1, 1000), 64),
            poll_deadline=values.read("ISEMS_POLL_DEADLINE", _duration(1, 600), 30),
            commit_interval=values.read("ISEMS_COMMIT_INTERVAL", _duration(0, 300), 1),
            timezone=values.read("ISEMS_TIMEZONE", parse_timezone, ZoneInfo("Europe/Berlin")),
            keep_raw_days=values.read("ISEMS_KEEP_RAW_DAYS", read_days_to_keep, None),
            is_clock_trusted=values.read("ISEMS_CLOCK_TRUSTED", _yes_or_no, False),
            metrics_max_nodes=values.read("ISEMS_METRICS_MAX_NODES", _whole(0, 100_000), 1000),
            map_tiles=values.read("ISEMS_MAP_TILES", _map_tiles, None, show=_without_key),
            log_level=values.read("ISEMS_LOG_LEVEL", _level, "INFO"),
        )

    @property
    def has_source(self) -> bool:
        """Tell whether anything to collect from was configured."""
        return bool(self.router_ips or self.broker or self.push_tokens)


class _Values:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def read(self, name: str, convert: Callable[[str], T], default: T, show: Callable[[str], str] = repr) -> T:
        """Give the converted value of a variable, its default where it is missing or blank.

        `show` gives as much of a wrong value as may be seen.
        """
        text = self.text(name)
        if not text:
            return default
        try:
            return convert(text)
        except ValueError as error:
            raise ConfigError(f"{name} is {show(text)[:200]}, expected {error}") from None  # it would show the value

    def text(self, name: str) -> str:
        """Give what a variable or its file says; the empty text where there is none."""
        text = self.environment.get(name, "").strip()
        if not text and (path := self.environment.get(f"{name}_FILE", "").strip()):
            text = _read_file(f"{name}_FILE", path)
        return text


def read_days_to_keep(text: str) -> int:
    """Give for how many days raw data are to be kept: `400` or `400d`. Raises ValueError saying what was expected."""
    expected = f"a number of days from {MIN_KEPT_DAYS} to {MAX_KEPT_DAYS}, such as 400d"
    if re.fullmatch(r"[0-9]{1,6}d?", text, re.ASCII) is None:
        raise ValueError(expected)
    days = int(text.removesuffix("d"))
    if not MIN_KEPT_DAYS <= days <= MAX_KEPT_DAYS:
        raise ValueError(expected)
    return days


def _without_login(text: str) -> str:
    """Show a URL that may hold a password: wholly where it cannot, else only what kind of URL it is."""
    scheme, separator, _ = text.partition("://")
    if scheme.startswith("sqlite") or not (separator or "@" in text):
        return repr(text)
    return repr(f"{scheme}://***") if separator else "***"


def _without_key(text: str) -> str:
    """Show what a map is made of, unless it is a URL, which may hold a key."""
    return repr(text) if _archive_in(text) else _nothing(text)


def _nothing(_: str) -> str:
    return "(not shown)"


def _read_file(name: str, path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} is {path!r}, expected a readable text file: {error}") from error
    if len(text) > MAX_FILE_BYTES:  # cut, it would be another value
        raise ConfigError(f"{name} is {path!r}, expected a text file of at most {MAX_FILE_BYTES} characters")
    return text.strip()


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        url = URL.create("unreadable")
    if url.drivername in SQLITE_NAMES:
        return _sqlite_url(url)
    if url.drivername in POSTGRESQL_NAMES:
        return _postgresql_url(url)
    raise ValueError("a URL of SQLite or PostgreSQL, such as sqlite:///isems.db or postgresql://user@host/isems")


def _sqlite_url(url: URL) -> str:
    if url.host or url.database in (None, "", ":memory:") or str(url.database).startswith("file:"):
        raise ValueError("the path of a SQLite file after sqlite:///, such as sqlite:///isems.db")
    path = _base() / str(url.database)  # an absolute path wins over the base
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"a file in a folder that exists, not {str(path)!r}")
    return sqlite_url(path, url)


def _base() -> Path:
    """Give the folder where relative paths start."""
    return CHECKOUT if (CHECKOUT / "app.py").is_file() else Path.cwd()


def sqlite_url(path: Path, url: URL = URL.create("sqlite")) -> str:  # noqa: B008 (immutable)
    """Give the URL of a SQLite file, whatever characters its path holds; options are those of `url`."""
    return url.set(drivername="sqlite", database=str(path)).render_as_string(hide_password=False)


def _postgresql_url(url: URL) -> str:
    if find_spec("psycopg") is None:
        raise ValueError("the package psycopg to be installed: it is what PostgreSQL is reached with")
    if isinstance(password := url.query.get("password"), str):  # where it stands otherwise, messages leave it out
        url = url.set(password=password).difference_update_query(["password"])
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _read_broker(values: _Values) -> Broker | None:
    broker = values.read("MQTT_SERVER", parse_broker, None, show=_without_login)
    user = values.read("ISEMS_MQTT_USER", _printable, None, show=_nothing)
    password = values.read("ISEMS_MQTT_PASSWORD", _printable, None, show=_nothing)
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
    return _base() / text


def _path_only(text: str) -> str:
    """Show a path, but nothing that may be a key."""
    return _nothing(text) if "\n" in text or "-----BEGIN" in text else repr(text)


def _read_group(values: _Values) -> tuple[str | None, str]:
    share = values.read("ISEMS_MQTT_SHARE", _group, None)
    replica = values.read("ISEMS_MQTT_REPLICA", replica_name, "1")
    if share is None and replica != "1":
        raise ConfigError(
            f"ISEMS_MQTT_REPLICA is {replica!r}, expected ISEMS_MQTT_SHARE as well: else every replica gets everything"
        )
    return share, replica


def _group(text: str) -> str:
    if not (GROUP.fullmatch(text) and text.isprintable()):
        raise ValueError("a name of at most 64 characters without blanks, /, + and #")
    return text


def replica_name(text: str) -> str:
    """Check the name of a replica; raises ValueError with what was expected."""
    if not REPLICA.fullmatch(text):
        raise ValueError("a name of at most 20 letters, digits, - and _")
    return text


def _split(text: str) -> tuple[str, ...]:
    parts = (part.strip() for part in text.replace("\n", ",").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _prefixes(text: str) -> tuple[str, ...]:
    prefixes = _split(text)
    if not prefixes or any(not one.endswith("/") or set(one) & set("+#\0") for one in prefixes):
        raise ValueError("beginnings of topics, separated by commas, each ending in / and without + or #")
    return prefixes


def _push_tokens(text: str) -> tuple[PushToken, ...]:
    bound: dict[bytes, set[str]] = {}
    free = set()
    for number, entry in enumerate(_split(text), 1):
        token, separator, node = entry.partition("=")
        token = token.strip()
        if not PUSH_TOKEN.fullmatch(token):
            raise ValueError(_expected_entry(number, "a token of 16 to 128 of the characters A-Z a-z 0-9 - _ . ~"))
        digest = digest_token(token)
        bound.setdefault(digest, set())
        if separator:
            bound[digest].add(_node_of(node, number))
        else:
            free.add(digest)
        if digest in free and bound[digest]:
            raise ValueError(_expected_entry(number, "a token that stands either alone or before node ids, not both"))
    return tuple(PushToken(digest, frozenset(nodes)) for digest, nodes in bound.items())


def digest_token(token: str) -> bytes:
    """Give what a token is known by."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _node_of(text: str, number: int) -> str:
    try:
        node = unquote(text.strip(), errors="strict")
    except UnicodeDecodeError:
        node = ""
    if not 1 <= len(node.encode("utf-8", "surrogatepass")) <= MAX_NODE_BYTES or any(map(_is_control, node)):
        raise ValueError(_expected_entry(number, f"a node id of 1 to {MAX_NODE_BYTES} bytes of UTF-8 after the ="))
    return node


def _is_control(character: str) -> bool:
    return category(character) in ("Cc", "Cs")


def _expected_entry(number: int, expected: str) -> str:
    return f"entries 'token' or 'token=node id', separated by commas or line ends: in entry {number} {expected}"


def _days(text: str) -> float:
    if not NUMBER.fullmatch(text) or not 0 < float(text) < 36_500:
        raise ValueError("a number of days above 0 and below 36500")
    return float(text)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return convert


def _duration(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        match = DURATION.fullmatch(text)
        seconds = float(match[1]) * SECONDS[match[2]] if match else -1
        if not least <= seconds <= most:
            raise ValueError(f"a duration from {least}s to {most}s, such as 90s, 15m or 1h")
        return round(seconds)

    return convert


def parse_timezone(text: str) -> ZoneInfo:
    """Give the zone of a name. Raises ValueError with what was expected."""
    try:
        return ZoneInfo(text)
    except (KeyError, OSError, ValueError) as error:  # an unknown name is a KeyError
        raise ValueError("the name of a time zone, such as Europe/Berlin or UTC") from error


def _yes_or_no(text: str) -> bool:
    if text.lower() in ("1", "yes", "true", "on"):
        return True
    if text.lower() in ("0", "no", "false", "off"):
        return False
    raise ValueError("yes or no")


def _map_tiles(text: str) -> MapTiles | MapArchive:
    if archive := _archive_in(text):
        return MapArchive(_base() / archive["path"], archive["attribution"] or "")
    url, _, attribution = text.partition(" ")
    if not TILES.fullmatch(url) or sorted(re.findall(r"\{.*?\}|[{}]", url)) != ["{x}", "{y}", "{z}"]:
        raise ValueError(
            "https://host/path or /path, with {z}, {x} and {y} once each, and after a blank whom the map is due to: "
            "https://tiles.example/{z}/{x}/{y}.png © OpenStreetMap contributors; or the path of a .pmtiles file"
        )
    return MapTiles(url, attribution.strip())


def _archive_in(text: str) -> re.Match[str] | None:
    match = ARCHIVE.fullmatch(text)
    return match if match and "://" not in match["path"] else None


def _dsn(text: str) -> str:
    if not DSN.fullmatch(text):
        raise ValueError("a Sentry DSN: https://key@host/number of the project")
    return text


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return text.upper()
