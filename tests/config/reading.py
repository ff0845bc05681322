"""Settings from an environment of our own, and what is asked of it."""

import pytest

from isems.config import Config
from isems.errors import ConfigError


def read(**environment: str) -> Config:
    return Config.from_environment(environment)


def refusal(**environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(**environment)
    return str(caught.value)


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
