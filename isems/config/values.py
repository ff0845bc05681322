"""Single values: what a variable or its file says, read as one thing, and shown without a secret.

What reads a text raises ValueError with what was expected.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from isems.errors import ConfigError

#: Where a checkout has app.py; relative paths start there, wherever cron was started.
CHECKOUT = Path(__file__).resolve().parents[2]

T = TypeVar("T")
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)", re.ASCII)
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
DSN = re.compile(r"https?://[^/@\s]+@[^/@:\s]+(:[0-9]{1,5})?(/[^/\s]+)*/[0-9]+")
#: Raw data are kept for that long at least: logs of routers reach back five days, and what is asked for again must be known.
MIN_KEPT_DAYS, MAX_KEPT_DAYS = 7, 36_500
#: File variables are for secrets: a few lines.
MAX_FILE_BYTES = 65_536


class Values:
    """The variables of an environment; `NAME_FILE` names a file that holds the value of NAME."""

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


def _read_file(name: str, path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} is {path!r}, expected a readable text file: {error}") from error
    if len(text) > MAX_FILE_BYTES:  # cut, it would be another value
        raise ConfigError(f"{name} is {path!r}, expected a text file of at most {MAX_FILE_BYTES} characters")
    return text.strip()


def without_login(text: str) -> str:
    """Show a URL that may hold a password: wholly where it cannot, else only what kind of URL it is."""
    scheme, separator, _ = text.partition("://")
    if scheme.startswith("sqlite") or not (separator or "@" in text):
        return repr(text)
    return repr(f"{scheme}://***") if separator else "***"


def nothing(_: str) -> str:
    """Show none of a secret."""
    return "(not shown)"


def base_folder() -> Path:
    """Give the folder where relative paths start."""
    return CHECKOUT if (CHECKOUT / "app.py").is_file() else Path.cwd()


def split(text: str) -> tuple[str, ...]:
    """Give what stands between commas and line ends, each once."""
    parts = (part.strip() for part in text.replace("\n", ",").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def whole(least: int, most: int) -> Callable[[str], int]:
    """Give what reads a whole number in these limits."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return convert


def duration(least: int, most: int) -> Callable[[str], int]:
    """Give what reads a duration in these limits, all in seconds."""

    def convert(text: str) -> int:
        match = DURATION.fullmatch(text)
        seconds = float(match[1]) * SECONDS[match[2]] if match else -1
        if not least <= seconds <= most:
            raise ValueError(f"a duration from {least}s to {most}s, such as 90s, 15m or 1h")
        return round(seconds)

    return convert


def days(text: str) -> float:
    if not NUMBER.fullmatch(text) or not 0 < float(text) < 36_500:
        raise ValueError("a number of days above 0 and below 36500")
    return float(text)


def read_days_to_keep(text: str) -> int:
    """Give for how many days raw data are to be kept: `400` or `400d`."""
    expected = f"a number of days from {MIN_KEPT_DAYS} to {MAX_KEPT_DAYS}, such as 400d"
    if re.fullmatch(r"[0-9]{1,6}d?", text, re.ASCII) is None:
        raise ValueError(expected)
    kept = int(text.removesuffix("d"))
    if not MIN_KEPT_DAYS <= kept <= MAX_KEPT_DAYS:
        raise ValueError(expected)
    return kept


def yes_or_no(text: str) -> bool:
    if text.lower() in ("1", "yes", "true", "on"):
        return True
    if text.lower() in ("0", "no", "false", "off"):
        return False
    raise ValueError("yes or no")


def parse_timezone(text: str) -> ZoneInfo:
    """Give the zone of a name."""
    try:
        return ZoneInfo(text)
    except (KeyError, OSError, ValueError) as error:  # an unknown name is a KeyError
        raise ValueError("the name of a time zone, such as Europe/Berlin or UTC") from error


def dsn(text: str) -> str:
    """Give where Sentry takes reports."""
    if not DSN.fullmatch(text):
        raise ValueError("a Sentry DSN: https://key@host/number of the project")
    return text


def level(text: str) -> str:
    """Give the level of the log, as the standard library spells it."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return text.upper()
