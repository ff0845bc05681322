"""In which language a page is for whoever asks."""

from collections.abc import Collection

from flask import Response, request

DEFAULT = "en"


def choose_language(offered: Collection[str]) -> str:
    """Give the one of our languages that the browser likes best; a region makes no difference."""
    wanted = (tag.partition("-")[0].lower() for tag in request.accept_languages.values())
    return next((tag for tag in wanted if tag in offered), DEFAULT)


def make_page(html: str, language: str) -> Response:
    """Answer with a page of ours that loads nothing and runs nothing."""
    response = Response(html, mimetype="text/html")
    response.content_language.add(language)
    response.vary.add("Accept-Language")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return response
