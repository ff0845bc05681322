"""Old rows become measurements at instants, or are rejected with a reason."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import EARLIEST_BELIEVED
from isems.domain.local_time import HOUR_CHARACTERS, Hours, Seconds, count_first_pass, instants_of, read_local
from isems.domain.measurement import Measurement
from isems.domain.rejection import Reason, Rejected
from isems.formats.parsed import LineError
from isems.formats.predecessor_row import describe_row, read_node, read_row
from isems.storage.predecessor import select_between, select_neighbour

OldRow = Sequence[Any]
#: Doubled hours of nodes remembered before the memory is emptied.
MAX_REMEMBERED = 10_000


class Judged(msgspec.Struct):
    """What became of a batch; `rows[i]` is what `measurements[i]` was made from."""

    last_id: int
    measurements: list[Measurement] = msgspec.field(default_factory=list)
    rows: list[OldRow] = msgspec.field(default_factory=list)
    rejected: list[Rejected] = msgspec.field(default_factory=list)
    #: Rows in doubled hours, and how many of them are of the second pass.
    doubled: int = 0
    second: int = 0


class Judge:
    """Reads rows of one database, whose local times are of one zone; remembers what repeats."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._hours = Hours(zone)
        self._seconds = Seconds()
        self._second_passes: dict[tuple[str, str], float] = {}

    def judge(self, connection: Connection, rows: Sequence[OldRow], latest: int) -> Judged:
        """Read a batch; instants after `latest` are impossible."""
        judged = Judged(rows[-1][0])
        add_measurement, add_row = judged.measurements.append, judged.rows.append
        for row in rows:
            try:
                at = self._read_plain(row[2])
                if at is None:
                    at = self._decide(connection, row, judged)
                if not EARLIEST_BELIEVED < at <= latest:
                    raise _impossible(row, at)
                add_measurement(read_row(row, at))
                add_row(row)
            except LineError as error:
                judged.rejected.append(reject(row, error.reason, str(error)))
        return judged

    def _read_plain(self, text: Any) -> int | None:
        """Give the instant of a local time; None where its hour is changed."""
        try:
            hour: int | None = self._hours[text[:HOUR_CHARACTERS]]
            return None if hour is None else hour + self._seconds[text[HOUR_CHARACTERS:]]
        except (TypeError, ValueError, OverflowError):
            if text is None:
                raise LineError(Reason.NO_TIME, "the row has no time") from None
            detail = f"time is {text!r:.60}, expected YYYY-MM-DD HH:MM:SS"
            raise LineError(Reason.TIME_UNREADABLE, detail) from None

    def _decide(self, connection: Connection, row: OldRow, judged: Judged) -> int:
        """Give the instant of a local time in an hour in which clocks are changed."""
        try:
            instants = instants_of(read_local(row[2]), self.zone)
        except ValueError:
            raise LineError(Reason.TIME_UNREADABLE, f"time is {row[2]!r:.60}") from None
        if not instants:
            raise LineError(Reason.TIME_SKIPPED, f"clocks of {self.zone.key} were never at {row[2]}")
        if len(instants) == 1:
            return instants[0]
        is_second: bool = row[0] >= self._second_pass(connection, read_node(row), row[2][:HOUR_CHARACTERS])
        judged.doubled += 1
        judged.second += is_second
        return instants[is_second]

    def _second_pass(self, connection: Connection, node: str, hour: str) -> float:
        """Give the id from which a node's rows in a doubled hour are of the second pass."""
        if (node, hour) not in self._second_passes:
            if len(self._second_passes) >= MAX_REMEMBERED:
                self._second_passes.clear()
            self._second_passes[node, hour] = self._find_second_pass(connection, node, read_local(f"{hour}:00:00"))
        return self._second_passes[node, hour]

    def _find_second_pass(self, connection: Connection, node: str, begin: datetime) -> float:
        end = begin + timedelta(hours=1)
        meanings = [(id_, self._instants(text)) for id_, text in select_between(connection, node, begin, end)]
        doubled = [(id_, instants) for id_, instants in meanings if len(instants) == 2]
        before = self._instants(select_neighbour(connection, node, begin, before=True))
        after = self._instants(select_neighbour(connection, node, end, before=False))
        count = count_first_pass(
            [instants[0] for _, instants in doubled],
            doubled[0][1][1] - doubled[0][1][0],
            before[-1] if before else None,
            after[0] if after else None,
        )
        return doubled[count][0] if count < len(doubled) else inf

    def _instants(self, text: str | None) -> list[int]:
        try:
            return [] if text is None else instants_of(read_local(text), self.zone)
        except (ValueError, OverflowError):
            return []


def reject(row: OldRow, reason: Reason, detail: str) -> Rejected:
    """Keep a row whole, under its node where that has a name."""
    try:
        node = read_node(row)
    except LineError:
        node = None
    return Rejected(describe_row(row), reason, detail, node)


def _impossible(row: OldRow, at: int) -> LineError:
    if at <= EARLIEST_BELIEVED:
        return LineError(Reason.CLOCK_UNSET, f"the node's clock was not set at {row[2]}")
    return LineError(Reason.CLOCK_AHEAD, f"the node's clock was ahead of ours at {row[2]}")
