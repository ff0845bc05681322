"""Who may push: which tokens are taken, and that none is shown."""

import hashlib
from pathlib import Path

import pytest

from tests.config.reading import read, refusal

FREE, BOUND = "0123456789abcdef", "Roof_-.~" * 16


def tokens(text: str) -> dict[bytes, set[str]]:
    return {token.digest: set(token.nodes) for token in read(ISEMS_PUSH_TOKENS=text).push_tokens}


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def test_a_token_is_free_or_bound_to_one_node_or_several() -> None:
    text = f"{FREE}, {BOUND}=Dach\r\n{BOUND} = a,\n\n{BOUND}=two words=x, {FREE}"
    assert tokens(text) == {digest(FREE): set(), digest(BOUND): {"Dach", "a", "two words=x"}}


@pytest.mark.parametrize(
    ("text", "node"),
    [("Dach%2C Nord", "Dach, Nord"), ("%20x%20", " x "), ("S%C3%BCd", "Süd"), ("Süd", "Süd"), ("50%", "50%")],
)
def test_a_node_id_may_be_percent_encoded(text: str, node: str) -> None:
    assert tokens(f"{FREE}={text}") == {digest(FREE): {node}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("geheim-geheim-x", "in entry 1 a token of 16 to 128"),
        ("geheim" * 22, "in entry 1 a token of 16 to 128"),
        (f"{FREE},geheim geheim geheim", "in entry 2 a token of 16 to 128"),
        ("geheim/geheim/geheim", "a token of 16 to 128"),
        ("geheim-geheim-gehéim", "a token of 16 to 128"),
        ("=Dach", "a token of 16 to 128"),
        ("geheim-geheim-geheim=", "a node id of 1 to 255 bytes"),
        ("geheim-geheim-geheim=%00", "a node id of 1 to 255 bytes"),
        ("geheim-geheim-geheim=%FF", "a node id of 1 to 255 bytes"),
        ("geheim-geheim-geheim=" + "ä" * 128, "a node id of 1 to 255 bytes"),
        ("geheim-geheim-geheim=a,geheim-geheim-geheim", "in entry 2 a token that stands either alone or before"),
        ("geheim-geheim-geheim,geheim-geheim-geheim=a", "in entry 2 a token that stands either alone or before"),
    ],
)
def test_a_wrong_token_is_told_by_its_place_and_not_shown(text: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(text, encoding="utf-8")
    for sentence in (refusal(ISEMS_PUSH_TOKENS=text), refusal(ISEMS_PUSH_TOKENS_FILE=str(file))):
        assert sentence.startswith("ISEMS_PUSH_TOKENS is (not shown), expected ")
        assert expected in sentence
        assert "heim" not in sentence


def test_the_settings_themselves_hold_no_token() -> None:
    assert FREE not in repr(read(ISEMS_PUSH_TOKENS=FREE))
