"""Unpacks the rotated log of an OpenWrt node without trusting it."""

import io
import zlib

import msgspec

from isems.errors import SourceError

_MAGIC = b"\x1f\x8b"
#: zlib's name for "a gzip header and trailer around the data, largest window".
_GZIP = 31
#: A router writes one member; the bound keeps a file of thousands of empty ones cheap.
_MEMBERS = 16
#: Small steps: an error inside one of them loses what that step had unpacked.
_STEP_IN = 256
_STEP_OUT = 4096


class Archive(msgspec.Struct, frozen=True):
    """An unpacked archive; of one that was cut or damaged, the whole lines before the damage."""

    content: bytes
    is_complete: bool


def unpack_archive(data: bytes, *, limit: int = 4_000_000) -> Archive | None:
    """Unpack a gzip file of at most `limit` bytes; None when the bytes are no gzip at all.

    A cut or damaged file gives its whole lines up to the damage. Raises SourceError when there is not even one,
    and when the content is larger than `limit`.
    """
    if not data.startswith(_MAGIC):
        return None
    unpacked = io.BytesIO()
    position = 0
    for _ in range(_MEMBERS):
        end = _unpack_member(memoryview(data), position, unpacked, limit)
        if end is None:
            return Archive(_whole_lines(unpacked.getvalue()), is_complete=False)
        if not data.startswith(_MAGIC, end):
            return Archive(unpacked.getvalue(), is_complete=True)
        position = end
    raise SourceError(f"the archive has more than {_MEMBERS} parts")


def _unpack_member(data: memoryview, start: int, unpacked: io.BytesIO, limit: int) -> int | None:
    """Append one member to `unpacked`; where it ended, or None when it is cut or damaged."""
    inflater = zlib.decompressobj(_GZIP)
    position = start
    try:
        while not inflater.eof and position < len(data):
            _unpack_step(inflater, bytes(data[position : position + _STEP_IN]), unpacked, limit)
            position = min(position + _STEP_IN, len(data))
        unpacked.write(b"" if inflater.eof else inflater.flush())
    except zlib.error:
        return None
    return position - len(inflater.unused_data) if inflater.eof else None


def _unpack_step(inflater: "zlib._Decompress", packed: bytes, unpacked: io.BytesIO, limit: int) -> None:
    while packed and not inflater.eof:
        unpacked.write(inflater.decompress(packed, _STEP_OUT))
        packed = inflater.unconsumed_tail
        if unpacked.tell() > limit:
            raise SourceError(f"the archive unpacks to more than {limit} bytes")


def _whole_lines(unpacked: bytes) -> bytes:
    end = unpacked.rfind(b"\n") + 1
    if not end:
        raise SourceError("the archive is damaged and holds no whole line")
    return unpacked[:end]
