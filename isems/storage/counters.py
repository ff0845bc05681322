"""Counts that only grow, of all processes together: what became of records, how long polls took; and when data came.

They are in the database, because cron, subscriber and web are different processes. Each process adds what it counted in a
transaction that it makes anyway, once a minute, and when it rests or ends; what a killed one had not added yet is lost.
"""

import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from isems.storage.database import after_commit, database_of
from isems.storage.states import read_state, save_state
from isems.storage.tally import unite

#: The name in `source_state`.
NAME = "counts"
#: Under this name a connection remembers the transaction in which counts were written.
WRITTEN_IN = "counts_written_in"
#: What all processes wrote to disks, and the instant from which on anything was counted.
WRITTEN_BYTES, SINCE = "written_bytes", "since"


def count(connection: Connection, counts: Mapping[str, float]) -> None:
    """Count something that a writing transaction does, if it is committed; written with it when due, else later."""
    tally = database_of(connection).tally
    if tally.is_due() and not _is_written(connection):
        _write(connection, counts)
    else:
        after_commit(connection, partial(tally.add, dict(counts)))


def write_counts(connection: Connection) -> None:
    """Add to the stored counts what this process counted in transactions that are committed."""
    if database_of(connection).tally.pending() and not _is_written(connection):
        _write(connection, {})


def _is_written(connection: Connection) -> bool:
    """Tell whether this transaction has written counts: those are pending until it is committed, and must not count twice."""
    return connection.info.get(WRITTEN_IN) is connection.info["after_commit"]


def _write(connection: Connection, more: Mapping[str, float]) -> None:
    connection.info[WRITTEN_IN] = connection.info["after_commit"]  # each transaction has its own
    database = database_of(connection)
    if database.is_sqlite:  # a server writes by itself
        database.tally.add({WRITTEN_BYTES: take_written_bytes()})
    pending = database.tally.pending()
    stored = read_counts(connection) or {SINCE: time.time()}
    save_state(connection, NAME, unite([stored, pending, more]))
    after_commit(connection, partial(database.tally.take_away, pending))


def read_counts(connection: Connection) -> dict[str, float]:
    """Give the stored counts by name."""
    found: dict[str, float] = read_state(connection, NAME) or {}
    return found


_lock = threading.Lock()
_written_bytes = 0


def take_written_bytes() -> int:
    """Give how many bytes this process had written to disks since it was asked last, by the kernel's own account: whole
    pages, whatever the file. 0 where that is not told.
    """
    global _written_bytes  # there is one account a process
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    now = next((int(line.split()[1]) for line in lines if line.startswith("write_bytes:")), 0)
    with _lock:
        before, _written_bytes = _written_bytes, now
    return now - before if now >= before else now  # less in a process that was forked
