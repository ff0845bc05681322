"""A file that has its name only when it is whole."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from isems.errors import ConfigError, StorageError
from isems.storage.backup import hold, sync


def check_target(path: Path, *, is_forced: bool) -> None:
    """Raise ConfigError for a file that must not be replaced, or cannot be made."""
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"--output is {str(path)!r}, expected a file in a folder that exists")
    if path.is_file() and not is_forced:
        raise ConfigError(f"--output is {str(path)!r}, expected a file that is not there yet; --force replaces it")


def write_file(path: Path, write: Callable[[BinaryIO], None], *, is_forced: bool = False) -> None:
    """Have a file written beside its place, and put there when it is whole and on the disk.

    What is no file, such as /dev/null, is written to as it is. Raises ConfigError where a file is there and not
    forced, StorageError where the disk refuses.
    """
    path = path.resolve()  # a link stays one
    check_target(path, is_forced=is_forced)
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                write(file)
            return
        part = Path(f"{path}.part")
        with hold(part):
            with part.open("wb") as file:
                write(file)
            sync(part)
            check_target(path, is_forced=is_forced)
            part.rename(path)
            sync(path.parent)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
