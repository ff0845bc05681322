"""Writes what comes in groups: a commit costs the same for one record as for a hundred, and an SD card wears by it."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Generic, NamedTuple, TypeVar

log = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")

#: So long nothing must have come before `rest` is called: short of ten seconds, after which whoever looks into the
#: database finds everything in its place.
REST_SECONDS = 8.0


class _Item(NamedTuple, Generic[S, T]):
    item: S
    weight: int
    done: "Future[T]"


class GroupWriter(Generic[S, T]):
    """A thread that writes items in groups; `put` never waits.

    A group is written `interval_seconds` after its first item came, or as soon as its items weigh `limit` together; it
    has no more than these, or one that is heavier. When nothing came for a while, and in the end, `rest` is called.
    """

    def __init__(
        self,
        write: Callable[[Sequence[S]], Sequence[T | Exception]],
        rest: Callable[[], object],
        *,
        interval_seconds: float,
        limit: int,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        self._write = write
        self._rest = rest
        self._interval = interval_seconds
        self._limit = limit
        self._rest_seconds = rest_seconds
        self._waiting: deque[_Item[S, T]] = deque()
        #: The group in hand.
        self._writing: list[_Item[S, T]] = []
        self._weight = 0
        self._came_first = self._came_last = time.monotonic()
        # What an earlier process left may be waiting to be put in its place.
        self._has_rested = False
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="isems-writer", daemon=True)
        self._thread.start()

    def put(self, item: S, weight: int = 1) -> "Future[T]":
        """Take an item to be written; the future tells what became of it."""
        waiting = _Item[S, T](item, weight, Future())
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the writer is closed")
            self._came_last = time.monotonic()
            if not self._waiting:
                self._came_first = self._came_last
            self._waiting.append(waiting)
            self._weight += weight
            self._has_rested = False
            if len(self._waiting) == 1 or self._weight >= self._limit:
                self._changed.notify()
        return waiting.done

    def flush(self) -> None:
        """Write what waits now, and return when it is written."""
        with self._changed:
            waiting = [one.done for one in (*self._writing, *self._waiting)]
        self.hurry()
        wait(waiting)

    def hurry(self) -> None:
        """Let what waits be written now, because nothing more is to come."""
        with self._changed:
            self._came_first = -math.inf
            self._changed.notify()

    def set_limit(self, limit: int) -> None:
        """Change the weight of a group."""
        with self._changed:
            self._limit = limit
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, rest, and end; may be called again."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._wait_for_work():
            group = self._take()
            if group:
                self._write_group(group)
            elif not self._has_rested:
                self._has_rested = True
                self._try_to_rest()

    def _wait_for_work(self) -> bool:
        """Wait until a group is to be written or it is time to rest; False when all is done."""
        with self._changed:
            while (seconds := self._seconds_to_wait()) is None or seconds > 0:
                self._changed.wait(seconds)
            return bool(self._waiting) or not (self._is_closed and self._has_rested)

    def _seconds_to_wait(self) -> float | None:
        now = time.monotonic()
        if self._is_closed or self._weight >= self._limit:
            return 0
        if self._waiting:
            return self._came_first + self._interval - now
        return None if self._has_rested else self._came_last + self._rest_seconds - now

    def _take(self) -> list["_Item[S, T]"]:
        taken: list[_Item[S, T]] = []
        weight = 0
        with self._changed:
            while self._waiting and (not taken or weight + self._waiting[0].weight <= self._limit):
                taken.append(self._waiting.popleft())
                weight += taken[-1].weight
            self._weight -= weight
            self._writing = taken
        return [one for one in taken if one.done.set_running_or_notify_cancel()]

    def _write_group(self, group: Sequence["_Item[S, T]"]) -> None:
        try:
            results = self._write([one.item for one in group])
        except Exception as error:  # noqa: BLE001  # handed to whom the items belong to; the thread must go on
            results = [error] * len(group)
        for one, result in zip(group, results, strict=True):
            if isinstance(result, Exception):
                one.done.set_exception(result)
            else:
                one.done.set_result(result)

    def _try_to_rest(self) -> None:
        try:
            self._rest()
        except Exception as error:  # noqa: BLE001  # nothing is lost by it; what waits must still be written
            log.warning("the inbox could not be settled, it will be later: %s", error)
