"""Paths as they were sent: node ids may hold anything, so the decoding that servers do is one too many."""

from contextlib import suppress

from flask import request


def path_as_sent() -> bytes:
    """Give the path of the request line as it came; empty where the server does not tell it."""
    uri: str = request.environ.get("REQUEST_URI") or request.environ.get("RAW_URI") or ""
    sent = uri.partition("?")[0].encode("latin-1", "replace")
    if str(request.environ.get("SERVER_SOFTWARE")).startswith("Werkzeug/"):
        with suppress(UnicodeError):  # it takes raw UTF-8 for Latin-1, and encodes that as UTF-8
            return sent.decode().encode("latin-1")
    return sent
