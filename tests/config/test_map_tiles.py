"""What the map is laid out with, where that is a file."""

from pathlib import Path

import pytest

from isems.config import MapArchive, values
from tests.config.reading import read


def test_a_map_may_be_a_file_which_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "CHECKOUT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my maps.pmtiles"
    assert read(ISEMS_MAP_TILES=str(path)).map_tiles == MapArchive(path, "")
    assert read(ISEMS_MAP_TILES="my maps.pmtiles").map_tiles == MapArchive(path, "")
    assert read(ISEMS_MAP_TILES=f"{path}  © us").map_tiles == MapArchive(path, "© us")
