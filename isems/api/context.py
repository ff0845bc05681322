"""What the factory handed to the application, for its routes."""

from pathlib import Path
from typing import cast

from flask import current_app

from isems.api.answers import SeenTags, Streams
from isems.api.push_gate import Gate
from isems.config import Config
from isems.storage.database import Database

CONFIG = "isems.config"
DATABASE = "isems.database"
TAGS = "isems.tags"
STREAMS = "isems.streams"
#: Tells epoch seconds.
CLOCK = "isems.clock"
#: The folder of the built dashboard.
DASHBOARD = "isems.dashboard"
#: Only where somebody may push.
GATE = "isems.gate"
#: Set by `isems serve --demo`: everything shown is simulated.
DEMO = "isems.demo"


def config() -> Config:
    """Give the settings."""
    return cast(Config, current_app.extensions[CONFIG])


def database() -> Database:
    """Give the database."""
    return cast(Database, current_app.extensions[DATABASE])


def now() -> int:
    """Give our clock's epoch seconds."""
    return int(current_app.extensions[CLOCK]())


def tags() -> SeenTags:
    """Give the memory of what clients have already."""
    return cast(SeenTags, current_app.extensions[TAGS])


def streams() -> Streams:
    """Give the room for long answers."""
    return cast(Streams, current_app.extensions[STREAMS])


def dashboard() -> Path:
    """Give the folder of the built dashboard, which may not be there."""
    return cast(Path, current_app.extensions[DASHBOARD])


def gate() -> Gate:
    """Give who may push, and where to."""
    return cast(Gate, current_app.extensions[GATE])


def is_demo() -> bool:
    """Tell whether the nodes are simulated."""
    return bool(current_app.extensions.get(DEMO))
