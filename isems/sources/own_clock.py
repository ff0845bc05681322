"""This machine's own clock: a Raspberry Pi has none that survives a power cut, so it may be the wrong one."""

import ctypes
import os
import sys
import time
from pathlib import Path

from isems.domain.clock import Moment, Uptime

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: Stands for the boot where the platform does not name it. Read once: the clock may step while we run.
PROCESS = f"process-{os.getpid()}-{time.time_ns()}"
#: What adjtimex(2) returns while the clock is not synchronised (TIME_ERROR in <sys/timex.h>).
TIME_ERROR = 5
#: More than `struct timex` has on any platform; all zero means: read only.
TIMEX_BYTES = 512


def read_moment(*, is_trusted_by_operator: bool) -> Moment:
    """Read the clock, and whether the kernel or the operator vouches for it."""
    is_trusted = is_trusted_by_operator or is_kernel_synchronised()
    return Moment(int(time.time()), is_trusted, Uptime(read_boot(), int(read_uptime())))


def is_kernel_synchronised() -> bool:
    """Ask the kernel whether something (NTP, PTP, chrony) keeps its clock; False where it cannot be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return bool(0 <= state < TIME_ERROR)


def read_boot() -> str:
    """Give what tells one boot of this machine from the next; what names this process where there is nothing."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return PROCESS


def read_uptime() -> float:
    """Give seconds since boot, counting suspended time where the platform can."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()
