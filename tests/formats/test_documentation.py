"""docs/wire-formats.md names everything a developer can meet."""

from pathlib import Path

import pytest

from isems.domain.measurement import Dialect
from isems.domain.rejection import Reason
from isems.formats import FORMATS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "wire-formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_sentence(reason: Reason) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{reason.value}` |")]
    assert row.endswith(". |")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_its_section(name: str) -> None:
    assert f"\n## `{name}`" in PAGE


@pytest.mark.parametrize("dialect", [dialect for dialect in Dialect if dialect is not Dialect.UNKNOWN])
def test_every_dialect_is_told_from_the_others(dialect: Dialect) -> None:
    assert f"| `{dialect.value}` |" in PAGE
