"""What the web server of `isems serve` makes of request lines that no standard allows."""

from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from isems.api.server import _mend_request_line, _Parser


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        (b"POST /push/t/a b/data HTTP/1.1", b"POST /push/t/a%20b/data HTTP/1.1"),
        (b"POST /api/push/t/ a \t?b#\xc3\xbc/data HTTP/1.0", b"POST /api/push/t/%20a%20%09%3Fb%23%C3%BC/data HTTP/1.0"),
        (b"POST http://host/push/t/a HTTP/1.1/data HTTP/1.1", b"POST http://host/push/t/a%20HTTP/1.1/data HTTP/1.1"),
        (b"POST /push/t/50%/data HTTP/1.1", b"POST /push/t/50%/data HTTP/1.1"),
        (b"POST /push/t/a%20b/data?x HTTP/1.1", b"POST /push/t/a%20b/data?x HTTP/1.1"),
        # Everything else means what it always did.
        (b"GET /push/t/a b/data HTTP/1.1", b"GET /push/t/a b/data HTTP/1.1"),
        (b"GET /measurements/\xc3\xbc?x y/latest HTTP/1.1", b"GET /measurements/%C3%BC?x y/latest HTTP/1.1"),
        (b"POST /x?/push/a b/data HTTP/1.1", b"POST /x?/push/a b/data HTTP/1.1"),
        (b"POST /x /push/a b/data HTTP/1.1", b"POST /x /push/a b/data HTTP/1.1"),
        (b"POST /push/t/a\rb/data HTTP/1.1", b"POST /push/t/a\rb/data HTTP/1.1"),
        (b"POST /push/t/a b/data", b"POST /push/t/a b/data"),
        (b"", b""),
    ],
)
def test_only_a_pushed_path_is_mended(line: bytes, mended: bytes) -> None:
    assert _mend_request_line(line) == mended


HEADS = st.one_of(
    st.binary(max_size=200),
    st.builds(b"POST /api/push/%b/data HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n".__mod__, st.tuples(st.binary(), st.binary())),
    st.builds(b"%b /push/%b\r\n\r\n".__mod__, st.tuples(st.binary(max_size=5), st.binary())),
)


@given(HEADS)
def test_no_bytes_raise_anything(head: bytes) -> None:
    parser = _Parser(Adjustments())
    while head and not parser.completed:
        head = head[parser.received(head) :]
    if parser.error is not None:
        status, _, _ = parser.error.to_response()
        assert 400 <= int(status.partition(" ")[0]) < 600
    parser.close()


@pytest.mark.parametrize("piece", [b"/push/", b"/data", b" ", b"?", b"/push/a/data "])
def test_a_long_line_costs_time_in_proportion_to_its_length(piece: bytes) -> None:
    def seconds(count: int) -> float:
        line = b"POST /push/" + piece * count + b" HTTP/1.1"
        start = perf_counter()
        _mend_request_line(line)
        return perf_counter() - start

    times = [min(seconds(count) for _ in range(3)) for count in (5000, 10_000, 20_000)]
    assert all(longer < 8 * shorter + 0.05 for shorter, longer in pairwise(times))
