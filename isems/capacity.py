"""How much room the data take, how fast they grow, and how long the disk has room for them."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from sqlalchemy import Connection

from isems.storage.counters import SINCE, WRITTEN_BYTES, read_counts
from isems.storage.history import count_nearly, count_since, find_oldest
from isems.storage.size import measure_size

HOUR, DAY = 3600, 86_400
MEGABYTE = 1_000_000
#: Growth is that of the last days.
GROWTH_DAYS = 7
#: Of fewer measurements nothing can be told: tables that are nearly empty take room, too.
MIN_MEASUREMENTS = 10_000


class StorageReport(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes and measurements; None where it cannot be told."""

    #: The database with its indexes, roll-ups, rejected input and journal.
    database_bytes: int
    disk_free_bytes: Annotated[
        int | None,
        msgspec.Meta(
            description="Of SQLite's disk, whole megabytes: a few bytes are no news. Of PostgreSQL's only its server knows."
        ),
    ]
    disk_bytes: int | None
    #: Kept raw, to within some hours' of late ones.
    measurements: int
    #: Everything but the journal, divided by the measurements.
    bytes_per_measurement: float | None
    #: Of the last seven days, or since the first one, by the measurements' own times: history that was imported does not count.
    measurements_per_day: float
    growth_bytes_per_day: float | None
    #: If it goes on growing so, and nothing else fills the disk.
    days_until_full: float | None
    #: What our processes had written to disks, whole pages of whatever file, on average since then; of SQLite only.
    written_bytes_per_day: float | None
    written_since: datetime | None


def report_storage(connection: Connection, now: int) -> StorageReport:
    """Examine the database; `now` in epoch seconds."""
    size = measure_size(connection)
    measurements = count_nearly(connection)
    per_day = _count_per_day(connection, now)
    written, written_since = _written_per_day(connection, now)
    each = size.used_bytes / measurements if measurements >= MIN_MEASUREMENTS else None
    growth = None if each is None else per_day * each
    free = None if size.disk_free_bytes is None else size.disk_free_bytes // MEGABYTE * MEGABYTE
    return StorageReport(
        database_bytes=size.database_bytes,
        disk_free_bytes=free,
        disk_bytes=size.disk_bytes,
        measurements=measurements,
        bytes_per_measurement=each,
        measurements_per_day=per_day,
        growth_bytes_per_day=growth,
        days_until_full=free / growth if growth and free is not None else None,
        written_bytes_per_day=written,
        written_since=written_since,
    )


def _count_per_day(connection: Connection, now: int) -> float:
    """Give the measurements a day of the last week, or since the first one where that is less."""
    since = max(now - GROWTH_DAYS * DAY, find_oldest(connection) or 0) // HOUR * HOUR
    return count_since(connection, since) * DAY / max(HOUR, now - since)


def _written_per_day(connection: Connection, now: int) -> tuple[float | None, datetime | None]:
    """Give the average, once there is an hour of it."""
    counts = read_counts(connection)
    since = counts.get(SINCE, now)
    if now - since < HOUR or WRITTEN_BYTES not in counts:
        return None, None
    return counts[WRITTEN_BYTES] * DAY / (now - since), datetime.fromtimestamp(int(since), UTC)
