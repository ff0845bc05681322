"""The text that Prometheus reads: whatever a node calls itself, its own parser reads it back."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from isems.api.exposition import Metric, encode_metrics, label

names = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
hostile = st.sampled_from(['a"} 1\nisems_evil{node="b', "\\", '\\"', "\\n", "\n", "#", "{}", " ", "ü", ""])


@given(st.lists(st.tuples(names | hostile, st.floats(allow_nan=False, allow_infinity=False)), max_size=5))
def test_any_label_and_value_is_read_back(samples: list[tuple[str, float]]) -> None:
    metric = Metric("isems_x", "gauge", "x")
    for name, value in samples:
        metric.add(value, label(node=name, flag="charging"))
    (family,) = text_string_to_metric_families(encode_metrics([metric]).decode())
    assert [(one.name, one.labels, one.value) for one in family.samples] == [
        ("isems_x", {"node": name, "flag": "charging"}, value) for name, value in samples
    ]


def test_an_unknown_value_is_left_out() -> None:
    metric = Metric("isems_x", "gauge", "What it is.")
    metric.add(None)
    assert encode_metrics([metric]) == b"# HELP isems_x What it is.\n# TYPE isems_x gauge\n"
