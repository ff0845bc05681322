"""Many rows into SQLite."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

#: Rows of one statement. `executemany` takes half as long again, and hands Python's lock to other threads after each
#: row: beside a busy one it comes to a standstill.
ROWS = 100


class BulkInsert:
    """An INSERT for any number of rows that leaves out those whose key is there already; built once."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self._begin = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        self._row = f"({', '.join('?' * len(columns))})"
        self._whole = self._statement(ROWS)

    def _statement(self, rows: int) -> str:
        return f"{self._begin}{', '.join([self._row] * rows)} ON CONFLICT DO NOTHING"

    def execute(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Insert rows; gives how many of them were not there."""
        count = 0
        for start in range(0, len(rows), ROWS):
            piece = rows[start : start + ROWS]
            statement = self._whole if len(piece) == ROWS else self._statement(len(piece))
            count += connection.execute(statement, tuple(chain.from_iterable(piece))).rowcount
        return count
