"""What is remembered of each polled address; in the database, because cron and the service are two processes."""

import msgspec
from sqlalchemy import Connection, bindparam, select

from isems.domain.polling import PollTarget
from isems.storage.database import Upsert
from isems.storage.schema import poll_target as table

_SELECT = select(table).where(table.c.address == bindparam("address"))
_SAVE = Upsert(table, key=["address"], replace=[column.name for column in table.columns if not column.primary_key])


def select_target(connection: Connection, address: str) -> PollTarget:
    """Give what is known of an address; of a new one just the address."""
    row = connection.execute(_SELECT, {"address": address}).first()
    return PollTarget(address=address) if row is None else PollTarget(**row._mapping)


def save_target(connection: Connection, target: PollTarget) -> None:
    """Remember a target."""
    _SAVE.execute(connection, [msgspec.structs.asdict(target)])
