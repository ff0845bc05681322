"""`isems export`: what it writes where, and what it refuses in one line."""

import json
import os
import pty
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from isems import cli
from isems.errors import ConfigError, StorageError
from isems.export import write_file
from isems.export.parquet import check_duckdb
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from tests.samples import NOON, measurement, minutes, sparse

ISEMS = [sys.executable, "-m", "isems"]


@pytest.fixture
def stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with two nodes, which the settings name."""
    database = Database(database_url)
    with database.write() as connection:
        insert_measurements(connection, [*minutes(5), sparse("Küche, oben", battery_volts=12.5)], NOON)
    database.close()
    monkeypatch.setenv("DATABASE_URL", database_url)
    return database_url


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*ISEMS, "export", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_in_a_pipe_there_is_nothing_but_the_lines(stored: str) -> None:
    done = run("--from", "2024-06-15T11:15:00Z", "--to", str(NOON + 180))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == [
        "measured_at",
        "2024-06-15T11:15:00Z",
        "2024-06-15T11:16:00Z",
    ]


def test_on_a_terminal_progress_is_shown(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    shown, terminal = pty.openpty()
    done = subprocess.run([*ISEMS, "export", "-o", tmp_path / "x.csv"], stderr=terminal, timeout=60, check=False)
    os.close(terminal)
    assert done.returncode == 0
    assert b"Exporting" in os.read(shown, 10_000)
    os.close(shown)


def test_a_file_is_complete_or_not_there(stored: str, tmp_path: Path) -> None:
    target = tmp_path / "new.ndjson"
    done = run("--nodes", "Küche, oben", "--format", "ndjson", "-o", target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.read_text(encoding="utf-8").startswith('{"node":"Küche, oben","measured_at":"2024-06-15T11:14:00Z",')
    assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == ["new.ndjson"]


def test_a_file_that_is_there_is_replaced_only_by_force(stored: str, tmp_path: Path) -> None:
    target = tmp_path / "kept.csv"
    target.write_text("mine", encoding="utf-8")
    done = run("-o", target)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Error: --output is '{target}', expected a file that is not there yet; --force replaces it\n"
    assert target.read_text(encoding="utf-8") == "mine"
    assert run("-o", target, "--force").returncode == 0
    assert target.read_text(encoding="utf-8").startswith("node,measured_at,")


def test_a_reader_that_has_enough_ends_it_without_a_word(stored: str) -> None:
    database = Database(stored)
    with database.write() as connection:
        insert_measurements(connection, minutes(3000, "Dach"), NOON)
    database.close()
    command = " ".join(ISEMS) + " export 2>&1 >&3 3>&- | cat >&2"
    done = subprocess.run(
        ["bash", "-c", f"{{ {command}; }} 3>&1 | head -n 1"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("node,")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "gestern"], "--from is 'gestern', expected RFC 3339 such as"),
        (["--to", "now-7y"], "--to is 'now-7y', expected RFC 3339 such as"),
        (["--from", "now", "--to", "now-1d"], "--to is 'now-1d', expected an instant after --from, which is 'now'"),
        (["--nodes", "niemand"], "--nodes is 'niemand', expected the name of a node"),
        (["--format", "parquet"], "--output is not set, expected a file"),
        (["--format", "xlsx"], "Invalid value for '--format': 'xlsx' is not one of"),
        (["-o", "/no/such/folder/file"], "--output is '/no/such/folder/file', expected a file in a folder that exists"),
        (["-o", "/tmp"], "--output is '/tmp', expected a file in a folder that exists"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setattr(sys, "argv", ["isems", "export", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"Error: {sentence}")


def test_a_file_that_fails_midway_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise StorageError("the database is gone")

    with pytest.raises(StorageError):
        write_file(tmp_path / "x.csv", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="/dev/full cannot be written: No space left on device"):
        write_file(Path("/dev/full"), lambda file: file.writelines([b"x" * 100_000]))


def test_a_device_stays_a_device() -> None:
    write_file(Path("/dev/null"), lambda file: file.writelines([b"x"]))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_file(tmp_path / "link", lambda file: file.writelines([b"x"]))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"x"


def test_parquet_holds_what_ndjson_does(stored: str, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="there is no duckdb for this machine")
    database = Database(stored)
    odd = [measurement('=a"b', battery_volts=1e300), measurement("Dach", status=2**40, time_repaired=True)]
    with database.write() as connection:
        insert_measurements(connection, [*odd, *minutes(5000, "Keller")], NOON)
    database.close()
    target, text = tmp_path / "x.parquet", tmp_path / "x.ndjson"
    assert run("--format", "parquet", "-o", target).stderr == ""
    assert run("--format", "ndjson", "-o", text).stderr == ""
    with duckdb.connect() as connection:
        read = connection.sql(f"SELECT * REPLACE (epoch(measured_at) AS measured_at) FROM '{target}'")
        found = [dict(zip(read.columns, row, strict=True)) for row in read.fetchall()]
        (types,) = connection.sql(
            f"SELECT DISTINCT typeof(measured_at), typeof(battery_volts), typeof(untrusted) FROM '{target}'"
        ).fetchall()
    assert types == ("TIMESTAMP WITH TIME ZONE", "DOUBLE", "VARCHAR[]")
    lines = [json.loads(line) for line in text.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 5008
    assert found == [one | {"measured_at": datetime.fromisoformat(one["measured_at"]).timestamp()} for one in lines]
    assert [path.name for path in tmp_path.iterdir() if "parquet" in path.name] == ["x.parquet"]


def test_without_duckdb_parquet_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)  # as where it is not installed
    with pytest.raises(ConfigError, match=r"expected the package duckdb .* pip install -r requirements-parquet\.txt"):
        check_duckdb()
