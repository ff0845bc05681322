"""The settings: every variable, every way to get it wrong, and no secret ever shown."""

import hashlib
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import make_url

from isems import config as config_module
from isems.config import CHECKOUT, Broker, Config, MapArchive, MapTiles, sqlite_url
from isems.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


def read(**environment: str) -> Config:
    return Config.from_environment(environment)


def refusal(**environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(**environment)
    return str(caught.value)


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


def test_whether_a_database_was_named_is_known(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"sqlite:///{tmp_path / 'isems.db'}\n")
    assert read(DATABASE_URL="sqlite:///isems.db").is_database_named
    assert read(DATABASE_URL_FILE=str(file)).is_database_named
    assert not read(DATABASE_URL=" ").is_database_named


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


def test_a_map_may_be_a_file_which_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "CHECKOUT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my maps.pmtiles"
    assert read(ISEMS_MAP_TILES=str(path)).map_tiles == MapArchive(path, "")
    assert read(ISEMS_MAP_TILES="my maps.pmtiles").map_tiles == MapArchive(path, "")
    assert read(ISEMS_MAP_TILES=f"{path}  © us").map_tiles == MapArchive(path, "© us")


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


def test_the_cause_of_a_refusal_is_not_kept_beside_it() -> None:
    # A traceback in somebody's log would show it with the value.
    with pytest.raises(ConfigError) as caught:
        read(DATABASE_URL="postgresql://isems:geheim@127.0.0.1:port/isems")
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_a_blank_variable_is_as_good_as_none(text: str) -> None:
    names = names_read()
    assert read(**dict.fromkeys(names, text)) == read()


def test_blanks_around_addresses_are_ignored() -> None:
    """Defect 23: a blank after the comma made `%20b` of the second host."""
    assert read(ISEMS_ROUTER_IPS="a, b").router_ips == ("a", "b")
    assert read(ISEMS_ROUTER_IPS=" , a ,,b\n c,a, ").router_ips == ("a", "b", "c")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_usual_spelling_of_postgresql_is_understood(scheme: str) -> None:
    config = read(DATABASE_URL=f"{scheme}://isems:ge%2Fheim@db:5433/isems?sslmode=require")
    assert config.database_url == "postgresql+psycopg://isems:ge%2Fheim@db:5433/isems?sslmode=require"


def test_a_socket_in_the_query_of_a_postgresql_url_survives() -> None:
    url = make_url(read(DATABASE_URL="postgresql://isems@/isems?host=%2Frun%2Fpg").database_url)
    assert url.query == {"host": "/run/pg"}
    assert (url.username, url.database) == ("isems", "isems")


def test_a_password_in_the_query_goes_where_messages_leave_it_out() -> None:
    url = make_url(read(DATABASE_URL="postgresql://isems@db/isems?password=ge/heim&sslmode=require").database_url)
    assert url.password == "ge/heim"
    assert "heim" not in url.render_as_string(hide_password=True)
    assert url.query == {"sslmode": "require"}


def test_postgresql_without_its_driver_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "find_spec", lambda _: None)
    assert "psycopg" in refusal(DATABASE_URL="postgresql://db/isems")


def test_a_relative_path_starts_in_the_checkout_wherever_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(DATABASE_URL="sqlite:///here.db").database_url == f"sqlite:///{ROOT / 'here.db'}"


def test_a_relative_path_starts_in_the_current_folder_where_there_is_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_module, "CHECKOUT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path)
    assert read(DATABASE_URL="sqlite:///here.db").database_url == f"sqlite:///{tmp_path / 'here.db'}"


@pytest.mark.parametrize("name", ["isems.db", "with blank.db", "100%.db", "ü.db", "a%41?b#.db"])
def test_an_absolute_path_is_kept_as_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert make_url(read(DATABASE_URL=sqlite_url(path)).database_url).database == str(path)


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


# -- who may push ---------------------------------------------------------------------------------

FREE, BOUND = "0123456789abcdef", "Roof_-.~" * 16


def tokens(text: str) -> dict[bytes, set[str]]:
    return {token.digest: set(token.nodes) for token in read(ISEMS_PUSH_TOKENS=text).push_tokens}


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def test_a_token_is_free_or_bound_to_one_node_or_several() -> None:
    text = f"{FREE}, {BOUND}=Dach\r\n{BOUND} = a,\n\n{BOUND}=two words=x, {FREE}"
    assert tokens(text) == {digest(FREE): set(), digest(BOUND): {"Dach", "a", "two words=x"}}


@pytest.mark.parametrize(
    ("text", "node"),
    [("Dach%2C Nord", "Dach, Nord"), ("%20x%20", " x "), ("S%C3%BCd", "Süd"), ("Süd", "Süd"), ("50%", "50%")],
)
def test_a_node_id_may_be_percent_encoded(text: str, node: str) -> None:
    assert tokens(f"{FREE}={text}") == {digest(FREE): {node}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("geheim-geheim-x", "in entry 1 a token of 16 to 128"),
        ("geheim" * 22, "in entry 1 a token of 16 to 128"),
        (f"{FREE},geheim geheim geheim", "in entry 2 a token of 16 to 128"),
        ("geheim/geheim/geheim", "a token of 16 to 128"),
        ("geheim-geheim-gehéim", "a token of 16 to 128"),
        ("=Dach", "a token of 16 to 128"),
        ("geheim-geheim-geheim=", "a node id of 1 to 255 bytes"),
        ("geheim-geheim-geheim=%00", "a node id of 1 to 255 bytes"),
        ("geheim-geheim-geheim=%FF", "a node id of 1 to 255 bytes"),
        ("geheim-geheim-geheim=" + "ä" * 128, "a node id of 1 to 255 bytes"),
        ("geheim-geheim-geheim=a,geheim-geheim-geheim", "in entry 2 a token that stands either alone or before"),
        ("geheim-geheim-geheim,geheim-geheim-geheim=a", "in entry 2 a token that stands either alone or before"),
    ],
)
def test_a_wrong_token_is_told_by_its_place_and_not_shown(text: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(text, encoding="utf-8")
    for sentence in (refusal(ISEMS_PUSH_TOKENS=text), refusal(ISEMS_PUSH_TOKENS_FILE=str(file))):
        assert sentence.startswith("ISEMS_PUSH_TOKENS is (not shown), expected ")
        assert expected in sentence
        assert "heim" not in sentence


def test_the_settings_themselves_hold_no_token() -> None:
    assert FREE not in repr(read(ISEMS_PUSH_TOKENS=FREE))


def test_a_file_too_long_to_be_read_is_refused_and_not_cut(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{FREE}=Dach\n" * 4000, encoding="utf-8")
    assert "at most 65536 characters" in refusal(ISEMS_PUSH_TOKENS_FILE=str(file))


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.names.add(name)
        return default


def names_read() -> set[str]:
    environment = Asked()
    Config.from_environment(environment)
    return {name for name in environment.names if not name.endswith("_FILE")}


def example_lines() -> dict[str, str]:
    text = (ROOT / "isems.env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))


def test_the_example_has_a_commented_line_for_each_variable() -> None:
    assert set(example_lines()) == names_read()


def unnamed(config: Config) -> Config:
    """The same settings as if nobody had named the database, which is by its default name."""
    return msgspec.structs.replace(config, is_database_named=False)


def test_the_example_uncommented_changes_nothing() -> None:
    assert unnamed(read(**example_lines())) == read()


def test_the_example_as_it_is_sets_nothing() -> None:
    lines = (ROOT / "isems.env.example").read_text(encoding="utf-8").splitlines()
    assert all(not line or line.startswith("#") for line in lines)


def test_the_readme_has_a_row_for_each_variable_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {
        name
        for cell in re.findall(r"^\| (`[A-Z_`, ]+) \|", text, re.MULTILINE)
        for name in re.findall(r"`([A-Z_]+)`", cell)
    }
    assert named == names_read()


def test_the_readme_tells_the_same_defaults_as_the_example() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    defaults: dict[str, str] = {}
    for names, values in re.findall(r"^\| (`[A-Z_`, ]+) \| ([^|]*) \|", text, re.MULTILINE):
        given = re.findall(r"`([^`]+)`", values) or [""]
        defaults |= dict(zip(re.findall(r"`([A-Z_]+)`", names), given, strict=True))
    assert unnamed(read(**defaults)) == read()
