"""The status code: twelve flags, the first being the most significant bit."""

import json
from pathlib import Path
from typing import Any

import pytest

from isems.domain.status import StatusFlag, decode_status

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "formats" / "status_vectors.json").read_text(encoding="utf-8")
)


def names_of(flags: StatusFlag) -> set[str]:
    return {str(flag.name).lower() for flag in flags}


def test_the_list_of_codes_is_whole() -> None:
    assert len({vector["code"] for vector in VECTORS}) == 46


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["code"])
def test_a_code_that_a_program_sent_has_the_flags_listed_for_it(vector: dict[str, Any]) -> None:
    flags = decode_status(int(vector["code"], 16))
    assert names_of(flags) == set(vector["flags"])
    assert flags == vector["value"]


@pytest.mark.parametrize(("bit", "flag"), list(enumerate(StatusFlag)))
def test_the_mask_of_bit_n_is_0x800_shifted_right_n_times(bit: int, flag: StatusFlag) -> None:
    assert flag == 0x800 >> bit


def test_each_of_the_4096_codes_is_the_sum_of_its_flags() -> None:
    assert all(sum(decode_status(code)) == code for code in range(0x1000))


@pytest.mark.parametrize("status", [0x1300, 0xF300, 0xABCDEF300, (1 << 128) - 0x1000 + 0x300])
def test_of_a_wider_code_the_low_twelve_bits_count(status: int) -> None:
    """Defect 25: a status of eight digits was out of the database's range."""
    assert decode_status(status) == StatusFlag.FULLY_CHARGED | StatusFlag.HEALTHY


def test_a_code_without_flags_is_no_flag_not_an_error() -> None:
    assert decode_status(0) == StatusFlag(0)
