"""Which rows, and their lines, a few thousand at a time."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from isems.errors import ConfigError
from isems.export.encoding import Encoder, TextFormat
from isems.storage.configurations import read_configurations
from isems.storage.database import Database
from isems.storage.history import PIECE, Span, select_all_nodes, select_piece, select_span
from isems.storage.nodes import find_node


class Selection(msgspec.Struct, frozen=True):
    """The rows of nodes from an instant up to, not including, another (epoch seconds)."""

    #: Name and span of each node that has any, by id; in the order of the names.
    nodes: dict[int, tuple[str, Span]]
    end: int

    @property
    def seconds(self) -> int:
        """How many seconds the spans of all nodes have together: what progress is measured in."""
        return sum(span.last - span.first + 1 for _, span in self.nodes.values())


class Piece(NamedTuple):
    """Some lines: how many, and how many seconds of the selection lie behind us with them."""

    data: bytes
    rows: int
    seconds: int


def choose(database: Database, names: Sequence[str], first: int, end: int) -> Selection:
    """Find the rows from `first` up to, not including, `end` of these nodes, or of all where none is named.

    Raises ConfigError for a node that is not known.
    """
    with database.read() as connection:
        found = _find_named(connection, names) if names else select_all_nodes(connection)
        spans = {node_id: (name, select_span(connection, node_id, first, end)) for node_id, name in found.items()}
    return Selection({node_id: (name, span) for node_id, (name, span) in spans.items() if span is not None}, end)


def _find_named(connection: Connection, names: Sequence[str]) -> dict[int, str]:
    """A name may hold commas; only what is no name is taken apart."""
    found = {}
    for text in names:
        parts = [text] if _find(connection, text) is not None else [part.strip() for part in text.split(",")]
        for name in parts:
            node_id = _find(connection, name)
            if node_id is None:
                raise ConfigError(f"--nodes is {name[:255]!r}, expected the name of a node ('isems nodes' lists them)")
            found[node_id] = name
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _find(connection: Connection, name: str) -> int | None:
    return None if "\0" in name else find_node(connection, name)  # PostgreSQL cannot even be asked for such a name


def read_pieces(database: Database, selection: Selection, form: TextFormat, rows: int = PIECE) -> Iterator[Piece]:
    """Give the selected rows as text, node by node, each in the order of time; the first piece is the header.

    Each piece is read in a transaction of its own: what is stored meanwhile may be there or not, what was there is.
    """
    encoder = Encoder(form)
    yield Piece(form.header.encode(), 0, 0)
    for node_id, (name, span) in selection.nodes.items():
        after, end = span.first - 1, min(selection.end, span.last + 1)
        while after < end - 1:
            with database.read() as connection:
                found = select_piece(connection, node_id, after, end, rows)
                configurations = read_configurations(connection, {row[2] for row in found})
            last = found[-1][1] if len(found) == rows else end - 1
            yield Piece(encoder.encode(name, found, configurations), len(found), last - after)
            after = last
