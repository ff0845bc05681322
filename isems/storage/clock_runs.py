"""The repaired runs of each node's clock (domain.repair)."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from isems.domain.repair import ClockRun
from isems.storage.database import insert_into
from isems.storage.schema import clock_run as table

#: A board without network time has a run for each boot; only the newest can still be read again.
MAX_PER_NODE = 100


def select_runs(connection: Connection, node_id: int) -> list[ClockRun]:
    """Give a node's repaired runs, the newest first."""
    columns = (table.c.first_at, table.c.last_at, table.c.offset_seconds)
    rows = connection.execute(select(*columns).where(table.c.node_id == node_id).order_by(table.c.id.desc()))
    return [ClockRun(*row) for row in rows]


def insert_runs(connection: Connection, node_id: int, runs: Sequence[ClockRun]) -> None:
    """Store new runs and widen known ones; a run is known by its node and offset."""
    if not runs:
        return
    insert = insert_into(connection, table)
    statement = insert.on_conflict_do_update(
        index_elements=["node_id", "offset_seconds"],
        set_={"first_at": insert.excluded.first_at, "last_at": insert.excluded.last_at},
    )
    for run in runs:
        values = {"node_id": node_id, "first_at": run.first, "last_at": run.last, "offset_seconds": run.offset}
        connection.execute(statement, values)
    newest = select(table.c.id).where(table.c.node_id == node_id).order_by(table.c.id.desc()).limit(MAX_PER_NODE)
    connection.execute(delete(table).where(table.c.node_id == node_id, table.c.id.not_in(newest)))
