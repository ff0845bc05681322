"""Errors become answers in this one place."""

from http import HTTPStatus
from typing import cast

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from isems.errors import SchemaOutdatedError, StorageError

#: Where programs ask, not people: errors are `application/problem+json` (RFC 9457).
MACHINE_PATHS = ("/push", "/v1")
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "60"


def register(app: Flask) -> None:
    """Make every storage error a 503 with its sentence; nothing a client sends can make one."""
    app.register_error_handler(SchemaOutdatedError, refuse)
    app.register_error_handler(StorageError, refuse)
    app.register_error_handler(HTTPException, explain)
    app.after_request(protect)


def refuse(error: StorageError) -> Response:
    """Say what the operator has to do."""
    if _is_for_machines():
        response = Response(encode_problem(503, str(error)), status=503, mimetype=MEDIA_TYPE)
    else:
        response = Response(f"{error}\n", status=503, mimetype="text/plain")
    response.headers["Retry-After"] = RETRY_SECONDS
    return response


def explain(error: HTTPException) -> Response | HTTPException:
    """Say what was wrong in the request, with the headers that belong to it, such as Allow."""
    if error.code is None or error.response is not None or not _is_for_machines():
        return error
    response = cast(Response, error.get_response(request.environ))
    response.set_data(encode_problem(error.code, error.description or "", getattr(error, "members", None)))
    response.mimetype = MEDIA_TYPE
    return response


def encode_problem(status: int, detail: str, members: dict[str, str] | None = None) -> bytes:
    """Give the body of a problem; that of a kind without a page of its own is titled by its status.

    `members` tell a program what the sentence tells people.
    """
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return msgspec.json.encode(problem | (members or {}))


def _is_for_machines() -> bool:
    return any(request.path == path or request.path.startswith(f"{path}/") for path in MACHINE_PATHS)


def protect(response: Response) -> Response:
    """Keep browsers from guessing: node names are hostile text."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def allow_any_origin(response: Response) -> Response:
    """CORS open, as the predecessor had it in development."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = "*"
    return response
