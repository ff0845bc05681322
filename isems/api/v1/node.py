"""One node: what it sent last, and what became of it over time."""

from datetime import datetime
from typing import Annotated

import msgspec
from flask import Response
from sqlalchemy import Connection

from isems.api.paths import path_as_sent
from isems.api.v1.bodies import instant_or_none
from isems.api.v1.nodes import NodeBody, describe_node
from isems.api.v1.operations import answer_stored, find_node, resource
from isems.api.v1.parameters import NODE, Parameter
from isems.domain.checks import RECORDS
from isems.domain.sharing import is_shared
from isems.fleet import survey_node
from isems.storage.newest import select_first_time


class NodeParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing but the node in the path."""


class NamedNodeParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The node, where its id could be taken for a longer path."""

    node: Annotated[str, Parameter(NODE, "The node's id, whatever it holds.", example="a/measurements")]


class NodeDetails(NodeBody, frozen=True, kw_only=True):
    """A node as it is now, and as it was."""

    first_measured_at: datetime | None
    is_shared: Annotated[bool, msgspec.Meta(description="Two devices at least send under this id.")]


@resource("/nodes/<node:name>", NodeParameters, NodeDetails, statuses=(404,))
def get_node(_: NodeParameters, now: int, name: str) -> Response:
    """One node.

    An id may hold anything; percent-encode it. One that ends in `/measurements` is found by `/node?node=`.
    """
    return _answer_node(name, now, is_in_path=True)


@resource("/node", NamedNodeParameters, NodeDetails, statuses=(404,))
def get_named_node(parameters: NamedNodeParameters, now: int) -> Response:
    """One node, by a parameter: for ids that a path could not carry."""
    return _answer_node(parameters.node, now, is_in_path=False)


def _answer_node(name: str, now: int, *, is_in_path: bool) -> Response:
    moment = now // 60 * 60

    def encode(connection: Connection) -> bytes:
        node = find_node(connection, name, is_in_path=is_in_path)
        known = survey_node(connection, moment, node.id)
        first = select_first_time(connection, node.id)
        return msgspec.json.encode(
            NodeDetails(
                **msgspec.structs.asdict(describe_node(known, moment)),
                first_measured_at=instant_or_none(first),
                is_shared=is_shared(reversed(known.records[:RECORDS])),
            )
        )

    return answer_stored((name, path_as_sent(), moment), encode)
