"""This machine's own clock: what vouches for it, and what tells one boot from the next."""

import subprocess
import sys
import time

import pytest

from isems.sources import own_clock
from isems.sources.own_clock import is_kernel_synchronised, read_boot, read_moment, read_uptime


def test_the_operators_word_is_enough() -> None:
    assert read_moment(is_trusted_by_operator=True).is_trusted is True


def test_without_the_operators_word_the_kernel_decides() -> None:
    assert read_moment(is_trusted_by_operator=False).is_trusted is is_kernel_synchronised()


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex is Linux's")
def test_the_kernel_is_asked_without_being_told_anything() -> None:
    """The same answer twice, as a bool, and our clock runs on as before: only read."""
    before = time.time() - time.monotonic()
    assert is_kernel_synchronised() in (True, False)
    assert abs(time.time() - time.monotonic() - before) < 1


class SilentLibrary:
    """A C library without adjtimex."""

    def __init__(self, _name: None) -> None:
        pass


class Kernel:
    """A C library whose adjtimex gives a fixed answer."""

    def __init__(self, answer: int) -> None:
        self.answer = answer

    def __call__(self, _name: None) -> "Kernel":
        return self

    def adjtimex(self, _buffer: object) -> int:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "synchronised"),
    [(0, True), (1, True), (2, True), (3, True), (4, True), (5, False), (-1, False)],
)
def test_the_kernels_answer_is_read_as_its_manual_says(
    monkeypatch: pytest.MonkeyPatch, answer: int, synchronised: bool
) -> None:
    """0 to 4: synchronised, a leap second perhaps coming; 5: not; -1: may not be asked here."""
    monkeypatch.setattr(own_clock.ctypes, "CDLL", Kernel(answer))
    assert is_kernel_synchronised() is synchronised


def test_where_the_kernel_cannot_be_asked_its_clock_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_clock.ctypes, "CDLL", SilentLibrary)
    assert is_kernel_synchronised() is False


def test_uptime_and_clock_advance_together() -> None:
    uptime, now = read_uptime(), time.time()
    time.sleep(0.05)
    assert abs((read_uptime() - uptime) - (time.time() - now)) < 0.04
    assert read_uptime() > uptime


def test_a_moment_tells_the_time_and_the_uptime_in_whole_seconds() -> None:
    moment = read_moment(is_trusted_by_operator=True)
    assert abs(moment.now - time.time()) <= 2
    assert abs(moment.uptime.seconds - read_uptime()) <= 2


@pytest.mark.skipif(not own_clock.BOOT_ID.exists(), reason="this platform does not name its boots")
def test_two_processes_of_one_boot_name_it_alike() -> None:
    """Cron, subscriber and web judge each other's undecided input."""
    command = "from isems.sources.own_clock import read_boot; print(read_boot())"
    other = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=30)
    assert other.stdout.strip() == read_boot()
    assert len(read_boot()) >= 32


def test_where_boots_have_no_name_a_step_of_the_clock_is_no_new_boot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Undecided input is judged by uptime only within one boot, and just when the clock has stepped."""
    monkeypatch.setattr(own_clock, "BOOT_ID", own_clock.Path(str(tmp_path)) / "missing")
    before = read_boot()
    monkeypatch.setattr(own_clock.time, "time", lambda: 4_000_000_000.0)
    assert read_boot() == before
    assert before.startswith("process-")
