"""isems.env.example and README.md name each variable, with the default that it has."""

import re
from pathlib import Path

import msgspec

from isems.config import Config
from tests.config.reading import names_read, read

ROOT = Path(__file__).resolve().parents[2]


def example_lines() -> dict[str, str]:
    text = (ROOT / "isems.env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))


def test_the_example_has_a_commented_line_for_each_variable() -> None:
    assert set(example_lines()) == names_read()


def unnamed(config: Config) -> Config:
    """The same settings as if nobody had named the database, which is by its default name."""
    return msgspec.structs.replace(config, is_database_named=False)


def test_the_example_uncommented_changes_nothing() -> None:
    assert unnamed(read(**example_lines())) == read()


def test_the_example_as_it_is_sets_nothing() -> None:
    lines = (ROOT / "isems.env.example").read_text(encoding="utf-8").splitlines()
    assert all(not line or line.startswith("#") for line in lines)


def test_the_readme_has_a_row_for_each_variable_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {
        name
        for cell in re.findall(r"^\| (`[A-Z_`, ]+) \|", text, re.MULTILINE)
        for name in re.findall(r"`([A-Z_]+)`", cell)
    }
    assert named == names_read()


def test_the_readme_tells_the_same_defaults_as_the_example() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    defaults: dict[str, str] = {}
    for names, values in re.findall(r"^\| (`[A-Z_`, ]+) \| ([^|]*) \|", text, re.MULTILINE):
        given = re.findall(r"`([^`]+)`", values) or [""]
        defaults |= dict(zip(re.findall(r"`([A-Z_]+)`", names), given, strict=True))
    assert unnamed(read(**defaults)) == read()
