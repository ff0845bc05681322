"""Every setting, and the variable that it is read from."""

import os
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec

from isems.config.broker import FACTORY_PREFIXES, Broker, parse_prefixes, read_broker, read_group
from isems.config.database import parse_database_url
from isems.config.map_tiles import MapArchive, MapTiles, parse_map_tiles, without_key
from isems.config.push_tokens import PushToken, parse_push_tokens
from isems.config.values import (
    Values,
    days,
    dsn,
    duration,
    level,
    nothing,
    parse_timezone,
    read_days_to_keep,
    split,
    whole,
    without_login,
    yes_or_no,
)


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
        values = Values(os.environ if environment is None else environment)
        share, replica = read_group(values)
        return cls(
            database_url=values.read(
                "DATABASE_URL", parse_database_url, parse_database_url("sqlite:///isems.db"), show=without_login
            ),
            is_database_named=bool(values.text("DATABASE_URL")),
            router_ips=values.read("ISEMS_ROUTER_IPS", split, ()),
            broker=read_broker(values),
            mqtt_prefixes=values.read("ISEMS_MQTT_PREFIXES", parse_prefixes, FACTORY_PREFIXES),
            mqtt_share=share,
            mqtt_replica=replica,
            push_tokens=values.read("ISEMS_PUSH_TOKENS", parse_push_tokens, (), show=nothing),
            hide_inactive_after_days=values.read("HIDE_INACTIVE_AFTER_DAYS", days, 30.0),
            sentry_dsn=values.read("SENTRY_DSN", dsn, None, show=nothing),
            is_development=values.read("FLASK_ENV", str, "") == "development",
            host=values.read("ISEMS_HOST", str, "127.0.0.1"),
            port=values.read("ISEMS_PORT", whole(0, 65_535), 5000),
            poll_interval=values.read("ISEMS_POLL_INTERVAL", duration(10, 86_400), 900),
            poll_concurrency=values.read("ISEMS_POLL_CONCURRENCY", whole(1, 1000), 64),
            poll_deadline=values.read("ISEMS_POLL_DEADLINE", duration(1, 600), 30),
            commit_interval=values.read("ISEMS_COMMIT_INTERVAL", duration(0, 300), 1),
            timezone=values.read("ISEMS_TIMEZONE", parse_timezone, ZoneInfo("Europe/Berlin")),
            keep_raw_days=values.read("ISEMS_KEEP_RAW_DAYS", read_days_to_keep, None),
            is_clock_trusted=values.read("ISEMS_CLOCK_TRUSTED", yes_or_no, False),
            metrics_max_nodes=values.read("ISEMS_METRICS_MAX_NODES", whole(0, 100_000), 1000),
            map_tiles=values.read("ISEMS_MAP_TILES", parse_map_tiles, None, show=without_key),
            log_level=values.read("ISEMS_LOG_LEVEL", level, "INFO"),
        )

    @property
    def has_source(self) -> bool:
        """Tell whether anything to collect from was configured."""
        return bool(self.router_ips or self.broker or self.push_tokens)
