"""Whether the process lives, and whether it can do its work."""

import msgspec
from flask import Blueprint, Response

from isems.api import context
from isems.storage.undecided import MAX_BYTES, count_bytes

routes = Blueprint("health", __name__)


@routes.get("/healthz")
def get_health() -> Response:
    """Answer as long as the process lives; asks nothing of the database."""
    return Response("ok\n", mimetype="text/plain")


@routes.get("/readyz")
def get_readiness() -> Response:
    """Tell whether data can be served and taken in; 503 with the reason where not."""
    with context.database().read() as connection:
        waiting = count_bytes(connection)
    reasons = []
    if waiting >= MAX_BYTES * 0.9:
        reasons.append(f"{waiting} bytes of input wait for this machine's clock to be right: set the clock")
    body = msgspec.json.encode({"ready": not reasons, "reasons": reasons, "undecided_bytes": waiting})
    return Response(body, status=503 if reasons else 200, mimetype="application/json")
