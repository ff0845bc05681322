"""Requests that no HTTP library would send."""

import http.client
import json
import socket


def ask(port: int, target: bytes) -> tuple[int, list[str]]:
    """Ask for exactly these bytes; give the status and the names of the nodes in the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read()
    if response.status != 200:
        return response.status, []
    return response.status, [one["nodeId"] for one in json.loads(body)["measurements"]]
