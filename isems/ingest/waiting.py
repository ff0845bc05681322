"""What waits for our own clock, judged again."""

import logging
from collections.abc import Sequence
from functools import partial

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import Moment
from isems.ingest.own_clock import correct_receipt, is_boot_confirmed
from isems.ingest.result import IngestResult
from isems.ingest.storing import store_payloads
from isems.storage.database import Database
from isems.storage.undecided import Undecided, delete_undecided, select_undecided

log = logging.getLogger(__name__)


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
