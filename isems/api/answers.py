"""How every body leaves: ETag, 304, gzip."""

import gzip
import zlib
from collections.abc import Hashable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from threading import BoundedSemaphore

from flask import Response, request
from werkzeug.exceptions import ServiceUnavailable

#: Smaller bodies gain nothing.
MIN_GZIP_BYTES = 1400
#: A phone's link gains most from the first level, a Raspberry Pi pays for every further one.
GZIP_LEVEL = 1


#: Tags remembered before all are forgotten.
MAX_TAGS = 1000


class SeenTags:
    """For which state of the database an ETag was given: while that lasts, 304 needs no look at the data."""

    def __init__(self) -> None:
        self._tags: dict[Hashable, tuple[object, str]] = {}

    def not_modified(self, question: Hashable, version: object) -> Response | None:
        """Give 304 where the client has the answer and nothing was written since; else None."""
        known_version, tag = self._tags.get(question, (None, ""))
        return not_modified(tag) if known_version == version else None

    def remember(self, question: Hashable, version: object, response: Response) -> Response:
        """Remember the answer that was given; `version` is from before the data were read."""
        tag, _ = response.get_etag()
        if len(self._tags) >= MAX_TAGS:
            self._tags.clear()
        self._tags[question] = (version, tag or "")
        return response


#: Answers that a process makes while it sends them, at once: they take turns with each other, and with the boards that push.
MAX_STREAMS = 6
#: After so long it is worth asking again.
STREAMS_RETRY_SECONDS = 5


class Streams:
    """Room for long answers: with as many of them as there are threads nobody else would be answered."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(MAX_STREAMS)

    def take(self) -> ExitStack:
        """Take a place, until what is given is closed. Raises ServiceUnavailable where there is none."""
        if not self._free.acquire(blocking=False):
            raise ServiceUnavailable(
                f"{MAX_STREAMS} long answers are on their way already: try again in {STREAMS_RETRY_SECONDS} s",
                retry_after=STREAMS_RETRY_SECONDS,
            )
        place = ExitStack()
        place.callback(self._free.release)
        return place


def answer(body: bytes, mimetype: str = "application/json") -> Response:
    """Answer with a body, or with 304 where the client has it already."""
    response = Response(body, mimetype=mimetype)
    _describe(response, blake2b(body, digest_size=16).hexdigest())
    response.make_conditional(request)
    if response.status_code != 304 and len(body) >= MIN_GZIP_BYTES and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(body, GZIP_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def stream(pieces: Iterator[bytes], mimetype: str, tag: str) -> Response:
    """Answer with a body that is made as it is sent; the tag has to stand for it."""
    response = Response(pieces, mimetype=mimetype)
    _describe(response, tag)
    if request.accept_encodings["gzip"] > 0:
        response.response = _compress(pieces)
        response.headers["Content-Encoding"] = "gzip"
    return response


def _compress(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)  # as gzip
    for piece in pieces:
        if text := compressor.compress(piece):
            yield text
    yield compressor.flush()


def not_modified(tag: str) -> Response | None:
    """Give 304 where the client has what a tag stands for; else None."""
    if not request.if_none_match.contains_weak(tag):
        return None
    response = Response(status=304)
    _describe(response, tag)
    return response


def _describe(response: Response, tag: str) -> None:
    # Weak, because the same tag stands for the body with and without gzip.
    response.set_etag(tag, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept-Encoding")
