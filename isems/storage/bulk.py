"""Many rows at once, into SQLite and into PostgreSQL."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table

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


#: PostgreSQL takes rows as one array a column.
_ARRAY_TYPES = {"BIGINT": "bigint[]", "INTEGER": "integer[]", "BOOLEAN": "boolean[]", "TEXT": "text[]"}


class PostgresInsert:
    """The same for PostgreSQL: rows of a table, into that or another one with the same columns.

    COPY knows no ON CONFLICT; through a temporary table it takes longer than arrays, and ten milliseconds at least.
    """

    def __init__(self, table: Table) -> None:
        types = [_ARRAY_TYPES[str(column.type).split("(")[0]] for column in table.columns]
        columns = ", ".join(column.name for column in table.columns)
        arrays = ", ".join(f"%s::{kind}" for kind in types)
        self._statement = f"INSERT INTO {{}} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"
        self._is_text = [kind == "text[]" for kind in types]

    def execute(self, connection: Connection, rows: Sequence[tuple[Any, ...]], into: str) -> int:
        """Insert rows; gives how many of them were not there."""
        columns = zip(self._is_text, zip(*rows, strict=True), strict=True)
        arrays = tuple(list(column) if is_text and any(column) else _write_array(column) for is_text, column in columns)
        return connection.exec_driver_sql(self._statement.format(into), arrays).rowcount


def _write_array(column: tuple[int | bool | None, ...]) -> str:
    """Write numbers as PostgreSQL reads them: the driver looks at each value, which takes longer than storing it."""
    return f"{{{str(list(column))[1:-1].replace('None', 'NULL')}}}"
