"""Every benchmark runs, on tiny sizes."""

from pathlib import Path

import pytest

from benchmarks.__main__ import USUAL, main
from benchmarks.outcome import Benchmark, Size, run

TINY = Size(
    lines=20,
    nodes=3,
    commits=2,
    days=(1, 2),
    requests=2,
    messages=20,
    backlog=20,
    groups=2,
    polled=5,
    polled_at_once=2,
    poll_seconds=0.02,
)
#: Of those that start the same service, one is enough here.
SLOW = {"newest-30d", "newest-flat", "cpu-idle", "memory-idle", "memory-load", "series-30d", "mqtt-1", "mqtt-1000"}


@pytest.mark.parametrize("benchmark", [one for one in USUAL if one.name not in SLOW], ids=lambda one: one.name)
def test_it_measures_and_leaves_nothing_behind(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (outcome,) = run([benchmark], TINY, 1)
    assert outcome.figure > 0 or benchmark.unit == "B"  # so little fits into pages that are there already
    assert outcome.limit is None or outcome.limit > 0
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["nothing"])
    assert stopped.value.code == 2
    assert "no benchmark 'nothing'" in capsys.readouterr().err
