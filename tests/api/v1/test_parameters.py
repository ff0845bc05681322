"""Parameters: whatever is sent is understood or refused in words."""

from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from isems.api.v1 import parameters
from isems.api.v1.parameters import Kind, Parameter, ParameterError, Reading, read_parameters, whole, write_cursor

READING = Reading(1_768_046_430, ZoneInfo("Europe/Berlin"))
KINDS = {name: kind for name, kind in vars(parameters).items() if isinstance(kind, Kind)} | {"whole": whole(1, 10)}
#: Texts near what is meant, and any others.
TEXTS = st.one_of(
    st.text(max_size=300),
    st.from_regex(r"(now[-+ ]?[0-9]*[smhdw]?|[-+0-9.,eE_]*|[0-9]{4}-[0-9]{2}-[0-9]{2}T?[0-9:]*)", fullmatch=True),
    st.sampled_from(["Europe/Berlin", "../etc/passwd", "Europe", "\ud800", "battery_volts,battery_volts", "W10="]),
)


class Asked(msgspec.Struct):
    count: Annotated[int, Parameter(whole(1, 10), "How many.", aliases=("number",))] = 3
    first: Annotated[int | None, Parameter(parameters.FIRST, "From.")] = msgspec.field(default=None, name="from")
    end: Annotated[int | None, Parameter(parameters.END, "To.")] = None
    names: Annotated[list[str], Parameter(parameters.NODE, "Names.", is_repeated=True)] = []
    tz: Annotated[ZoneInfo | None, Parameter(parameters.ZONE, "Zone.")] = None


def read(*pairs: tuple[str, str]) -> Asked:
    return read_parameters(Asked, MultiDict(pairs), READING)


@pytest.mark.parametrize("name", sorted(KINDS))
@given(text=TEXTS)
def test_any_text_is_a_value_or_refused(name: str, text: str) -> None:
    try:
        KINDS[name].read(text, READING)
    except ValueError:
        return


@given(position=st.lists(st.none() | st.booleans() | st.integers(0, 2**63 - 1) | st.text(max_size=100), max_size=4))
def test_a_cursor_is_read_as_it_was_written(position: list[object]) -> None:
    assert parameters.CURSOR.read(write_cursor(position), READING) == position


def test_what_is_left_out_has_its_default() -> None:
    assert read() == Asked(3, None, None, [], None)


def test_a_parameter_may_be_given_by_its_other_name_but_not_by_both() -> None:
    assert read(("number", "5")).count == 5
    with pytest.raises(ParameterError, match=r"number is '5', expected only one of count, number"):
        read(("count", "4"), ("number", "5"))


def test_a_repeated_parameter_keeps_its_order() -> None:
    assert read(("names", "b"), ("count", "1"), ("names", "a")).names == ["b", "a"]


def test_relative_instants_are_taken_to_the_minute_that_holds_all_that_was_meant() -> None:
    asked = read(("from", "now-1h"), ("end", "now"))
    assert (asked.first, asked.end) == (1_768_042_800, 1_768_046_460)
    exact = read(("from", "1768042807"), ("end", "1768046433"))
    assert (exact.first, exact.end) == (1_768_042_807, 1_768_046_433)


@pytest.mark.parametrize("order", [1, -1])
def test_a_time_without_offset_is_one_of_the_zone_that_is_asked_for(order: int) -> None:
    pairs = [("from", "2026-01-10T12:00:00"), ("tz", "America/New_York")][::order]
    assert read(*pairs).first == 1_768_064_400


def test_an_error_repeats_no_more_than_a_line_of_what_was_sent() -> None:
    for pair in (("count", "9" * 10_000), ("x" * 10_000, "1")):
        with pytest.raises(ParameterError) as caught:
            read(pair)
        assert len(str(caught.value.description)) < 250
