"""What the map is laid out with: tiles by their URL, or a file with all of them."""

import re
from pathlib import Path

import msgspec

from isems.config.values import base_folder, nothing

#: Where tiles of a map are, or a path on our own host; only letters that may stand in a Content-Security-Policy.
TILES = re.compile(r"(?P<origin>https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)?/(?!/)[^\s\"'<>\\]*")
#: A map in one file, which may have blanks in its name, then whom the map is due to.
ARCHIVE = re.compile(r"(?P<path>[^{}]+?\.pmtiles)(?:\s+(?P<attribution>.*))?")


class MapTiles(msgspec.Struct, frozen=True):
    """Pictures that the map is laid out with."""

    #: With {z}, {x} and {y} for zoom, column and row; as the API gives it also the place of a PMTiles archive.
    url: str
    #: Whom the map is due to.
    attribution: str

    @property
    def origin(self) -> str | None:
        """Whom browsers must ask; None: us."""
        match = TILES.fullmatch(self.url)
        return match and match["origin"]


class MapArchive(msgspec.Struct, frozen=True):
    """A PMTiles file with all tiles of a map. It is looked at where it is served: without it, too, data are collected."""

    path: Path
    #: Whom the map is due to; empty: as the file says.
    attribution: str


def parse_map_tiles(text: str) -> MapTiles | MapArchive:
    """Read a URL or the path of an archive, and whom the map is due to; raises ValueError with what was expected."""
    if archive := _archive_in(text):
        return MapArchive(base_folder() / archive["path"], archive["attribution"] or "")
    url, _, attribution = text.partition(" ")
    if not TILES.fullmatch(url) or sorted(re.findall(r"\{.*?\}|[{}]", url)) != ["{x}", "{y}", "{z}"]:
        raise ValueError(
            "https://host/path or /path, with {z}, {x} and {y} once each, and after a blank whom the map is due to: "
            "https://tiles.example/{z}/{x}/{y}.png © OpenStreetMap contributors; or the path of a .pmtiles file"
        )
    return MapTiles(url, attribution.strip())


def _archive_in(text: str) -> re.Match[str] | None:
    match = ARCHIVE.fullmatch(text)
    return match if match and "://" not in match["path"] else None


def without_key(text: str) -> str:
    """Show what a map is made of, unless it is a URL, which may hold a key."""
    return repr(text) if _archive_in(text) else nothing(text)
