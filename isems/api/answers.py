"""How every body leaves: ETag, 304, gzip."""

import gzip
from hashlib import blake2b

from flask import Response, request

#: Smaller bodies gain nothing.
MIN_GZIP_BYTES = 1400
#: A phone's link gains most from the first level, a Raspberry Pi pays for every further one.
GZIP_LEVEL = 1


def answer(body: bytes, mimetype: str = "application/json") -> Response:
    """Answer with a body, or with 304 where the client has it already."""
    response = Response(body, mimetype=mimetype)
    # Weak, because the same tag stands for the body with and without gzip.
    response.set_etag(blake2b(body, digest_size=16).hexdigest(), weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept-Encoding")
    response.make_conditional(request)
    if response.status_code != 304 and len(body) >= MIN_GZIP_BYTES and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(body, GZIP_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
