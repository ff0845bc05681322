"""Logs that lie in files: as they are, or gzipped."""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from isems.errors import SourceError

#: Read at once; some 18 000 lines.
CHUNK_BYTES = 2_000_000
GZIP_MAGIC = b"\x1f\x8b"


def read_log_file(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    """Give the file's whole lines in chunks of about 2 MB, however large it is.

    `progress` is told how many bytes of the file were read since it was told last. Raises SourceError when the file
    cannot be read; what was read before that has been given.
    """
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == GZIP_MAGIC
            file.seek(0)
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if is_gzip else file
            told = 0
            for chunk in _whole_lines(stream):
                yield chunk
                position = min(file.tell(), os.fstat(file.fileno()).st_size)
                progress(position - told)
                told = position
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error


def _whole_lines(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(CHUNK_BYTES):
        lines, newline, rest_of_chunk = chunk.rpartition(b"\n")
        if not newline and len(rest) < CHUNK_BYTES:
            rest += chunk
            continue
        yield rest + lines + newline
        rest = rest_of_chunk
    if rest:
        yield rest
