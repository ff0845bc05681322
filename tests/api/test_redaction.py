"""A push token is shown nowhere, however its path is spelt."""

import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isems.api.redaction import redact, redact_event, redact_logs

TOKEN = "geheim-0123456789"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"POST /api/push/{TOKEN}/isems/Dach/data HTTP/1.1", "POST /api/push/***/isems/Dach/data HTTP/1.1"),
        (f"/push/{TOKEN}", "/push/***"),
        (f"/push//{TOKEN}/data", "/push//***/data"),
        (f"/PUSH/{TOKEN}/data", "/PUSH/***/data"),
        (f"http://host/api/push/{TOKEN}?x#y", "http://host/api/push/***?x#y"),
        (f"'/api/%70us%68%2f{TOKEN}/data'", "'/api/%70us%68%2f***/data'"),
        (f"a /push/{TOKEN}/x and /push/{TOKEN}/y", "a /push/***/x and /push/***/y"),
        (f'code 400, message Bad request syntax ("POST /push/{TOKEN}/a b/data HTTP/1.1")', None),
        ("/push", "/push"),
        ("/push/", "/push/"),
        ("GET /measurements/push/latest", "GET /measurements/push/***"),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_what_follows_push_is_not_shown(text: str, shown: str | None) -> None:
    assert redact(text) == (shown or redact(text))
    assert "geheim" not in redact(text)


@given(st.sampled_from(["/push/", "/api/push/", "//push//", "%2Fpush%2F"]), st.text(), st.text())
def test_whatever_stands_around_it(path: str, before: str, after: str) -> None:
    assert "geheim" not in redact(f"{before}{path}{TOKEN}/{after}")


def test_every_text_of_a_report_is_looked_at() -> None:
    path = f"/push/{TOKEN}/data"
    event = {"request": {"url": path, "n": 1}, "breadcrumbs": {"values": [{"message": path}, None, (path,)]}}
    shown = "/push/***/data"
    assert redact_event(event, {}) == {
        "request": {"url": shown, "n": 1},
        "breadcrumbs": {"values": [{"message": shown}, None, [shown]]},
    }


@pytest.mark.parametrize("name", ["werkzeug", "waitress", "isems"])
def test_who_logs_paths_shows_no_token(name: str, caplog: pytest.LogCaptureFixture) -> None:
    redact_logs()
    redact_logs()
    logger = logging.getLogger(name)
    logger.warning('"%s" %s', f"POST /push/{TOKEN}/data HTTP/1.1", "202")
    logger.warning("served /push/%s/data in %.1f ms", TOKEN, 1.5)
    logger.warning("100 %% of it, %s", "unchanged")
    logger.warning(f"/push/{TOKEN}/data %s %s", *["one too few"])  # noqa: G004  as a library might
    assert "geheim" not in caplog.text
    assert [record.getMessage() for record in caplog.records] == [
        '"POST /push/***/data HTTP/1.1" 202',
        "served /push/***/data in 1.5 ms",
        "100 % of it, unchanged",
        "/push/***/data %s %s",
    ]
    assert len(logger.filters) == len(set(logger.filters))


def test_a_long_text_is_redacted_in_a_time_in_proportion_to_its_length() -> None:
    import time

    def seconds(count: int) -> float:
        text = "/push/%2f%70" * count
        start = time.perf_counter()
        redact(text)
        return time.perf_counter() - start

    seconds(100)
    times = [min(seconds(count) for _ in range(3)) for count in (5000, 10_000, 20_000)]
    assert all(longer < 8 * shorter + 0.05 for shorter, longer in pairwise(times))
