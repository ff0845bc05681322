"""The settings. Only this package reads the environment; README.md has the same table for people."""

from isems.config.broker import FACTORY_PREFIXES, Broker, parse_broker
from isems.config.database import sqlite_url
from isems.config.map_tiles import MapArchive, MapTiles
from isems.config.push_tokens import PushToken, digest_token
from isems.config.settings import Config
from isems.config.values import CHECKOUT, parse_timezone, read_days_to_keep

__all__ = [
    "CHECKOUT",
    "FACTORY_PREFIXES",
    "Broker",
    "Config",
    "MapArchive",
    "MapTiles",
    "PushToken",
    "digest_token",
    "parse_broker",
    "parse_timezone",
    "read_days_to_keep",
    "sqlite_url",
]
