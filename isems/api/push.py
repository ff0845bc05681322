"""Taking in what nodes push by HTTP. A board can carry its token in the URL only, so there it stands."""

import time
from collections.abc import Sequence
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    LengthRequired,
    NotFound,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from isems.api import context
from isems.api.paths import path_as_sent
from isems.config import PushToken
from isems.domain.payload import Payload, Source
from isems.errors import FormatError
from isems.formats.parsed import check_node_name

routes = Blueprint("push", __name__)

#: Nine thousand lines; a router's whole log has 3660.
MAX_BODY_BYTES = 1 << 20
#: A path is shown up to here; prefix and node id are shorter.
MAX_SHOWN_CHARACTERS = 400
#: What follows the node id in a path.
END = "/data"
#: What the answer tells of an `IngestResult`.
COUNTS = ("stored", "duplicate", "completed", "rejected", "undecided", "reasons")


@routes.post("/push/<node:_path>")
def store_pushed(_path: str) -> Response:
    """Store what a node sent; answered when it is safe, with what became of its records."""
    gate = context.gate()
    token_text, tail = _split_path()
    try:
        token = gate.find_token(token_text)
    except Forbidden:
        gate.count_wrong_token(request.remote_addr or "")
        raise
    if token_text.encode() in unquote_to_bytes(tail):
        raise NotFound("the path holds the token twice")  # else it would be shown as a part of the node id
    node = _read_node(tail, gate.prefixes, token)
    gate.count_payload(token, node)
    result = gate.store(_make_payload(_read_body(), tail, node, token))
    body = msgspec.json.encode({field: getattr(result, field) for field in COUNTS})
    return Response(body, status=202, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _split_path() -> tuple[str, bytes]:
    """Give the token, and what follows it in the path, as it came."""
    sent = path_as_sent().partition(b"/push/")[2]
    if not sent:  # a server before us has put another path in the place of the one that came, and decoded it
        decoded: str = request.environ["PATH_INFO"]
        sent = quote_from_bytes(decoded.encode("latin-1").partition(b"/push/")[2]).encode()
    token, slash, tail = sent.partition(b"/")
    return unquote_to_bytes(token).decode("utf-8", "replace"), slash + tail


def _read_node(tail: bytes, prefixes: Sequence[str], token: PushToken) -> str | None:
    """Read the node id in the path after the token; None where it leaves that to the lines.

    Raises NotFound for a path of another form, Forbidden where the token may not speak for the node.
    """
    # Decoded; else as it stands there, for a board that sends an id with a percent sign.
    meanings = [one.decode("utf-8", "surrogateescape") for one in (unquote_to_bytes(tail), tail)]
    if not meanings[0].endswith(END):
        raise NotFound(f"expected a path that ends in {END}: /push/<token>/<node id>{END}")
    names = [_without_prefix(meaning.removesuffix(END).removeprefix("/"), prefixes) for meaning in meanings]
    if not names[0]:
        return None
    allowed = [name for name in names if not token.nodes or name in token.nodes]
    if not allowed:
        raise Forbidden("the token may not push for this node")
    return allowed[0]


def _without_prefix(path: str, prefixes: Sequence[str]) -> str:
    """Cut off the longest prefix that fits, with or without its leading slash."""
    bare = [prefix.removeprefix("/") for prefix in prefixes]
    fitting = [one for prefix in bare for one in (prefix, f"/{prefix}") if path.startswith(one)]
    return path.removeprefix(max(fitting, key=len, default=""))


def _read_body() -> bytes:
    """Read the body, whatever type it says it has: curl calls everything a form."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("the body is compressed: send it as it is, without Content-Encoding")
    if "Transfer-Encoding" in request.headers and not request.environ.get("wsgi.input_terminated"):
        raise LengthRequired("this server reads no body in chunks: send it with Content-Length")
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise RequestEntityTooLarge(f"expected a body of at most {MAX_BODY_BYTES} bytes") from error
    except OSError as error:  # as uwsgi tells it
        raise BadRequest("the body ended early") from error


def _make_payload(data: bytes, tail: bytes, node: str | None, token: PushToken) -> Payload:
    problem = None if node is None else _find_problem(node)
    return Payload(
        data=data,
        source=Source.PUSH,
        address=f"{request.remote_addr or 'unknown'} {_shown(tail)}",
        received_at=int(time.time()),
        problem=problem,
        node_hint=node if problem is None else None,
        allowed_nodes=token.nodes or None,
    )


def _find_problem(node: str) -> str | None:
    try:
        check_node_name(node)
    except FormatError as error:
        return f"the path names no node: {error}"
    return None


def _shown(tail: bytes) -> str:
    """Give a path for people; percent-encoded where it holds what would harm a terminal."""
    text = unquote_to_bytes(tail).decode("utf-8", "replace")
    return (text if text.isprintable() else quote(text))[:MAX_SHOWN_CHARACTERS]
