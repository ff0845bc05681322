"""Many readers and a writer at once; `make soak` does the same for a minute."""

from pathlib import Path

from tests.loading import read_and_write


def test_fifty_readers_and_a_writer_get_what_they_want(database_url: str, tmp_path: Path) -> None:
    load = read_and_write(database_url, tmp_path, seconds=3)
    assert len(load.seconds) > 50
    assert load.rows > 3660
    assert load.percentile(50) <= load.percentile(99)
