"""How the house is built: imports run downwards, the rules are pure, no file names where packages come from."""

import ast
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "isems"

# What rules may use: nothing that reads a clock, a file, the environment or the network.
PURE = {
    *("__future__", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "hashlib", "itertools", "json", "math", "operator", "re", "statistics", "string"),
    *("struct", "types", "typing", "unicodedata", "zlib", "zoneinfo", "msgspec"),
}
CLOCKS = re.compile(r"\b(datetime\.now|datetime\.utcnow|datetime\.today|date\.today|open)\(")


def imported_names(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in the file; `from package import name` gives package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [f"{sysconfig.get_path('scripts')}/lint-imports", "--no-cache"]
    # Colour codes would cut the words apart.
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def house_copy(tmp_path: Path) -> Path:
    """The package and its import rules, to spoil."""
    shutil.copytree(PACKAGE, tmp_path / "isems", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_stands_as_it_is_drawn(house_copy: Path) -> None:
    checked = lint_imports(house_copy)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 broken" in checked.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        pytest.param("errors.py", "import isems.domain.status", "isems.errors -> isems.domain.status", id="upward"),
        pytest.param("storage/__init__.py", "import isems.formats", "isems.storage -> isems.formats", id="sideways"),
        pytest.param("domain/status.py", "import isems.config", "isems.domain.status -> isems.config", id="same floor"),
        pytest.param(
            "config/push_tokens.py",
            "import isems.config.broker",
            "isems.config.push_tokens -> isems.config.broker",
            id="between concerns of the settings",
        ),
        pytest.param("domain/status.py", "import flask", "isems.domain.status -> flask", id="framework in a rule"),
        pytest.param("domain/status.py", "import socket", "isems.domain.status -> socket", id="network in a rule"),
    ],
)
def test_a_planted_import_is_found(house_copy: Path, module: str, line: str, broken: str) -> None:
    for room in ("config/__init__.py", "formats/__init__.py", "storage/__init__.py"):
        (house_copy / "isems" / room).parent.mkdir(exist_ok=True)
        (house_copy / "isems" / room).touch()
    spoiled = house_copy / "isems" / module
    spoiled.write_text(f"{line}\n{spoiled.read_text(encoding='utf-8')}", encoding="utf-8")

    checked = lint_imports(house_copy)

    assert checked.returncode != 0
    assert broken in checked.stdout


def test_a_new_module_must_be_given_a_floor(house_copy: Path) -> None:
    (house_copy / "isems" / "attic.py").touch()
    checked = lint_imports(house_copy)
    assert checked.returncode != 0
    assert "isems.attic" in checked.stdout


RULES = sorted((PACKAGE / "domain").glob("**/*.py"))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_a_rule_imports_only_what_is_pure(path: Path) -> None:
    ours = ("isems.domain", "isems.errors")
    foreign = {name for name in imported_names(path) if name not in PURE and not name.startswith(ours)}
    assert not foreign, f"{path.name} imports {foreign}; a rule takes what it needs as an argument"


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_a_rule_reads_no_clock_and_no_file(path: Path) -> None:
    assert not CLOCKS.findall(path.read_text(encoding="utf-8"))


def test_only_config_reads_the_environment() -> None:
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.glob("**/*.py")
        if re.search(r"\bos\.(environ|getenv)\b|\bfrom os import\b", path.read_text(encoding="utf-8"))
    }
    assert readers <= {"config/settings.py"}


def test_ingest_and_alerting_know_no_web_and_no_sockets() -> None:
    for module in ("ingest", "alerting"):
        paths = [*PACKAGE.glob(f"{module}.py"), *PACKAGE.glob(f"{module}/**/*.py")]
        for path in paths:
            roots = {name.partition(".")[0] for name in imported_names(path)}
            assert not roots & {"flask", "werkzeug", "socket", "asyncio", "urllib", "http"}, path


def tracked_files() -> list[Path]:
    """What git keeps; without git (an unpacked archive) there is nothing to ask."""
    listing = ["git", "ls-files", "-z", "--cached"]
    try:
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


# Written so that this file does not hold what it looks for.
ADDRESSES = re.compile(
    "|".join(
        [
            r"--(extra-)?index" + "-url",
            r"--find" + "-links",
            r'"resolved": *"http',
            r'https?://[^\s"]*/' + r'(simple|registry)(/|"|\s|$)',
            r"(files\.python" + r"hosted|registry\.npm" + r"js)\.",
        ]
    )
)


def test_no_file_says_where_packages_come_from() -> None:
    # An operator's mirror is his own affair; a committed address would bypass it.
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:80]}"
        for path in tracked_files()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if ADDRESSES.search(line) and "--no-emit" not in line
    ]
    assert found == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-parquet.txt"])
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line[:80]


def test_both_requirement_files_agree_on_what_they_share() -> None:
    versions: dict[str, set[str]] = {}
    for file in ("requirements.txt", "requirements-dev.txt", "requirements-parquet.txt"):
        for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / file).read_text(encoding="utf-8"), re.M):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
