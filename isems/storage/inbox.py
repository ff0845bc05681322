"""Where measurements lie that came a few at a time, until there are enough of them to be sorted in.

In `measurement` the newest row of each node is on a page of its own, so that fifty rows of fifty nodes change fifty
pages of 4 kB. Here they follow each other on one or two. Sorted in, thousands at a time, the rows of a node share its
pages again: an SD card is written far less (docs/performance.md).

A record is either here or in `measurement`; the view `every_measurement` has both. What is here is committed and as
safe as anything else.
"""

from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec
from sqlalchemy import Connection

from isems.storage import schema
from isems.storage.bulk import BulkInsert
from isems.storage.counters import write_counts
from isems.storage.database import Database, database_of, raw_sqlite
from isems.storage.rows import Row
from isems.storage.writer_memory import memory_of

#: Node and second.
Key = tuple[int, int]

#: Rows that are sorted in together: an hour and a quarter of a hundred nodes. More would save little, and who reads the
#: newest measurements looks through all of them.
MAX_ROWS = 8000
#: A commit with fewer rows a node goes here: half of what fits on a page.
FEW_ROWS = 45

COLUMNS = tuple(column.name for column in schema.measurement.columns)
LIST = ", ".join(COLUMNS)
_BULK = BulkInsert("inbox", COLUMNS)
# The same record in both can only come from another program's hand; then what is in `measurement` stays.
# FAIL: without it SQLite could undo a part of the transaction, and keeps a copy of each page for that.
_SETTLE = (
    f"INSERT OR FAIL INTO measurement SELECT {LIST} FROM inbox ORDER BY node_id, measured_at ON CONFLICT DO NOTHING"
)
#: Under this name a writing connection remembers the time of each node's newest record in `measurement`, or a later one:
#: all of it that is rolled up is not newer either, also where the newest was taken out since.
NEWEST = "newest"
_SELECT_NEWEST = (
    "SELECT wanted.value, max(coalesce((SELECT max(measured_at) FROM measurement WHERE node_id = wanted.value), 0),"
    " coalesce((SELECT hours_until FROM rolled_up WHERE node_id = wanted.value), 0))"
    " FROM json_each(?) wanted"
)
_HOLDS = "SELECT 1 FROM inbox WHERE node_id = ? AND measured_at < ? LIMIT 1"
_UPDATE = (
    f"UPDATE inbox SET {', '.join(f'{column} = ?' for column in COLUMNS[2:])} WHERE node_id = ? AND measured_at = ?"
)


def is_for_inbox(connection: Connection, rows: Sequence[Row]) -> bool:
    """Tell whether rows are to be put here: few of many nodes, in a process that will settle them."""
    if not database_of(connection).has_inbox:
        return False
    return len(rows) < FEW_ROWS or len(rows) < FEW_ROWS * len({row[0] for row in rows})


def put(connection: Connection, rows: Mapping[Key, Row]) -> None:
    """Add rows, by their keys, which are nowhere yet; settles all when these are enough."""
    here = _rows_here(connection)
    _BULK.execute(raw_sqlite(connection), list(rows.values()))
    here.update(rows)
    if len(here) >= MAX_ROWS:
        settle(connection)


def is_empty(connection: Connection) -> bool:
    """Tell whether nothing is here; looks at the database only after somebody else wrote to it."""
    return not _rows_here(connection)


def count_inbox(connection: Connection) -> int:
    """Give how many rows are here, to whoever reads; of PostgreSQL none."""
    return int(connection.exec_driver_sql("SELECT count(*) FROM inbox").scalar_one())


def find(connection: Connection, keys: Set[Key]) -> dict[Key, Row]:
    """Give the rows here with these keys."""
    here = _rows_here(connection)
    return {key: here[key] for key in here.keys() & keys}


def holds(connection: Connection, node_id: int, before: int) -> bool:
    """Tell whether a record of this node that is older than `before` is here; remembers nothing of the others."""
    if not database_of(connection).is_sqlite:
        return False
    found = raw_sqlite(connection).execute(_HOLDS, (node_id, before)).fetchone()
    return found is not None


def replace(connection: Connection, row: Row) -> bool:
    """Replace the row here with the same key; False where there is none."""
    here = _rows_here(connection)
    if row[:2] not in here:
        return False
    raw_sqlite(connection).execute(_UPDATE, (*row[2:], *row[:2])).close()
    here[row[:2]] = row
    return True


def settle(connection: Connection) -> int:
    """Sort everything into `measurement`; gives how many rows that were."""
    here = _rows_here(connection)
    if not here:
        return 0
    count = len(here)
    raw = raw_sqlite(connection)
    raw.execute(_SETTLE).close()
    raw.execute("DELETE FROM inbox").close()
    note_newest(connection, here.values())
    here.clear()
    return count


def settle_database(database: Database) -> int:
    """Sort in whatever is here, in a transaction of its own, and write what was counted; for a process that has nothing
    to do, or ends.
    """
    if not database.has_inbox and not database.tally.pending():
        return 0
    with database.write() as connection:
        write_counts(connection)
        return settle(connection) if database.has_inbox else 0


def may_be_sorted(connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
    """Leave out the rows that cannot be in `measurement`, because their node's newest there is older.

    What comes live is newer than all before it: so it need not be looked up.
    """
    newest: dict[int, int] = memory_of(connection).setdefault(NEWEST, {})
    if unknown := {row[0] for row in rows if row[0] not in newest}:
        found = raw_sqlite(connection).execute(_SELECT_NEWEST, (msgspec.json.encode(list(unknown)).decode(),))
        newest.update(found.fetchall())
    return [row for row in rows if row[1] <= newest[row[0]]]


def note_newest(connection: Connection, rows: Iterable[Row]) -> None:
    """Note that these are in `measurement` now."""
    newest: dict[int, int] = memory_of(connection).get(NEWEST, {})
    for row in rows:
        if newest.get(row[0], row[1]) < row[1]:  # of a node that is not remembered nothing is to be noted
            newest[row[0]] = row[1]


def _rows_here(connection: Connection) -> dict[Key, Row]:
    if not database_of(connection).is_sqlite:
        return {}  # nothing is put there
    memory = memory_of(connection)
    here: dict[Key, Row] | None = memory.get("inbox")
    if here is None:
        here = {row[:2]: row for row in raw_sqlite(connection).execute(f"SELECT {LIST} FROM inbox").fetchall()}
        memory["inbox"] = here
    return here
