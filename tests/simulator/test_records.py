"""The requirement behind everything: a value is a function of seed, node and time."""

import gzip
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from isems.simulator import NodeSpec, Program, make_mesh, records, write_history
from isems.simulator.records import safe_name
from isems.simulator.sessions import Timeline
from tests.simulator.instants import DAY, SUMMER, WINTER

MESH = make_mesh(12)
ONE_EACH = [next(spec for spec in MESH if spec.program is program) for program in Program]


@pytest.mark.parametrize("spec", ONE_EACH, ids=lambda spec: spec.program.value)
def test_where_one_starts_to_ask_changes_no_line(spec: NodeSpec) -> None:
    end = SUMMER + DAY // 2
    whole = list(records(spec, SUMMER, end))
    for start in (SUMMER + 1, SUMMER + 7777, SUMMER + 40000):
        assert list(records(spec, start, end)) == [record for record in whole if record[0] >= start]


@pytest.mark.parametrize("spec", ONE_EACH, ids=lambda spec: spec.program.value)
def test_a_span_cut_in_two_gives_every_record_once(spec: NodeSpec) -> None:
    end = SUMMER + DAY // 3
    whole = list(records(spec, SUMMER, end))
    middle = whole[300][0]
    assert list(records(spec, SUMMER, middle)) + list(records(spec, middle, end)) == whole
    assert sorted(at for at, _ in whole) == [at for at, _ in whole]


def test_another_process_that_starts_elsewhere_prints_the_same_bytes() -> None:
    # Its own hash seed and another first question: nothing may hang on either.
    program = (
        "import sys; from isems.simulator import make_mesh, records; mesh = make_mesh(12)\n"
        f"next(records(mesh[5], {WINTER}, {WINTER} + 9999))\n"
        f"sys.stdout.reconfigure(encoding='utf-8')\n"
        f"for spec in mesh[:4]: print(*(line for _, line in records(spec, {WINTER} + 3600, {WINTER} + 7200)), sep='\\n')"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONHASHSEED": "77"}, timeout=60
    ).stdout.decode()
    here = [line for spec in MESH[:4] for at, line in records(spec, WINTER, WINTER + 7200) if at >= WINTER + 3600]
    assert output.splitlines() == here


def test_another_seed_is_another_mesh() -> None:
    other = make_mesh(12, seed=2)
    assert [spec.name for spec in other] == [spec.name for spec in MESH]
    assert list(records(other[0], SUMMER, SUMMER + 3600)) != list(records(MESH[0], SUMMER, SUMMER + 3600))


def test_a_season_joins_the_next_without_a_lost_or_doubled_record() -> None:
    timeline = Timeline(MESH[0])
    change = timeline.season(SUMMER).end
    times = [at for at, _ in records(MESH[0], change - 7200, change + 7200)]
    assert times == sorted(set(times))
    assert max(after - before for before, after in pairwise(times)) < 1800


def test_the_weak_node_goes_dark_in_winter_and_comes_back() -> None:
    weak = MESH[2]
    spans = Timeline(weak).season(WINTER).energy.powered
    gaps = [after[0] - before[1] for before, after in pairwise(spans)]
    assert len(gaps) >= 5
    assert all(gap > 0 for gap in gaps)
    dark_from, dark_to = spans[0][1], spans[1][0]
    assert list(records(weak, dark_from + 1, dark_to)) == []
    last = list(records(weak, dark_from - 600, dark_from + 1))[-1][1]
    assert float(last.split(";")[8]) < weak.disconnect_volts + 0.1
    assert next(records(weak, dark_to, dark_to + DAY))[0] < dark_to + 1200


def test_the_weak_node_gets_through_the_summer_and_strong_ones_through_the_winter() -> None:
    assert len(Timeline(MESH[2]).season(SUMMER).energy.powered) == 1
    assert all(len(Timeline(MESH[index]).season(WINTER).energy.powered) == 1 for index in (0, 5, 6, 10))


def test_values_stay_in_the_range_of_real_nodes() -> None:
    for spec in ONE_EACH:
        for _, line in records(spec, SUMMER, SUMMER + DAY // 2):
            fields = line.split(";")
            idle, mpp, battery, charge, celsius, end = (float(fields[number]) for number in (6, 7, 8, 9, 11, 13))
            assert idle == 0 or 14 < idle < 23
            assert mpp == 0 or mpp == 0.3 or 10 < mpp < 23
            assert 11.6 < battery < 15.5
            assert 0 <= charge <= 100
            assert -25 < celsius < 50
            assert 13 < end < 16


def test_a_large_mesh_has_distinct_names_and_mostly_routers() -> None:
    mesh = make_mesh(500)
    assert mesh[:12] == MESH
    assert len({spec.name for spec in mesh}) == 500
    assert 0.6 < sum(spec.program is Program.ROUTER for spec in mesh) / 500 < 0.72
    assert not any(";" in spec.name or '"' in spec.name for spec in mesh)


def test_the_history_file_holds_the_same_lines_and_nothing_else(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    mesh = [MESH[0], MESH[8]]
    paths = write_history(mesh, SUMMER, SUMMER + 7200, tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert [path.name for path in paths] == ["000-Elektra-Dach.log.gz", "008-Alte-Gaertnerei-Hof-2.log.gz"]
    for spec, path in zip(mesh, paths, strict=True):
        expected = "".join(line + "\n" for _, line in records(spec, SUMMER, SUMMER + 7200))
        assert gzip.decompress(path.read_bytes()).decode() == expected
    assert seen == [(1, 2), (2, 2)]
    again = write_history(mesh, SUMMER, SUMMER + 7200, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_file_names_need_no_special_letters() -> None:
    assert safe_name("Kleingarten 7 Hütte/Ost") == "Kleingarten-7-Huette-Ost"
    assert safe_name("../..") == "node"
