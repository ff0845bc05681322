"""The page at ``/``: the dashboard, or where it is not built, how to build it, what runs here and where its data are."""

from html import escape

from flask import Blueprint, Response

from isems import __version__
from isems.api import context, dashboard
from isems.api.language import BANNER_STYLE, banner, choose_language, make_page
from isems.storage.newest import count_nodes

routes = Blueprint("home", __name__)

TEXTS = {
    "en": {
        "title": "ISEMS data collector",
        "nodes": "{count} nodes have reported.",
        "dashboard": "The dashboard is not built here: make setup builds it. The data are served as JSON.",
        "latest": "Newest measurement of every active node",
        "all": "of every node",
        "node": "Newest day of one node",
        "docs": "Everything else that can be asked for",
    },
    "de": {
        "title": "ISEMS-Datensammler",
        "nodes": "{count} Knoten haben sich gemeldet.",
        "dashboard": "Die Oberfläche ist hier nicht gebaut: make setup baut sie. Die Daten gibt es als JSON.",
        "latest": "Neueste Messung jedes aktiven Knotens",
        "all": "jedes Knotens",
        "node": "Neuester Tag eines Knotens",
        "docs": "Alles andere, was sich abfragen lässt",
    },
}

PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}}
{banner_style}</style>
<h1>{title}</h1>
{banner}
<p>{nodes} {dashboard}</p>
<ul>
<li><a href="measurements/latest">{latest}</a> (<a href="measurements/latest?all=true">{all}</a>)</li>
<li>{node}: <code>/measurements/&lt;node&gt;/latest</code></li>
<li><a href="v1/docs">{docs}</a></li>
</ul>
<p><small>{version}</small></p>
</html>
"""


@routes.get("/")
def get_home() -> Response:
    """Show the dashboard; without one tell what runs here, in the browser's language."""
    if dashboard.is_built():
        return dashboard.send_index()
    language = choose_language(TEXTS)
    texts = TEXTS[language]
    with context.database().read() as connection:
        count, _ = count_nodes(connection, 0)
    page = PAGE.format(
        **{key: escape(text) for key, text in texts.items()} | {"nodes": texts["nodes"].format(count=count)},
        language=language,
        banner=banner(language),
        banner_style=BANNER_STYLE,
        version=escape(__version__),
    )
    return make_page(page, language)
