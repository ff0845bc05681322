"""Paths as they were sent: node ids may hold anything, so the decoding that servers do is one too many."""

from flask import request


def path_as_sent() -> bytes:
    """Give the path of the request line as it came; empty where the server does not tell it."""
    uri: str = request.environ.get("REQUEST_URI") or request.environ.get("RAW_URI") or ""
    return uri.partition("?")[0].encode("latin-1", "replace")
