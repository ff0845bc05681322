"""The commands as cron, systemd and people start them: processes of their own."""

import os
import shutil
import subprocess
import sys
import sysconfig
from itertools import islice
from pathlib import Path

import pytest

from isems.storage.database import Database
from isems.storage.newest import count_measurements
from isems.storage.schema import HEAD
from tests.predecessor import history, instant, make_database

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
FLASK = [sys.executable, "-m", "flask"]
ISEMS = [sys.executable, "-m", "isems"]


def run(command: list[str], cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_flask_db_upgrade_creates_and_then_leaves_alone(database_url: str) -> None:
    first, second = (run([*FLASK, "db", "upgrade"], DATABASE_URL=database_url) for _ in range(2))
    assert (first.returncode, first.stderr) == (second.returncode, second.stderr) == (0, "")
    assert first.stdout.endswith(" was created.\n")
    assert second.stdout.endswith(" is up to date.\n")
    database = Database(database_url)
    with database.read() as connection:
        assert count_measurements(connection) == 0
    database.close()


def test_flask_db_upgrade_moves_the_predecessors_rows_and_says_so_in_one_line(database_url: str) -> None:
    rows = [one.row for one in islice(history(1000, [instant(2025, 10, 25, 20)]), 300)]
    make_database(database_url, rows)
    first, second = (run([*FLASK, "db", "upgrade"], DATABASE_URL=database_url) for _ in range(2))
    assert (first.returncode, first.stderr) == (second.returncode, second.stderr) == (0, "")
    assert f"was upgraded from version ef784e202371 to {HEAD}: 300 rows moved, 0 rejected" in first.stdout
    assert second.stdout.endswith(" is up to date.\n")
    assert second.stdout.count("\n") == 1


def test_flask_db_upgrade_brings_an_older_empty_database_up(database_url: str) -> None:
    make_database(database_url)
    done = run([*FLASK, "db", "upgrade"], DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "was upgraded from version ef784e202371 to" in done.stdout


def test_where_no_database_is_named_the_predecessors_default_one_is_taken_over(tmp_path: Path) -> None:
    """The predecessor kept its measurements under /tmp, where a reboot deletes them."""
    checkout, default, other = tmp_path / "checkout", tmp_path / "test.db", tmp_path / "other.db"
    shutil.copytree(ROOT / "isems", checkout / "isems", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", checkout)
    make_database(f"sqlite:///{default}", [one.row for one in islice(history(1000, [instant(2025, 6, 1, 0)]), 300)])
    (tmp_path / "url").write_text(f"sqlite:///{other}\n")
    upgrade = [*FLASK, "db", "upgrade", "--predecessors-default", str(default)]
    named = run(upgrade, checkout, DATABASE_URL_FILE=str(tmp_path / "url"))
    assert (named.returncode, named.stdout) == (0, f"sqlite:///{other} was created.\n")
    doctor = [*ISEMS, "doctor", "--before-upgrade", "--predecessors-default", str(default)]
    told = run(doctor, checkout).stdout
    assert told.startswith(f"The predecessor's default database {default} would be copied to {checkout / 'isems.db'}, ")
    assert not (checkout / "isems.db").exists()
    done = run(upgrade, checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"The predecessor's default database {default} (300 rows) was copied to ")
    assert f"isems.db was upgraded from version ef784e202371 to {HEAD}: 300 rows moved, 0 rejected" in done.stdout


#: As much of Flask-Migrate 2.1.1 as decides what happens: what it asks of an application.
FLASK_MIGRATE = """
import click
from flask import current_app
from flask.cli import with_appcontext

@click.group()
def db():
    pass

@db.command()
@click.argument("revision", default="head")
@with_appcontext
def upgrade(revision):
    current_app.extensions["migrate"].migrate.get_config(None, x_arg=())

@db.command()
@with_appcontext
def downgrade():
    current_app.extensions["migrate"].migrate.get_config(None, x_arg=())
"""


def test_flask_db_upgrade_is_ours_although_the_predecessors_flask_migrate_is_left(tmp_path: Path) -> None:
    """pip does not remove it, and `flask` prefers its command."""
    packages = tmp_path / "packages"
    (packages / "Flask_Migrate-2.1.1.dist-info").mkdir(parents=True)
    (packages / "Flask_Migrate-2.1.1.dist-info" / "METADATA").write_text("Name: Flask-Migrate\nVersion: 2.1.1\n")
    (packages / "Flask_Migrate-2.1.1.dist-info" / "entry_points.txt").write_text("[flask.commands]\ndb = migrates:db\n")
    (packages / "migrates.py").write_text(FLASK_MIGRATE)
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path / 'isems.db'}", "PYTHONPATH": str(packages)}
    done = run([*FLASK, "db", "upgrade"], **settings)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{settings['DATABASE_URL']} was created.\n", "")
    wrong = run([*FLASK, "db", "upgrade"], **settings | WRONG)
    assert (wrong.returncode, wrong.stderr) == (2, SENTENCE)
    other = run([*FLASK, "db", "downgrade"], **settings)
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr == "Error: of the commands of 'flask db' there is only 'upgrade'\n"


WRONG = {"ISEMS_POLL_INTERVAL": "soon"}
SENTENCE = "Error: ISEMS_POLL_INTERVAL is 'soon', expected a duration from 10s to 86400s, such as 90s, 15m or 1h\n"


@pytest.mark.parametrize(
    "command",
    [
        [*FLASK, "update-data"],
        [*ISEMS, "serve"],
        [str(SCRIPTS / "isems"), "db", "upgrade"],
    ],
    ids=lambda command: " ".join(Path(part).name for part in command),
)
def test_a_wrong_setting_ends_every_command_with_code_2_and_one_line(command: list[str], tmp_path: Path) -> None:
    if not Path(command[0]).exists():
        pytest.skip("isems is not installed here: requirements only")
    done = run(command, DATABASE_URL=f"sqlite:///{tmp_path / 'isems.db'}", **WRONG)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", SENTENCE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["run", "--port", "0"], ["update-data"], ["db", "upgrade"]], ids=" ".join)
def test_it_does_so_from_any_folder_too(arguments: list[str], tmp_path: Path) -> None:
    done = run([*FLASK, *arguments], cwd=tmp_path, FLASK_APP=str(ROOT / "app.py"), **WRONG)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", SENTENCE)


def test_flask_commands_work_from_any_folder(tmp_path: Path) -> None:
    done = run(
        [*FLASK, "db", "upgrade"],
        cwd=tmp_path,
        FLASK_APP=str(ROOT / "app.py"),
        DATABASE_URL=f"sqlite:///{tmp_path / 'isems.db'}",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "isems.db").is_file()


def test_a_password_is_in_no_message(tmp_path: Path) -> None:
    url = f"postgresql://isems:geheim@/isems?host={tmp_path}&connect_timeout=2"
    done = run([*FLASK, "db", "upgrade"], DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the database postgresql+psycopg://isems:***@")
    assert "geheim" not in done.stderr + done.stdout


def test_isems_and_python_m_isems_are_the_same() -> None:
    script = SCRIPTS / "isems"
    if not script.exists():
        pytest.skip("isems is not installed here: requirements only")
    assert run([str(script), "--help"]).stdout == run([*ISEMS, "--help"]).stdout


@pytest.mark.parametrize("arguments", [["simulate", "--nodes", "none"], ["--colour"], ["launch"]], ids=" ".join)
def test_wrong_usage_is_one_line_and_code_2(arguments: list[str]) -> None:
    done = run([*ISEMS, *arguments])
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("Error: ")


def test_the_help_can_be_cut_off() -> None:
    command = f"'{sys.executable}' -m isems --help | head -n 1"
    done = run(["sh", "-c", command])
    assert (done.stdout, done.stderr) == ("Usage: isems [OPTIONS] COMMAND [ARGS]...\n", "")


def test_an_old_python_is_told_so_in_words() -> None:
    program = "import sys; sys.version_info = (3, 9, 2); sys.version = '3.9.2 (default)'; import app"
    done = run([sys.executable, "-c", program])
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "needs Python 3.11 or newer; this is 3.9.2" in done.stderr
