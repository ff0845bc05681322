"""In which language a page is for whoever asks."""

from collections.abc import Collection
from html import escape

from flask import Response, request

from isems.api import context
from isems.api.answers import answer

DEFAULT = "en"
#: What every page says while it shows simulated nodes.
SIMULATION = {
    "en": "Simulation: these nodes do not exist. Set ISEMS_ROUTER_IPS to collect from real ones.",
    "de": "Simulation: Diese Knoten gibt es nicht. Mit ISEMS_ROUTER_IPS wird von echten gesammelt.",
}
BANNER_STYLE = ".demo{background:#fde68a;color:#000;padding:.5rem 1rem;border-radius:.5rem}"


def choose_language(offered: Collection[str]) -> str:
    """Give the one of our languages that the browser likes best; a region makes no difference."""
    wanted = (tag.partition("-")[0].lower() for tag in request.accept_languages.values())
    return next((tag for tag in wanted if tag in offered), DEFAULT)


def banner(language: str) -> str:
    """Give the HTML that tells of a simulation; nothing where the nodes are real."""
    return f'<p class="demo" role="status">{escape(SIMULATION[language])}</p>' if context.is_demo() else ""


def make_page(html: str, language: str) -> Response:
    """Answer with a page of ours that loads nothing and runs nothing."""
    response = answer(html.encode(), "text/html")
    response.content_language.add(language)
    response.vary.add("Accept-Language")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return response
