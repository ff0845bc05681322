"""The plan on paper is what the published rows give."""

from benchmarks.capacity import BEGIN, DOCS, END, plan, planned, read_rows

ROWS = """
|           | work | figure        | limit in this run       | judged |
|-----------|------|---------------|-------------------------|--------|
| bulk      | x, 5 | 113 k lines/s | 387 k lines/s: bare     | 0.301  |
| at-rest   | y    | 47 B          |                         | 47     |
| written   | z    | 3,489 B       |                         | 3,489  |
| poll      | 1000 | 1.67 s        | 1.5 s: ideal            | 1.12   |
| mqtt-1000 | m    | 7.08 k/s      | 73.4 k/s: mosquitto_sub | 0.0955 |
"""


def test_figures_are_read_in_their_plain_unit() -> None:
    assert read_rows(ROWS) == {"bulk": 113_000, "at-rest": 47, "written": 3489, "poll": 1.67, "mqtt-1000": 7080}


def test_half_of_what_was_measured_is_used_and_parts_of_a_machine_are_whole_ones() -> None:
    rows = {"mqtt-1000": 2000.0, "poll": 2.0, "mixed-postgres": 1000.0, "at-rest": 50.0, "at-rest-postgres": 100.0}
    one = plan(65_000, rows)
    assert (one.messages, one.subscribers) == (1000, 1)
    assert plan(65_001, rows).subscribers == 2
    assert (plan(225_000, rows).polls, plan(225_000, rows).pollers) == (250, 1)
    assert plan(60_000, rows).shards == 2
    assert plan(60, rows).postgres_bytes == 2 * plan(60, rows).sqlite_bytes == 86_400 * 100


def test_the_page_shows_what_the_published_rows_give() -> None:
    shown = (DOCS / "scaling.md").read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == planned(), "python -m benchmarks.capacity --write"
