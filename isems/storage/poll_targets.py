"""What is remembered of each polled address; in the database, because cron and the service are two processes."""

import msgspec
from sqlalchemy import Connection, select

from isems.domain.polling import PollTarget
from isems.storage.database import insert_into
from isems.storage.schema import poll_target as table


def select_target(connection: Connection, address: str) -> PollTarget:
    """Give what is known of an address; of a new one just the address."""
    row = connection.execute(select(table).where(table.c.address == address)).first()
    return PollTarget(address=address) if row is None else PollTarget(**row._mapping)


def save_target(connection: Connection, target: PollTarget) -> None:
    """Remember a target."""
    values = msgspec.structs.asdict(target)
    insert = insert_into(connection, table).values(values)
    connection.execute(insert.on_conflict_do_update(index_elements=["address"], set_=values))
