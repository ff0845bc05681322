"""The built dashboard at ``/``, as files; its pages are told apart behind the ``#``, which no server sees.

So none of its paths can collide with ours, and it works below any prefix that a proxy adds or takes off.
"""

import logging
import mimetypes
import os
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import cast
from urllib.parse import quote

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.security import safe_join
from werkzeug.wsgi import FileWrapper

from isems.api import context
from isems.api.map_archive import read_attribution
from isems.api.paths import path_as_sent
from isems.config import Config, MapArchive, MapTiles

log = logging.getLogger(__name__)
routes = Blueprint("dashboard", __name__)

#: Where `make setup` builds it, and where the wheel has it.
BUILD = Path(__file__).with_name("dashboard_build")
INDEX = "index.html"
LICENCES = "licences.txt"
#: Where the operator's map is, if it is a file.
ARCHIVE = "map.pmtiles"
ARCHIVE_TYPE = "application/vnd.pmtiles"
PIECE_BYTES = 65_536
HOUR = 3600
YEAR = 31_536_000
#: Nothing from elsewhere, no script but our files, in nobody's frame.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#: In the page.
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


def is_built() -> bool:
    """Tell whether there is a dashboard to show."""
    return (context.dashboard() / INDEX).is_file()


def send_index() -> Response:
    """Answer with the page, which browsers have to ask for each time: it names the files of this version."""
    response = _send(INDEX)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = make_policy()
    return response


def make_policy() -> str:
    """Give the Content-Security-Policy: allowed are the styles in the page, and pictures from where the tiles are."""
    policy = [POLICY]
    if styles := _STYLE.findall((context.dashboard() / INDEX).read_bytes()):
        hashes = [f"'sha256-{b64encode(sha256(one).digest()).decode()}'" for one in styles]
        policy.append(" ".join(["style-src 'self'", *hashes]))
    tiles = context.config().map_tiles
    if isinstance(tiles, MapTiles) and tiles.origin:
        policy.append(f"img-src 'self' {tiles.origin}")
    return "; ".join(policy)


def describe_tiles() -> MapTiles | None:
    """Tell what browsers make the map of; None: of what they get with the dashboard."""
    tiles = context.config().map_tiles
    return MapTiles(ARCHIVE, tiles.attribution or _attribution_of(tiles)) if isinstance(tiles, MapArchive) else tiles


def _attribution_of(archive: MapArchive) -> str:
    try:
        return read_attribution(archive.path)
    except ValueError:
        return ""  # browsers will say that it cannot be loaded


def check_archive(config: Config) -> None:
    """Tell whoever starts the service what is wrong with the file of the map."""
    if isinstance(config.map_tiles, MapArchive):
        try:
            read_attribution(config.map_tiles.path)
        except ValueError as error:
            log.warning("the map is drawn without %s, which ISEMS_MAP_TILES names: %s", config.map_tiles.path, error)


@routes.get(f"/{ARCHIVE}")
def get_archive() -> Response:
    """Answer with the operator's map, of which browsers ask for a few kilobytes at a time.

    It may have gigabytes, so it is sent in pieces from where it is asked for. That is not left to the WSGI server's own
    file wrapper: that of some cannot be set to a place, and would read everything before it.
    """
    archive = context.config().map_tiles
    if not isinstance(archive, MapArchive):
        abort(404)
    try:
        file = archive.path.open("rb")
    except OSError:
        abort(404, "The map file that ISEMS_MAP_TILES names cannot be read any more.")
    known = os.fstat(file.fileno())
    response = Response(FileWrapper(file, PIECE_BYTES), mimetype=ARCHIVE_TYPE, direct_passthrough=True)
    response.content_length = known.st_size
    # The reader compares the tag of each part with that of the first, so an hour is no risk when the file is replaced.
    response.set_etag(f"{known.st_mtime_ns:x}-{known.st_size:x}")
    response.headers["Cache-Control"] = f"public, max-age={HOUR}"
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=known.st_size)
    except RequestedRangeNotSatisfiable:
        file.close()
        raise
    return response


@routes.get(f"/{LICENCES}")
def get_licences() -> Response:
    """Answer with the licences of what is built in."""
    response = _send(LICENCES)
    response.headers["Cache-Control"] = "no-cache"
    return response


@routes.get("/assets/<path:name>")
def get_asset(name: str) -> Response:
    """Answer with a file whose name changes with its content."""
    response = _send(f"assets/{name}")
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    return response


def _send(name: str) -> Response:
    """Answer with a file of the build, as it was compressed then where the client takes that; else 404."""
    plain = _find(name)
    packed = _find(f"{name}.gz") if request.accept_encodings["gzip"] > 0 else None
    found = packed or plain
    if found is None:
        abort(404)
    response = Response(found.read_bytes(), mimetype=mimetypes.guess_type(name)[0] or "application/octet-stream")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.add_etag()
    response.make_conditional(request)
    return response


def _find(name: str) -> Path | None:
    path = safe_join(str(context.dashboard()), name)
    return Path(path) if path is not None and "\0" not in path and Path(path).is_file() else None


# The pages that the predecessor's app had: bookmarks of them lead to the new ones.


@routes.get("/list")
def get_list() -> Response:
    """Lead to the fleet."""
    return _lead(b"/list", "")


@routes.get("/map")
def get_map() -> Response:
    """Lead to the map."""
    return _lead(b"/map", "map")


@routes.get("/details/<node:name>/charts")
@routes.get("/details/<node:name>")
def get_details(name: str) -> Response:
    """Lead to the node."""
    return _lead(b"/details/", f"nodes/{quote(name, safe='')}")


def _lead(before: bytes, page: str) -> Response:
    """Redirect to a page. Upwards from where the browser is: a prefix that a proxy took off is not known here."""
    below = path_as_sent().partition(before)[2].count(b"/")
    steps = below + before.count(b"/") - 1
    return cast(Response, redirect("../" * steps + f"./#/{page}"))
