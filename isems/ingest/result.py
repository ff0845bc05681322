"""What became of a payload."""

from collections.abc import Sequence

import msgspec

from isems.domain.measurement import Measurement
from isems.domain.payload import Source
from isems.domain.rejection import Reason, Rejected
from isems.storage.tally import INSTANT

#: What can become of a record.
RESULTS = ("stored", "duplicate", "completed", "rejected", "undecided")


class IngestResult(msgspec.Struct):
    """What became of a payload's records, each counted once."""

    stored: int = 0
    duplicate: int = 0
    completed: int = 0
    rejected: int = 0
    undecided: int = 0
    #: How many of the rejected for which reason.
    reasons: dict[Reason, int] = msgspec.field(default_factory=dict)
    #: Names of the nodes whose records were read.
    nodes: list[str] = msgspec.field(default_factory=list)
    #: The records that were kept, for who schedules the next poll: how many, from when to when.
    kept: int = 0
    first_at: int | None = None
    newest: Measurement | None = None

    def add(self, other: "IngestResult") -> None:
        """Add the counts of another payload."""
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.completed += other.completed
        self.rejected += other.rejected
        self.undecided += other.undecided
        self.nodes = list(dict.fromkeys(self.nodes + other.nodes))
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    def counts(self, source: Source, received_at: int) -> dict[str, float]:
        """Give what is counted for good (storage.counters): records by source and result, rejected ones by reason."""
        counts = {f"rows/{source}/{name}": float(getattr(self, name)) for name in RESULTS}
        counts |= {f"rejected/{reason}": count for reason, count in self.reasons.items()}
        if self.stored:
            counts[f"{INSTANT}{source}"] = received_at
        return {name: count for name, count in counts.items() if count}

    def count_rejected(self, pieces: Sequence[Rejected]) -> None:
        """Count rejected pieces with their reasons."""
        self.rejected += len(pieces)
        for piece in pieces:
            self.reasons[piece.reason] = self.reasons.get(piece.reason, 0) + 1

    @property
    def records(self) -> int:
        """All records, whatever became of them."""
        return self.stored + self.duplicate + self.completed + self.rejected + self.undecided
