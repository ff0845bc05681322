"""One poll of one node: its dialect, its archive, and what is remembered of it."""

import asyncio
import gzip
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from isems.domain.payload import Source
from isems.domain.polling import PollTarget
from isems.errors import ConfigError, SourceError
from isems.sources.http_answer import Limits
from isems.sources.poller import CSV_PATH, LOG_PATH, MISSING_SECONDS, Polled, poll_node
from isems.storage.database import Database
from isems.storage.poll_targets import save_targets, select_targets
from tests.sources import hostile_nodes as nodes
from tests.sources.hostile_nodes import FakeNode, Handler, node_server

NOW = 1_700_000_000
ARCHIVE_PATH = f"{LOG_PATH}.gz"


def line(number: int, node: str = "Dach") -> bytes:
    return b"%s;1;%d;ATmega8_A_1;9000;0;20.9;16.8;13.3;52;100;27;11.7;14.2;0;0;0;0;800" % (
        node.encode(),
        NOW - 10**6 + 61 * number,
    )


def lines(first: int, last: int, node: str = "Dach") -> bytes:
    return b"".join(line(number, node) + b"\n" for number in range(first, last))


BOARD_CSV = b"\n".join(line(number, "Balkon") for number in range(5))


class Router:
    """A router's files; `handler` serves them as they are at the moment."""

    def __init__(self, log: bytes | None = None, archive: bytes | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.put(log, archive)
        self.clock = NOW
        self.handler = nodes.uhttpd_like(self.files, lambda: self.clock)

    def put(self, log: bytes | None, archive: bytes | None = None) -> None:
        """Replace log and archive, which is given unpacked; None removes."""
        self.files.clear()
        if log is not None:
            self.files[LOG_PATH] = log
        if archive is not None:
            self.files[ARCHIVE_PATH] = gzip.compress(archive, mtime=0)


class Exchangeable:
    """An address at which one device can take the place of another."""

    def __init__(self, current: Handler) -> None:
        self.current = current
        self.handler = Handler(self._answer, is_first_segment_enough=True)

    async def _answer(self, request: bytes) -> AsyncIterator[bytes]:
        async for piece in self.current.answer(request):
            yield piece


class Visitor:
    """Polls one node again and again and remembers what it is told to."""

    def __init__(self, node: FakeNode, path: str = "") -> None:
        self.node = node
        self.target = PollTarget(address=node.address.text + path)
        self.now = NOW
        self._seen = 0

    async def poll(self, *, seconds: float = 3, limits: Limits | None = None) -> Polled:
        polled = await poll_node(self.target, now=lambda: self.now, deadline_seconds=seconds, limits=limits)
        self.target = polled.target
        return polled

    async def failure(self, **more: Any) -> str:
        with pytest.raises(SourceError) as raised:
            await self.poll(**more)
        return str(raised.value)

    async def data(self) -> bytes | None:
        polled = await self.poll()
        return polled.payload and polled.payload.data

    def asked(self) -> list[str]:
        """The paths that were asked since the last call; one with conditions in round brackets."""
        new, self._seen = self.node.requests[self._seen :], len(self.node.requests)
        new = [request for request in new if request]  # a connection at the very deadline brings none
        paths = [request.split()[1].decode() for request in new]
        return [f"({p})" if b"If-" in request else p for p, request in zip(paths, new, strict=True)]


def visit(handler: Handler, talk: Callable[[Visitor], Coroutine[Any, Any, None]], path: str = "") -> None:
    async def main() -> None:
        async with node_server(handler) as node:
            await talk(Visitor(node, path))
            assert await node.is_left_alone(), "a connection was left open"

    asyncio.run(main())


# The dialects


@pytest.mark.parametrize(
    ("handler", "path", "first", "later"),
    [
        (Router(lines(0, 9)).handler, LOG_PATH, [LOG_PATH, ARCHIVE_PATH], [f"({LOG_PATH})"]),
        (nodes.board_o(BOARD_CSV), LOG_PATH, [LOG_PATH, ARCHIVE_PATH], [LOG_PATH]),
        (nodes.board_n(BOARD_CSV), CSV_PATH, [LOG_PATH, CSV_PATH], [CSV_PATH]),
        (nodes.board_x(BOARD_CSV), CSV_PATH, [LOG_PATH, CSV_PATH], [CSV_PATH]),
    ],
    ids=["router", "O", "N", "X"],
)
def test_every_dialect_is_found_and_then_asked_without_detours(
    handler: Handler, path: str, first: list[str], later: list[str]
) -> None:
    async def talk(visitor: Visitor) -> None:
        polled = await visitor.poll()
        assert polled.payload is not None
        assert polled.payload.data in (BOARD_CSV, lines(0, 9))
        assert visitor.asked() == first
        assert visitor.target.path == path
        await visitor.poll()
        assert visitor.asked() == later

    visit(handler, talk)


def test_a_payload_tells_where_and_when_it_came_and_what_the_router_took_for_the_time() -> None:
    router = Router(lines(0, 9))
    router.clock = NOW - 4000

    async def talk(visitor: Visitor) -> None:
        polled = await visitor.poll()
        assert polled.payload is not None
        assert polled.payload.source is Source.POLL
        assert polled.payload.address == visitor.node.address.text
        assert (polled.payload.received_at, polled.payload.sender_time) == (NOW, NOW - 4000)
        assert polled.payload.is_live
        assert (polled.target.polled_at, polled.target.answered_at, polled.target.error) == (NOW, NOW, None)

    visit(router.handler, talk)


def test_the_time_of_receipt_is_that_of_the_answer_and_not_of_the_question() -> None:
    """Beside the router's Date header it gives the offset of its clock; a slow node must not falsify that."""
    times = iter([NOW, NOW + 20])

    async def talk(visitor: Visitor) -> None:
        polled = await poll_node(visitor.target, now=lambda: next(times), deadline_seconds=3)
        assert polled.payload is not None
        assert polled.payload.received_at == NOW + 20
        assert (polled.target.polled_at, polled.target.answered_at) == (NOW, NOW + 20)

    visit(Router(lines(0, 9)).handler, talk)


def test_an_explicit_path_is_the_only_one_asked_and_its_archive_lies_beside_it() -> None:
    router = Router()
    router.files["/elsewhere/dach.log"] = lines(5, 9)
    router.files["/elsewhere/dach.log.gz"] = gzip.compress(lines(0, 5))

    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == lines(0, 9)
        assert visitor.asked() == ["/elsewhere/dach.log", "/elsewhere/dach.log.gz"]
        router.files.clear()
        assert (await visitor.poll()).is_log_missing
        assert [path.strip("()") for path in visitor.asked()] == ["/elsewhere/dach.log", "/elsewhere/dach.log.gz"]

    visit(router.handler, talk, "/elsewhere/dach.log")


def test_an_address_that_is_none_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match="no address of a node"):
        asyncio.run(poll_node(PollTarget(address="10.0.0"), now=lambda: NOW, deadline_seconds=1))


def test_what_is_remembered_survives_the_database(database_url: str) -> None:
    database = Database(database_url)

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        assert visitor.target.etag is not None
        assert visitor.target.archive_etag is not None
        with database.write() as connection:
            save_targets(connection, [replace(visitor.target, first_line=b"\xff\x00;" * 100)])
            save_targets(connection, [visitor.target])
        with database.read() as connection:
            assert select_targets(connection, [visitor.target.address])[visitor.target.address] == visitor.target

    visit(Router(lines(5, 9), lines(0, 5)).handler, talk)
    database.close()


# The archive


def test_first_contact_brings_the_archive_before_the_log() -> None:
    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == lines(0, 9)

    visit(Router(lines(5, 9), lines(0, 5)).handler, talk)


def test_a_log_that_holds_the_last_stored_line_is_no_reason_to_ask_for_the_archive() -> None:
    router = Router(lines(5, 9), lines(0, 5))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        visitor.asked()
        for last in (10, 30):
            router.put(lines(5, last), lines(0, 5))
            assert await visitor.data() == lines(5, last)
            assert visitor.asked() == [f"({LOG_PATH})"]

    visit(router.handler, talk)


@pytest.mark.parametrize("log", [lines(20, 21), lines(20, 60)], ids=["shrunken", "longer than before"])
def test_a_log_that_does_not_continue_the_stored_one_is_completed_from_the_archive(log: bytes) -> None:
    router = Router(lines(0, 9))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        router.put(log, lines(0, 20))
        assert await visitor.data() == lines(0, 20) + log
        visitor.asked()
        router.put(log + line(60) + b"\n", lines(0, 20))
        assert await visitor.data() == log + line(60) + b"\n"
        assert visitor.asked() == [f"({LOG_PATH})"]

    visit(router.handler, talk)


def test_an_archive_that_was_fetched_is_not_sent_again() -> None:
    router = Router(lines(20, 25), lines(0, 20))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        visitor.asked()
        router.put(lines(40, 41), lines(0, 20))  # a gap, with the same archive as before: a reboot would explain it
        assert await visitor.data() == lines(40, 41)
        assert visitor.asked() == [f"({LOG_PATH})", f"({ARCHIVE_PATH})"]

    visit(router.handler, talk)


def test_an_archive_whose_last_line_has_no_end_does_not_swallow_the_first_of_the_log() -> None:
    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == lines(0, 9)

    visit(Router(lines(5, 9), lines(0, 5)[:-1]).handler, talk)


def test_the_archive_is_asked_for_once_where_a_board_answers_with_its_lines() -> None:
    board = Exchangeable(nodes.board_o(BOARD_CSV))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        visitor.asked()
        board.current = nodes.board_o(BOARD_CSV.replace(b"Balkon;1;1", b"Balkon;1;2"))
        assert (await visitor.poll()).payload is not None
        assert visitor.asked() == [LOG_PATH]

    visit(board.handler, talk)


# Rotation: the log is missing for a minute


def test_a_log_that_was_rotated_away_is_no_failure_and_its_archive_comes_once() -> None:
    router = Router(lines(0, 9))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        router.put(None, lines(0, 20))
        visitor.now += 900
        visitor.asked()
        polled = await visitor.poll()
        assert polled.is_log_missing
        assert polled.payload is not None
        assert polled.payload.data == lines(0, 20)
        assert polled.payload.sender_time == NOW  # else a wrong clock's lines would be taken as they are
        assert visitor.asked() == [f"({LOG_PATH})", ARCHIVE_PATH]
        again = await visitor.poll()
        assert (again.is_log_missing, again.payload) == (True, None)
        assert visitor.asked() == [LOG_PATH, f"({ARCHIVE_PATH})"]
        router.put(lines(20, 21), lines(0, 20))
        assert await visitor.data() == lines(20, 21)

    visit(router.handler, talk)


def test_a_log_missing_at_first_contact_leaves_the_archive() -> None:
    router = Router(None, lines(0, 20))

    async def talk(visitor: Visitor) -> None:
        polled = await visitor.poll()
        assert polled.is_log_missing
        assert polled.payload is not None
        assert polled.payload.data == lines(0, 20)
        assert visitor.target.path == LOG_PATH
        router.put(lines(20, 21), lines(0, 20))
        assert await visitor.data() == lines(20, 21)

    visit(router.handler, talk)


def test_a_router_that_has_just_started_has_neither_and_that_is_no_failure() -> None:
    router = Router(lines(0, 9))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        router.put(None)
        visitor.now += 900
        polled = await visitor.poll()
        assert (polled.is_log_missing, polled.payload) == (True, None)
        assert polled.target.last_line == line(8)

    visit(router.handler, talk)


def test_a_log_that_stays_away_for_hours_is_a_failure() -> None:
    router = Router(lines(0, 9))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        router.put(None)
        visitor.now += MISSING_SECONDS
        await visitor.poll()
        visitor.now += 1
        assert await visitor.failure() == f"no log: {LOG_PATH}: status 404"

    visit(router.handler, talk)


def test_a_server_that_has_nothing_is_a_failure_that_names_what_was_tried() -> None:
    async def talk(visitor: Visitor) -> None:
        assert await visitor.failure() == f"no log: {LOG_PATH}: status 404; {CSV_PATH}: status 404"

    visit(nodes.not_found(), talk)


def test_bad_lines_at_the_head_of_a_log_do_not_hide_the_good_ones() -> None:
    log = b"R;1;n\n" * 20 + b"".join(line(number) + b"\n" for number in range(3))

    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == log

    visit(Router(log).handler, talk)


def test_a_page_in_place_of_a_known_log_is_no_missing_log() -> None:
    """It was, where the other path gives 404: the good lines stayed unread and the poll counted as answered."""
    router = Router(line(0) + b"\n")

    async def talk(visitor: Visitor) -> None:
        await visitor.data()
        router.put(b"<html>hello</html>\n")
        assert (await visitor.failure()).startswith("no log: ")

    visit(router.handler, talk)


@pytest.mark.parametrize("cut", [1, 2, 5, 40])
def test_a_line_that_a_router_is_still_writing_is_left_for_the_next_poll(cut: int) -> None:
    """Stored, it would be taken for a record of the oldest software, and keep the true one out as a conflict."""
    whole = line(0) + b"\n" + line(1) + b"\n"
    router = Router(whole[:-cut])

    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == line(0) + b"\n"
        router.put(whole)
        assert await visitor.data() == whole

    visit(router.handler, talk)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 40])
def test_a_boards_last_line_without_its_whole_status_is_left_for_the_next_poll(cut: int) -> None:
    board = Exchangeable(nodes.board_n(BOARD_CSV[:-cut]))

    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == BOARD_CSV[: BOARD_CSV.rfind(b"\n") + 1]
        board.current = nodes.board_n(BOARD_CSV)
        assert await visitor.data() == BOARD_CSV

    visit(board.handler, talk)


@pytest.mark.parametrize("csv", [b"", b"\n"])
def test_a_known_board_without_a_record_yet_is_no_failure(csv: bytes) -> None:
    board = Exchangeable(nodes.board_n(BOARD_CSV))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        board.current = nodes.board_n(csv)
        polled = await visitor.poll()
        assert (polled.is_log_missing, polled.payload) == (True, None)
        visitor.asked()
        later = b"\n".join(line(number, "Balkon") for number in range(5, 10))
        board.current = nodes.board_n(later)
        assert await visitor.data() == later
        assert visitor.asked() == [CSV_PATH]

    visit(board.handler, talk)


def test_an_empty_answer_of_an_unknown_address_is_a_failure() -> None:
    """Defect 1: an empty body ended the poll of all nodes."""

    async def talk(visitor: Visitor) -> None:
        assert await visitor.failure() == f"no log: {LOG_PATH}: an empty answer; {CSV_PATH}: an empty answer"

    visit(nodes.empty_body(), talk)


# Nothing is lost when the archive fails


def broken_archive(router: Router, broken: Handler) -> Handler:
    async def answer(request: bytes) -> AsyncIterator[bytes]:
        handler = broken if request.split()[1].endswith(b".gz") else router.handler
        async for piece in handler.answer(request):
            yield piece

    return Handler(answer)


PACKED = gzip.compress(lines(0, 3000), mtime=0)


@pytest.mark.parametrize(
    ("broken", "note"),
    [
        (nodes.server_error(), "the archive could not be read: status 500"),
        (nodes.reset_at_once(), "the archive could not be read: reset the connection before it answered"),
        (nodes.no_answer_at_all(), "the archive could not be read: closed the connection before it answered"),
        (nodes.gzip_bomb(8), "the archive could not be read: the archive unpacks to more than 4000000 bytes"),
        (nodes.redirect("http://127.0.0.9/"), "the archive could not be read: answers with a redirect"),
        (nodes.endless_body(b"x"), "the archive could not be read: sent a body larger than 2000000 bytes"),
        (nodes.sending(b"\x1f\x8b\x08 no gzip"), "the archive could not be read: the archive is damaged"),
        (
            nodes.sending(b"HTTP/1.0 200 OK\r\n\r\n" + gzip.compress(b"\n" * 30_000)),
            "the archive could not be read: sent more than 20000 lines",
        ),
        (nodes.silent(), "the archive could not be read: gave no answer within"),
    ],
)
def test_an_archive_that_fails_keeps_the_new_lines_and_is_asked_for_again(broken: Handler, note: str) -> None:
    router = Router(lines(0, 9))
    address = Exchangeable(router.handler)

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        router.put(lines(20, 25), lines(0, 20))
        address.current = broken_archive(router, broken)
        for _ in range(2):
            polled = await visitor.poll(seconds=0.3)
            assert polled.payload is not None
            assert polled.payload.data == lines(20, 25)
            assert re.match(note, polled.note or "")
        router.put(lines(20, 40), lines(0, 20))
        address.current = router.handler
        assert await visitor.data() == lines(0, 40)
        assert await visitor.data() is None

    visit(address.handler, talk)


@pytest.mark.parametrize(
    "cut",
    [
        nodes.reset_in_body(PACKED[:-1000]),
        nodes.short_body(PACKED[:-1000]),
        nodes.stuck_body(PACKED[:-1000]),
        nodes.sending(b"HTTP/1.0 200 OK\r\n\r\n" + PACKED[:-1000]),
    ],
    ids=["reset", "short", "stuck", "cut without a length"],
)
def test_a_cut_archive_gives_its_lines_and_is_asked_for_again(cut: Handler) -> None:
    router = Router(lines(3000, 3005), lines(0, 3000))
    address = Exchangeable(broken_archive(router, cut))

    async def talk(visitor: Visitor) -> None:
        polled = await visitor.poll(seconds=0.3)
        assert polled.payload is not None
        whole = lines(0, 3005)
        archived = polled.payload.data.removesuffix(lines(3000, 3005))
        assert archived.endswith(b"\n")
        assert len(archived) > 100_000
        assert whole.startswith(archived)
        assert polled.note == f"the archive was cut off after {len(PACKED) - 1000} bytes"
        address.current = router.handler
        assert await visitor.data() == whole

    visit(address.handler, talk)


def test_a_failing_archive_at_first_contact_is_fetched_later() -> None:
    router = Router(lines(20, 25), lines(0, 20))
    address = Exchangeable(broken_archive(router, nodes.reset_at_once()))

    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == lines(20, 25)
        address.current = router.handler
        assert await visitor.data() == lines(0, 25)

    visit(address.handler, talk)


def test_a_failing_archive_of_a_missing_log_is_no_loss_either() -> None:
    router = Router(lines(0, 9))
    address = Exchangeable(router.handler)

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        router.put(None, lines(0, 20))
        address.current = broken_archive(router, nodes.server_error())
        polled = await visitor.poll()
        assert (polled.is_log_missing, polled.payload) == (True, None)
        assert polled.note == "the archive could not be read: status 500"
        router.put(lines(20, 21), lines(0, 20))
        address.current = router.handler
        assert await visitor.data() == lines(0, 21)

    visit(address.handler, talk)


# Cut logs


def cut_with_validators(body: bytes) -> Handler:
    head = f'HTTP/1.1 200 OK\r\nETag: "1"\r\nLast-Modified: then\r\nContent-Length: {len(body) + 9}\r\n\r\n'
    return nodes.sending(head.encode() + body)


@pytest.mark.parametrize("fault", [nodes.reset_in_body, nodes.short_body, nodes.stuck_body, cut_with_validators])
def test_of_a_cut_log_the_whole_lines_are_kept_and_no_validator(fault: Callable[[bytes], Handler]) -> None:
    router = Router(lines(0, 50))
    address = Exchangeable(fault(lines(0, 30) + line(30)[:40]))

    async def talk(visitor: Visitor) -> None:
        polled = await visitor.poll(seconds=0.3)
        assert polled.payload is not None
        assert polled.payload.data.endswith(lines(0, 30))
        assert re.search("whole lines were taken|no time was left for the archive", polled.note or "")
        assert (visitor.target.etag, visitor.target.last_modified) == (None, None)
        address.current = router.handler
        visitor.asked()
        assert await visitor.data() == lines(0, 50)
        assert visitor.asked()[0] == LOG_PATH

    visit(address.handler, talk)


def test_a_log_cut_before_the_last_known_line_is_not_taken_for_a_new_one() -> None:
    router = Router(lines(0, 50))
    address = Exchangeable(router.handler)

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        visitor.asked()
        address.current = nodes.short_body(lines(0, 30))
        await visitor.poll()
        assert visitor.asked() == [f"({LOG_PATH})"]
        router.put(lines(0, 60))
        address.current = router.handler
        assert await visitor.data() == lines(0, 60)
        assert visitor.asked() == [LOG_PATH]

    visit(address.handler, talk)


def test_a_log_cut_in_its_first_line_gives_nothing() -> None:
    async def talk(visitor: Visitor) -> None:
        assert "cut off after" in await visitor.failure()

    visit(nodes.short_body(line(0)), talk)


# An unchanged log costs no parsing


def test_an_unchanged_log_is_not_even_sent() -> None:
    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        visitor.asked()
        visitor.now += 900
        polled = await visitor.poll()
        assert (polled.payload, polled.is_log_missing, polled.note) == (None, False, None)
        assert visitor.asked() == [f"({LOG_PATH})"]
        assert visitor.target.etag is not None

    visit(Router(lines(0, 9)).handler, talk)


@pytest.mark.parametrize("handler", [nodes.board_o(BOARD_CSV), nodes.board_n(BOARD_CSV), nodes.board_x(BOARD_CSV)])
def test_an_unchanged_answer_without_validators_is_known_by_its_lines(handler: Handler) -> None:
    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == BOARD_CSV
        assert await visitor.data() is None
        assert not any("(" in path for path in visitor.asked())

    visit(handler, talk)


def test_very_long_lines_are_still_told_apart_by_their_beginning() -> None:
    router = Router(lines(0, 3, "x" * 480))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        assert len(visitor.target.last_line or b"") == 512
        router.put(lines(0, 4, "x" * 480))
        assert await visitor.data() == lines(0, 4, "x" * 480)

    visit(router.handler, talk)


# Another device at the same address


DEVICES: dict[str, Callable[[], Handler]] = {
    "router": lambda: Router(lines(105, 109, "New"), lines(0, 105, "New")).handler,
    "young router": lambda: Router(lines(0, 9, "New")).handler,
    "O": lambda: nodes.board_o(BOARD_CSV),
    "N": lambda: nodes.board_n(BOARD_CSV),
    "X": lambda: nodes.board_x(BOARD_CSV),
}


@pytest.mark.parametrize("after", DEVICES)
@pytest.mark.parametrize("before", DEVICES)
def test_whatever_takes_the_place_of_a_node_is_read_at_once(before: str, after: str) -> None:
    address = Exchangeable(DEVICES[before]())

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        address.current = Router(lines(0, 40, "Other")).handler if before == after else DEVICES[after]()
        polled = await visitor.poll()
        if {before, after} <= {"O", "N", "X"} and before != after:
            assert polled.payload is None  # the same lines
        else:
            assert polled.payload is not None
            assert polled.payload.data.startswith((b"New", b"Balkon", b"Other"))

    visit(address.handler, talk)


def test_the_archive_of_a_router_that_took_the_place_of_a_board_is_fetched() -> None:
    address = Exchangeable(nodes.board_o(BOARD_CSV))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        assert not visitor.target.has_archive
        address.current = Router(lines(20, 40), lines(0, 20)).handler
        assert await visitor.data() == lines(0, 40)
        assert visitor.target.has_archive

    visit(address.handler, talk)


@pytest.mark.parametrize("before", ["router", "O", "N", "X"])
@pytest.mark.parametrize(
    "after", [nodes.html_page(), nodes.server_error(), nodes.garbage(), nodes.redirect("http://127.0.0.9/")]
)
def test_a_node_replaced_by_what_is_no_node_is_a_failure_and_not_a_rotation(before: str, after: Handler) -> None:
    address = Exchangeable(DEVICES[before]())

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        known = visitor.target
        address.current = after
        assert re.search("no log: |redirect", await visitor.failure())
        assert visitor.target == known

    visit(address.handler, talk)


def test_a_board_replaced_by_a_server_without_a_log_is_a_failure() -> None:
    address = Exchangeable(nodes.board_n(BOARD_CSV))

    async def talk(visitor: Visitor) -> None:
        await visitor.poll()
        address.current = nodes.not_found()
        assert "status 404" in await visitor.failure()

    visit(address.handler, talk)


# Limits


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (nodes.endless_body(line(0) + b"\n"), "sent a body larger than 2000000 bytes"),
        (nodes.endless_header(), "sent a header larger than 16000 bytes"),
        (nodes.sending(line(0) + b"\n" + b"\n" * 20_000), "sent more than 20000 lines"),
        (nodes.redirect("http://127.0.0.9/"), "which is not followed"),
        (nodes.silent(), "gave no answer within 0."),
        (nodes.trickle(b"HTTP/1.1 200 OK\r\n", 0.05), "gave no answer within 0."),
        (nodes.trickle(b"Dach;1;", 0.02), "bytes that are no log, then no more"),
        (nodes.reset_at_once(), "reset the connection"),
    ],
)
def test_whoever_goes_beyond_a_limit_is_refused_with_a_reason(handler: Handler, sentence: str) -> None:
    """Defect 22: a poll had no limit: a node could hold it up for ever, and a body of 50 MB took 2 GB."""

    async def talk(visitor: Visitor) -> None:
        assert sentence in await visitor.failure(seconds=0.3 if "no answer" in sentence or "no more" in sentence else 3)

    visit(handler, talk)


def test_all_requests_of_a_poll_share_one_deadline() -> None:
    """Each answer alone would be in time."""
    router = Router(lines(20, 25), lines(0, 20))

    async def slowly(request: bytes) -> AsyncIterator[bytes]:
        await asyncio.sleep(0.35)
        async for piece in router.handler.answer(request):
            yield piece

    async def talk(visitor: Visitor) -> None:
        started = time.monotonic()
        polled = await visitor.poll(seconds=0.5)
        assert time.monotonic() - started < 0.65
        assert polled.payload is not None
        assert polled.payload.data == lines(20, 25)
        assert (polled.note or "").startswith("the archive could not be read: ")

    visit(Handler(slowly), talk)


# Recorded answers


def test_a_recorded_log_is_told_from_a_recorded_page() -> None:
    packed = Path(__file__).parents[1] / "data/openwrt/Elektra-Dach.after-2-days.log.gz"
    log = gzip.decompress(packed.read_bytes())

    async def talk(visitor: Visitor) -> None:
        assert await visitor.data() == log

    visit(Router(log).handler, talk)
