"""Asking the API in tests."""

from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    """The answer's object; errors have to be problems."""
    response = client.get(path)
    assert response.status_code == status, response.text
    assert response.mimetype == ("application/json" if status < 400 else "application/problem+json")
    return response.get_json(force=True)


def problem(client: FlaskClient, path: str, status: int = 400) -> tuple[str, str, str]:
    """What a wrong parameter's problem names: parameter, value, expectation; all of it in the sentence, too."""
    body = get(client, path, status)
    assert body["detail"] == f"{body['parameter']} is {body['value']!r}, expected {body['expected']}"
    return body["parameter"], body["value"], body["expected"]


def quoted(name: str) -> str:
    """A name as it has to stand in a path."""
    return quote(name, safe="")
