"""The rotated log, as it should be, cut, damaged and hostile."""

import gzip
import time
import tracemalloc
import zlib
from typing import Any

import pytest

from isems.errors import SourceError
from isems.sources.archive import unpack_archive

LOG = b"".join(
    b"Dach;1;%d;ATmega8_A_1;1440;0;20.9;16.8;13.3;52;100;27;11.7;14.2;0;0;0;0;800\n" % n for n in range(3660)
)
PACKED = gzip.compress(LOG, mtime=0)


def unpack(data: bytes, **more: Any) -> bytes | None:
    archive = unpack_archive(data, **more)
    return None if archive is None else archive.content


def test_a_rotated_log_is_unpacked_in_full() -> None:
    assert unpack(PACKED) == LOG


@pytest.mark.parametrize("data", [b"", b"\x1f", b"<html>404</html>", LOG])
def test_what_is_no_gzip_is_none(data: bytes) -> None:
    assert unpack(data) is None


def test_several_members_are_one_log() -> None:
    assert unpack(gzip.compress(b"a\n") + gzip.compress(b"") + gzip.compress(b"b")) == b"a\nb"


@pytest.mark.parametrize("garbage", [b"\0" * 700, b"\n", b"\x1f", b"<html>"])
def test_garbage_behind_a_member_is_ignored(garbage: bytes) -> None:
    assert unpack(PACKED + garbage) == LOG


@pytest.mark.parametrize("missing", [1, 8, 9, 50, 1000, len(PACKED) // 2])
def test_a_cut_archive_gives_exactly_its_whole_lines(missing: int) -> None:
    cut = PACKED[:-missing]
    reachable = zlib.decompressobj(31).decompress(cut)
    assert unpack(cut) == reachable[: reachable.rfind(b"\n") + 1] != b""


def test_no_cut_loses_a_line_that_the_bytes_hold() -> None:
    packed = gzip.compress((b"x" * 99 + b"\n") * 3000)
    for length in range(30, len(packed)):
        reachable = zlib.decompressobj(31).decompress(packed[:length])
        if b"\n" in reachable:
            assert unpack(packed[:length]) == reachable[: reachable.rfind(b"\n") + 1]


@pytest.mark.parametrize("length", range(2, 26))
def test_an_archive_cut_before_its_first_line_end_is_an_error(length: int) -> None:
    with pytest.raises(SourceError, match="no whole line"):
        unpack(PACKED[:length])


def test_damage_keeps_nearly_all_lines_before_it() -> None:
    middle = len(PACKED) // 2
    damaged = PACKED[:middle] + b"\xff" * 400 + PACKED[middle + 400 :]
    unpacked = unpack(damaged)
    assert unpacked is not None
    assert unpacked.endswith(b"\n")
    assert unpacked[: len(LOG) // 3] == LOG[: len(LOG) // 3]


def test_a_wrong_checksum_counts_as_damage_and_keeps_the_lines() -> None:
    damaged = gzip.compress(b"whole\nhalf")[:-8] + bytes(8)
    # The last step holds the end of so short a log, so nothing is left of it ...
    with pytest.raises(SourceError, match="damaged"):
        unpack(damaged)
    # ... while a long log loses at most that step.
    kept = unpack(PACKED[:-8] + bytes(8))
    assert kept is not None
    assert LOG.startswith(kept)
    assert len(LOG) - len(kept) <= 8192


def test_exactly_the_limit_is_allowed_and_one_byte_more_is_not() -> None:
    assert unpack(gzip.compress(b"x" * 5000), limit=5000) == b"x" * 5000
    with pytest.raises(SourceError, match="more than 4999 bytes"):
        unpack(gzip.compress(b"x" * 5000), limit=4999)


def test_a_bomb_needs_little_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="more than 4000000 bytes"):
            unpack(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_a_bomb_in_many_members_is_stopped_by_their_sum() -> None:
    member = gzip.compress(bytes(1 << 20))
    with pytest.raises(SourceError, match="more than 4000000 bytes"):
        unpack(member * 10)


def test_thousands_of_tiny_members_are_refused_at_once() -> None:
    started = time.perf_counter()
    with pytest.raises(SourceError, match="more than 16 parts"):
        unpack(gzip.compress(b"") * 100_000)
    assert time.perf_counter() - started < 0.5


def test_an_archive_tells_whether_it_is_complete() -> None:
    for data, is_complete in ((PACKED, True), (PACKED + b"rest", True), (PACKED[:-1], False), (PACKED * 2, True)):
        archive = unpack_archive(data)
        assert archive is not None
        assert archive.is_complete is is_complete
