"""What waits for our own clock, or for a node to say more, judged again."""

import logging
from collections.abc import Sequence
from functools import partial

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import Moment
from isems.domain.payload import Source
from isems.ingest.backlog import settle_backlog
from isems.ingest.own_clock import correct_receipt, is_boot_confirmed
from isems.ingest.result import IngestResult
from isems.ingest.storing import store_payloads
from isems.storage.backlog import select_expired
from isems.storage.counters import count
from isems.storage.database import Database
from isems.storage.undecided import Undecided, count_bytes, delete_undecided, select_undecided

#: Nodes whose samples are settled at one time.
MAX_EXPIRED = 100

log = logging.getLogger(__name__)


class WaitingInput:
    """Looks after what waits in a database, for a process that goes on running; says it when that changes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._has_told = False

    def judge(self, moment: Moment) -> None:
        """Judge again whatever can be by now."""
        expired = settle_expired(self.database, moment)
        if expired.records:
            log.info(
                "of samples without a time, whose nodes sent nothing since, %d were stored and %d rejected",
                expired.stored,
                expired.rejected,
            )
        with self.database.read() as connection:
            if not count_bytes(connection):
                return
        self._tell(judge_undecided(self.database, moment))

    def _tell(self, result: IngestResult) -> None:
        if result.records:
            log.info(
                "our clock is trusted now: of the input that waited, %d were stored, %d duplicate, %d rejected",
                result.stored,
                result.duplicate,
                result.rejected,
            )
        elif not self._has_told:
            log.warning(
                "some input waits, because this machine's clock is not known to be right: "
                "set it, or say ISEMS_CLOCK_TRUSTED=yes"
            )
        self._has_told = not result.records


def judge_undecided(database: Database, moment: Moment) -> IngestResult:
    """Judge again what waited for our clock; does nothing while it is not trusted.

    A payload that cannot be stored goes on waiting and keeps no other waiting.
    """
    total = IngestResult()
    trusted = msgspec.structs.replace(moment, is_trusted=True)
    last_id = 0
    while True:
        with database.read() as connection:
            if not (moment.is_trusted or is_boot_confirmed(connection, moment)):
                return total
            waiting = select_undecided(connection, after=last_id)
        if not waiting:
            return total
        last_id = waiting[-1].id
        results = database.write_each(waiting, partial(_judge_again, moment=trusted))
        for undecided, result in zip(waiting, results, strict=True):
            if isinstance(result, IngestResult):
                total.add(result)
            else:
                log.error("%s: input that waits could not be judged: %s", undecided.payload.address, result)


def _judge_again(connection: Connection, waiting: Sequence[Undecided], moment: Moment) -> list[IngestResult]:
    results = []
    for undecided in waiting:
        if delete_undecided(connection, undecided.id):
            results += store_payloads(connection, [correct_receipt(undecided, moment)], moment)
        else:
            results.append(IngestResult())  # another process was faster
    return results


def settle_expired(database: Database, moment: Moment) -> IngestResult:
    """Settle the samples of nodes that sent nothing since, once their boot has ended: nothing will tell about them."""
    total = IngestResult()
    if not moment.is_trusted:
        return total
    with database.read() as connection:
        nodes = select_expired(connection, moment.now, MAX_EXPIRED)
    for node in nodes:
        with database.write() as connection:
            settled = settle_backlog(connection, node, None, moment)
            count(connection, settled.counts(Source.MQTT, moment.now))  # only a broker's queue is waited for
        total.add(settled)
    return total
