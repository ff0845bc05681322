"""The built dashboard at ``/``, as files; its pages are told apart behind the ``#``, which no server sees.

So none of its paths can collide with ours, and it works below any prefix that a proxy adds or takes off.
"""

import mimetypes
from pathlib import Path
from typing import cast
from urllib.parse import quote

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.security import safe_join

from isems.api import context
from isems.api.paths import path_as_sent

routes = Blueprint("dashboard", __name__)

#: Where `make setup` builds it, and where the wheel has it.
BUILD = Path(__file__).with_name("dashboard_build")
INDEX = "index.html"
LICENCES = "licences.txt"
YEAR = 31_536_000
#: Nothing from elsewhere, no script but our files, in nobody's frame.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


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
    """Give the Content-Security-Policy: pictures may come from where the operator has the tiles of the map, too."""
    tiles = context.config().map_tiles
    return f"{POLICY}; img-src 'self' {tiles.origin}" if tiles and tiles.origin else POLICY


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
