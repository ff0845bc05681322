"""The examples of docs/api.md: what is asked, and what is answered.

`.venv/bin/python -m tests.api.v1.examples` writes the answers anew.
"""

import json
import math
import re
import tempfile
from pathlib import Path

from flask.testing import FlaskClient

from isems.api.app import create_app
from isems.config import Config
from isems.domain.buckets import STEPS
from isems.storage.database import Database
from tests.api.stored import NOON, line, store

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"
EXAMPLE = re.compile(r"```http\nGET (?P<path>.*)\n```\n\n```(?P<form>json|csv)\n(?P<answer>(?:.*\n)*?)```\n")
#: A list of numbers or texts stands on one line.
LIST = re.compile(r"\[\s*([^\[\]{}]*?)\s*\]")


def make_client(database: Database) -> FlaskClient:
    """Two nodes: one that fares well, and one that is near its disconnection and once sent two records of one second."""
    hours = 60 * 24
    good = [
        line("Elektra-Dach", NOON - 60 * n, battery=f"{13.2 + 0.5 * math.sin(n / 229):.3f}", status="900", shutdown="0")
        for n in reversed(range(-3, hours))
    ]
    low = [
        line("Gartenhaus", NOON - 60 * n, battery=f"{11.95 + n / 2000:.3f}", status="480") for n in range(120, 0, -1)
    ]
    store(database, good, now=NOON + 200)
    store(database, [line("Gartenhaus", NOON - 7200, battery="12,01"), *low], now=NOON + 200)
    return create_app(Config(database_url="unused"), database, clock=lambda: NOON + 200).test_client()


def answer(client: FlaskClient, path: str) -> str:
    """What stands in the page for a question."""
    text = client.get(path).text
    if not text.startswith("{"):
        return text
    body = json.loads(text)
    for part in ("program", "storage"):  # of a status: tell of the machine, not of the data
        if part in body:
            body[part] = dict.fromkeys(body[part], "…")
    if "is_clock_trusted" in body:
        body["is_clock_trusted"] = "…"
    pretty = json.dumps(body, indent=2, ensure_ascii=False)
    return LIST.sub(lambda found: f"[{' '.join(found[1].split())}]", pretty) + "\n"


def write_page(page: str, client: FlaskClient) -> str:
    """The page with every answer as it is."""
    page = page.replace("STEPS", f"`{' '.join(STEPS)}`")
    return EXAMPLE.sub(
        lambda found: f"```http\nGET {found['path']}\n```\n\n```{found['form']}\n{answer(client, found['path'])}```\n",
        page,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/isems.db")
        PAGE.write_text(write_page(PAGE.read_text(encoding="utf-8"), make_client(database)), encoding="utf-8")
        database.close()
