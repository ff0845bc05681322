"""Logs that lie in files: as they are, or gzipped."""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import cast

from isems.errors import SourceError

#: Given at once; some 18 000 lines.
CHUNK_BYTES = 2_000_000
_READ_BYTES = 65_536
GZIP_MAGIC = b"\x1f\x8b"


def read_log_file(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    """Give the file's whole lines in chunks of about 2 MB, however large it is.

    `progress` is told how many bytes of the file were read since it was told last; in all the file's size. Raises
    SourceError when the file cannot be read, or ends too soon; the whole lines before that have been given.
    """
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == GZIP_MAGIC
            file.seek(0)
            stream = cast(BufferedIOBase, gzip.GzipFile(fileobj=file)) if is_gzip else file
            told = 0
            for chunk in _whole_lines(stream):
                yield chunk
                progress(file.tell() - told)
                told = file.tell()
            progress(os.fstat(file.fileno()).st_size - told)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error


def _whole_lines(stream: BufferedIOBase) -> Iterator[bytes]:
    held = bytearray()
    try:
        # Not `read`: it would forget what it has unpacked when it comes to the damage.
        while piece := stream.read1(_READ_BYTES):
            held += piece
            if len(held) >= CHUNK_BYTES:
                yield _take(held, held.rfind(b"\n") + 1 or len(held))  # so long a line is no record: given in parts
    except (OSError, EOFError, zlib.error):
        if end := held.rfind(b"\n") + 1:
            yield _take(held, end)
        raise
    if held:
        yield bytes(held)


def _take(held: bytearray, end: int) -> bytes:
    taken = bytes(held[:end])
    del held[:end]
    return taken
