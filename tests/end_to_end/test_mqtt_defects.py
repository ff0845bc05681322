"""Each defect of the archived collector that came by MQTT is gone: real messages, a real broker, `flask subscribe`.

All of them are published to one subscriber, which the fixture starts, kills and starts again; each test looks at what
became of its own node. The defects that do not come by MQTT have their tests elsewhere; `test_every_defect_has_a_test`
finds them all.
"""

import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from isems.api.app import create_app
from isems.config import Config
from isems.storage.database import Database
from isems.storage.rejected import select_rejected
from tests.published import line, stored, wait_until
from tests.services import publish, run_mosquitto
from tests.storm import Subscriber

NOW = int(time.time()) - 600
#: What the broker may send us: more than this it keeps to itself.
MEGABYTE = 1_000_000


def good(node: str, minute: int = 0) -> bytes:
    return line(node, NOW + 60 * minute).encode()


def spoilt(node: str, field: int, value: str) -> bytes:
    """A good record but for one field, counted from 1 as in docs/wire-formats.md."""
    fields = good(node).decode().split(";")
    fields[field - 1] = value
    return ";".join(fields).encode()


TIMES = ["abc", "1768003200.5", f"{NOW}000", "1" + 20 * "0"]
BOGUS_TIMES = ["0", "-1", " 1_768_003_200 "]

#: Node -> its messages, in this order.
MESSAGES: dict[str, list[bytes]] = {
    "empty": [b"", good("empty")],
    "no lines": [b"\n", b"hello", b";".join([b"x"] * 17), b";".join([b"x"] * 20), b"<html></html>", good("no lines")],
    "bad line": [b"\n".join([good("bad line"), b"bad line;1;17680", good("bad line", 1), b""])],
    "no text": [b"\xff", b"\xfe\n" + good("no text")],
    "status": [spoilt("status", 19, value) for value in ("zz", "", "f" * 18)] + [good("status", 1)],
    "numbers": [
        spoilt("numbers", 9, "abc"),
        spoilt("numbers", 9, "").replace(str(NOW).encode(), str(NOW + 60).encode()),
        spoilt("numbers", 9, "14,073").replace(str(NOW).encode(), str(NOW + 120).encode()),
        spoilt("numbers", 17, "abc").replace(str(NOW).encode(), str(NOW + 180).encode()),
    ],
    "twice": [good("twice") + b"\n" + good("twice"), good("twice")],
    "times": [*(spoilt("times", 3, value) for value in TIMES), good("times")],
    "bogus times": [*(spoilt("bogus times", 3, value) for value in BOGUS_TIMES), good("bogus times")],
    "forger": [line("victim", NOW + 10 * 365 * 86_400).encode()],
    "victim": [good("victim")],
    "infinite": [
        spoilt("infinite", 17, "inf"),
        spoilt("infinite", 18, "nan").replace(str(NOW).encode(), b"%d" % (NOW + 60)),
    ],
    "odd/place": [spoilt("odd/place", 17, "952.5")],
    "names": [spoilt("names", 1, ""), spoilt("names", 1, "a\0b"), spoilt("names", 1, "a" * 900_000), good("names")],
    "large": [b"x" * (MEGABYTE - 1000), b"x" * 20 * MEGABYTE, b"\n".join([good("large")] * 7000), good("large")],
}


class Outcome(NamedTuple):
    """What there is after all of it."""

    url: str
    rows: list[tuple[str, int]]
    rejected: list[Any]
    peak_megabytes: int

    def times_of(self, node: str) -> list[int]:
        """Of a node's records, in minutes since the first."""
        return sorted((at - NOW) // 60 for name, at in self.rows if name == node)

    def reasons_of(self, node: str) -> dict[str, int]:
        return dict(Counter(str(one.reason) for one in self.rejected if one.address == f"/isems/{node}/csvlog"))

    def get(self, path: str) -> str:
        """What the archived collector's endpoints answer."""
        database = Database(self.url)
        answer = create_app(Config(database_url="unused"), database).test_client().get(path)
        database.close()
        return answer.text


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    folder = tmp_path_factory.mktemp("defects")
    if request.param == "sqlite":
        yield publish_all(f"sqlite:///{folder}/isems.db", folder)
    else:
        with request.getfixturevalue("postgres_server").empty_database() as url:
            yield publish_all(url, folder)


def publish_all(url: str, folder: Path) -> Outcome:
    database = Database(url)
    with run_mosquitto(folder) as broker:
        publish(broker.port, [("/isems/retained/csvlog", b"garbage")], retain=True)
        subscriber = Subscriber(url, broker)
        try:
            subscriber.await_session()
            subscriber.restart()
            subscriber.await_session()
            everything = [(f"/isems/{node}/csvlog", data) for node, sent in MESSAGES.items() for data in sent]
            publish(broker.port, [*everything, ("/isems/last/csvlog", good("last"))])
            if url.startswith("sqlite"):
                lock_for_longer_than_five_seconds(url)
            wait_until(lambda: ("last", NOW) in stored(database))
            status = Path(f"/proc/{subscriber.pid}/status").read_text()
            subscriber.end()
        finally:
            subscriber.kill()
    with database.read() as connection:
        rejected = select_rejected(connection)
    rows = stored(database, "measurement")
    database.close()
    return Outcome(url, rows, rejected, int(status.partition("VmHWM:")[2].split()[0]) // 1000)


def lock_for_longer_than_five_seconds(url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 30000")
        other.execute("BEGIN IMMEDIATE")
        time.sleep(5.5)
        other.execute("COMMIT")


def test_an_empty_message_ends_nothing(outcome: Outcome) -> None:
    """Defect 1: an empty payload ended the subscriber."""
    assert outcome.times_of("empty") == [0]
    assert outcome.reasons_of("empty") == {"no_format": 1}


def test_a_message_without_any_record_is_kept_with_its_reason(outcome: Outcome) -> None:
    """Defect 2: a word, a page, 17 or 20 fields as the first line ended it."""
    assert outcome.times_of("no lines") == [0]
    assert sum(outcome.reasons_of("no lines").values()) == 5


def test_a_bad_line_costs_no_good_one(outcome: Outcome) -> None:
    """Defect 3: a malformed or blank line lost the good ones of its message, and ended it."""
    assert outcome.times_of("bad line") == [0, 1]
    assert outcome.reasons_of("bad line") == {"field_count": 1}


def test_retained_garbage_ends_no_start(outcome: Outcome) -> None:
    """Defect 4: it ended the subscriber at every start, until somebody cleared it."""
    assert set(outcome.reasons_of("retained")) == {"field_count"}
    assert outcome.times_of("last") == [0]


def test_what_is_no_utf_8_ends_nothing(outcome: Outcome) -> None:
    """Defect 5: the byte 0xff ended it."""
    assert outcome.times_of("no text") == [0]
    assert outcome.reasons_of("no text") == {"encoding": 2}


def test_an_unreadable_status_is_unknown(outcome: Outcome) -> None:
    """Defect 6: `zz`, an empty status or one of 18 digits ended it."""
    assert outcome.times_of("status") == [0, 1]


def test_an_unreadable_number_is_unknown(outcome: Outcome) -> None:
    """Defect 7: a voltage that is empty or none, or has a comma, ended it."""
    assert outcome.times_of("numbers") == [0, 1, 2, 3]


def test_the_same_record_twice_is_stored_once(outcome: Outcome) -> None:
    """Defect 8: a duplicate line within a message ended it, whatever else was in it was lost."""
    assert outcome.times_of("twice") == [0]
    assert outcome.reasons_of("twice") == {}


def test_an_unreadable_time_is_rejected(outcome: Outcome) -> None:
    """Defect 9: a word, a fraction, milliseconds or 21 digits as time ended it. A fraction is a time."""
    assert outcome.times_of("times") == [(1_768_003_200 - NOW) // 60, 0]
    assert sum(outcome.reasons_of("times").values()) == 3


def test_an_unset_clock_stores_nothing_of_1970(outcome: Outcome) -> None:
    """Defect 10: the times 0 and -1, and one with blanks and underscores, were stored."""
    assert outcome.times_of("bogus times") == [0]
    assert sum(outcome.reasons_of("bogus times").values()) == 3


def test_nobody_writes_into_the_history_of_another(outcome: Outcome) -> None:
    """Defect 13: a node's message with a line of another one, ten years ahead, kept that one's real lines out."""
    assert outcome.times_of("victim") == [0]
    assert outcome.reasons_of("forger") == {"node_foreign": 1}


def test_infinity_does_not_break_the_answer_for_all(outcome: Outcome) -> None:
    """Defect 18: latitude `inf` made /measurements/latest invalid JSON."""
    assert outcome.times_of("infinite") == [0, 1]

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    nodes = {
        one["nodeId"]
        for one in json.loads(outcome.get("/measurements/latest?all=true"), parse_constant=refuse)["measurements"]
    }
    assert "infinite" in nodes


def test_a_name_is_of_text_and_of_limited_length(outcome: Outcome) -> None:
    """Defect 19: an empty name, one with NUL, one of any length were stored; one with a slash was not found."""
    assert outcome.times_of("names") == [0]
    assert sum(outcome.reasons_of("names").values()) == 3
    assert outcome.times_of("odd/place") == [0]
    assert len(json.loads(outcome.get("/measurements/odd/place/latest"))["measurements"]) == 1


def test_a_huge_message_takes_no_huge_memory(outcome: Outcome) -> None:
    """Defect 20: 20 MB took 713 MB of memory, and 64 MB of `x` ended it."""
    assert outcome.times_of("large") == [0]
    assert set(outcome.reasons_of("large")) == {"too_long"}
    assert outcome.peak_megabytes < 150


def test_a_locked_database_is_waited_for(outcome: Outcome) -> None:
    """Defect 21: locked for longer than five seconds by another process, it ended and lost the message (SQLite)."""
    assert outcome.times_of("last") == [0]


BY_MQTT = {*range(1, 11), 13, *range(18, 22)}
#: Of polling, configuration, the old tables and the endpoints: `grep -rn "Defect" tests`.
ELSEWHERE = {11, 12, *range(14, 18), *range(22, 27)}


def defects_in(path: Path) -> set[int]:
    found: set[int] = set()
    for numbers in re.findall(r"\bDefects? ((?:[0-9]+(?:, | and | to )?)+)", path.read_text()):
        for first, last in re.findall(r"([0-9]+)(?: to ([0-9]+))?", numbers):
            found.update(range(int(first), int(last or first) + 1))
    return found


def test_every_defect_has_a_test() -> None:
    here = Path(__file__)
    assert defects_in(here) == BY_MQTT
    others = set().union(*(defects_in(path) for path in here.parents[1].rglob("test_*.py") if path != here))
    assert others >= ELSEWHERE
    assert set(range(1, 27)) == BY_MQTT | ELSEWHERE
