"""Hostile shapes cost time in proportion to their size, and no more.

Measured as processor time of this process, at two sizes in one run: a ratio says the same on a slow or busy machine.
"""

import contextlib
import math
import time
from collections.abc import Callable

import pytest

from isems.domain.payload import Payload
from isems.errors import FormatError
from isems.formats import node_json, parse_payload, router_json
from tests.formats.reading import BOARD, ROUTER, payload, recorded, with_field

GROWTH = 4
#: Four times the size: linear work takes 4 times as long, quadratic 16.
ALLOWED = 10
#: Below this nothing can be told from the clock's own coarseness, and nothing is harmed.
HARMLESS_SECONDS = 0.02

GOOD = recorded("openwrt-ok.json")
#: Name -> a shape of about `size` bytes, as large as a body may be (2 MB).
LARGE: dict[str, Callable[[int], bytes]] = {
    "separators": lambda size: b";" * size,
    "digits": lambda size: b"1" * size,
    "one field of digits": lambda size: with_field(ROUTER, 8, "1" * size).encode(),
    "one long firmware": lambda size: with_field(ROUTER, 3, "x" * size).encode(),
    "one long node id": lambda size: with_field(ROUTER, 0, "x" * size).encode(),
    "a node id of separators and revisions": lambda size: (";1" * (size // 2) + ROUTER).encode(),
    "newlines": lambda size: b"\n" * (size // 2) + BOARD.encode(),
    "carriage returns": lambda size: b"\r" * size + BOARD.encode(),
    "blanks": lambda size: b" " * size + BOARD.encode(),
    "NULs": lambda size: b"\0" * size,
    "lines of one letter": lambda size: b"x\n" * (size // 2),
    "lines of one bad byte": lambda size: b"\xff\n" * (size // 2) + BOARD.encode(),
    "bad bytes": lambda size: b"\xff" * size,
    "emoji": lambda size: "😀".encode() * (size // 4),
    "good lines": lambda size: (ROUTER + "\n").encode() * (size // len(ROUTER)),
    "lines that all differ": lambda size: b"\n".join(
        f"n{i};1;{i};f{i};{i};0;{i}.1;{i}.2;{i}.3;1;1;{i}.5;11.9;14;{i};{i};{i}.6;{i}.7;{i:x}".encode()
        for i in range(size // 110)
    ),
    "records without an end": lambda size: ROUTER.encode() * (size // len(ROUTER)),
    "braces": lambda size: b"{" * size,
    "quotes": lambda size: b'{"Node-ID":' + b'"' * size,
}
#: Shapes against the two JSON formats, which take 16 kB.
SMALL: dict[str, Callable[[int], bytes]] = {
    "a key and blanks": lambda size: b'"a":' + b" " * size + b"x" * 700,
    "blanks and commas": lambda size: b'"a":' + b" ," * (size // 2) + b"x",
    "quotes": lambda size: b'"' * size,
    "colons": lambda size: b":" * size,
    "keys": lambda size: b'"a":' * (size // 4),
    "key, blank, sign": lambda size: b'":  -' * (size // 5),
    "bare words": lambda size: b'":nan ' * (size // 6),
    "bare words and blanks": lambda size: b'":nan' + b" " * size + b"x",
    "backslashes": lambda size: b'"\\' + b"\\" * size,
    "brackets": lambda size: b'"status":' + b"[" * size,
    "objects": lambda size: b'{"status":' * (size // 10),
    "lines": lambda size: b"\n" * size,
    "members": lambda size: b'"Latitude": 1,\n' * (size // 15),
    "digits": lambda size: b'"status":' + b"1" * size,
    "blanks": lambda size: b" " * size,
}


@pytest.mark.parametrize("shape", LARGE)
def test_two_megabytes_of_a_hostile_shape_take_time_in_proportion(shape: str) -> None:
    """Defect 20: a body of 64 MB was read, and everything in it believed to be a line."""
    make = LARGE[shape]
    for hint in (None, "csv_log"):
        check_growth([payload(make(size), hint) for size in (500_000 // GROWTH, 500_000, 2_000_000)])


@pytest.mark.parametrize("shape", SMALL)
@pytest.mark.parametrize("form", ["router_json", "node_json"])
def test_sixteen_kilobytes_of_hostile_json_take_time_in_proportion(form: str, shape: str) -> None:
    make = SMALL[shape]
    head = GOOD[:-2] + b",\n" if form == "router_json" else b'{"status":"1",'
    sizes = (900, 3_600, 14_400)
    check_growth([payload(head + make(size) + b"\n}\n", form, "a") for size in sizes])


@pytest.mark.parametrize("form", [router_json, node_json])
def test_json_of_any_size_is_refused_before_it_is_read(form: object) -> None:
    name = form.__name__.rpartition(".")[2]  # type: ignore[attr-defined]
    large = GOOD + b'{"a":' * 400_000
    assert seconds(payload(large, name, "a")) < HARMLESS_SECONDS


def check_growth(payloads: list[Payload]) -> None:
    """Give a busy machine three attempts: what explodes does so every time."""
    assert any(grows_linearly(payloads) for _ in range(3)), (
        f"four times the bytes take more than {ALLOWED} times as long"
    )


def grows_linearly(payloads: list[Payload]) -> bool:
    """Go up in steps of GROWTH, so that what explodes is noticed while it is still small."""
    allowed = math.inf
    for one in payloads:
        taken = seconds(one)
        if taken > max(HARMLESS_SECONDS, allowed):
            return False
        allowed = ALLOWED * taken
    return True


def seconds(one: Payload) -> float:
    start = time.process_time()
    with contextlib.suppress(FormatError):
        parse_payload(one)
    return time.process_time() - start
