"""Who polls which address, so that collectors share the work and no node is asked by two at once.

On PostgreSQL, which collectors on several machines may use, the right to poll an address is a lease in its row of
`poll_target`: taken in a transaction before the poll, given back in that of the result, and ended by the database's
clock if its holder dies. On SQLite all collectors are on one machine, and taking a lease would wear an SD card: there it
is a lock of the operating system, which ends with its process.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from isems.domain.polling import JITTER, Lease, PollTarget, seconds_held, seconds_until_due
from isems.errors import StorageError
from isems.storage.database import Database, Upsert, database_of
from isems.storage.locks import NumberedLocks
from isems.storage.poll_targets import CHUNK, select_targets
from isems.storage.schema import poll_target as table

#: How long a lease outlives the deadline of its poll.
MARGIN_SECONDS = 10
#: How soon an address is tried again that another process on this machine is polling.
RETRY_SECONDS = 10

_SELECT = select(table.c.address, table.c.holder, table.c.held_until, table.c.due_at).where(
    table.c.address.in_(bindparam("addresses", expanding=True))
)
_HOLD = Upsert(table, key=["address"], replace=["holder", "held_until"])
#: What another holds by now is left alone: a lease that was longer than the poll ended before its result came.
_IS_OURS = table.c.held_until.is_(None) | (table.c.holder == bindparam("by"))
_FINISH = (
    update(table)
    .where(table.c.address == bindparam("of"), _IS_OURS)
    .values(holder=bindparam("by"), held_until=None, due_at=bindparam("due_at"))
)
_RELEASE = (
    update(table).where(table.c.holder == bindparam("by"), table.c.held_until.is_not(None)).values(held_until=None)
)


class Wanted(NamedTuple):
    """An address to be polled: now if it must be, else if it is due."""

    address: str
    is_urgent: bool
    #: When it is due, as the asker saw it last.
    seen_due_at: int | None = None


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """An address is not to be polled now: another holds it, or it is not due."""

    #: Ask again then.
    seconds: float
    #: None: it is not due.
    holder: str | None = None
    due_at: int | None = None
    #: What its last poll decided.
    wait_seconds: int = 0


class PollLeases:
    """The leases of one collector; opens nothing before the first is taken."""

    def __init__(self, database: Database, holder: str, *, poll_seconds: float, interval: int) -> None:
        self.database = database
        self.holder = holder
        self._lease_seconds = int(poll_seconds) + MARGIN_SECONDS
        self._interval = interval
        self._locks = NumberedLocks(database, "poll") if database.is_sqlite else None

    def take(self, wanted: Sequence[Wanted]) -> list[PollTarget | Left]:
        """Take the leases that are free; gives what is known of each address that may be polled now."""
        return self._take_rows(wanted) if self._locks is None else self._take_locks(self._locks, wanted)

    def _take_rows(self, wanted: Sequence[Wanted]) -> list[PollTarget | Left]:
        with self.database.write() as connection:
            found = self._judge(connection, wanted)
            until = read_clock(connection) + self._lease_seconds
            held = [
                {"address": one.address, "has_archive": True, "holder": self.holder, "held_until": until}
                for one in found
                if isinstance(one, PollTarget)
            ]
            if held:
                _HOLD.execute(connection, held)
        return found

    def _take_locks(self, locks: NumberedLocks, wanted: Sequence[Wanted]) -> list[PollTarget | Left]:
        got = [one for one in wanted if locks.take(one.address)]
        taken: list[str] = []
        try:
            with self.database.read() as connection:
                found = dict(zip(got, self._judge(connection, got), strict=True))
            taken = [one.address for one in found.values() if isinstance(one, PollTarget)]
        finally:
            for address in {one.address for one in got} - set(taken):
                locks.release(address)
        busy = Left(seconds=RETRY_SECONDS, holder="another process on this machine")
        return [found.get(one, busy) for one in wanted]

    def _judge(self, connection: Connection, wanted: Sequence[Wanted]) -> list[PollTarget | Left]:
        addresses = [one.address for one in wanted]
        now = read_clock(connection)
        targets, leases = select_targets(connection, addresses), select_leases(connection, addresses)
        return [self._judge_one(one, targets[one.address], leases[one.address], now) for one in wanted]

    def _judge_one(self, one: Wanted, target: PollTarget, lease: Lease, now: int) -> PollTarget | Left:
        if seconds := seconds_held(lease, self.holder, now):
            return Left(seconds=seconds, holder=lease.holder)
        seconds = 0 if one.is_urgent else seconds_until_due(lease, one.seen_due_at, now, self._interval)
        if seconds:
            return Left(seconds=seconds, due_at=lease.due_at, wait_seconds=target.wait_seconds or 0)
        return target

    def finish(self, connection: Connection, waits: Mapping[str, float]) -> dict[str, int]:
        """Give leases back, in the transaction of the polls' results, with how long to wait for the next poll; gives
        when each address is due: a little earlier, so that each collector may choose another moment.
        """
        now = read_clock(connection)
        due = {address: now + int(wait * (1 - JITTER)) for address, wait in waits.items()}
        if due:
            connection.execute(
                _FINISH, [{"of": address, "by": self.holder, "due_at": at} for address, at in due.items()]
            )
        return due

    def release(self, address: str) -> None:
        """Note that a poll has ended, whatever came of it."""
        if self._locks is not None:
            self._locks.release(address)

    def close(self) -> None:
        """Give back what is held, so that others need not wait for its end."""
        if self._locks is not None:
            self._locks.close()
            return
        with suppress(StorageError), self.database.write() as connection:  # else they end by themselves
            connection.execute(_RELEASE, {"by": self.holder})


def select_leases(connection: Connection, addresses: Sequence[str]) -> dict[str, Lease]:
    """Give the lease of each address; of a new one a free one."""
    leases = {address: Lease() for address in addresses}
    for start in range(0, len(addresses), CHUNK):
        rows = connection.execute(_SELECT, {"addresses": list(addresses[start : start + CHUNK])})
        leases |= {row.address: Lease(holder=row.holder, held_until=row.held_until, due_at=row.due_at) for row in rows}
    return leases


def read_clock(connection: Connection) -> int:
    """Give the time that all who use this database share, in epoch seconds."""
    if database_of(connection).is_sqlite:
        return int(time.time())
    now: int = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::bigint").scalar_one()
    return now
