"""Paths as they were sent: node ids may hold anything, so the decoding that servers do is one too many."""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from flask import request
from sqlalchemy import Connection

from isems.storage.nodes import find_node


def path_as_sent() -> bytes:
    """Give the path of the request line as it came; empty where the server does not tell it."""
    uri: str = request.environ.get("REQUEST_URI") or request.environ.get("RAW_URI") or ""
    sent = uri.partition("?")[0].encode("latin-1", "replace")
    if str(request.environ.get("SERVER_SOFTWARE")).startswith("Werkzeug/"):
        with suppress(UnicodeError):  # it takes raw UTF-8 for Latin-1, and encodes that as UTF-8
            return sent.decode().encode("latin-1")
    return sent


class FoundNode(NamedTuple):
    """A node by the name that it is asked for."""

    name: str
    id: int


def find_node_in_path(connection: Connection, name: str, before: str, after: str = "") -> FoundNode | None:
    """Find the node that stands between two parts of the path; `name` is how the server understood it."""
    return find_first(connection, _meanings(name, name_as_sent(before, after)))


def find_first(connection: Connection, names: Iterator[str]) -> FoundNode | None:
    """Find the first of these names that is a node's."""
    for name in names:
        # PostgreSQL cannot even be asked for such a name, and no node has it.
        node_id = None if "\0" in name else find_node(connection, name)
        if node_id is not None:
            return FoundNode(name, node_id)
    return None


def _meanings(name: str, sent: bytes) -> Iterator[str]:
    """Give the names that a path may stand for, the likeliest first."""
    with suppress(UnicodeError):  # not `name`: nginx passes on a path with `//` and `..` resolved
        yield unquote_to_bytes(sent).decode()
    yield name
    with suppress(UnicodeError):  # an id that holds a percent sign and was not encoded
        yield sent.decode()


def name_as_sent(before: str, after: str = "") -> bytes:
    """Give the name as it stands in the request line; empty where a server before us changed more than the prefix."""
    return path_as_sent().partition(before.encode())[2].removesuffix(after.encode())
