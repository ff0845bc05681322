"""Patience with a SQLite file that this process may read but not write, as the web server's user on Debian."""

import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: What such a reader is refused with for a moment, though nothing is wrong with the file: SQLite would lend it the write
#: lock to look again, and cannot. Its busy timeout covers none of them.
PASSING = frozenset(
    {
        "SQLITE_READONLY_RECOVERY",  # it looked just when a writer committed
        "SQLITE_CANTOPEN",  # the last writer took the journals away, and has not left empty ones yet
        "SQLITE_READONLY_DIRECTORY",  # the same, seen a moment later
    }
)
#: A journal that is really broken, or really missing, is an error after so long.
PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.005


def read_patiently(read: Callable[[], T]) -> T:
    """Repeat what only reads, while SQLite refuses it for a passing reason.

    Raises what SQLite raised last.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return read()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname not in PASSING or time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE_SECONDS)
