"""Fifty readers and a writer on one service: what the short test and the long one share."""

import time
from contextlib import closing
from pathlib import Path

from benchmarks.history import READERS, Load, read_while_writing
from benchmarks.samples import CADENCE, ZONE, line, moment, payload
from benchmarks.service import serving
from isems.ingest import ingest
from isems.storage.database import Database
from isems.upkeep import roll_up_all

WEEK = 7 * 1440


def read_and_write(url: str, folder: Path, seconds: float) -> Load:
    """Serve a database with a week of one node, and read and write it for so long; any wrong answer raises."""
    with closing(Database(url)) as opened:
        now = int(time.time())
        lines = [line("Node-1", minute, now - WEEK * CADENCE) for minute in range(WEEK)]
        for start in range(0, WEEK, 2000):
            ingest(opened, payload(lines[start : start + 2000], now), moment(now))
        roll_up_all(opened, ZONE)
        with serving(url, folder) as (_, connection):
            return read_while_writing(connection.port, opened, READERS, seconds)
