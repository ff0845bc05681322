"""What can be asked for: each resource declares here its path, its parameters and its answer."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack
from functools import wraps
from hashlib import blake2b
from secrets import token_bytes
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.exceptions import NotFound

from isems.api import context
from isems.api.answers import answer, not_modified, stream
from isems.api.paths import FoundNode, find_first, find_node_in_path
from isems.api.v1.parameters import Reading, read_parameters, shorten

P = TypeVar("P", bound=msgspec.Struct)

#: The prefix ``/api`` is taken off before (api.prefix).
PREFIX = "/v1"
routes = Blueprint("v1", __name__, url_prefix=PREFIX)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A question that can be asked, for the documentation."""

    #: As Flask has it; the node's name in it is `<node:name>`.
    path: str
    name: str
    parameters: type[msgspec.Struct]
    #: What the answer's body is made from.
    answer: Any
    #: Other forms in which the answer is given.
    media_types: tuple[str, ...]
    summary: str
    description: str
    #: May find no node, or too much.
    statuses: tuple[int, ...]


OPERATIONS: list[Operation] = []


def resource(
    path: str,
    parameters: type[P],
    answers: Any,
    *,
    media_types: tuple[str, ...] = (),
    statuses: tuple[int, ...] = (),
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Make a function the answer to GET on a path: it gets the parameters, our clock, and what stands in the path.

    Its docstring's first line is the summary, the rest the description.
    """

    def register(function: Callable[..., Response]) -> Callable[..., Response]:
        summary, _, description = (function.__doc__ or "").partition("\n")
        OPERATIONS.append(
            Operation(
                path=path,
                name=function.__name__,
                parameters=parameters,
                answer=answers,
                media_types=media_types,
                summary=summary.strip(),
                description=" ".join(description.split()),
                statuses=statuses,
            )
        )

        @wraps(function)
        def serve(**names: str) -> Response:
            now = context.now()
            reading = Reading(now, context.config().timezone)
            return function(read_parameters(parameters, request.args, reading), now, **names)

        routes.get(path, endpoint=function.__name__)(serve)
        return function

    return register


def answer_stored(question: Hashable, encode: Callable[[Connection], bytes]) -> Response:
    """Answer with what `encode` makes of the data; not made again for who has it, while nothing is written.

    The question has to hold all that the answer depends on, beside the path and the data.
    """
    asked = blake2b(repr((request.path, question)).encode(), digest_size=16).digest()
    version = context.database().data_version()
    if response := context.tags().not_modified(asked, version):
        return response
    with context.database().read() as connection:
        body = encode(connection)
    return context.tags().remember(asked, version, answer(body))


#: What is streamed has a tag of the data's version, which only this process counts.
_PROCESS = token_bytes(8)


def answer_streamed(question: Hashable, prepare: Callable[[Connection], Iterator[bytes]], mimetype: str) -> Response:
    """Answer with what `prepare` gives, made as it is sent: outside of its connection. Question as above.

    Raises ServiceUnavailable where too many such answers are on their way.
    """
    asked = (_PROCESS, request.path, question, context.database().data_version())
    tag = blake2b(repr(asked).encode(), digest_size=16).hexdigest()
    if response := not_modified(tag):
        return response
    place = context.streams().take()
    try:
        with context.database().read() as connection:
            pieces = prepare(connection)
    except BaseException:
        place.close()
        raise
    response = stream(_send_in(place, pieces), mimetype, tag)
    response.call_on_close(place.close)  # also where it was never begun, as for HEAD
    return response


def _send_in(place: ExitStack, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with place:
        yield from pieces


class Page(Protocol):
    """A body that is one of several."""

    @property
    def next(self) -> str | None:
        """The cursor of the one that follows."""


def answer_page(question: Hashable, select: Callable[[Connection], Page]) -> Response:
    """Answer with a page of a list, and with where the next one is. The question is as in `answer_stored`."""
    cursors: list[str | None] = []

    def encode(connection: Connection) -> bytes:
        page = select(connection)
        cursors.append(page.next)
        return msgspec.json.encode(page)

    response = answer_stored(question, encode)
    if cursors and cursors[0] is not None:
        query = request.args.to_dict() | {"cursor": cursors[0]}
        response.headers["Link"] = f'<?{urlencode(query)}>; rel="next"'
    return response


def find_node(connection: Connection, name: str, *, after: str = "", is_in_path: bool) -> FoundNode:
    """Find the node that is asked for, in the path or as a parameter. Raises NotFound."""
    if is_in_path:
        found = find_node_in_path(connection, name, f"{PREFIX}/nodes/", after)
    else:
        found = find_first(connection, iter([name]))
    if found is None:
        raise unknown_node(name)
    return found


def unknown_node(name: str) -> NotFound:
    """Give the error for a node that there is not."""
    return NotFound(f"no node is known by the name {shorten(name)!r}")
