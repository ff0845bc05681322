"""What is remembered of each polled address; in the database, because cron and the service are two processes."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, bindparam, select

from isems.domain.polling import PollTarget
from isems.storage.database import Upsert
from isems.storage.schema import poll_target as table

#: The other columns are storage.poll_leases'.
_FIELDS = PollTarget.__struct_fields__
_SAVE = Upsert(table, key=["address"], replace=[field for field in _FIELDS if field != "address"])
_SELECT = select(*(table.c[field] for field in _FIELDS)).where(
    table.c.address.in_(bindparam("addresses", expanding=True))
)
#: Addresses in one statement; SQLite allows 32766 variables.
CHUNK = 10_000


def select_targets(connection: Connection, addresses: Sequence[str]) -> dict[str, PollTarget]:
    """Give what is known of each address; of a new one just the address."""
    targets = {address: PollTarget(address=address) for address in addresses}
    for start in range(0, len(addresses), CHUNK):
        rows = connection.execute(_SELECT, {"addresses": list(addresses[start : start + CHUNK])})
        targets |= {row.address: PollTarget(**row._mapping) for row in rows}
    return targets


def save_targets(connection: Connection, targets: Sequence[PollTarget]) -> None:
    """Remember targets."""
    if targets:
        _SAVE.execute(connection, [msgspec.structs.asdict(target) for target in targets])
