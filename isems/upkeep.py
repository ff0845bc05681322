"""What goes on beside collecting: history is rolled up, and raw data that are older than wanted are pruned."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from isems.errors import IsemsError, StorageError
from isems.storage.database import Database
from isems.storage.inbox import settle_database
from isems.storage.locks import try_lock
from isems.storage.pruning import Prunable, count_free, give_back, prune_node, select_prunable
from isems.storage.rollups import BATCH_HOURS, Due, roll_up, select_due

log = logging.getLogger(__name__)

#: Only one process does it at a time.
LOCK = "upkeep"
#: After the start, and then how often. What is stale is renewed no more often, because an SD card wears by it.
FIRST_SECONDS, PASS_SECONDS = 5.0, 3600.0
#: Between two transactions others get the write lock for as long as they took, and for so long at least.
BREATHER_SECONDS = 0.005
TURN_SECONDS = 0.05
#: Daily pruning leaves free pages for the rows to come; only a file that is emptier than this shrinks.
FREE_SHARE = 0.1
#: A node that cannot be rolled up or pruned harms no other; when so many fail in one pass, it is not the nodes.
MAX_FAILED = 5
DAY = 86_400

T = TypeVar("T")


class PruneReport(msgspec.Struct):
    """What was deleted, or would be."""

    nodes: int = 0
    rows: int = 0
    #: Days of single nodes.
    days: int = 0
    #: Given back to the disk; None: nobody can tell yet.
    bytes: int | None = 0
    #: Names of nodes of which nothing was deleted, because roll-ups are missing or differ from the records.
    unverified: list[str] = msgspec.field(default_factory=list)
    #: Names of nodes whose data could not be deleted, or not all, and why.
    failed: dict[str, str] = msgspec.field(default_factory=dict)


def _never() -> bool:
    return False


def roll_up_all(
    database: Database,
    zone: ZoneInfo,
    *,
    min_hours: int = BATCH_HOURS,
    is_over: Callable[[], bool] = _never,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> bool:
    """Roll up what is due of every node, until `is_over`; `tell(done, total)` in seconds of history.

    False where another process is at it.
    """
    with try_lock(database, LOCK) as lock:
        if lock is None:
            return False
        settle_database(database)
        with database.read() as connection:
            due = select_due(connection, zone, min_hours)
        _roll_up_due(database, due, zone, is_over, tell)
        return True


def _roll_up_due(
    database: Database,
    due: Sequence[Due],
    zone: ZoneInfo,
    is_over: Callable[[], bool],
    tell: Callable[[int, int], None],
) -> None:
    waiting = deque(due)
    total = sum(one.seconds for one in due)
    failed = 0

    def roll_up_some(connection: Connection) -> int:
        """Several nodes share a transaction, where that is short: what is noted of them is on the same pages. After a
        failure each has its own. Gives how many are done.
        """
        end, done = time.monotonic() + TURN_SECONDS, 0
        while done < len(waiting) and time.monotonic() < end and not (failed and done):
            if not roll_up(connection, waiting[done].node_id, zone):
                done += 1
        return done

    while waiting and not is_over():
        try:
            done = _write_in_turn(database, roll_up_some)
        except Exception as error:
            if failed == MAX_FAILED:
                raise
            if failed:  # so it was this one
                log.warning("history of %r could not be rolled up, it will be tried again: %s", waiting[0].name, error)
                waiting.popleft()
            failed += 1
            continue
        for _ in range(done):
            waiting.popleft()
        tell(total - sum(one.seconds for one in waiting), total)
    tell(total - sum(one.seconds for one in waiting), total)


def _write_in_turn(database: Database, work: Callable[[Connection], T]) -> T:
    """Do a piece of work in a transaction, then let others have their turn."""
    began = time.monotonic()
    with database.write() as connection:
        result = work(connection)
    time.sleep(max(BREATHER_SECONDS, time.monotonic() - began))
    return result


def find_prunable(database: Database, before: int, zone: ZoneInfo) -> PruneReport:
    """Tell what `prune` would delete: of each node the whole days before `before`, but for its newest records."""
    with database.read() as connection:
        found = select_prunable(connection, before, zone)
    return PruneReport(nodes=len(found), rows=sum(one.rows for one in found), days=sum(one.days for one in found))


def prune(
    database: Database,
    before: int,
    zone: ZoneInfo,
    *,
    is_over: Callable[[], bool] = _never,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> PruneReport:
    """Delete raw data from before `before`, each day after a comparison with its roll-ups, until `is_over`.

    In short transactions, so that whoever collects goes on; `tell(done, total)` in rows.
    """
    with database.read() as connection:
        found = select_prunable(connection, before, zone)
    report, total = PruneReport(), sum(one.rows for one in found)
    for one in found:
        try:
            _prune_node(database, one, zone, report, is_over, lambda: tell(report.rows, total))
        except StorageError as error:
            if len(report.failed) == MAX_FAILED:
                raise
            report.failed[one.name] = str(error)
    return report


def _prune_node(
    database: Database,
    prunable: Prunable,
    zone: ZoneInfo,
    report: PruneReport,
    is_over: Callable[[], bool],
    tell: Callable[[], None],
) -> None:
    rows_before, is_done = report.rows, False
    try:
        while not is_done and not is_over():
            pruned = _write_in_turn(database, lambda connection: prune_node(connection, prunable, zone))
            report.rows += pruned.rows
            report.days += pruned.days
            if pruned.differs:
                report.unverified.append(prunable.name)
            is_done = pruned.is_done
            tell()
    finally:
        report.nodes += report.rows > rows_before


def shrink(database: Database, *, is_over: Callable[[], bool] = _never, down_to: float = 0) -> int:
    """Give free pages of the file back to the disk, in small steps, down to a share of it; gives the bytes."""
    free, size = before = count_free(database)
    while free > down_to * size and not is_over():
        give_back(database)
        time.sleep(BREATHER_SECONDS)
        still_free, size = count_free(database)
        if still_free >= free:
            break  # a reader holds them
        free = still_free
    return before[1] - size


class Upkeep:
    """Rolls up and prunes as long as a process collects, in a thread of its own."""

    def __init__(self, database: Database, zone: ZoneInfo, keep_raw_days: float | None) -> None:
        self.database = database
        self.zone = zone
        self.keep_raw_days = keep_raw_days

    def run(self, stop: threading.Event) -> None:
        """Do what is due, once an hour, until `stop` is set; trouble is told, and tried again."""
        wait = FIRST_SECONDS
        while not stop.wait(wait):
            wait = PASS_SECONDS
            try:
                self.do_due(is_over=stop.is_set)
            except IsemsError as error:
                log.warning("history could not be rolled up, it will be tried again: %s", error)
            except Exception:
                log.exception("history could not be rolled up by a fault in this program; it will be tried again")

    def do_due(self, *, is_over: Callable[[], bool] = _never) -> None:
        """Roll up and prune what is due now, until `is_over`."""
        if not roll_up_all(self.database, self.zone, is_over=is_over) or self.keep_raw_days is None:
            return
        before = int(time.time() - self.keep_raw_days * DAY)
        report = prune(self.database, before, self.zone, is_over=is_over)
        report.bytes = shrink(self.database, is_over=is_over, down_to=FREE_SHARE)
        if report.rows:
            log.info(
                "%d records of %d nodes, older than %g days, were pruned", report.rows, report.nodes, self.keep_raw_days
            )
        for name in report.unverified:
            log.warning("%r is not pruned: its roll-ups are not complete, or differ from its records", name)
        for name, why in report.failed.items():
            log.warning("old data of %r could not be deleted, it will be tried again: %s", name, why)
