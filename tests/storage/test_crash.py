"""A process that dies in the middle: what was committed is there, whole, and nothing else."""

import multiprocessing
import sqlite3
import time
from contextlib import closing

from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.newest import count_measurements, select_newest
from isems.storage.nodes import find_node
from tests.samples import NOON, minutes

processes = multiprocessing.get_context("spawn")
BATCH = 20


def insert_for_ever(url: str, committed: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    database = Database(url)
    while True:
        with database.write() as connection:
            insert_measurements(connection, minutes(BATCH, first=NOON + 60 * committed.value), NOON)
        committed.value += BATCH


def test_a_killed_process_leaves_a_whole_database_with_every_committed_batch(sqlite_url: str) -> None:
    committed = processes.Value("q", 0)
    writer = processes.Process(target=insert_for_ever, args=(sqlite_url, committed))
    writer.start()
    deadline = time.monotonic() + 30
    while committed.value < 40 * BATCH and time.monotonic() < deadline:
        time.sleep(0.005)
    writer.kill()
    writer.join()
    database = Database(sqlite_url)
    with database.write() as connection:
        count = count_measurements(connection)
        # The kill may fall between a commit and the note of it.
        assert count in (committed.value, committed.value + BATCH)
        assert count >= 40 * BATCH
        node_id = find_node(connection, "Elektra-Dach") or 0
        rows = [stored.measurement for stored in select_newest(connection, "Elektra-Dach", node_id, count)][::-1]
        expected = minutes(count)
        assert [row.measured_at for row in rows] == [row.measured_at for row in expected]
        assert insert_measurements(connection, rows, NOON).duplicate == count
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
