"""The commands, called in this process: exit codes, one line for an error, quiet where nobody watches."""

import gzip
import json
import os
import pty
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from isems import cli
from isems.cli import words
from isems.collector import NodeReport
from isems.ingest import IngestResult
from isems.storage.database import Database
from isems.storage.measurements import insert_measurements
from isems.storage.newest import count_measurements
from tests.api.stored import NOON, line
from tests.predecessor import make_database
from tests.samples import measurement


class Done:
    """What a command said and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def complaint(self) -> str:
        """The one line of a command that ended badly."""
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("Error: ")
        return self.err


@pytest.fixture
def isems(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sqlite_url: str):  # type: ignore[no-untyped-def]
    """Run `isems` with these arguments, on a database of its own."""
    monkeypatch.setenv("DATABASE_URL", sqlite_url)

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["isems", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return run


def count(url: str) -> int:
    database = Database(url)
    try:
        with database.read() as connection:
            return count_measurements(connection)
    finally:
        database.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "node.log"
    path.write_text(
        "\n".join([*(line(time=NOON - 60 * n) for n in range(9, -1, -1)), line(), "junk", ""]), encoding="utf-8"
    )
    return path


# -- doctor ---------------------------------------------------------------------------------------


def test_doctor_tells_how_much_room_the_data_take(isems, log: Path) -> None:  # type: ignore[no-untyped-def]
    isems("import", log)
    done = isems("doctor")
    assert (done.code, done.err) == (0, "")
    first, second, third = done.out.splitlines()
    assert re.fullmatch(r"database: [0-9.]+ kB for 10 measurements", first)
    assert second == "growth: 0 measurements a day"  # the records are older than a week
    assert re.fullmatch(r"disk: [0-9.]+ .B free", third)


def test_doctor_tells_it_to_scripts(isems, log: Path) -> None:  # type: ignore[no-untyped-def]
    isems("import", log)
    report = json.loads(isems("doctor", "--json").out)
    assert report["measurements"] == 10
    assert report["disk_free_bytes"] > 0


def test_doctor_before_an_upgrade_talks_to_people_only(isems) -> None:  # type: ignore[no-untyped-def]
    done = isems("doctor", "--json", "--before-upgrade")
    assert done.code == 2
    assert "--json is not for it" in done.complaint


# -- database -------------------------------------------------------------------------------------


def test_sqlite_is_not_partitioned_and_says_why(isems, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    done = isems("db", "partition")
    assert done.code == 2
    assert done.complaint == f"Error: DATABASE_URL is {sqlite_url!r}, expected PostgreSQL: SQLite has no partitions\n"


def test_measurements_are_divided_by_month(isems, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("DATABASE_URL", postgresql_url)
    done = isems("db", "partition")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(": the table of measurements is divided by months.\n")


# -- import ---------------------------------------------------------------------------------------


def test_import_counts_what_it_stored_and_what_not(isems, log: Path, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    done = isems("import", log)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{log}: 10 stored, 1 duplicate, 1 rejected (1 field_count)\n"
    assert count(sqlite_url) == 10


def test_import_of_the_same_again_stores_nothing(isems, log: Path, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    isems("import", log)
    done = isems("import", log)
    assert (done.code, done.out) == (0, f"{log}: 0 stored, 11 duplicate, 1 rejected (1 field_count)\n")
    assert count(sqlite_url) == 10


def test_import_takes_several_files_gzipped_or_not(isems, log: Path, tmp_path: Path, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    zipped = tmp_path / "other.log.gz"
    zipped.write_bytes(gzip.compress(f"{line('other')}\n{line('other', NOON + 60)}\n".encode()))
    empty = tmp_path / "empty.log"
    empty.touch()
    done = isems("import", log, zipped, empty)
    assert done.code == 0
    first, second, third = done.out.splitlines()
    assert first.startswith(f"{log}: 10 stored")
    assert second == f"{zipped}: 2 stored, 0 duplicate, 0 rejected"
    assert third.startswith(f"{empty}: ")
    assert count(sqlite_url) == 12


def test_a_missing_file_is_wrong_usage_and_nothing_is_imported(isems, log: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = isems("import", log, tmp_path / "missing.log")
    assert done.code == 2
    assert "missing.log" in done.complaint
    assert not (tmp_path / "isems.db").exists()


def test_a_folder_is_no_file(isems, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = isems("import", tmp_path)
    assert (done.code, str(tmp_path) in done.complaint) == (2, True)


def test_import_without_a_file_is_wrong_usage(isems) -> None:  # type: ignore[no-untyped-def]
    done = isems("import")
    assert (done.code, "FILES" in done.complaint) == (2, True)


@pytest.mark.parametrize("broken", [b"\x1f\x8b broken", gzip.compress(b"x" * 5000)[:-9]], ids=["header", "cut off"])
def test_a_broken_file_fails_alone(isems, broken: bytes, log: Path, tmp_path: Path, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "broken.gz"
    path.write_bytes(broken)
    done = isems("import", path, log)
    assert done.code == 1
    assert done.err.startswith(f"{path}: failed: cannot be read: ")
    assert done.err.count(str(path)) == 1
    assert done.err.count("\n") == 1
    assert done.out == f"{log}: 10 stored, 1 duplicate, 1 rejected (1 field_count)\n"
    assert count(sqlite_url) == 10


def test_a_file_name_cannot_steer_the_terminal(isems, log: Path) -> None:  # type: ignore[no-untyped-def]
    hostile = log.rename(log.parent / "a\x1b[2J.log")
    assert "\x1b" not in isems("import", hostile).out


def test_a_locked_or_unusable_database_is_told_in_one_line(isems, log: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "isems.db").write_bytes(b"this is no database" * 100)
    done = isems("import", log)
    assert done.code == 1
    assert "isems.db" in done.complaint


def test_progress_is_shown_on_a_terminal_only(log: Path, sqlite_url: str) -> None:
    command = [sys.executable, "-m", "isems", "import", str(log)]
    environment = os.environ | {"DATABASE_URL": sqlite_url, "TERM": "xterm"}
    main, terminal = pty.openpty()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=terminal, timeout=30, check=True)
    os.close(terminal)
    shown = os.read(main, 100_000).decode()
    os.close(main)
    assert "Importing" in shown
    assert "100%" in shown
    assert done.stdout.decode() == f"{log}: 10 stored, 1 duplicate, 1 rejected (1 field_count)\n"


# -- the database ---------------------------------------------------------------------------------


def test_nodes_are_listed_for_people_and_for_scripts(isems, log: Path) -> None:  # type: ignore[no-untyped-def]
    assert isems("nodes").out == "No node is known yet.\n"
    isems("import", log)
    head, *rows = isems("nodes").out.splitlines()
    assert head.split() == ["node", "age", "battery", "clock", "conflicts", "addresses", "polled", "by", "note"]
    listed = json.loads(isems("nodes", "--json").out)
    assert [row.split()[0] for row in rows] == [node["name"] for node in listed] != []
    assert all(re.search(r" \d+ d  +\d+\.\d\d V", row) for row in rows)
    assert listed[0]["measured_at"].endswith("Z")
    assert listed[0]["is_shared"] is False


@pytest.mark.parametrize(
    ("seconds", "told"), [(40, "40 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d"), (-7, "-7 s")]
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, told: str) -> None:
    assert words.age(seconds) == told


def test_an_empty_database_is_created_and_then_up_to_date(isems, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    place = f"sqlite:///{tmp_path / 'isems.db'}"
    assert isems("db", "upgrade").out == f"{place} was created.\n"
    again = isems("db", "upgrade")
    assert (again.code, again.out, again.err) == (0, f"{place} is up to date.\n", "")


@pytest.mark.parametrize("arguments", [("serve",), ("import", __file__), ("update-data",)])
def test_an_old_database_is_left_to_the_upgrade(
    isems, monkeypatch, arguments: tuple[str, ...], sqlite_url: str
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ISEMS_ROUTER_IPS", "127.83.255.1:9")
    make_database(sqlite_url)
    done = isems(*arguments)
    assert done.code == 2
    assert "run 'flask db upgrade'" in done.complaint


def test_an_old_empty_database_is_upgraded(isems, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    make_database(sqlite_url)
    done = isems("db", "upgrade")
    assert done.code == 0
    assert re.search(r"was upgraded from version ef784e202371 to \w+\.\n$", done.out)
    assert count(sqlite_url) == 0


def test_an_unknown_version_is_refused(isems, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    make_database(sqlite_url)
    database = Database(sqlite_url)
    with database.write_any_version() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    database.close()
    done = isems("db", "upgrade")
    assert done.code == 1
    assert "ffffffffffff" in done.complaint


# -- usage ----------------------------------------------------------------------------------------


def test_help_and_version_are_no_errors(isems) -> None:  # type: ignore[no-untyped-def]
    for arguments in (("--help",), ("-h",), ("import", "--help"), ("--version",)):
        done = isems(*arguments)
        assert (done.code, done.err) == (0, "")
        assert "isems" in done.out


def test_without_a_command_the_help_is_shown_as_wrong_usage(isems) -> None:  # type: ignore[no-untyped-def]
    for arguments in ((), ("db",)):
        done = isems(*arguments)
        assert done.code == 2
        assert done.err.startswith("Usage: isems")
        assert "Error" not in done.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--colour",), "--colour"),
        (("launch",), "launch"),
        (("serve", "--demo=perhaps"), "perhaps"),
        (("serve", "now"), "now"),
        (("db", "downgrade"), "downgrade"),
        (("simulate", "--nodes", "0"), "0"),
        (("simulate", "--nodes", "x"), "'x'"),
        (("simulate", "--days", "-1"), "-1"),
        (("simulate", "--speed", "0"), "0"),
        (("simulate", "--port", "65536"), "65536"),
        (("simulate", "--host", "10.0.0.1"), "10.0.0.1"),
        (("simulate", "--host", "localhost"), "localhost"),
        (("simulate", "--nodes", "300", "--host", "127.255.255.1"), "127.255.255.1"),
        (("simulate", "--fault", "3=tired"), "tired"),
        (("simulate", "--fault", "slow"), "slow"),
        (("simulate", "--nodes", "3", "--fault", "3=slow"), "3=slow"),
        (("simulate", "--history", "/no/such/folder"), "/no/such/folder"),
    ],
)
def test_wrong_usage_is_one_line_that_names_it(isems, arguments: tuple[str, ...], named: str) -> None:  # type: ignore[no-untyped-def]
    done = isems(*arguments)
    assert done.code == 2
    assert named in done.complaint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISEMS_PORT", "http"),
        ("ISEMS_ROUTER_IPS", "not a host"),
        ("ISEMS_TIMEZONE", "Europe/Nowhere"),
        ("ISEMS_HOST", "no such host"),
        ("ISEMS_HOST", "192.0.2.1"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(isems, monkeypatch, name: str, value: str) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv(name, value)
    done = isems("serve")
    assert done.code == 2
    assert name in done.complaint
    assert value in done.complaint


# -- what is said about a poll --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Gartenhaus-Süd ☀", "Gartenhaus-Süd ☀"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("\x9b2J", "\\x9b2J"),
        ("right\u202eleft", "right\\x202eleft"),
        ("\udcff", "\\xdcff"),
    ],
)
def test_a_text_from_outside_cannot_steer_a_terminal(text: str, shown: str) -> None:
    assert words.printable(text) == shown
    shown.encode()


def test_a_poll_is_told_in_a_line() -> None:
    result = IngestResult(stored=3, duplicate=2, rejected=1, nodes=["Dach", "Süd"])
    report = NodeReport("10.0.0.1", result, note="filled a gap")
    assert words.describe(report) == "10.0.0.1: Dach, Süd: 3 stored, 2 duplicate, 1 rejected (filled a gap)"
    assert words.describe(NodeReport("10.0.0.1", IngestResult())) == "10.0.0.1: nothing new"


def test_what_a_node_says_of_itself_cannot_steer_the_terminal() -> None:
    failed = NodeReport("10.0.0.1", IngestResult(), error="HTTP 500 \x1b]0;pwned\x07")
    named = NodeReport("10.0.0.1", IngestResult(stored=1, nodes=["\u202eeman"]), note="\x1b[2J")
    assert all(words.describe(report).isprintable() for report in (failed, named))


def test_counts_name_what_is_rare_only_where_it_is() -> None:
    assert words.counts(IngestResult()) == ""
    assert words.counts(IngestResult(stored=1)) == "1 stored, 0 duplicate, 0 rejected"
    everything = IngestResult(stored=1, duplicate=2, rejected=3, completed=4, undecided=5)
    assert words.counts(everything).endswith("3 rejected, 4 completed, 5 waiting for our clock to be right")


# -- prune ----------------------------------------------------------------------------------------


def test_pruning_tells_what_would_go_and_then_what_went(isems, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    store_days(sqlite_url, 40)
    dry = isems("prune", "--keep-raw", "10d", "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    expected = json.loads(isems("prune", "--keep-raw", "10d", "--dry-run", "--json").out)
    done = isems("prune", "--keep-raw", "10d", "--json")
    assert done.code == 0
    report = json.loads(done.out)
    told, _, about = dry.out.partition("; about ")
    assert told == f"{report['rows']} records of 1 nodes, {report['days']} days in all, would be deleted"
    assert about.endswith("kB would be given back to the disk\n")
    assert report["unverified"] == []
    assert 29 * 288 <= report["rows"] <= 30 * 288
    assert report["bytes"] / 2 < expected["bytes"] < report["bytes"] * 2
    assert isems("prune", "--keep-raw", "10d").out.startswith("0 records of 0 nodes")


def test_a_node_that_cannot_be_pruned_is_told_with_its_reason(isems, sqlite_url: str) -> None:  # type: ignore[no-untyped-def]
    store_days(sqlite_url, 40)
    with closing(Database(sqlite_url)) as database, database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE DELETE ON measurement BEGIN SELECT RAISE(ABORT, 'no such luck'); END"
        )
    done = isems("prune", "--keep-raw", "10d")
    assert done.code == 1
    assert done.out.startswith("0 records of 0 nodes")
    assert "These could not be deleted, or not all: " in done.out
    assert "no such luck" in done.out


@pytest.mark.parametrize("days", ["6", "400h", "-7", "many"])
def test_what_is_no_number_of_days_deletes_nothing_and_says_so(isems, days: str) -> None:  # type: ignore[no-untyped-def]
    done = isems("prune", f"--keep-raw={days}")
    assert done.code == 2
    assert f"--keep-raw is {days!r}, expected a number of days from 7" in done.complaint


def store_days(url: str, days: int) -> None:
    """A record each five minutes, up to now."""
    with closing(Database(url)) as database, database.write() as connection:
        now = int(time.time())
        insert_measurements(connection, [measurement("Dach", now - 300 * age) for age in range(days * 288)], now)
