"""The nodes' number grammar, and the memory of texts already read."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isems.formats import numbers
from isems.formats.numbers import Memory, minutes_of_ticks, number_of, read_number, status_of


@pytest.mark.parametrize(
    "text",
    [
        *("13", "0", "13.0", "0.0", "50.0", "52.50731", "13.45864", "52.507309", "14.073", "1e-05", "-1e-05", "-0"),
        *("-2400", "+7", "1.606e+09", "1E5", "007", "-149.06", "12.299", "1e-400", "0.1", "99999", "1e308"),
        *("3.402823e+38", "16777217", "0." + "1" * 38),
    ],
)
def test_every_form_a_program_prints_is_read_exactly(text: str) -> None:
    number = read_number(text)
    assert number is not None
    assert number == float(Decimal(text))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "nan", "-nan", "NaN", "inf", "-inf", "Infinity", "nil", "52,5", "abc", "0x10", "1_000", " 1", "1 "),
        *("1\n", "1\0", ".5", "5.", "1e", "e5", "--1", "+-1", "1e+", "1.2.3", "1e5.0", "1e999", "-1e999", "٣", "１"),
        *("²", "1d5", "1f", "1e-", "9" * 41, "true", "None", '"1"'),
    ],
)
def test_anything_else_is_unknown(text: str) -> None:
    assert read_number(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_a_number_as_lua_prints_it_survives(number: float) -> None:
    for text in (f"{number:.14g}", f"{number:.7g}"):
        assert read_number(text) == float(text)


@given(st.text("0123456789+-.eE_ ,xnaif٣\0\n", max_size=12))
def test_no_text_is_read_as_anything_but_a_finite_number(text: str) -> None:
    number = read_number(text)
    assert number is None or (
        abs(number) < float("inf") and text.isascii() and "_" not in text and text == text.strip()
    )


@pytest.mark.parametrize("text", ["1e-05", "-nan", "", "x" * 5000, "300", "0x4a2"])
def test_a_remembered_text_is_read_as_it_was_the_first_time(text: str) -> None:
    for memory in (number_of, minutes_of_ticks, status_of):
        assert memory[text] == memory[text] == memory.read(text)


@pytest.mark.parametrize(
    ("ticks", "minutes"),
    [
        ("3600", 900),
        ("870", 217.5),
        ("1669", 417.25),
        ("1", 0.25),
        ("0", 0),
        ("99999", 99999),
        ("nan", None),
        ("", None),
    ],
)
def test_ticks_of_15_seconds_become_minutes_and_marks_stay(ticks: str, minutes: float | None) -> None:
    assert minutes_of_ticks[ticks] == minutes


def test_a_memory_stays_within_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "MAX_REMEMBERED", 50)
    memory = Memory(read_number)
    for number in range(1000):
        assert memory[str(number)] == number
        assert memory["9" * (41 + number)] is None
    assert 0 < len(memory) <= 50
    assert max(map(len, memory)) <= numbers.MAX_NUMBER_CHARACTERS


def test_a_memory_never_holds_a_half_made_value() -> None:
    """Two threads parse at once: what one has just read must not be seen by the other before it is in minutes."""
    seen = []

    def read(text: str) -> float | None:
        seen.append(text in memory)
        return numbers.read_minutes_of_ticks(text)

    memory = Memory(read)
    assert memory["3600"] == 900
    assert seen == [False]
