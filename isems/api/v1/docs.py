"""The documentation as a page: the OpenAPI document for people, without anything from outside."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from flask import Response

from isems.api.language import BANNER_STYLE, banner, choose_language, make_page
from isems.api.v1.openapi import describe_api
from isems.api.v1.operations import routes

#: What is around the document, which is English.
TEXTS = {
    "en": {
        "title": "The API of this collector",
        "document": "The same for programs, as OpenAPI 3.1",
        "parameters": "Parameters",
        "none": "No parameters.",
        "answer": "Answer",
        "errors": "Errors",
        "default": "without it",
        "required": "required",
        "bodies": "Bodies",
        "contents": "Contents",
    },
    "de": {
        "title": "Die Schnittstelle dieses Sammlers",
        "document": "Dasselbe für Programme, als OpenAPI 3.1 (Beschreibungen auf Englisch)",
        "parameters": "Parameter",
        "none": "Keine Parameter.",
        "answer": "Antwort",
        "errors": "Fehler",
        "default": "sonst",
        "required": "muss angegeben sein",
        "bodies": "Bestandteile der Antworten",
        "contents": "Inhalt",
    },
}
PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root{{color-scheme:light dark}}
body{{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}
th,td{{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8886}}
code{{overflow-wrap:anywhere}}
div{{overflow-x:auto}}
{banner_style}
</style>
<main>
<h1>{title}</h1>
{banner}
<p lang="en">{description}</p>
<p><a href="openapi.json">{document}</a></p>
<nav aria-label="{contents}"><ul>{index}</ul></nav>
{operations}
<h2>{bodies}</h2>
{components}
</main>
</html>
"""


@routes.get("/docs")
def get_docs() -> Response:
    """Show what can be asked for, with the headings in the browser's language."""
    language = choose_language(TEXTS)
    return make_page(render_page(describe_api(), language), language)


def render_page(document: Mapping[str, Any], language: str) -> str:
    """Give the page of an OpenAPI document."""
    texts = {key: escape(text) for key, text in TEXTS[language].items()} | {"language": language}
    questions = {path: methods["get"] for path, methods in document["paths"].items()}
    index = (f'<li><a href="#{_id(one)}"><code>{escape(path)}</code></a></li>' for path, one in questions.items())
    return PAGE.format(
        **texts,
        banner=banner(language),
        banner_style=BANNER_STYLE,
        description=escape(document["info"]["description"]),
        index="".join(index),
        operations="\n".join(_render_question(path, one, texts) for path, one in questions.items()),
        components="\n".join(_render_body(name, one) for name, one in document["components"]["schemas"].items()),
    )


def _id(question: Mapping[str, Any]) -> str:
    return escape(question["operationId"])


def _render_question(path: str, question: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    rows = [_render_parameter(one, texts) for one in question["parameters"]]
    parameters = _heading(texts["parameters"], texts) + _table(rows) if rows else f"<p>{texts['none']}</p>"
    answers = question["responses"]
    bodies = ", ".join(
        f"<code>{escape(media_type)}</code> {_render_type(content['schema'])}"
        for media_type, content in answers["200"]["content"].items()
    )
    errors = [(status, escape(one["description"])) for status, one in answers.items() if status >= "400"]
    return (
        f'<section lang="en"><h2 id="{_id(question)}"><code>GET {escape(path)}</code></h2>'
        f"<p><strong>{escape(question['summary'])}</strong> {escape(question['description'])}</p>"
        f"{parameters}{_heading(texts['answer'], texts)}<p>{bodies}</p>"
        f"{_heading(texts['errors'], texts)}{_table(errors)}</section>"
    )


def _heading(text: str, texts: Mapping[str, str]) -> str:
    """A heading of ours among the document's English."""
    return f'<h3 lang="{texts["language"]}">{text}</h3>'


def _render_parameter(parameter: Mapping[str, Any], texts: Mapping[str, str]) -> tuple[str, str]:
    schema = parameter["schema"]
    notes = [_render_type(schema)]
    if parameter["required"]:
        notes.append(texts["required"])
    if "default" in schema:
        notes.append(f"{texts['default']} <code>{escape(str(schema['default']))}</code>")
    return (
        f"<code>{escape(parameter['name'])}</code>",
        f"{escape(parameter['description'])}<br><small>{'; '.join(notes)}</small>",
    )


def _render_body(name: str, schema: Mapping[str, Any]) -> str:
    rows = [
        (f"<code>{escape(field)}</code>", f"{_render_type(one)} {escape(one.get('description', ''))}")
        for field, one in schema.get("properties", {}).items()
    ]
    rows += [("", ", ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"]))] if "enum" in schema else []
    description = escape(schema.get("description", ""))
    return f'<section lang="en"><h3 id="{escape(name)}">{escape(name)}</h3><p>{description}</p>{_table(rows)}</section>'


def _render_type(schema: Mapping[str, Any]) -> str:
    """Name the type of a value; what is one of ours leads to its description."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " | ".join(_render_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"[{_render_type(schema.get('items', {}))}]"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"{{…: {_render_type(schema['additionalProperties'])}}}"
    return escape(" | ".join(str(one) for one in (schema.get("format"), schema.get("type")) if one) or "…")


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f'<tr><th scope="row">{name}</th><td>{text}</td></tr>' for name, text in rows)
    return f"<div><table>{lines}</table></div>" if lines else ""
