"""One poll of one node: which path it speaks, whether its log continues what we have, and its archive if not."""

import asyncio
from collections.abc import Callable

import msgspec

from isems.domain.payload import Payload, Source
from isems.domain.polling import PollTarget
from isems.errors import SourceError
from isems.sources.archive import unpack_archive
from isems.sources.node_client import Limits, NodeAddress, NodeAnswer, fetch, looks_like_csv, parse_node_url

#: Routers and the older boards; the newer boards and those with an AVR controller (PROTOCOL 3.1 to 3.4).
LOG_PATH = "/ISEMS/ffopenmppt.log"
CSV_PATH = "/csv.log"
ARCHIVE_SUFFIX = ".gz"
#: Enough of a line to know it again.
LINE_BYTES = 512


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
        self.limits = limits
        self.deadline = asyncio.get_running_loop().time() + seconds
        self.received_at = now()
        self.target = msgspec.structs.replace(
            target, polled_at=self.received_at, answered_at=self.received_at, error=None
        )
        self.refusals: list[str] = []

    async def fetch_log(self) -> NodeAnswer | None:
        """Try the paths in turn; None when the node answers, but has no log now."""
        for path in self._paths():
            is_known = path == self.known.path
            answer = await fetch(
                self.address,
                path,
                limits=self.limits,
                deadline=self.deadline,
                etag=self.known.etag if is_known else None,
                last_modified=self.known.last_modified if is_known else None,
            )
            if (answer.status == 304 and is_known) or (answer.status == 200 and looks_like_csv(answer.body)):
                self.target = msgspec.structs.replace(self.target, path=path)
                return answer
            self.refusals.append(f"{path}: {_describe(answer)}")
            if answer.status == 404 and is_known:
                return None
        return None

    def _paths(self) -> list[str]:
        if self.address.path is not None:
            return [self.address.path]
        return list(dict.fromkeys([self.known.path or LOG_PATH, LOG_PATH, CSV_PATH]))

    async def take_log(self, answer: NodeAnswer) -> Polled:
        """Make a payload of the log, with the archive before it where the log does not continue what we have."""
        log = answer.body if answer.is_complete else answer.body[: answer.body.rfind(b"\n") + 1]
        lines = _lines(log)
        if not lines:
            raise SourceError(f"the answer was cut off after {len(answer.body)} bytes, before its first line ended")
        first, last = lines[0][:LINE_BYTES], lines[-1][:LINE_BYTES]
        self._remember(answer, first, last)
        note = None if answer.is_complete else f"cut off after {len(answer.body)} bytes, the whole lines were taken"
        if (first, last) == (self.known.first_line, self.known.last_line):
            return Polled(target=self.target, note=note)
        archive = b""
        if not self._continues(lines):
            archive, failure = await self._fetch_archive()
            note = failure or note
        return Polled(target=self.target, payload=self._payload(archive + log, answer.date), note=note)

    async def take_archive_alone(self) -> Polled:
        """The log is missing: a router has just rotated it away, or this is no node."""
        if self.known.path is None and self.address.path is None and not any("404" in text for text in self.refusals):
            raise SourceError(f"no log: {'; '.join(self.refusals)}")
        archive, failure = await self._fetch_archive()
        note = failure or "the log is missing, as for a minute after rotation"
        if not archive:
            if self.known.path is None:
                raise SourceError(f"no log: {'; '.join(self.refusals)}")
            return Polled(target=self.target, is_log_missing=True, note=note)
        self.target = msgspec.structs.replace(
            self.target, path=self.target.path or LOG_PATH, etag=None, last_modified=None
        )
        return Polled(target=self.target, payload=self._payload(archive, None), is_log_missing=True, note=note)

    def _remember(self, answer: NodeAnswer, first: bytes, last: bytes) -> None:
        is_whole = answer.is_complete
        self.target = msgspec.structs.replace(
            self.target,
            first_line=first,
            last_line=last,
            etag=answer.etag if is_whole else None,
            last_modified=answer.last_modified if is_whole else None,
        )

    def _continues(self, lines: list[bytes]) -> bool:
        """Tell whether the log still holds the last line that is stored: then nothing lies between."""
        last = self.known.last_line
        return last is not None and any(line[:LINE_BYTES] == last for line in lines)

    async def _fetch_archive(self) -> tuple[bytes, str | None]:
        """Fetch what was rotated away; gives it unpacked, and a note where that failed."""
        path = self.target.path or self.address.path or LOG_PATH
        if not self.known.has_archive or path == CSV_PATH:
            return b"", None
        try:
            answer = await fetch(
                self.address,
                path + ARCHIVE_SUFFIX,
                limits=self.limits,
                deadline=self.deadline,
                etag=self.known.archive_etag,
            )
            archive = unpack_archive(answer.body) if answer.status == 200 else b""
        except SourceError as error:
            return b"", self._retry_archive(f"the archive could not be read: {error}")
        if archive is None:
            # A board answers every such path with the same few lines: do not ask it again.
            self.target = msgspec.structs.replace(self.target, has_archive=False)
            return b"", None
        if not answer.is_complete:
            return archive, self._retry_archive(f"the archive was cut off after {len(answer.body)} bytes")
        if answer.status == 200:
            self.target = msgspec.structs.replace(self.target, archive_etag=answer.etag)
        return archive if archive.endswith(b"\n") or not archive else archive + b"\n", None

    def _retry_archive(self, note: str) -> str:
        """Forget that the new log was seen, so that the next poll looks for the gap again."""
        self.target = msgspec.structs.replace(
            self.target,
            first_line=self.known.first_line,
            last_line=self.known.last_line,
            etag=None,
            last_modified=None,
        )
        return note

    def _payload(self, data: bytes, sender_time: int | None) -> Payload:
        return Payload(
            data=data,
            source=Source.POLL,
            address=self.known.address,
            received_at=self.received_at,
            format_hint="csv_log",
            sender_time=sender_time,
        )


def _lines(log: bytes) -> list[bytes]:
    return [line for line in log.split(b"\n") if line.strip()]


def _describe(answer: NodeAnswer) -> str:
    if answer.status != 200:
        return f"status {answer.status}"
    if not answer.body.strip():
        return "an empty answer"
    return f"{len(answer.body)} bytes that are no log"
