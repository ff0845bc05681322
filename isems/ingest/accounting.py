"""Every record is counted once, and what could not be stored is kept with its reason."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from isems.domain.clock import Moment
from isems.domain.measurement import Measurement
from isems.domain.rejection import Reason, Rejected
from isems.domain.repair import Judgement
from isems.ingest.arrival import Grouped, Sent, raw_of
from isems.ingest.result import IngestResult
from isems.storage.measurements import Inserted
from isems.storage.rejected import insert_rejected

OLDER_THAN_KEPT = "it is older than the raw data that are kept of this node: of that time there are only roll-ups"


def part_of(inserted: Inserted, start: int, arrival: Grouped) -> Inserted:
    """Give what became of an arrival's records in a batch, with indices that begin with theirs."""
    measurements = arrival.parsed.measurements
    count = len(measurements)

    def own(indices: list[int]) -> list[int]:
        first, end = bisect_left(indices, start), bisect_left(indices, start + count)
        return [index - start for index in indices[first:end]]

    part = Inserted(
        duplicates=own(inserted.duplicates),
        completions=own(inserted.completions),
        conflicts=own(inserted.conflicts),
        beyond_limit=own(inserted.beyond_limit),
        too_old=own(inserted.too_old),
        node_ids=inserted.node_ids,
    )
    others = {*part.duplicates, *part.completions, *part.conflicts, *part.beyond_limit, *part.too_old}
    part.stored = count - len(others)
    told = arrival.by_node if not others else {m.node for i, m in enumerate(measurements) if i not in others}
    part.told_more = {part.node_ids[name] for name in told}
    return part


def account(
    connection: Connection,
    arrival: Grouped,
    kept: Sequence[Measurement],
    inserted: Inserted,
    rejected: Sequence[Rejected],
    moment: Moment,
) -> IngestResult:
    """Keep what was rejected, and count what became of every record."""
    insert_rejected(connection, arrival.payload.source, arrival.payload.address, rejected, moment.now)
    times = [measurement.measured_at or 0 for measurement in kept]
    result = IngestResult(
        stored=inserted.stored,
        duplicate=inserted.duplicate,
        completed=inserted.completed,
        nodes=list(arrival.by_node),
        kept=len(kept),
        first_at=min(times, default=None),
        newest=kept[-1 - times[::-1].index(max(times))] if kept else None,
    )
    if rejected:
        result.count_rejected(rejected)
    return result


def refused_of(by_node: Mapping[str, Sent], judgements: Mapping[str, Judgement]) -> Iterable[Rejected]:
    for name, judgement in judgements.items():
        for refused in judgement.refused:
            yield Rejected(raw_of(by_node[name].raws[refused.index]), refused.reason, refused.detail, name)


def lost_of(kept: Sequence[Measurement], raws: Sequence[str], inserted: Inserted) -> Iterable[Rejected]:
    for position in inserted.conflicts:
        detail = "another record of this node and second is stored and differs"
        yield Rejected(raw_of(raws[position]), Reason.CONFLICT, detail, kept[position].node)
    for position in inserted.beyond_limit:
        yield Rejected(raw_of(raws[position]), Reason.NODE_LIMIT, "too many nodes are known already")
    for position in inserted.too_old:
        yield Rejected(raw_of(raws[position]), Reason.OLDER_THAN_KEPT, OLDER_THAN_KEPT, kept[position].node)
