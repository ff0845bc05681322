"""Rows of named columns, and the four forms in which they are given: the columns are the same in each."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from werkzeug.datastructures import MIMEAccept

from isems.api.v1.parameters import Parameter, choice
from isems.export import write_csv_text, write_number

CSV, NDJSON = "text/csv", "application/x-ndjson"
#: The name of a form in the query, and how it is told in the headers Accept and Content-Type.
MEDIA_TYPES = {"columns": "application/json", "csv": CSV, "ndjson": NDJSON}
#: Cells of one column that are remembered before all are forgotten.
MAX_REMEMBERED = 10_000
FORMATS = ("columns", "rows", "csv", "ndjson")
FORMAT = Parameter(
    choice(*FORMATS),
    "columns: JSON with an array for each column; rows: JSON with an object for each row; csv and ndjson: streamed. "
    "Without it, what the header Accept asks for.",
)


class Table(NamedTuple):
    """Columns, and the rows, some at a time: values are numbers, texts, instants in UTC, tuples of texts, and None."""

    columns: Sequence[str]
    pieces: Iterable[Sequence[Sequence[Any]]]


def choose_format(wanted: str | None, accepted: MIMEAccept) -> str:
    """Give the form that the query names, else the one that is liked best by the header Accept."""
    if wanted is not None:
        return wanted
    best = accepted.best_match(list(MEDIA_TYPES.values()))
    return next((name for name, media_type in MEDIA_TYPES.items() if media_type == best), "columns")


def encode_columns(table: Table) -> msgspec.Raw:
    """Give JSON: an object with an array for each column. Of the rows, only their text is held."""
    texts: list[list[bytes]] = [[] for _ in table.columns]
    for rows in table.pieces:
        for text, values in zip(texts, zip(*rows, strict=True), strict=False):  # no rows have no columns
            text.append(msgspec.json.encode(values)[1:-1])
    members = (
        msgspec.json.encode(name) + b":[" + b",".join(text) + b"]"
        for name, text in zip(table.columns, texts, strict=True)
    )
    return msgspec.Raw(b"{" + b",".join(members) + b"}")


def encode_rows(table: Table) -> msgspec.Raw:
    """Give JSON: an array of objects. Of the rows, only their text is held."""
    texts = [msgspec.json.encode([dict(zip(table.columns, row, strict=True)) for row in rows]) for rows in table.pieces]
    return msgspec.Raw(b"[" + b",".join(text[1:-1] for text in texts if text != b"[]") + b"]")


def write_csv(table: Table) -> Iterator[bytes]:
    """Give lines of CSV with a header, as `isems export` writes them."""
    yield (",".join(table.columns) + "\n").encode()
    texts = [_Texts() for _ in table.columns]
    for rows in table.pieces:
        columns = [map(text.__getitem__, values) for text, values in zip(texts, zip(*rows, strict=True), strict=False)]
        yield "".join(f"{line}\n" for line in map(",".join, zip(*columns, strict=True))).encode()


def write_ndjson(table: Table) -> Iterator[bytes]:
    """Give a line of JSON for each row."""
    encoder = msgspec.json.Encoder()
    for rows in table.pieces:
        yield encoder.encode_lines([dict(zip(table.columns, row, strict=True)) for row in rows])


#: Forms whose JSON is made before it is sent, and forms that are made as they are sent.
ENCODERS = {"columns": encode_columns, "rows": encode_rows}
WRITERS = {"csv": write_csv, "ndjson": write_ndjson}


class _Texts(dict[Any, str]):
    """`texts[value]` is the cell of a value of one column, remembered: most come again."""

    def __missing__(self, value: Any) -> str:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[value] = _write_cell(value)
        return self[value]


def _write_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return write_number(value)
    if isinstance(value, datetime):
        return f"{value.isoformat()[:19]}Z"
    return write_csv_text(value) if isinstance(value, str) else " ".join(value)
