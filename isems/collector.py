"""The running work: polls addresses, stores what they give, once or for ever."""

import asyncio
import logging
import random
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import msgspec
from sqlalchemy import Connection

from isems.config import Config
from isems.domain.clock import Moment
from isems.domain.payload import Payload, Source
from isems.domain.polling import PollOutcome, PollTarget, is_short_memory, next_wait, span_of
from isems.errors import ConfigError, IsemsError, SourceError
from isems.formats import Parsed
from isems.ingest import IngestResult, ingest, judge_undecided, read_payload, store_parsed
from isems.sources.files import read_log_file
from isems.sources.node_client import parse_node_url
from isems.sources.own_clock import read_moment
from isems.sources.poller import Polled, poll_node
from isems.storage.database import Database
from isems.storage.poll_targets import save_target, select_target
from isems.storage.undecided import count_bytes

log = logging.getLogger(__name__)

T = TypeVar("T")
A = TypeVarTuple("A")

#: How often waiting input is judged again while our own clock is not trusted.
JUDGE_SECONDS = 60


class NodeReport(msgspec.Struct, frozen=True):
    """What one poll of one address brought; `error` tells why nothing."""

    address: str
    result: IngestResult
    error: str | None = None
    note: str | None = None
    #: Seconds that the node's memory spans, where that is less than the poll interval.
    short_memory: int | None = None


class Collector:
    """Polls the configured addresses; one writer thread keeps the event loop free for slow nodes."""

    def __init__(
        self, config: Config, database: Database, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.config = config
        self._sleep = sleep
        self.database = database
        self._slots = asyncio.Semaphore(config.poll_concurrency)
        #: Answers that wait for the writer are held in memory: when there are many, no further node is asked.
        self._waiting = asyncio.Semaphore(max(4, config.poll_concurrency // 4))
        self._has_told_of_waiting = False
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="isems-writer")
        #: What waits for the writer: work in a transaction, and whom to tell what became of it.
        self._unwritten: deque[tuple[Callable[[Connection], IngestResult], Future[IngestResult]]] = deque()

    async def poll(self, address: str) -> tuple[NodeReport, PollOutcome | None]:
        """Poll one address and store what it gave; a node's failure is a report, never an exception.

        The outcome is None where nothing new was learnt.
        """
        target = await self._run(self._load_target, address)
        try:
            async with self._slots:
                polled = await poll_node(
                    target, now=lambda: int(time.time()), deadline_seconds=self.config.poll_deadline
                )
                await self._waiting.acquire()
        except SourceError as error:
            sentence = str(error).removeprefix(f"{address} ")
            failed = msgspec.structs.replace(target, polled_at=self._moment().now, error=sentence)
            await self._write(failed, None)
            return NodeReport(address, IngestResult(), error=sentence), None
        try:
            result = await self._write(polled.target, polled.payload)
        finally:
            self._waiting.release()
        outcome = _outcome_of(polled, result)
        return NodeReport(address, result, note=polled.note, short_memory=self._short_memory(outcome)), outcome

    def _short_memory(self, outcome: PollOutcome | None) -> int | None:
        span = span_of(outcome) if outcome is not None else None
        if outcome is None or span is None or not is_short_memory(outcome, self.config.poll_interval):
            return None
        return round(span)

    def _prepare_loop(self) -> None:
        """Names are looked up in threads: one name server that does not answer must not hold up other nodes."""
        names = ThreadPoolExecutor(self.config.poll_concurrency, thread_name_prefix="isems-names")
        asyncio.get_running_loop().set_default_executor(names)

    async def poll_once(self, tell: Callable[[NodeReport], None]) -> list[NodeReport]:
        """Poll every address once, many at a time; `tell` hears of each as it is done."""
        self._prepare_loop()
        reports = []
        tasks = [asyncio.ensure_future(self._poll_safely(address)) for address in self.config.router_ips]
        for task in asyncio.as_completed(tasks):
            report, _ = await task
            tell(report)
            reports.append(report)
        await self._run(self._judge_undecided)
        return reports

    async def run(self) -> None:
        """Poll every address in its own rhythm until cancelled."""
        self._prepare_loop()
        tasks = [asyncio.ensure_future(self._keep_polling(address)) for address in self.config.router_ips]
        tasks.append(asyncio.ensure_future(self._keep_judging()))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.close()

    def close(self) -> None:
        """Let the writer finish what it holds."""
        self._writer.shutdown(wait=True)

    async def _keep_polling(self, address: str) -> None:
        known: PollOutcome | None = None
        failures = 0
        state = ""
        while True:
            report, outcome = await self._poll_safely(address)
            failures = 0 if report.error is None else failures + 1
            known = known if outcome is None else outcome
            if _state_of(report) != state:
                state = _state_of(report)
                _log_change(report)
            wait = next_wait(known, int(time.time()), self.config.poll_interval, random.random(), failures=failures)
            await self._sleep(wait)

    async def _poll_safely(self, address: str) -> tuple[NodeReport, PollOutcome | None]:
        """One node's trouble, or the database's, must not end the polling of the others."""
        try:
            return await self.poll(address)
        except IsemsError as error:
            return NodeReport(address, IngestResult(), error=str(error)), None
        except Exception as error:
            log.exception("%s: poll failed by a fault in this program", address)
            return NodeReport(address, IngestResult(), error=f"a fault in this program: {error!r}"), None

    async def _keep_judging(self) -> None:
        while True:
            try:
                await self._run(self._judge_undecided)
            except IsemsError as error:
                log.warning("input that waits for the clock could not be judged: %s", error)
            except Exception:
                log.exception("input that waits for the clock could not be judged by a fault in this program")
            await asyncio.sleep(JUDGE_SECONDS)

    async def _run(self, work: Callable[[*A], T], *arguments: *A) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work, *arguments)

    def _moment(self) -> Moment:
        return read_moment(is_trusted_by_operator=self.config.is_clock_trusted)

    def _load_target(self, address: str) -> PollTarget:
        with self.database.read() as connection:
            return select_target(connection, address)

    async def _write(self, target: PollTarget, payload: Payload | None) -> IngestResult:
        parsed = None if payload is None else await self._run(read_payload, payload)
        work = partial(self._store, target=target, payload=payload, parsed=parsed)
        done: Future[IngestResult] = Future()
        self._unwritten.append((work, done))
        self._writer.submit(self._write_all)
        return await asyncio.wrap_future(done)

    def _store(
        self, connection: Connection, target: PollTarget, payload: Payload | None, parsed: Parsed | None
    ) -> IngestResult:
        """Store and remember in one transaction: what was not stored must be asked for again."""
        result = IngestResult()
        if payload is not None and parsed is not None:
            result = store_parsed(connection, payload, parsed, self._moment())
        save_target(connection, target)
        return result

    def _write_all(self) -> None:
        """Write all that has come while the writer was busy, in one transaction."""
        taken = [self._unwritten.popleft() for _ in range(len(self._unwritten))]
        taken = [(work, done) for work, done in taken if done.set_running_or_notify_cancel()]
        results = self.database.write_each([work for work, _ in taken])
        for (_, done), result in zip(taken, results, strict=True):
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)

    def _judge_undecided(self) -> None:
        with self.database.read() as connection:
            if not count_bytes(connection):
                return
        result = judge_undecided(self.database, self._moment())
        if result.records:
            log.info(
                "our clock is trusted now: of the input that waited, %d were stored, %d duplicate, %d rejected",
                result.stored,
                result.duplicate,
                result.rejected,
            )
        elif not self._has_told_of_waiting:
            log.warning(
                "some input waits, because this machine's clock is not known to be right: "
                "set it, or say ISEMS_CLOCK_TRUSTED=yes"
            )
        self._has_told_of_waiting = not result.records


def check_addresses(addresses: Sequence[str]) -> None:
    """Raise ConfigError for the first address that is none."""
    for address in addresses:
        try:
            parse_node_url(address)
        except ConfigError as error:
            raise ConfigError(f"ISEMS_ROUTER_IPS: {error}") from error


def _outcome_of(polled: Polled, result: IngestResult) -> PollOutcome | None:
    if polled.payload is None and not polled.is_log_missing:
        return None
    return PollOutcome(
        # Where no record's time could be believed, their number still tells a board from a log.
        records=result.kept or result.records,
        first_at=result.first_at,
        newest=result.newest,
        is_log_missing=polled.is_log_missing,
    )


def _state_of(report: NodeReport) -> str:
    """What must change to be worth a line in the log: not the numbers, nor what a node is quoted with."""
    return re.sub(r"'.*'|[0-9.]+", "", f"{report.error or ''}|{report.note or ''}")


def _log_change(report: NodeReport) -> None:
    if report.error is not None:
        log.warning("%s: poll failed: %s", report.address, report.error)
    elif report.note is not None:
        log.info("%s: %s", report.address, report.note)
    else:
        log.info("%s: answers", report.address)


def import_file(database: Database, path: Path, moment: Moment, progress: Callable[[int], None]) -> IngestResult:
    """Store a log from a file; gives the counts. Raises SourceError where it cannot be read."""
    total = IngestResult()
    for data in read_log_file(path, progress):
        payload = Payload(data=data, source=Source.IMPORT, address=path.name, received_at=moment.now, is_live=False)
        total.add(ingest(database, payload, moment))
    return total
