"""Requests that no HTTP library would send."""

import http.client
import json
import socket
from typing import Any


def ask(port: int, target: bytes) -> tuple[int, list[str]]:
    """Ask for exactly these bytes; give the status and the names of the nodes in the answer."""
    status, body = ask_json(port, target)
    return status, [] if body is None else [one["nodeId"] for one in body["measurements"]]


def ask_json(port: int, target: bytes) -> tuple[int, Any]:
    """Ask for exactly these bytes; give the status and, of 200, the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read()
    return response.status, json.loads(body) if response.status == 200 else None
