"""Prometheus' text format, version 0.0.4: simple enough to need no library."""

from collections.abc import Iterable
from typing import Literal

import msgspec

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Metric(msgspec.Struct):
    """A metric with its samples: labels as `label` made them, and a finite value."""

    name: str
    kind: Literal["gauge", "counter"]
    #: One line of English.
    meaning: str
    samples: list[tuple[str, float]] = msgspec.field(default_factory=list)

    def add(self, value: float | None, labels: str = "") -> None:
        """Add a sample, unless its value is unknown."""
        if value is not None:
            self.samples.append((labels, value))


def label(**values: str) -> str:
    """Give labels; a value may be any text."""
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in values.items())


def encode_metrics(metrics: Iterable[Metric]) -> bytes:
    """Give the text; a metric without samples is told all the same, so that one can see that it exists."""
    lines: list[str] = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {metric.meaning}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for labels, value in metric.samples:
            lines.append(f"{metric.name}{{{labels}}} {value!r}" if labels else f"{metric.name} {value!r}")
    return ("\n".join(lines) + "\n").encode()
