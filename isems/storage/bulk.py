"""Many rows at once, into SQLite and into PostgreSQL."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table

from isems.errors import StorageError

#: Rows of one statement. `executemany` takes half as long again, and hands Python's lock to other threads after each
#: row: beside a busy one it comes to a standstill.
ROWS = 100


class BulkInsert:
    """An INSERT for any number of rows that leaves out those whose key is there already; built once.

    The last column is one that is nearly always NULL, and left out where no row has it: of each NULL that it is given
    Python's driver asks how to store it, which takes several times as long as a number.
    """

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self._table = table
        self._columns = columns
        self._whole = self._statement(columns, ROWS)
        self._whole_without_last = self._statement(columns[:-1], ROWS)

    def _statement(self, columns: Sequence[str], rows: int) -> str:
        row = f"({', '.join('?' * len(columns))})"
        values = ", ".join([row] * rows)
        return f"INSERT INTO {self._table} ({', '.join(columns)}) VALUES {values} ON CONFLICT DO NOTHING"

    def execute(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Insert rows; gives how many of them were not there."""
        count = 0
        for start in range(0, len(rows), ROWS):
            count += self._insert(connection, rows[start : start + ROWS])
        return count

    def _insert(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        values = list(chain.from_iterable(rows))
        columns, whole = self._columns, self._whole
        last = slice(len(columns) - 1, None, len(columns))
        if not any(values[last]):
            del values[last]
            columns, whole = columns[:-1], self._whole_without_last
        statement = whole if len(rows) == ROWS else self._statement(columns, len(rows))
        return connection.execute(statement, values).rowcount


#: PostgreSQL takes rows as one array a column; rows have 0 and 1 for false and true.
_ARRAY_TYPES = {"BIGINT": "bigint[]", "INTEGER": "integer[]", "BOOLEAN": "integer[]::boolean[]", "TEXT": "text[]"}


class PostgresInsert:
    """The same for PostgreSQL: rows of a table, into that or another one with the same columns.

    COPY is the quickest way for any number of rows, and knows no ON CONFLICT. But whoever writes has looked what is there,
    and is the only one: so it is tried, and only where it fails another statement leaves out what is there.
    """

    def __init__(self, table: Table) -> None:
        columns = ", ".join(column.name for column in table.columns)
        arrays = ", ".join(f"%s::{_ARRAY_TYPES[str(column.type).split('(')[0]]}" for column in table.columns)
        self._copy = f"COPY {{}} ({columns}) FROM STDIN"
        self._insert = f"INSERT INTO {{}} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"

    def execute(self, connection: Connection, rows: Sequence[tuple[Any, ...]], into: str) -> int:
        """Insert rows; gives how many of them were not there."""
        if _copy(connection, self._copy.format(into), rows):
            return len(rows)
        arrays = tuple(list(column) for column in zip(*rows, strict=True))
        return connection.exec_driver_sql(self._insert.format(into), arrays).rowcount


def _copy(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Copy all rows, or none: False where the key of one is there already."""
    # Here and not above: 32-bit ARM has no psycopg, and only a database of PostgreSQL comes here.
    from psycopg import Error
    from psycopg.errors import UniqueViolation

    raw: Any = connection.connection.driver_connection
    try:
        with connection.begin_nested(), raw.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except UniqueViolation:
        return False
    except Error as error:
        raise StorageError(f"PostgreSQL refused rows: {' '.join(str(error).split())}") from error
    return True
