"""Maps in one file: PMTiles archives of version 3 as its specification describes them, and tiles to fill them with."""

import gzip
import json
import struct
import zlib
from collections.abc import Iterable, Mapping

#: Kinds of tiles and of compression, as the head numbers them.
MVT, PNG = 1, 2
NONE, GZIP, BROTLI = 1, 2, 3
MAX_ZOOM = 14
HEAD_BYTES = 127
#: Units across a vector tile.
EXTENT = 4096
PLACE = {"kind": "locality", "name": "Munich", "name:de": "München"}
CREDIT = '<a href="https://www.openstreetmap.org/copyright">&copy; OpenStreetMap</a>'
SCHEMA = {"attribution": CREDIT, "vector_layers": [{"id": "earth", "fields": {}}, {"id": "roads", "fields": {}}]}


def make_archive(
    tile: bytes,
    kind: int,
    metadata: Mapping[str, object],
    *,
    version: int = 3,
    compression: int = GZIP,
    gap: int = 0,
) -> bytes:
    """Give a map of the world on which every tile is this one.

    With a gap its tile is so much further behind than it is here.
    """
    tiles = (4 ** (MAX_ZOOM + 1) - 1) // 3
    # One entry: its first tile is 0, it stands for all of them, and lies at the beginning (told by one more).
    root = gzip.compress(_varints([1, 0, tiles, len(tile), 1]))
    described = gzip.compress(json.dumps(metadata).encode())
    metadata_at = HEAD_BYTES + len(root)
    tile_at = metadata_at + len(described) + gap
    places = (HEAD_BYTES, len(root), metadata_at, len(described), tile_at, 0, tile_at, len(tile))
    head = struct.pack("<7sB8Q3Q", b"PMTiles", version, *places, tiles, 1, 1)
    head += bytes([1, compression, compression if kind == MVT else NONE, kind, 0, MAX_ZOOM])
    head += struct.pack("<4iB2i", -180_0000000, -85_0000000, 180_0000000, 85_0000000, 0, 0, 0)
    return head + root + described + tile


def make_png(red: int, green: int, blue: int, size: int = 256) -> bytes:
    """Give a picture of one colour."""
    rows = (b"\0" + bytes([red, green, blue]) * size) * size
    head = struct.pack(">2I5B", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def make_vectors(place: Mapping[str, str]) -> bytes:
    """Give a tile that is land, with water on its western half and a place in it, as a compressed Mapbox Vector Tile."""
    layers = (_area(b"earth", 4096), _area(b"water", 2048), _point(b"places", place))
    return gzip.compress(b"".join(_field(3, layer) for layer in layers))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _area(name: bytes, width: int) -> bytes:
    # Move to the corner, then a line over three others, each step with its sign in the last bit; then close.
    return _layer(name, 3, [9, 0, 0, 26, 2 * width, 0, 0, 2 * EXTENT, 2 * width - 1, 0, 15])


def _point(name: bytes, properties: Mapping[str, str]) -> bytes:
    # Each property is the number of its key, then that of its value.
    tags = _field(2, _varints(number for pair in range(len(properties)) for number in (pair, pair)))
    keys = b"".join(_field(3, key.encode()) for key in properties)
    values = b"".join(_field(4, _field(1, value.encode())) for value in properties.values())
    return _layer(name, 1, [9, 2 * 512, 2 * 512], tags) + keys + values


def _layer(name: bytes, kind: int, geometry: Iterable[int], tags: bytes = b"") -> bytes:
    feature = tags + _varints([3 << 3, kind]) + _field(4, _varints(geometry))
    return _varints([15 << 3, 2, 5 << 3, EXTENT]) + _field(1, name) + _field(2, feature)


def _field(number: int, content: bytes) -> bytes:
    return _varints([number << 3 | 2, len(content)]) + content


def _varints(numbers: Iterable[int]) -> bytes:
    written = bytearray()
    for number in numbers:
        rest = number
        while rest > 127:
            written.append(rest & 127 | 128)
            rest >>= 7
        written.append(rest)
    return bytes(written)
