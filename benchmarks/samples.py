"""Lines, payloads and databases to measure with."""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from isems.domain.clock import Moment, Uptime
from isems.domain.payload import Payload, Source
from isems.storage.database import Database
from isems.storage.rollups import roll_up
from isems.storage.schema import metadata

DAY = 86_400
#: As the service is set by default.
ZONE = ZoneInfo("Europe/Berlin")
#: Seconds between two records of a node.
CADENCE = 60
START = 1_700_000_000


def line(node: str, minute: int, start: int = START) -> str:
    """A router's record with values that wander as real ones do."""
    return (
        f"{node};1;{start + CADENCE * minute};1.5-fw;{4000 - minute % 900};0;{18 + minute % 97 / 100:.2f};"
        f"{17 + minute % 89 / 100:.2f};{12 + minute % 193 / 100:.2f};{50 + minute // 30 % 50};97;{20 + minute // 9 % 15};"
        "11.7;14.2;18;20;52.5;13.4;0x300"
    )


def payload(lines: Sequence[str], received_at: int) -> Payload:
    data = "\n".join(lines).encode()
    return Payload(data=data, source=Source.POLL, address="127.0.0.1", received_at=received_at)


def moment(now: int) -> Moment:
    return Moment(now, is_trusted=True, uptime=Uptime("boot", 1000))


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk under the current one: many systems keep /tmp in memory, which wears out nothing."""
    path = Path(tempfile.mkdtemp(prefix=".bench-", dir="."))
    try:
        yield path.absolute()
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def database(*, has_inbox: bool = False, is_durable: bool = False) -> Iterator[Database]:
    """An empty database."""
    with folder() as path:
        opened = Database(f"sqlite:///{path}/bench.db", has_inbox=has_inbox, is_durable=is_durable)
        opened.make_ready()
        try:
            yield opened
        finally:
            opened.close()


#: A row of the table as SQLite can make it by itself, for long histories: a day of 100 nodes takes a blink.
_FILL = """
WITH RECURSIVE minute(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM minute WHERE i + 1 < ?)
INSERT INTO measurement SELECT n.id, ? + 60 * i, 1, 4 * (4000 - i % 900), 0, 18000 + i % 970, 17000 + i % 890,
12000 + i % 1930, 50 + i / 30 % 50, 97, 2000 + i / 9 % 15 * 100, 14200, 768, 0, NULL
FROM node n CROSS JOIN minute
"""


def fill(opened: Database, nodes: int, minutes: int, end: int | None = None) -> None:
    """Give `nodes` nodes a record each minute up to `end`, rolled up, without our own code in between: all have the same
    values, so the first one's roll-ups are everybody's.
    """
    first = (int(time.time()) if end is None else end) - CADENCE * minutes
    with opened.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO configuration (id, key, node_id, isems_revision, firmware, latitude, longitude, dialect,"
            " is_placeholder) VALUES (1, 'bench', 1, '1', '1.5-fw', 52.5, 13.4, 'router', 0)"
        )
        names = [(f"Node-{number}", first) for number in range(nodes)]
        connection.exec_driver_sql("INSERT INTO node (name, configuration_id, first_seen_at) VALUES (?, 1, ?)", names)
        connection.exec_driver_sql(_FILL, (minutes, first))
    _roll_up(opened)
    checkpoint(opened)


def _roll_up(opened: Database) -> None:
    """Roll up the first node, and give its roll-ups to the others."""
    is_more = True
    while is_more:
        with opened.write() as connection:
            is_more = roll_up(connection, 1, ZONE)
    with opened.write() as connection:
        for table in ("hourly", "daily", "rolled_up"):
            columns = [column.name for column in metadata.tables[table].columns if column.name != "node_id"]
            connection.exec_driver_sql(
                f"INSERT INTO {table} (node_id, {', '.join(columns)}) SELECT n.id, {', '.join(f'r.{c}' for c in columns)}"
                f" FROM {table} r JOIN node n ON n.id > 1 WHERE r.node_id = 1"
            )


def checkpoint(opened: Database) -> None:
    """Bring everything into the one file."""
    with closing(sqlite3.connect(opened.url.database or "")) as bare:
        bare.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def cpu_seconds() -> float:
    return time.process_time()
