"""Logs in files: plain, packed, damaged, and larger than the memory they may take."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from isems.errors import SourceError
from isems.sources import files
from isems.sources.files import read_log_file

LOG = b"".join(b"Dach;1;%d;ATmega8_A_1;1440;0;20.9;16.8;13.3;52;100;27;11.7;14.2;0;0;0;0;800\n" % n for n in range(500))


def read(path: Path) -> list[bytes]:
    return list(read_log_file(path, lambda _: None))


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "node.log"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(files, "_READ_BYTES", 300)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("log", [LOG, LOG[:-1], LOG.replace(b"\n", b"\r\n"), b"\n\n", b"x"])
@pytest.mark.usefixtures("_small_chunks")
def test_chunks_make_up_the_file_and_end_with_whole_lines(
    file_of: Callable[[bytes], Path], pack: Callable[[bytes], bytes], log: bytes
) -> None:
    chunks = read(file_of(pack(log)))
    assert b"".join(chunks) == log
    assert all(chunk.endswith(b"\n") for chunk in chunks[:-1])
    assert all(len(chunk) < 1400 for chunk in chunks)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["plain", "gzip"])
def test_an_empty_file_gives_nothing(file_of: Callable[[bytes], Path], content: bytes) -> None:
    assert read(file_of(content)) == []


def test_several_archives_in_one_file_are_one_log(file_of: Callable[[bytes], Path]) -> None:
    assert read(file_of(gzip.compress(LOG) * 2)) == [LOG * 2]


@pytest.mark.usefixtures("_small_chunks")
def test_a_line_longer_than_a_chunk_comes_in_parts_and_harms_no_other(file_of: Callable[[bytes], Path]) -> None:
    chunks = read(file_of(LOG + b"x" * 5000 + b"\n" + LOG))
    assert b"".join(chunks) == LOG + b"x" * 5000 + b"\n" + LOG
    assert max(map(len, chunks)) < 2000


@pytest.mark.parametrize(
    "damaged",
    [gzip.compress(LOG)[:-1], gzip.compress(LOG)[:-200], gzip.compress(LOG)[:-8] + bytes(8), gzip.compress(LOG) + b"x"],
    ids=["cut at the end", "cut", "wrong checksum", "garbage behind it"],
)
def test_of_a_damaged_archive_the_whole_lines_are_given_before_the_error(
    file_of: Callable[[bytes], Path], damaged: bytes
) -> None:
    chunks: list[bytes] = []
    path = file_of(damaged)
    with pytest.raises(SourceError, match=r"node\.log: cannot be read: "):
        chunks.extend(read_log_file(path, lambda _: None))
    given = b"".join(chunks)
    assert LOG.startswith(given)
    assert given.endswith(b"\n")
    assert len(given) > len(LOG) * 0.8


def test_what_is_no_readable_file_is_one_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SourceError, match="cannot be read"):
            read(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("log", [LOG, LOG * 7, b"", b"x" * 4000])
@pytest.mark.usefixtures("_small_chunks")
def test_the_progress_adds_up_to_the_size_of_the_file(
    file_of: Callable[[bytes], Path], pack: Callable[[bytes], bytes], log: bytes
) -> None:
    path = file_of(pack(log))
    steps: list[int] = []
    list(read_log_file(path, steps.append))
    assert sum(steps) == path.stat().st_size
    assert min(steps) >= 0


@pytest.mark.parametrize("content", [b"\0", b"\n", LOG[:100]], ids=["no line end", "only line ends", "lines"])
def test_an_archive_of_200_megabytes_needs_a_few(file_of: Callable[[bytes], Path], content: bytes) -> None:
    block = gzip.compress(content * (20_000_000 // len(content)), compresslevel=1)
    path = file_of(block * 10)
    tracemalloc.start()
    try:
        size = sum(len(chunk) for chunk in read_log_file(path, lambda _: None))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 10 * len(content) * (20_000_000 // len(content))
    assert peak < 5 * files.CHUNK_BYTES
