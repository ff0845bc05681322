"""What a topic tells."""

import pytest

from isems.config import Config
from isems.sources.topics import Topic, filters_of, read_topic

PREFIXES = Config(database_url="").mqtt_prefixes


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("/isems/Dach/csvlog", Topic("Dach", "csv_log")),
        ("isems/testdrive/foobar/Dach/data.json", Topic("Dach", "node_json")),
        ("isems/testdrive/foobar/Dach/csvlog", Topic("Dach", "csv_log")),
        ("isems/Dach/csvlog", Topic("Dach", "csv_log")),
        ("/isems/Hof/Schuppen 2/csvlog", Topic("Hof/Schuppen 2", "csv_log")),
        ("/isems//Dach/csvlog", Topic("/Dach", "csv_log")),
        ("/isems/Grünau/data.json", Topic("Grünau", "node_json")),
        # Another prefix would make a node "testdrive/foobar" of it.
        ("isems/testdrive/foobar/csvlog", None),
        ("/isems/csvlog", None),
        ("/isems/Dach", None),
        ("/isems/Dach/csvlog/", None),
        ("/isems/Dach/CSVLOG", None),
        ("other/Dach/csvlog", None),
        ("", None),
    ],
)
def test_the_longest_prefix_is_cut_off_and_the_last_level_tells_the_format(topic: str, expected: Topic | None) -> None:
    assert read_topic(topic, PREFIXES) == expected


def test_everything_below_the_prefixes_is_subscribed_once() -> None:
    assert filters_of(PREFIXES) == ["/isems/#", "isems/#"]
    assert filters_of(["mesh/", "mesh/", "other/"]) == ["mesh/#", "other/#"]
