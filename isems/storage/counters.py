"""Counts that only grow, of all processes together: what became of records, how long polls took; and when data came.

They are in the database, because cron, subscriber and web are different processes. Each process adds what it counted in a
transaction that it makes anyway, once a minute, and when it rests or ends; what a killed one had not added yet is lost.
"""

from collections.abc import Mapping
from functools import partial

from sqlalchemy import Connection

from isems.storage.database import after_commit, database_of
from isems.storage.states import read_state, save_state
from isems.storage.tally import unite

#: The name in `source_state`.
NAME = "counts"


def count(connection: Connection, counts: Mapping[str, float]) -> None:
    """Count something that a writing transaction does, if it is committed; writes what was counted before, when due."""
    tally = database_of(connection).tally
    if tally.is_due():
        write_counts(connection)
    after_commit(connection, partial(tally.add, dict(counts)))


def write_counts(connection: Connection) -> None:
    """Add to the stored counts what this process counted in transactions that are committed."""
    tally = database_of(connection).tally
    pending = tally.pending()
    if not pending:
        return
    stored = read_counts(connection)
    save_state(connection, NAME, unite([stored, pending]))
    after_commit(connection, partial(tally.take_away, pending))


def read_counts(connection: Connection) -> dict[str, float]:
    """Give the stored counts by name."""
    found: dict[str, float] = read_state(connection, NAME) or {}
    return found
