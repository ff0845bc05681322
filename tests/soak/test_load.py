"""A minute of fifty readers and a writer."""

from pathlib import Path

from tests.loading import read_and_write
from tests.soak.conftest import EmptyDatabase

SECONDS = 60


def test_fifty_readers_and_a_writer_for_a_minute(empty_database: EmptyDatabase, tmp_path: Path) -> None:
    with empty_database() as url:
        load = read_and_write(url, tmp_path, SECONDS)
    milliseconds = {percent: round(1000 * load.percentile(percent)) for percent in (50, 99, 100)}
    print(
        f"\n{url.partition(':')[0]}: {len(load.seconds)} answers while {load.rows} records were stored,"
        f" no error; 50 % within {milliseconds[50]} ms, 99 % within {milliseconds[99]} ms, all within {milliseconds[100]} ms"
    )
    assert load.rows > 3660
