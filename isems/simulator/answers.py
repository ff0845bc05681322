"""What a node answers to a request: one function for each of the four programs. No sockets here."""

import gzip
from collections.abc import Callable, Mapping
from email.utils import formatdate, parsedate_to_datetime

import msgspec

from isems.simulator.faults import Fault
from isems.simulator.lines import initial_line
from isems.simulator.memory import NodeMemory
from isems.simulator.nodes import Program
from isems.simulator.pages import board_page, router_html, router_json

_FOLDER = "/ISEMS/ffopenmppt"
#: Checked in this order; the commands need a key that nobody here has.
_OLD_BOARD_COMMANDS = ("ftp", "reboot", "telnet", "shell", "mpptstart", "loadoff", "loadon")
_REFUSAL = "Will not execute the command. Reason: webkey for admin command is incorrect or missing."
_OLD_BOARD_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n"
_BOARD_HEAD = b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n"


class _File(msgspec.Struct, frozen=True):
    """A file in a router's web folder; `modified_at` by the router's own clock."""

    body: bytes
    media_type: str
    modified_at: int
    inode: int


def answer(memory: NodeMemory, request: bytes, at: int) -> tuple[bytes, bytes]:
    """Give head and body of a node's answer at an instant; `memory` has been brought there."""
    return _ANSWERS[memory.spec.program](memory, request, at)


def _router_answer(memory: NodeMemory, request: bytes, at: int) -> tuple[bytes, bytes]:
    method, target, headers = _parse_request(request)
    date = memory.own_time(at)
    if method not in ("GET", "HEAD"):
        return _head("405 Method Not Allowed", date), b""
    file = _router_file(memory, target.partition("?")[0])
    if file is None:
        body = b"<h1>Not Found</h1>"
        return _head("404 Not Found", date, "text/html", len(body)), body if method == "GET" else b""
    etag = f'"{file.inode:x}-{len(file.body):x}-{file.modified_at:x}"'
    validators = {"ETag": etag, "Last-Modified": formatdate(file.modified_at, usegmt=True)}
    if _is_unchanged(headers, etag, file.modified_at):
        return _head("304 Not Modified", date, validators=validators), b""
    head = _head("200 OK", date, file.media_type, len(file.body), validators)
    return head, file.body if method == "GET" else b""


def _parse_request(request: bytes) -> tuple[str, str, Mapping[str, str]]:
    first, *lines = request.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return method, rest.partition(" ")[0], {name.strip().lower(): value.strip() for name, _, value in pairs}


def _head(
    status: str, date: int, media_type: str = "", length: int | None = None, validators: Mapping[str, str] | None = None
) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (validators or {}).items()]
    lines.append(f"Date: {formatdate(date, usegmt=True)}")
    lines += [f"Content-Type: {media_type}"] if media_type else []
    lines += [f"Content-Length: {length}"] if length is not None else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _is_unchanged(headers: Mapping[str, str], etag: str, modified_at: int) -> bool:
    if "if-none-match" in headers:
        return etag in [tag.strip() for tag in headers["if-none-match"].split(",")]
    try:
        return modified_at <= parsedate_to_datetime(headers["if-modified-since"]).timestamp()
    except (KeyError, ValueError):
        return False


def _router_file(memory: NodeMemory, path: str) -> _File | None:
    newest, log, archive = memory.newest(), memory.log(), memory.archive()
    if path == f"{_FOLDER}.log" and log:
        return _File(_log_text(log).encode(), "text/plain", log[-1][0], 0x2A1 + log[0][0] % 0xFFF)
    if path == f"{_FOLDER}.log.gz" and archive:
        body = gzip.compress(_log_text(archive).encode(), compresslevel=6, mtime=archive[-1][0])
        return _File(body, "application/x-gzip", archive[-1][0], 0x1A1 + archive[0][0] % 0xFFF)
    if path == f"{_FOLDER}.json" and newest:
        return _File(router_json(newest[1]).encode(), "application/octet-stream", newest[0], 0x0A2)
    if path == f"{_FOLDER}.html" and newest:
        return _File(router_html(newest[1]).encode(), "text/html", newest[0], 0x0A3)
    return None


def _log_text(log: list[tuple[int, str]]) -> str:
    return "\n".join(line for _, line in log) + "\n"


def _old_board_answer(memory: NodeMemory, request: bytes, at: int) -> tuple[bytes, bytes]:
    text = request.decode("latin-1")
    if "random" in text:
        return _OLD_BOARD_HEAD, b"Encryption not enabled."
    if "help" in text:
        return _OLD_BOARD_HEAD, b"<h1>Help</h1>"
    # Any character, then the word: the program's own pattern, hence not simply `in`.
    if text.find("log", 1) > 0:
        return _OLD_BOARD_HEAD, _board_csv(memory)
    if any(word in text for word in _OLD_BOARD_COMMANDS):
        return _OLD_BOARD_HEAD, _REFUSAL.encode()
    return _OLD_BOARD_HEAD, _board_page(memory, at)


def _board_answer(memory: NodeMemory, request: bytes, at: int) -> tuple[bytes, bytes]:
    target = _parse_request(request)[1]
    page = target.lstrip("/").partition("/")[0].replace(".", "_")
    if page == "csv_log":
        return _BOARD_HEAD, _board_csv(memory)
    if page == "random":
        return _BOARD_HEAD, b"Encryption not enabled."
    if page == "help_html":
        return _BOARD_HEAD, b"<h1>Help</h1>"
    if page.startswith(("control", "config", "reboot")):
        head = b'HTTP/1.0 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: Basic realm="ISEMS"\r\n\r\n'
        return head, b""
    return _BOARD_HEAD, _board_page(memory, at)


def _avr_board_answer(memory: NodeMemory, request: bytes, at: int) -> tuple[bytes, bytes]:
    if b"csv" not in request:
        return _OLD_BOARD_HEAD, _board_page(memory, at)
    return b"", (initial_line(memory.spec).encode() if _is_unheard(memory) else _board_csv(memory))


def _is_unheard(memory: NodeMemory) -> bool:
    return memory.fault is Fault.SILENT_CONTROLLER or not memory.log()


def _board_csv(memory: NodeMemory) -> bytes:
    return "\n".join(line for _, line in memory.log()).encode()


def _board_page(memory: NodeMemory, at: int) -> bytes:
    newest = None if memory.fault is Fault.SILENT_CONTROLLER else memory.newest()
    uptime = at - memory.session.boot if memory.session else 0
    return board_page(memory.spec, newest[1] if newest else None, uptime).encode()


_ANSWERS: dict[Program, Callable[[NodeMemory, bytes, int], tuple[bytes, bytes]]] = {
    Program.ROUTER: _router_answer,
    Program.BOARD: _board_answer,
    Program.BOARD_LUA53: _board_answer,
    Program.OLD_BOARD: _old_board_answer,
    Program.AVR_BOARD: _avr_board_answer,
}
