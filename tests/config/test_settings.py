"""The settings as a whole: every variable, every way to get it wrong, and no secret ever shown."""

from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import make_url

from isems.config import CHECKOUT, Broker, Config, MapTiles
from tests.config.reading import names_read, read, refusal


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    config = read()
    assert make_url(config.database_url).database == str(CHECKOUT / "isems.db")
    assert msgspec.structs.asdict(config) == {
        "database_url": config.database_url,
        "is_database_named": False,
        "router_ips": (),
        "broker": None,
        "mqtt_prefixes": ("/isems/", "isems/testdrive/foobar/", "isems/"),
        "mqtt_share": None,
        "mqtt_replica": "1",
        "push_tokens": (),
        "hide_inactive_after_days": 30,
        "sentry_dsn": None,
        "is_development": False,
        "host": "127.0.0.1",
        "port": 5000,
        "poll_interval": 900,
        "poll_concurrency": 64,
        "poll_deadline": 30,
        "commit_interval": 1,
        "timezone": ZoneInfo("Europe/Berlin"),
        "keep_raw_days": None,
        "is_clock_trusted": False,
        "metrics_max_nodes": 1000,
        "map_tiles": None,
        "log_level": "INFO",
    }


def test_the_struct_and_an_empty_environment_have_the_same_defaults() -> None:
    config = read()
    assert config == Config(database_url=config.database_url)


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("ISEMS_ROUTER_IPS", "10.0.0.1", "router_ips", ("10.0.0.1",)),
        ("ISEMS_MQTT_PREFIXES", "mesh/ , /isems/", "mqtt_prefixes", ("mesh/", "/isems/")),
        ("ISEMS_MQTT_SHARE", "mesh-north", "mqtt_share", "mesh-north"),
        ("MQTT_SERVER", "broker", "broker", Broker(host="broker", port=1883)),
        ("MQTT_SERVER", "broker:1884", "broker", Broker(host="broker", port=1884)),
        ("MQTT_SERVER", "[fd00::1]:1885", "broker", Broker(host="fd00::1", port=1885)),
        ("MQTT_SERVER", "mqtt://broker/", "broker", Broker(host="broker", port=1883)),
        ("MQTT_SERVER", "mqtts://broker", "broker", Broker(host="broker", port=8883, is_tls=True)),
        (
            "MQTT_SERVER",
            "mqtt://isems:p/@ss@broker",
            "broker",
            Broker(host="broker", port=1883, user="isems", password="p/@ss"),
        ),
        (
            "MQTT_SERVER",
            "mqtt://is%40ems:a%3Ab@broker",
            "broker",
            Broker(host="broker", port=1883, user="is@ems", password="a:b"),
        ),
        ("MQTT_SERVER", "mqtt://isems@broker", "broker", Broker(host="broker", port=1883, user="isems")),
        ("HIDE_INACTIVE_AFTER_DAYS", "7", "hide_inactive_after_days", 7.0),
        ("HIDE_INACTIVE_AFTER_DAYS", "0.5", "hide_inactive_after_days", 0.5),
        (
            "ISEMS_MAP_TILES",
            "https://tiles.example/{z}/{x}/{y}.png © OpenStreetMap contributors",
            "map_tiles",
            MapTiles("https://tiles.example/{z}/{x}/{y}.png", "© OpenStreetMap contributors"),
        ),
        ("ISEMS_MAP_TILES", "/tiles/{z}/{x}/{y}.png", "map_tiles", MapTiles("/tiles/{z}/{x}/{y}.png", "")),
        ("SENTRY_DSN", "https://k@sentry.example/1", "sentry_dsn", "https://k@sentry.example/1"),
        ("SENTRY_DSN", "http://k:s@127.0.0.1:9000/under/12", "sentry_dsn", "http://k:s@127.0.0.1:9000/under/12"),
        ("FLASK_ENV", "development", "is_development", True),
        ("FLASK_ENV", "production", "is_development", False),
        ("ISEMS_HOST", "::1", "host", "::1"),
        ("ISEMS_PORT", "65535", "port", 65535),
        ("ISEMS_PORT", "0", "port", 0),
        ("ISEMS_POLL_INTERVAL", "90", "poll_interval", 90),
        ("ISEMS_POLL_INTERVAL", "90s", "poll_interval", 90),
        ("ISEMS_POLL_INTERVAL", "1.5 m", "poll_interval", 90),
        ("ISEMS_POLL_INTERVAL", "1d", "poll_interval", 86_400),
        ("ISEMS_POLL_CONCURRENCY", "400", "poll_concurrency", 400),
        ("ISEMS_POLL_DEADLINE", "1m", "poll_deadline", 60),
        ("ISEMS_COMMIT_INTERVAL", "30s", "commit_interval", 30),
        ("ISEMS_COMMIT_INTERVAL", "0s", "commit_interval", 0),
        ("ISEMS_TIMEZONE", "UTC", "timezone", ZoneInfo("UTC")),
        ("ISEMS_KEEP_RAW_DAYS", "400", "keep_raw_days", 400),
        ("ISEMS_KEEP_RAW_DAYS", "7d", "keep_raw_days", 7),
        ("ISEMS_CLOCK_TRUSTED", "Yes", "is_clock_trusted", True),
        ("ISEMS_CLOCK_TRUSTED", "0", "is_clock_trusted", False),
        ("ISEMS_LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ],
)
def test_every_variable_reaches_its_setting(name: str, text: str, field: str, value: object) -> None:
    assert getattr(read(**{name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATABASE_URL", "isems.db"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite://host/isems.db"),
        ("DATABASE_URL", "sqlite:///file:isems.db?uri=true"),
        ("DATABASE_URL", "sqlite+aiosqlite:///isems.db"),
        ("DATABASE_URL", "sqlite:////no/such/folder/isems.db"),
        ("DATABASE_URL", "sqlite:////"),
        ("DATABASE_URL", "mysql://127.0.0.1/isems"),
        ("DATABASE_URL", "postgresql+asyncpg://127.0.0.1/isems"),
        ("DATABASE_URL", "postgresql://127.0.0.1:port/isems"),
        ("MQTT_SERVER", "http://broker"),
        ("ISEMS_MQTT_PREFIXES", "mesh"),
        ("ISEMS_MQTT_PREFIXES", "mesh/#/"),
        ("ISEMS_PUSH_TOKENS", "short"),
        ("MQTT_SERVER", "broker:port"),
        ("MQTT_SERVER", "broker:0"),
        ("MQTT_SERVER", "broker:65536"),
        ("ISEMS_MQTT_SHARE", "mesh/north"),
        ("ISEMS_MQTT_SHARE", "mesh+"),
        ("ISEMS_MQTT_SHARE", "#"),
        ("ISEMS_MQTT_SHARE", "two words"),
        ("ISEMS_MQTT_SHARE", "m" * 65),
        ("ISEMS_MQTT_REPLICA", "a/b"),
        ("ISEMS_MQTT_REPLICA", "r" * 21),
        ("MQTT_SERVER", "two words"),
        ("HIDE_INACTIVE_AFTER_DAYS", "0"),
        ("HIDE_INACTIVE_AFTER_DAYS", "-1"),
        ("HIDE_INACTIVE_AFTER_DAYS", "nan"),
        ("HIDE_INACTIVE_AFTER_DAYS", "inf"),
        ("HIDE_INACTIVE_AFTER_DAYS", "1_0"),
        ("HIDE_INACTIVE_AFTER_DAYS", "a month"),
        ("ISEMS_MAP_TILES", "https://tiles.example/{z}/{x}.png"),
        ("ISEMS_MAP_TILES", "https://tiles.example/{z}/{x}/{y}/{s}.png"),
        ("ISEMS_MAP_TILES", "https://tiles.example; script-src */{z}/{x}/{y}.png"),
        ("ISEMS_MAP_TILES", "//tiles.example/{z}/{x}/{y}.png"),
        ("ISEMS_MAP_TILES", "javascript:/{z}/{x}/{y}"),
        ("ISEMS_MAP_TILES", "https://tiles.example/berlin.pmtiles"),
        ("SENTRY_DSN", "sentry.example"),
        ("SENTRY_DSN", "https://sentry.example/1"),
        ("SENTRY_DSN", "https://key@sentry.example/project"),
        ("SENTRY_DSN", "https://key@sentry.example:port/1"),
        ("ISEMS_PORT", "-1"),
        ("ISEMS_PORT", "65536"),
        ("ISEMS_PORT", "0000000000099999"),
        ("ISEMS_PORT", "５０００"),
        ("ISEMS_PORT", "http"),
        ("ISEMS_POLL_INTERVAL", "0"),
        ("ISEMS_POLL_INTERVAL", "9s"),
        ("ISEMS_POLL_INTERVAL", "15 minutes"),
        ("ISEMS_POLL_INTERVAL", "9" * 400),
        ("ISEMS_POLL_CONCURRENCY", "0"),
        ("ISEMS_POLL_CONCURRENCY", "many"),
        ("ISEMS_POLL_DEADLINE", "0s"),
        ("ISEMS_COMMIT_INTERVAL", "301s"),
        ("ISEMS_TIMEZONE", "Europe/Nowhere"),
        ("ISEMS_TIMEZONE", "Europe"),
        ("ISEMS_TIMEZONE", "../../etc/passwd"),
        ("ISEMS_TIMEZONE", "zone.tab"),
        ("ISEMS_KEEP_RAW_DAYS", "6"),
        ("ISEMS_KEEP_RAW_DAYS", "400h"),
        ("ISEMS_CLOCK_TRUSTED", "perhaps"),
        ("ISEMS_LOG_LEVEL", "chatty"),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_expectation_in_one_line(name: str, text: str) -> None:
    sentence = refusal(**{name: text})
    assert sentence.startswith(f"{name} is ")
    assert ", expected " in sentence
    assert "\n" not in sentence
    hides = name in ("SENTRY_DSN", "ISEMS_PUSH_TOKENS", "ISEMS_MAP_TILES") or (
        "://" in text and not text.startswith("sqlite")
    )
    # Cut at 200 characters: a value of any length must not fill the screen.
    assert hides or repr(text)[:200] in sentence


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATABASE_URL", "mysql://isems:geheim@127.0.0.1/isems"),
        ("DATABASE_URL", "mysql://isems:ge/heim@127.0.0.1/isems"),
        ("DATABASE_URL", "postgresql://isems:geheim@127.0.0.1:port/isems"),
        ("DATABASE_URL", "postgresql://isems:geheim"),
        ("DATABASE_URL", "isems:geheim@127.0.0.1/isems"),
        ("DATABASE_URL", "oracle://127.0.0.1/isems?password=geheim"),
        ("MQTT_SERVER", "http://isems:geheim@broker"),
        ("MQTT_SERVER", "isems:geheim@broker:port"),
        ("SENTRY_DSN", "https://geheim@sentry.example/project"),
        ("SENTRY_DSN", "geheim"),
    ],
)
def test_a_refused_secret_is_not_shown(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(text, encoding="utf-8")
    for sentence in (refusal(**{name: text}), refusal(**{f"{name}_FILE": str(file)})):
        assert name in sentence
        assert "heim" not in sentence


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_a_blank_variable_is_as_good_as_none(text: str) -> None:
    names = names_read()
    assert read(**dict.fromkeys(names, text)) == read()


@pytest.mark.parametrize(
    ("environment", "has_source"),
    [
        ({}, False),
        ({"ISEMS_ROUTER_IPS": " , "}, False),
        ({"ISEMS_ROUTER_IPS": "a"}, True),
        ({"MQTT_SERVER": "broker"}, True),
        ({"ISEMS_PUSH_TOKENS": "t" * 16}, True),
        ({"ISEMS_PUSH_TOKENS": ","}, False),
    ],
)
def test_a_source_is_nodes_a_broker_or_who_may_push(environment: dict[str, str], has_source: bool) -> None:
    assert read(**environment).has_source is has_source
