"""`isems db upgrade` as a process: killed at chosen moments, run again, and compared row by row with what was sent."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from isems.domain.measurement import Measurement
from isems.storage import schema
from isems.storage.database import Database, read_version
from isems.storage.measurements import decode_rows
from isems.storage.predecessor import NEW, OLD, VERSIONS, progress_table, read_progress
from tests.predecessor import Sent, history, instant, local_text, make_database, set_zone

#: Two autumn changes; each leap begins the day before.
AUTUMNS = [instant(2024, 10, 26, 18), instant(2025, 10, 25, 18)]
DOUBLED_HOURS = ("2024-10-27 02", "2025-10-26 02")
ISEMS = [sys.executable, "-m", "isems", "db", "upgrade"]
#: Rows read at once when all are compared.
PIECE = 10_000


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def backup_of(url: str) -> Path:
    return Path(f"{path_of(url)}.before-upgrade")


def make_history(url: str, count: int) -> None:
    """The predecessor's database with so many rows over two autumn changes."""
    if "sqlite" not in url:
        set_zone(url, "Europe/Berlin")
    make_database(url, (one.row for one in history(count, AUTUMNS)))


# -- run and killed -------------------------------------------------------------------------------


def kill_when(url: str, is_time: Callable[[Database], bool], later: float = 0) -> bool:
    """Start the upgrade and kill it at that moment, or some seconds later; False where it was faster."""
    database = Database(url)
    process = subprocess.Popen(ISEMS, env=os.environ | {"DATABASE_URL": url}, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None and not is_time(database):
            time.sleep(0.002)
        time.sleep(later)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        database.close()
    return process.returncode == -signal.SIGKILL


def is_begun(database: Database) -> bool:
    """Whether the first thing is under way that takes time: the backup, or where none is made the move."""
    path = database.url.database
    return Path(f"{path}.before-upgrade.part").exists() if database.is_sqlite else rows_moved(database) >= 0


def rows_moved(database: Database) -> int:
    """How many rows are moved, as another process sees it; -1 where no move is under way."""
    with database.read_any_version() as connection:
        progress = read_progress(connection)
    return progress.moved if progress else -1


def is_exchanged(database: Database) -> bool:
    """Whether the new table is in the old one's place."""
    with database.read_any_version() as connection:
        return read_version(connection) == schema.HEAD


def finish(url: str, timeout: float = 60) -> str:
    """Run the upgrade to its end; what it said."""
    done = subprocess.run(
        ISEMS, env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# -- compared -------------------------------------------------------------------------------------


def check(url: str, sent: Iterable[Sent]) -> None:
    """Exactly these measurements are stored, and nothing of the move is left; for few, of any order."""
    check_ascending(url, sorted(sent, key=lambda one: one.measurement.measured_at or 0))


def check_ascending(url: str, sent: Iterable[Sent]) -> None:
    """The same for any number of measurements, which ascend in time for each node."""
    database = Database(url)
    with database.read() as connection:
        stored = stored_by_node(connection)
        for one in sent:
            assert next(stored[one.measurement.node], None) == one.measurement
        assert {node: next(left, None) for node, left in stored.items()} == dict.fromkeys(stored)
        assert {NEW, progress_table.name}.isdisjoint(inspect(connection).get_table_names())
    database.close()


def read_all(url: str) -> list[Measurement]:
    """Every stored measurement, node after node."""
    database = Database(url)
    with database.read() as connection:
        found = [one for stored in stored_by_node(connection).values() for one in stored]
    database.close()
    return found


def stored_by_node(connection: Connection) -> dict[str, Iterator[Measurement]]:
    """What is stored of each node, in order of time."""
    nodes = connection.execute(text("SELECT id, name FROM node")).all()
    return {node.name: _stored(connection, node.id, node.name) for node in nodes}


def _stored(connection: Connection, node_id: int, name: str) -> Iterator[Measurement]:
    columns = ", ".join(column.name for column in schema.measurement.columns)
    statement = text(
        f"SELECT {columns} FROM measurement WHERE node_id = :node AND measured_at > :after"
        f" ORDER BY measured_at LIMIT {PIECE}"
    )
    after = 0
    while rows := [tuple(row) for row in connection.execute(statement, {"node": node_id, "after": after})]:
        after = rows[-1][1]
        yield from decode_rows(connection, name, rows)


def check_history(url: str, count: int, closing_line: str | None) -> None:
    """What `make_history` made is there row by row, and kept as it was beside it; told in the closing line, where the
    upgrade lived to say one.
    """
    passes: Counter[bool] = Counter()
    check_ascending(url, _watched(history(count, AUTUMNS), passes))
    assert min(passes[False], passes[True]) > 100
    assert closing_line is None or closing_line.endswith(
        f" was upgraded from version {VERSIONS[-1]} to {schema.HEAD}: {count} rows moved, 0 rejected, {passes.total()}"
        f" in doubled hours, of which {passes[True]} in the second pass; times read as those of Europe/Berlin."
    )
    if "sqlite" in url:
        check_file(url)
        check_backup(backup_of(url), count)
    else:
        check_old_table(url, count)


def _watched(sent: Iterable[Sent], passes: Counter[bool]) -> Iterator[Sent]:
    """The same; counts those in doubled hours by whether they are of the second pass."""
    for one in sent:
        if one.row[1].startswith(DOUBLED_HOURS):
            passes[local_text((one.measurement.measured_at or 0) - 3600) == one.row[1]] += 1
        yield one


def check_file(url: str) -> None:
    """A SQLite file is whole, and what a new one is."""
    with closing(sqlite3.connect(path_of(url))) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert {file.name for file in path_of(url).parent.iterdir()} == {path_of(url).name, backup_of(url).name}


def check_backup(backup: Path, rows: int) -> None:
    """A backup is what the predecessor had: one file with its tables alone."""
    with closing(sqlite3.connect(f"file:{backup}?mode=ro", uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == {"measurement", "alembic_version"}
        assert connection.execute("SELECT count(*) FROM measurement").fetchone() == (rows,)
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (VERSIONS[-1],)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def check_old_table(url: str, rows: int) -> None:
    """PostgreSQL has the old table under its new name, and nothing else beside this program's tables."""
    database = Database(url)
    with database.read() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {OLD}")).scalar() == rows
        assert set(inspect(connection).get_table_names()) == {*schema.metadata.tables, OLD}
        assert inspect(connection).get_pk_constraint("measurement")["name"] == "measurement_pkey"
    database.close()
