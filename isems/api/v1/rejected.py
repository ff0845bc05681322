"""What could not be stored, as it came, and why."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from flask import Response, request
from sqlalchemy import Connection

from isems.api.v1.bodies import instant
from isems.api.v1.operations import answer_page, resource
from isems.api.v1.parameters import CURSOR, NODE, Parameter, ParameterError, choice, whole, write_cursor
from isems.domain.rejection import Reason
from isems.storage.rejected import MAX_RAW_BYTES, StoredRejection, count_dropped, select_rejected_page

#: A piece is up to 4 kB, and six times that where JSON has to escape it.
MAX_LIMIT = 1000


class RejectedParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which rejected pieces."""

    node: Annotated[
        str | None, Parameter(NODE, "Only what claims to be from this node, whether one is known by that name or not.")
    ] = None
    reason: Annotated[str | None, Parameter(choice(*Reason), "Only what was rejected for this reason.")] = None
    limit: Annotated[int, Parameter(whole(1, MAX_LIMIT), "How many pieces at most.")] = 100
    cursor: Annotated[list[Any] | None, Parameter(CURSOR, "Where the page before ended: the `next` of its answer.")] = (
        None
    )


class RejectedPiece(msgspec.Struct, frozen=True, kw_only=True):
    """A distinct piece of input that was not stored."""

    reason: Reason
    detail: Annotated[str, msgspec.Meta(description="What was found, and what was expected.")]
    raw: Annotated[
        str, msgspec.Meta(description="As it came; what is no UTF-8 is replaced by U+FFFD, and NUL is kept.")
    ]
    is_cut: Annotated[bool, msgspec.Meta(description=f"Only the first {MAX_RAW_BYTES} bytes were kept.")]
    node: Annotated[str | None, msgspec.Meta(description="The node that it claims to be from.")]
    source: Annotated[str, msgspec.Meta(description="The way it came: poll, mqtt, push, import ...")]
    address: str
    times: Annotated[int, msgspec.Meta(description="How often it came.")]
    first_at: datetime
    last_at: datetime


class RejectedBody(msgspec.Struct, frozen=True):
    """A page of rejected pieces, the latest first."""

    rejected: list[RejectedPiece]
    dropped: Annotated[
        dict[str, int],
        msgspec.Meta(description="By reason, how many distinct pieces had to make room for others and are gone."),
    ]
    next: Annotated[str | None, msgspec.Meta(description="The cursor of the next page; null: this is the last.")]


@resource("/rejected", RejectedParameters, RejectedBody)
def list_rejected(parameters: RejectedParameters, _: int) -> Response:
    """What could not be stored, and why.

    The latest first. Each distinct piece is kept once, with how often it came; the next page is also in the header
    Link (rel="next").
    """
    before = _read_cursor(parameters.cursor)
    return answer_page(parameters, lambda connection: _select_page(connection, parameters, before))


def _select_page(
    connection: Connection, parameters: RejectedParameters, before: tuple[int, int] | None
) -> RejectedBody:
    rows = select_rejected_page(
        connection, before=before, node=parameters.node, reason=parameters.reason, limit=parameters.limit + 1
    )
    page = rows[: parameters.limit]
    following = write_cursor([page[-1].last_at, page[-1].id]) if len(rows) > len(page) else None
    dropped = {reason.value: times for reason, times in count_dropped(connection).items()}
    return RejectedBody([_describe(one) for one in page], dropped, following)


def _read_cursor(cursor: list[Any] | None) -> tuple[int, int] | None:
    try:
        return None if cursor is None else msgspec.convert(cursor, tuple[_Whole, _Whole])
    except msgspec.ValidationError:
        raise ParameterError("cursor", request.args["cursor"], CURSOR.expected) from None


_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


def _describe(piece: StoredRejection) -> RejectedPiece:
    return RejectedPiece(
        reason=Reason(piece.reason),
        detail=piece.detail,
        raw=piece.raw.decode("utf-8", "replace"),
        is_cut=len(piece.raw) >= MAX_RAW_BYTES,
        node=piece.node,
        source=piece.source,
        address=piece.address,
        times=piece.times,
        first_at=instant(piece.first_at),
        last_at=instant(piece.last_at),
    )
