"""Bytes become measurements; nothing here fetches. A new wire format is a new file and a line in FORMATS."""

from types import ModuleType

from isems.domain.payload import Payload
from isems.errors import FormatError
from isems.formats import csv_log, node_json, router_json
from isems.formats.parsed import Parsed

__all__ = ["FORMATS", "Parsed", "parse_payload"]

#: Name -> module with `looks_like(data)` and `parse(payload)`; the first that looks right is taken.
FORMATS: dict[str, ModuleType] = {
    "csv_log": csv_log,
    "router_json": router_json,
    "node_json": node_json,
}


def parse_payload(payload: Payload) -> Parsed:
    """Read a payload in the format it names, else in the one its bytes look like.

    Raises FormatError when the payload as a whole is in no known format.
    """
    if payload.format_hint is not None:
        parsed: Parsed = FORMATS[payload.format_hint].parse(payload)
        return parsed
    for form in FORMATS.values():
        if form.looks_like(payload.data):
            found: Parsed = form.parse(payload)
            return found
    raise FormatError(_describe(payload.data))


def _describe(data: bytes) -> str:
    if not data.strip():
        return "the payload is empty"
    return f"{len(data)} bytes in no known format, beginning with {data[:40]!r}"
