"""The running work: polls addresses, stores what they give, once or for ever."""

import asyncio
import logging
import math
import random
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from isems.config import Config
from isems.domain.clock import Moment
from isems.domain.payload import Payload, Source
from isems.domain.polling import JITTER, PollOutcome, PollTarget, is_short_memory, next_wait, span_of
from isems.errors import ConfigError, IsemsError, SourceError
from isems.ingest import IngestResult, WaitingInput, ingest, store_payloads
from isems.sources.files import read_log_file
from isems.sources.node_client import parse_node_url
from isems.sources.own_clock import read_moment
from isems.sources.poller import poll_node
from isems.storage.counters import count
from isems.storage.database import Database
from isems.storage.group_writer import GroupWriter
from isems.storage.inbox import settle_database
from isems.storage.node_states import note_addresses
from isems.storage.poll_leases import Left, PollLeases, Wanted
from isems.storage.poll_targets import save_targets
from isems.storage.tally import unite

log = logging.getLogger(__name__)

#: How often waiting input is judged again while our own clock is not trusted.
JUDGE_SECONDS = 60
#: Answers that wait for the writer are written together once they have so many bytes: one long log.
GROUP_BYTES = 500_000
#: How long a single poll of many nodes lets answers wait for company: they come in waves, and storing one wave while
#: the next is being asked holds that up. Nothing waits when no more is to come.
WAVE_SECONDS = 0.2
#: An answer above this is held in memory by few polls at a time.
BIG_BYTES = 16_384
#: So many leases are taken together.
LEASES_AT_ONCE = 500


class NodeReport(msgspec.Struct, frozen=True):
    """What one poll of one address brought; `error` tells why nothing."""

    address: str
    result: IngestResult
    error: str | None = None
    note: str | None = None
    #: Seconds that the node's memory spans, where that is less than the poll interval.
    short_memory: int | None = None
    #: Who polls it, or that it is not due: it was not asked.
    left: Left | None = None


class _Answer(NamedTuple):
    """What a poll gives the writer; the target alone where there is nothing to store."""

    target: PollTarget
    payload: Payload | None
    #: How long the poll took.
    seconds: float
    is_log_missing: bool = False


class _Stored(NamedTuple):
    """What became of an answer."""

    result: IngestResult
    due_at: int | None


class _Known(NamedTuple):
    """What this process has learnt of an address."""

    outcome: PollOutcome | None = None
    #: Failed polls since then.
    failures: int = 0
    #: When it is due by the database's clock, as it was seen last.
    due_at: int | None = None
    #: The wait that was decided before anything was learnt here.
    last_wait: int | None = None


class Collector:
    """Polls the configured addresses; a writer of its own keeps the event loop free for slow nodes.

    What the nodes gave is written at once, or `commit_seconds` after the first of it, for longer runs.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        commit_seconds: float = 0,
    ) -> None:
        self.config = config
        self._sleep = sleep
        self.database = database
        self._slots = asyncio.Semaphore(config.poll_concurrency)
        #: When many long answers wait for the writer, no further node is asked.
        big_slots = max(4, config.poll_concurrency // 4)
        self._big_slots = asyncio.Semaphore(big_slots)
        self._waiting = WaitingInput(database)
        self._known: dict[str, _Known] = {}
        #: Answers that are still to come before there is nothing more to wait for.
        self._to_come = math.inf
        #: The name under which it takes leases: for people the host, and a random end.
        self.holder = f"{socket.gethostname()[:60]}-{secrets.token_hex(3)}"
        self._leases = PollLeases(
            database,
            self.holder,
            poll_seconds=config.poll_deadline + commit_seconds,
            interval=config.poll_interval,
        )
        # Those that are wanted while others are being taken are taken together.
        self._taker: GroupWriter[Wanted, PollTarget | Left] = GroupWriter(
            self._leases.take, lambda: None, interval_seconds=0, limit=LEASES_AT_ONCE
        )
        self._writer: GroupWriter[_Answer, _Stored] = GroupWriter(
            self._write,
            lambda: settle_database(database),
            interval_seconds=commit_seconds,
            # When all big slots are taken a group is due: nobody must wait for the interval to get one.
            limit=min(GROUP_BYTES, big_slots * BIG_BYTES),
        )

    async def poll(self, address: str, *, is_urgent: bool = True) -> NodeReport:
        """Poll one address and store what it gave; a node's failure is a report, never an exception.

        It is left alone while another collector polls it, and, unless this is urgent, before it is due.
        """
        async with AsyncExitStack() as stack:
            async with self._slots:
                target = await self._take(address, is_urgent=is_urgent)
                if isinstance(target, Left):
                    return NodeReport(address, IngestResult(), left=target)
                stack.callback(self._leases.release, address)
                answer, note = await self._ask(target)
                if answer.payload is not None and len(answer.payload.data) > BIG_BYTES:
                    await stack.enter_async_context(self._big_slots)
            result = await self._store(answer)
        outcome = _outcome_of(answer, result)
        return NodeReport(
            address, result, error=answer.target.error, note=note, short_memory=self._short_memory(outcome)
        )

    async def _ask(self, target: PollTarget) -> tuple[_Answer, str | None]:
        """Ask a node; a failure is an answer without payload. Gives what the operator may want to know, too."""
        begun = time.monotonic()
        try:
            polled = await poll_node(target, now=lambda: int(time.time()), deadline_seconds=self.config.poll_deadline)
        except SourceError as error:
            sentence = str(error).removeprefix(f"{target.address} ")
            failed = msgspec.structs.replace(target, polled_at=self._moment().now, error=sentence)
            return _Answer(failed, None, time.monotonic() - begun), None
        seconds = time.monotonic() - begun
        return _Answer(polled.target, polled.payload, seconds, polled.is_log_missing), polled.note

    async def _take(self, address: str, *, is_urgent: bool) -> PollTarget | Left:
        """Take the lease of an address, and what is known of it: by this process or another."""
        known = self._known.get(address, _Known())
        taken = await asyncio.wrap_future(self._taker.put(Wanted(address, is_urgent, known.due_at)))
        if isinstance(taken, PollTarget):
            self._known[address] = known._replace(last_wait=known.last_wait or taken.wait_seconds)
            return taken
        if taken.due_at is not None:
            self._known[address] = known._replace(due_at=taken.due_at)
        self._count_down()
        return taken

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
        self._to_come = len(self.config.router_ips)
        reports = []
        tasks = [asyncio.ensure_future(self._poll_safely(address)) for address in self.config.router_ips]
        for task in asyncio.as_completed(tasks):
            report = await task
            tell(report)
            reports.append(report)
        await asyncio.to_thread(self._judge_waiting)
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
        """Let the writer finish what it holds, and leave the addresses to others."""
        self._taker.close()
        self._writer.close()
        self._leases.close()

    async def _keep_polling(self, address: str) -> None:
        state = ""
        is_urgent = True
        while True:
            report = await self._poll_safely(address, is_urgent=is_urgent)
            is_urgent = False
            if report.left is not None:
                await self._sleep(report.left.seconds + JITTER * random.random() * report.left.wait_seconds)
                continue
            if _state_of(report) != state:
                state = _state_of(report)
                _log_change(report)
            await self._sleep(self._wait_after(self._known.get(address, _Known()), random.random()))

    def _wait_after(self, known: _Known, chance: float) -> float:
        return next_wait(
            known.outcome,
            int(time.time()),
            self.config.poll_interval,
            chance,
            failures=known.failures,
            last_wait=known.last_wait,
        )

    async def _poll_safely(self, address: str, *, is_urgent: bool = True) -> NodeReport:
        """One node's trouble, or the database's, must not end the polling of the others."""
        try:
            return await self.poll(address, is_urgent=is_urgent)
        except IsemsError as error:
            sentence = str(error)
        except Exception as error:
            log.exception("%s: poll failed by a fault in this program", address)
            sentence = f"a fault in this program: {error!r}"
        known = self._known.get(address, _Known())
        self._known[address] = known._replace(failures=known.failures + 1)
        return NodeReport(address, IngestResult(), error=sentence)

    def _judge_waiting(self) -> None:
        self._waiting.judge(self._moment())

    async def _keep_judging(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._judge_waiting)
            except IsemsError as error:
                log.warning("input that waits for the clock could not be judged: %s", error)
            except Exception:
                log.exception("input that waits for the clock could not be judged by a fault in this program")
            await asyncio.sleep(JUDGE_SECONDS)

    def _moment(self) -> Moment:
        return read_moment(is_trusted_by_operator=self.config.is_clock_trusted)

    async def _store(self, answer: _Answer) -> IngestResult:
        weight = 0 if answer.payload is None else len(answer.payload.data)
        written = self._writer.put(answer, weight)
        self._count_down()
        stored = await asyncio.wrap_future(written)
        address = answer.target.address
        self._known[address] = self._learn(answer, stored.result)._replace(due_at=stored.due_at)
        return stored.result

    def _count_down(self) -> None:
        self._to_come -= 1
        if not self._to_come:
            self._writer.hurry()

    def _learn(self, answer: _Answer, result: IngestResult) -> _Known:
        """Give what is known of an address after an answer."""
        known = self._known.get(answer.target.address, _Known())
        if answer.target.error is not None:
            return known._replace(failures=known.failures + 1)
        return known._replace(outcome=_outcome_of(answer, result) or known.outcome, failures=0)

    def _write(self, answers: Sequence[_Answer]) -> list[_Stored | Exception]:
        return self.database.write_each(answers, self._store_answers)

    def _store_answers(self, connection: Connection, answers: Sequence[_Answer]) -> list[_Stored]:
        """Store and remember in one transaction: what was not stored must be asked for again."""
        payloads = [answer.payload for answer in answers if answer.payload is not None]
        stored = iter(store_payloads(connection, payloads, self._moment()))
        results = [IngestResult() if answer.payload is None else next(stored) for answer in answers]
        answering = list(zip((answer.target.address for answer in answers), answers, results, strict=True))
        waits = {
            address: self._wait_after(self._learn(answer, result), chance=0) for address, answer, result in answering
        }
        save_targets(
            connection,
            [
                msgspec.structs.replace(answer.target, wait_seconds=round(waits[address]))
                for address, answer, _ in answering
            ],
        )
        count(connection, unite(map(_count_poll, answers)))
        due = self._leases.finish(connection, waits)
        note_addresses(connection, {address: result.nodes[0] for address, _, result in answering if result.nodes})
        return [_Stored(result, due.get(address)) for address, _, result in answering]


def _count_poll(answer: _Answer) -> dict[str, float]:
    result = "answered" if answer.target.error is None else "failed"
    return {f"polls/{result}": 1, f"poll_seconds/{result}": round(answer.seconds, 3)}


def check_addresses(addresses: Sequence[str]) -> None:
    """Raise ConfigError for the first address that is none."""
    for address in addresses:
        try:
            parse_node_url(address)
        except ConfigError as error:
            raise ConfigError(f"ISEMS_ROUTER_IPS: {error}") from error


def _outcome_of(answer: _Answer, result: IngestResult) -> PollOutcome | None:
    """Give None where nothing new was learnt."""
    if answer.payload is None and not answer.is_log_missing:
        return None
    return PollOutcome(
        # Where no record's time could be believed, their number still tells a board from a log.
        records=result.kept or result.records,
        first_at=result.first_at,
        newest=result.newest,
        is_log_missing=answer.is_log_missing,
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
    settle_database(database)
    return total
