"""The description of this API for programs: OpenAPI 3.1, made from what the resources declare."""

import re
from functools import cache
from typing import Annotated, Any

import msgspec
from flask import Response

from isems import __version__
from isems.api.answers import answer
from isems.api.problems import MEDIA_TYPE as PROBLEM
from isems.api.v1.operations import OPERATIONS, Operation, routes
from isems.api.v1.parameters import MAX_NAME, Parameter, parameters_of

DESCRIPTION = (
    "Measurements of solar-powered mesh nodes. Instants are RFC 3339 in UTC, units stand in the names, null is unknown. "
    "Every answer but errors has an ETag: ask again with If-None-Match, and 304 says that nothing is new. "
    "An unknown parameter is an error, so that a slip does not pass for an answer."
)
NODE = "node"


class Problem(msgspec.Struct, frozen=True):
    """What was wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: Annotated[str, msgspec.Meta(description="One sentence for people.")]
    parameter: Annotated[str, msgspec.Meta(description="400: the parameter that is wrong.")] = ""
    value: Annotated[str, msgspec.Meta(description="400: what it is.")] = ""
    expected: Annotated[str, msgspec.Meta(description="400: what it may be.")] = ""


#: What every question may be answered with, and some.
ALWAYS = {400: "A parameter is wrong.", 503: "The database cannot be used now; Retry-After says when to ask again."}
SOMETIMES = {404: "No such node is known.", 413: "The answer would be too large; the detail names a way out."}


@cache
def describe_api() -> dict[str, Any]:
    """Give the document as an object for JSON."""
    types = [operation.answer for operation in OPERATIONS]
    answers, components = msgspec.json.schema_components([*types, Problem], ref_template="#/components/schemas/{name}")
    paths = {
        _path_of(operation): {"get": _describe(operation, body)}
        for operation, body in zip(OPERATIONS, answers, strict=False)
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "ISEMS data collector", "version": __version__, "description": DESCRIPTION},
        # Relative to where the document is: a server before this one may have put a prefix there.
        "servers": [{"url": "../v1"}],
        "paths": paths,
        "components": {"schemas": components},
    }


@routes.get("/openapi.json")
def get_openapi() -> Response:
    """Give the description of this API for programs."""
    return answer(msgspec.json.encode(describe_api()))


def _path_of(operation: Operation) -> str:
    return re.sub(r"<node:name>", f"{{{NODE}}}", operation.path)


def _describe(operation: Operation, body: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        _describe_parameter(name, parameter, field)
        for (name, parameter), field in zip(
            parameters_of(operation.parameters).items(), msgspec.structs.fields(operation.parameters), strict=True
        )
    ]
    if "<node:name>" in operation.path:
        parameters.insert(0, _NODE_IN_PATH)
    content = {"application/json": {"schema": body}}
    content |= {media_type: {"schema": {"type": "string"}} for media_type in operation.media_types}
    answers: dict[str, Any] = {
        "200": {"description": "The answer.", "content": content},
        "304": {"description": "Nothing has changed since the answer whose ETag came in If-None-Match."},
    }
    sometimes = {status: SOMETIMES[status] for status in operation.statuses}
    for status, description in sorted((ALWAYS | sometimes).items()):
        problem = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        answers[str(status)] = {"description": description, "content": problem}
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": parameters,
        "responses": answers,
    }


_NODE_IN_PATH = {
    "name": NODE,
    "in": "path",
    "required": True,
    "description": "The node's id, percent-encoded.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
}


def _describe_parameter(name: str, parameter: Parameter, field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    schema = dict(parameter.kind.schema)
    if parameter.is_repeated:
        schema = {"type": "array", "items": schema}
    if not field.required and isinstance(field.default, str | int) and field.default != "":
        schema["default"] = field.default
    also = f" Also: {', '.join(parameter.aliases)}." if parameter.aliases else ""
    described: dict[str, Any] = {
        "name": name,
        "in": "query",
        "required": field.required,
        "description": parameter.description + also,
        "schema": schema,
    }
    if schema["type"] == "array":
        # Several values in one text, with commas; or the name several times.
        described |= {"style": "form", "explode": parameter.is_repeated}
    if parameter.example is not None:
        described["example"] = parameter.example
    return described
