"""Where samples that carry no time find their place among what is stored of their node."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Container, Sequence
from itertools import count

import msgspec
from sqlalchemy import Connection

from isems.domain.measurement import Measurement
from isems.domain.sample import SAME_BOOT_SECONDS, Verdict, is_same_cycle, is_sample, judge_sample
from isems.storage.displaced import remove_rows
from isems.storage.measurements import Inserted, insert_measurements, select_between
from isems.storage.newest import select_newest
from isems.storage.node_memory import forget_memories, select_memories
from isems.storage.node_states import note_samples
from isems.storage.nodes import find_node
from isems.storage.rows import merge

#: Of a node's newest records that many are looked at for the previous sample.
RECENT = 10


class History:
    """What is stored of a node around some samples, and they themselves once they have their place."""

    def __init__(self, connection: Connection, name: str, first: int, last: int) -> None:
        self.connection = connection
        self.name = name
        self.node_id = find_node(connection, name)
        self.records: list[Measurement] = []
        if self.node_id is not None:
            margins = first - SAME_BOOT_SECONDS, last + SAME_BOOT_SECONDS
            self.records = select_between(connection, name, self.node_id, *margins)

    def place(self, sample: Measurement, *, is_redelivered: bool = False) -> tuple[Verdict, Measurement]:
        """Judge a sample; a new one gets a second that nothing else has, since its time is ours to give."""
        around = self._around(_time_of(sample))
        before = self._newest() if is_redelivered else []
        verdict = judge_sample(sample, [*around, *before], is_redelivered=is_redelivered)
        if verdict is Verdict.NEW:
            sample = _move_to_free_second(sample, {one.measured_at for one in around})
            insort(self.records, sample, key=_time_of)
        return verdict, sample

    def _around(self, at: int) -> list[Measurement]:
        start = bisect_left(self.records, at - SAME_BOOT_SECONDS, key=_time_of)
        end = bisect_right(self.records, at + SAME_BOOT_SECONDS, key=_time_of)
        return self.records[start:end]

    def _newest(self) -> list[Measurement]:
        if self.node_id is None:
            return []
        return [one.measurement for one in select_newest(self.connection, self.name, self.node_id, RECENT)]


def _time_of(measurement: Measurement) -> int:
    return measurement.measured_at or 0


def _move_to_free_second(sample: Measurement, taken: Container[int | None]) -> Measurement:
    at = next(second for second in count(_time_of(sample)) if second not in taken)
    return sample if at == sample.measured_at else msgspec.structs.replace(sample, measured_at=at)


def make_way(connection: Connection, name: str, node_id: int, records: Sequence[Measurement], now: int) -> None:
    """Take out the samples that records about to be stored are better than: a record wins over the sample of its cycle.

    A sample that was given the second of a record moves on, since its time was ours to give.
    """
    coming = sorted(records, key=_time_of)
    first, last = _time_of(coming[0]) - SAME_BOOT_SECONDS, _time_of(coming[-1]) + SAME_BOOT_SECONDS
    stored = select_between(connection, name, node_id, first, last)
    held = {one.measured_at: one for one in stored if not is_sample(one)}
    # One that conflicts with a stored record will not be stored itself.
    coming = [r for r in coming if r.measured_at not in held or merge(held[r.measured_at], r) is not None]
    taken = {one.measured_at for one in (*stored, *coming)}
    gone: list[int] = []
    moved: list[Measurement] = []
    for sample in filter(is_sample, stored):
        at = _time_of(sample)
        start = bisect_left(coming, at - SAME_BOOT_SECONDS, key=_time_of)
        near = coming[start : bisect_right(coming, at + SAME_BOOT_SECONDS, key=_time_of)]
        if any(is_same_cycle(sample, record) for record in near):
            gone.append(at)
        elif any(record.measured_at == at and merge(sample, record) is None for record in near):
            gone.append(at)
            moved.append(_move_to_free_second(sample, taken))
            taken.add(moved[-1].measured_at)
    if gone:
        remove_rows(connection, node_id, gone)
        insert_measurements(connection, moved, now)


def insert_samples(connection: Connection, name: str, samples: Sequence[Measurement], now: int) -> Inserted:
    """Store samples that have their place."""
    inserted = insert_measurements(connection, samples, now)
    if inserted.stored and not select_memories(connection, [name])[name].has_samples:
        note_samples(connection, inserted.node_ids[name])
        forget_memories(connection)
    return inserted
