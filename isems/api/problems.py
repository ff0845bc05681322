"""Errors become answers in this one place."""

from flask import Flask, Response

from isems.errors import SchemaOutdatedError, StorageError


def register(app: Flask) -> None:
    """Make every storage error a 503 with its sentence; nothing a client sends can make one."""
    app.register_error_handler(SchemaOutdatedError, refuse)
    app.register_error_handler(StorageError, refuse)
    app.after_request(protect)


def refuse(error: StorageError) -> Response:
    """Say what the operator has to do."""
    response = Response(f"{error}\n", status=503, mimetype="text/plain")
    response.headers["Retry-After"] = "60"
    return response


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
