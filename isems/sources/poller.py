"""One poll of one node: which path it speaks, whether its log continues what we have, and its archive if not."""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from isems.domain.payload import Payload, Source
from isems.domain.polling import BOARD_RECORDS, PollTarget
from isems.errors import SourceError
from isems.sources.archive import unpack_archive
from isems.sources.http_answer import Limits, NodeAnswer
from isems.sources.node_client import SEPARATORS, NodeAddress, fetch, looks_like_csv, parse_node_url

#: Routers and the older boards; the newer boards and those with an AVR controller (docs/nodes.md, programs).
LOG_PATH = "/ISEMS/ffopenmppt.log"
CSV_PATH = "/csv.log"
ARCHIVE_SUFFIX = ".gz"
#: Enough of a line to know it again.
LINE_BYTES = 512
STATUS_DIGITS = 3
#: A log is missing for a minute after rotation and for two after a reboot; with the longest usual poll interval.
MISSING_SECONDS = 7200
MISSING_NOTE = "no log now, as for a minute after rotation or a start"


class Polled(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll brought. `target` is to be remembered once the payload is stored."""

    target: PollTarget
    #: None: nothing new.
    payload: Payload | None = None
    #: The log was not there, as for a minute after rotation; to be asked again soon.
    is_log_missing: bool = False
    #: What the operator may want to know beside the counts.
    note: str | None = None


async def poll_node(
    target: PollTarget, *, now: Callable[[], int], deadline_seconds: float, limits: Limits | None = None
) -> Polled:
    """Ask a node for what it recorded since the last poll, in `deadline_seconds` for all requests together.

    Raises SourceError when it gives nothing that can be used, ConfigError for an address that is none.
    """
    visit = _Visit(target, parse_node_url(target.address), now, deadline_seconds, limits or Limits())
    answer = await visit.fetch_log()
    if answer is None:
        return await visit.take_archive_alone()
    if answer.status == 304:
        return Polled(target=visit.target)
    return await visit.take_log(answer)


class _Visit:
    """One poll's state: the deadline, what is known of the address, what was found out."""

    def __init__(
        self, target: PollTarget, address: NodeAddress, now: Callable[[], int], seconds: float, limits: Limits
    ) -> None:
        self.address = address
        self.known = target
        self.now = now
        self.limits = limits
        self.deadline = asyncio.get_running_loop().time() + seconds
        self.received_at = now()
        self.target = replace(target, polled_at=self.received_at, error=None)
        self.refusals: dict[str, NodeAnswer] = {}

    async def fetch_log(self) -> NodeAnswer | None:
        """Try the paths in turn; None where a log may be missing for the moment, SourceError where there is none."""
        for path in self._paths():
            if self.refusals and self._is_time_up():
                break
            answer = await self._ask(path)
            if answer.status == 304 or (answer.status == 200 and looks_like_csv(answer.body)):
                self._note_answer(path)
                return answer
            self.refusals[path] = answer
            if answer.status == 404 and self._is_known_router(path):
                return None
        if self._is_awaited() or self._is_log_missing():
            return None
        raise self._no_log()

    def _paths(self) -> list[str]:
        if self.address.path is not None:
            return [self.address.path]
        return list(dict.fromkeys([self.known.path or LOG_PATH, LOG_PATH, CSV_PATH]))

    async def _ask(self, path: str) -> NodeAnswer:
        is_known = path == self.known.path
        answer = await fetch(
            self.address,
            path,
            limits=self.limits,
            deadline=self.deadline,
            etag=self.known.etag if is_known else None,
            last_modified=self.known.last_modified if is_known else None,
        )
        self._check_lines(answer.body)
        return answer

    def _is_time_up(self) -> bool:
        return asyncio.get_running_loop().time() >= self.deadline

    def _note_answer(self, path: str) -> None:
        self.received_at = self.now()
        self.target = replace(self.target, path=path, answered_at=self.received_at)

    def _check_lines(self, text: bytes) -> None:
        if text.count(b"\n") > self.limits.lines:
            raise SourceError(f"{self.address.text} sent more than {self.limits.lines} lines")

    def _is_log_missing(self) -> bool:
        """Tell whether the log itself is not there; a page or garbage in its place is no missing log."""
        answer = self.refusals.get(self._router_path())
        return answer is not None and answer.status == 404

    def _is_known_router(self, path: str) -> bool:
        return path == self.known.path and path != CSV_PATH

    def _is_awaited(self) -> bool:
        """Tell whether a known node answered as it does before it has written its first record."""
        answer = self.refusals.get(self.known.path or "")
        if answer is None or self.received_at - (self.known.answered_at or 0) > MISSING_SECONDS:
            return False
        is_empty = answer.status == 200 and not answer.body.strip()
        return is_empty or (answer.status == 404 and self.known.path != CSV_PATH)

    def _no_log(self) -> SourceError:
        tried = "; ".join(f"{path}: {_describe(answer)}" for path, answer in self.refusals.items())
        return SourceError(f"no log: {tried}")

    async def take_log(self, answer: NodeAnswer) -> Polled:
        """Make a payload of the log, with the archive before it where the log does not continue what we have."""
        log = _whole_lines(answer)
        lines = _lines(log)
        if not lines:
            raise SourceError(f"the answer was cut off after {len(answer.body)} bytes, before its first line ended")
        self._remember(answer, lines)
        note = None if answer.is_complete else f"cut off after {len(answer.body)} bytes, the whole lines were taken"
        if self._is_unchanged():
            return Polled(target=self.target, note=note)
        archive = _NOTHING
        if not self._continues(lines) and self._may_have_archive(lines):
            archive = await self._fetch_archive()
        return Polled(
            target=self.target, payload=self._payload(archive.lines + log, answer.date), note=archive.failure or note
        )

    async def take_archive_alone(self) -> Polled:
        """Take what a router has just rotated away: its log is missing for a minute."""
        archive = _NOTHING
        if self._is_log_missing():
            archive = await self._fetch_archive()
        if not archive.lines:
            if not self._is_awaited():
                raise self._no_log()
            return Polled(target=self.target, is_log_missing=True, note=archive.failure or MISSING_NOTE)
        self._note_answer(self._router_path())
        self.target = replace(self.target, etag=None, last_modified=None)
        payload = self._payload(archive.lines, archive.date)
        return Polled(target=self.target, payload=payload, is_log_missing=True, note=archive.failure or MISSING_NOTE)

    def _remember(self, answer: NodeAnswer, lines: list[bytes]) -> None:
        is_whole = answer.is_complete
        self.target = replace(
            self.target,
            first_line=lines[0][:LINE_BYTES],
            last_line=lines[-1][:LINE_BYTES],
            etag=answer.etag if is_whole else None,
            last_modified=answer.last_modified if is_whole else None,
        )

    def _is_unchanged(self) -> bool:
        return (self.target.first_line, self.target.last_line) == (self.known.first_line, self.known.last_line)

    def _continues(self, lines: list[bytes]) -> bool:
        """Tell whether nothing lies between what is stored and this log: it holds the last stored line, or
        begins as the log did that is stored (and was cut off this time).
        """
        if self.known.last_line is None:
            return False
        if self.target.first_line == self.known.first_line:
            return True
        return any(line[:LINE_BYTES] == self.known.last_line for line in lines)

    def _may_have_archive(self, lines: list[bytes]) -> bool:
        """Boards have none; a log longer than theirs shows that the address now belongs to a router."""
        return self.target.path != CSV_PATH and (self.known.has_archive or len(lines) > BOARD_RECORDS)

    def _router_path(self) -> str:
        known = self.known.path if self.known.path != CSV_PATH else None
        return self.address.path or known or LOG_PATH

    async def _fetch_archive(self) -> "_Archive":
        """Fetch what was rotated away; a failure is told, and mended by the next poll."""
        if self._is_time_up():
            return self._retry_archive("no time was left for the archive")
        try:
            answer = await fetch(
                self.address,
                self._router_path() + ARCHIVE_SUFFIX,
                limits=self.limits,
                deadline=self.deadline,
                etag=self.known.archive_etag,
            )
            if answer.status in (304, 404):
                return _NOTHING
            if answer.status != 200:
                return self._retry_archive(f"the archive could not be read: {_describe(answer)}")
            return self._open_archive(answer)
        except SourceError as error:
            sentence = str(error).removeprefix(f"{self.address.text} ")
            return self._retry_archive(f"the archive could not be read: {sentence}")

    def _open_archive(self, answer: NodeAnswer) -> "_Archive":
        archive = unpack_archive(answer.body)
        if archive is None:
            # A board answers every such path with the same few lines: do not ask it again.
            self.target = replace(self.target, has_archive=False)
            return _NOTHING
        self._check_lines(archive.content)
        if not (answer.is_complete and archive.is_complete):
            note = f"the archive was cut off after {len(answer.body)} bytes"
            return replace(self._retry_archive(note), lines=archive.content, date=answer.date)
        self.target = replace(self.target, has_archive=True, archive_etag=answer.etag)
        end = b"" if archive.content.endswith(b"\n") or not archive.content else b"\n"
        return _Archive(lines=archive.content + end, date=answer.date)

    def _retry_archive(self, failure: str) -> "_Archive":
        """Forget that the new log was seen, so that the next poll looks for the gap again."""
        self.target = replace(
            self.target,
            first_line=self.known.first_line,
            last_line=self.known.last_line,
            etag=None,
            last_modified=None,
        )
        return _Archive(failure=failure)

    def _payload(self, data: bytes, sender_time: int | None) -> Payload:
        return Payload(
            data=data,
            source=Source.POLL,
            address=self.known.address,
            received_at=self.received_at,
            format_hint="csv_log",
            sender_time=sender_time,
        )


class _Archive(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the archive; `date` is the node's clock when it gave it."""

    lines: bytes = b""
    date: int | None = None
    failure: str | None = None


_NOTHING = _Archive()


def _whole_lines(answer: NodeAnswer) -> bytes:
    """Leave out a last line that may be cut: stored, it would keep the true one out.

    A router ends every line, so what it has not ended it is still writing. A board ends none but the lines before the
    last, and tells no length; its last line is whole if it has as many fields as the first and a whole status.
    """
    before, _, last = answer.body.rpartition(b"\n")
    is_file = answer.etag is not None or answer.last_modified is not None
    if not last or (answer.is_complete and not is_file and _is_whole_record(last, before)):
        return answer.body
    return before + b"\n" if before else b""


def _is_whole_record(last: bytes, before: bytes) -> bool:
    first = (before or last).partition(b"\n")[0]
    status = last.rpartition(b";")[2].strip()
    if last.count(b";") <= SEPARATORS:
        return before != b"" and first.count(b";") == last.count(b";")  # the oldest software, if at all
    # Three digits, but for the line that a node shows before its controller reported.
    return last.count(b";") >= first.count(b";") and (len(status) >= STATUS_DIGITS or status == b"0")


def _lines(log: bytes) -> list[bytes]:
    return [line for line in log.split(b"\n") if line.strip()]


def _describe(answer: NodeAnswer) -> str:
    if answer.status != 200:
        return f"status {answer.status}"
    if not answer.body.strip():
        return "an empty answer"
    return f"{len(answer.body)} bytes that are no log{'' if answer.is_complete else ', then no more'}"
