"""A map in one file: what must be known of a PMTiles archive, version 3, before it is served.

The format is described at https://docs.protomaps.com/pmtiles/; whoever looks at the map reads the rest of it.
"""

import gzip
import re
import struct
import zlib
from html import unescape
from pathlib import Path
from typing import BinaryIO

import msgspec

#: Name, version, then offset and length of root directory, metadata, leaf directories and tiles.
HEAD = struct.Struct("<7sB8Q")
HEAD_BYTES = 127
#: Where the head says how directories and metadata, then tiles are compressed, and what tiles are.
INTERNAL_COMPRESSION, TILE_COMPRESSION, TILE_TYPE = 97, 98, 99
GZIP = 2
#: Unknown is taken for none, as readers do.
READABLE_COMPRESSIONS = (0, 1, GZIP)
VECTORS = 1
PICTURES = (2, 3, 4, 5)
#: How the dashboard draws vectors is known for one schema alone; others have no layers of these names.
SCHEMA_LAYERS = {"earth", "roads"}
MAX_METADATA_BYTES = 1_000_000


class Layer(msgspec.Struct, frozen=True):
    """What the tiles hold."""

    id: str


class Metadata(msgspec.Struct, frozen=True):
    """What a file says of itself, as far as we look at it."""

    attribution: str | None = None
    vector_layers: list[Layer] = []


def read_attribution(path: Path) -> str:
    """Give whom the map in a file is due to; nothing but its head and its metadata is read.

    Raises ValueError saying what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            metadata = _read_metadata(file, size)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    return _as_text(metadata.attribution or "")


def _read_metadata(file: BinaryIO, size: int) -> Metadata:
    head = file.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES or head[:7] != b"PMTiles":
        raise ValueError("it is none")
    _, version, *places = HEAD.unpack_from(head)
    if version != 3:
        raise ValueError(f"it is of version {version}")
    # A copy that was interrupted, which would only show where its tiles are missing.
    end = max(offset + length for offset, length in zip(places[::2], places[1::2], strict=True))
    if size < end:
        raise ValueError(f"it is cut off, {size} of {end} bytes are there")
    if not {head[INTERNAL_COMPRESSION], head[TILE_COMPRESSION]} <= set(READABLE_COMPRESSIONS):
        raise ValueError("browsers cannot unpack it, as it is not compressed with gzip")
    metadata = _parse_metadata(file, *places[2:4], is_packed=head[INTERNAL_COMPRESSION] == GZIP)
    _check_tiles(head[TILE_TYPE], {layer.id for layer in metadata.vector_layers})
    return metadata


def _parse_metadata(file: BinaryIO, offset: int, length: int, *, is_packed: bool) -> Metadata:
    if length > MAX_METADATA_BYTES:
        raise ValueError(f"its metadata are longer than {MAX_METADATA_BYTES} bytes")
    file.seek(offset)
    packed = file.read(length)
    try:
        return msgspec.json.decode(gzip.decompress(packed) if is_packed else packed, type=Metadata)
    except (EOFError, OSError, zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"its metadata are unreadable: {error}") from error


def _check_tiles(kind: int, layers: set[str]) -> None:
    if kind not in (VECTORS, *PICTURES):
        raise ValueError("its tiles are neither pictures (PNG, JPEG, WebP, AVIF) nor vectors (MVT)")
    if kind == VECTORS and not layers >= SCHEMA_LAYERS:
        named = ", ".join(sorted(layers)) or "none"
        raise ValueError(f"its vectors have not the layers of Protomaps' basemap, such as earth and roads, but {named}")


def _as_text(html: str) -> str:
    """Give the text of a line that other programs take for HTML."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())
