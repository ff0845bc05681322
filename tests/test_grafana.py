"""deploy/grafana: every metric that is named exists, and every statement runs on a real PostgreSQL and finds something."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from isems.api.app import create_app
from isems.api.node_metrics import FLAGS
from isems.config import Config
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.rollups import roll_up, select_due
from tests.api.stored import line, store
from tests.samples import minutes

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "grafana"
DAY = 86_400
#: A name that a statement must quote.
NODES = ("Elektra-Dach", "O'Brien")


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


def texts_under(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """Every text that stands under one of the keys, wherever."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in keys and isinstance(inner, str):
                yield inner
            else:
                yield from texts_under(inner, keys)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_under(inner, keys)


EXPRESSIONS = [
    *texts_under(load("prometheus-dashboard.json"), ("expr", "query", "definition")),
    *re.findall(r"^ *expr: (.*)$", (FOLDER / "isems-alerts.yml").read_text(encoding="utf-8"), re.MULTILINE),
]


def test_every_metric_that_is_named_exists(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    text = create_app(Config(database_url=sqlite_url), database).test_client().get("/metrics").get_data(as_text=True)
    database.close()
    known = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    named = {name for one in EXPRESSIONS for name in re.findall(r"\bisems_\w+", one)}
    assert len(EXPRESSIONS) > 20
    assert named - known == set()


def test_the_flags_and_results_that_are_named_exist(sqlite_url: str) -> None:
    (flags,) = {match for one in EXPRESSIONS for match in re.findall(r'flag=~"([^"]*)"', one)}
    assert set(flags.split("|")) <= set(FLAGS.values())
    assert {match for one in EXPRESSIONS for match in re.findall(r'result="([^"]*)"', one)} <= {
        "answered",
        "failed",
        "overdue",
    }


#: What Grafana shows of a dashboard; a legend of nothing but labels is the same in every language.
SHOWN = ("title", "description", "label", "legendFormat", "text")
SAME = {"", "MQTT", "Prometheus", "{{node}}", "{{node}}: {{flag}}", "{{source}} {{result}}", "{{reason}}", "{{result}}"}


def without_texts(value: Any) -> Any:
    """A dashboard as it is in every language; its name for Grafana is another in each."""
    if isinstance(value, dict):
        return {
            key: without_texts(inner) for key, inner in value.items() if not (key in SHOWN and isinstance(inner, str))
        }
    if isinstance(value, list):
        return [without_texts(inner) for inner in value]
    return value.removesuffix("-de") if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["prometheus-dashboard", "postgresql-dashboard"])
def test_the_german_dashboard_is_the_english_one_in_other_words(name: str) -> None:
    english, german = load(f"{name}.json"), load(f"{name}.de.json")
    assert without_texts(german) == without_texts(english)
    assert german["uid"] != english["uid"]
    pairs = zip(texts_under(english, SHOWN), texts_under(german, SHOWN), strict=True)
    assert {one for one, other in pairs if one == other} <= SAME


def test_the_german_alerts_are_the_english_ones_in_other_words() -> None:
    english, german = (
        (FOLDER / name).read_text(encoding="utf-8") for name in ("isems-alerts.yml", "isems-alerts.de.yml")
    )
    said = re.compile(r"^ *summary: (.*)$|^#.*\n", re.MULTILINE)
    assert said.sub("", german) == said.sub("", english)
    assert not set(re.findall(r"summary: (.*)", english)) & set(re.findall(r"summary: (.*)", german))


def test_prometheus_asks_where_the_service_answers() -> None:
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    config = Config(database_url="sqlite:///unused.db")
    assert f'["{config.host}:{config.port}"]' in text
    assert "metrics_path: /metrics\n" in text
    assert (FOLDER / re.findall(r"^  - (\S+\.yml)$", text, re.MULTILINE)[0]).is_file()


HISTORY = load("postgresql-dashboard.json")
STATEMENTS = [
    pytest.param(target["rawSql"], target["format"], id=panel["title"])
    for panel in HISTORY["panels"]
    for target in panel["targets"]
]


def expand(statement: str, first: int, last: int) -> str:
    """Put in what Grafana puts in for its macros and variables (its documentation, PostgreSQL query editor)."""
    quoted = ",".join("'{}'".format(name.replace("'", "''")) for name in NODES)
    expanded = statement.replace("${node:sqlstring}", quoted).replace("$__interval", "'10m'")
    expanded = re.sub(r"\$__unixEpochFilter\(([\w.]+)\)", rf"\1 >= {first} AND \1 <= {last}", expanded)
    expanded = re.sub(r"\$__unixEpochGroupAlias\(([\w.]+), '10m'\)", r'floor((\1)/600)*600 AS "time"', expanded)
    assert "$" not in expanded
    return expanded


@pytest.fixture(scope="module")
def history(postgres_server: Any) -> Iterator[tuple[Database, int]]:
    """Five days of two nodes, rolled up as far as closed, and something rejected; and the last second of it."""
    now = int(time.time())
    with postgres_server.empty_database() as url:
        database = Database(url)
        with database.write() as connection:
            for name in NODES:
                insert_measurements(connection, minutes(480, name, now - 479 * 900, 900), now)
        store(database, [line(time=now), "junk"], now=now)
        zone = ZoneInfo("Europe/Berlin")
        with database.write() as connection:
            for due in select_due(connection, zone):
                while roll_up(connection, due.node_id, zone):
                    pass
        yield database, now
        database.close()


@pytest.mark.parametrize(("statement", "form"), STATEMENTS)
def test_every_statement_runs_and_finds_something(history: tuple[Database, int], statement: str, form: str) -> None:
    database, now = history
    with database.read() as connection:
        found = connection.exec_driver_sql(expand(statement, now - 6 * DAY, now).replace("%", "%%"))
        columns, rows = list(found.keys()), found.all()
    assert rows
    if form == "time_series":
        assert columns[:2] == ["time", "metric"]
        times = [row.time for row in rows]
        assert times == sorted(times)
        assert {row.metric for row in rows} == set(NODES)
        assert any(value is not None for row in rows for value in row[2:])


def test_hours_reach_from_the_roll_ups_to_the_newest_record(history: tuple[Database, int]) -> None:
    database, now = history
    (statement,) = (one.values[0] for one in STATEMENTS if one.id == "Battery by hours, lowest and highest")
    with database.read() as connection:
        rows = connection.exec_driver_sql(expand(statement, now - 6 * DAY, now)).all()
        rolled_up = connection.exec_driver_sql("SELECT max(starts_at) FROM hourly").scalar_one()
    hours = [row.time for row in rows if row.metric == NODES[0]]
    assert len(set(hours)) == len(hours) >= 119
    assert rolled_up < hours[-1] == now // 3600 * 3600


def test_the_login_that_the_readme_makes_may_read_all_that_is_asked_for() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    (granted,) = re.findall(r"GRANT SELECT ON (.*) TO grafana;", text)
    asked = {table for one in STATEMENTS for table in re.findall(r"(?:FROM|JOIN) ([a-z_]+)\b(?!\()", one.values[0])}
    assert {"node", "measurement", "hourly", "daily"} <= asked <= set(granted.split(", "))


def test_the_variable_lists_the_nodes(history: tuple[Database, int]) -> None:
    (variable,) = HISTORY["templating"]["list"]
    with history[0].read() as connection:
        names = connection.exec_driver_sql(variable["query"]).scalars().all()
    assert set(NODES) <= set(names)


@pytest.mark.parametrize("name", ["prometheus-dashboard.json", "postgresql-dashboard.json"])
def test_no_panel_lies_on_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in load(name)["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
