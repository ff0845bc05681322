"""What is known of a node before its next records are judged; above all the repaired runs of its clock (domain.repair)."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, select

from isems.domain.clock import ClockState
from isems.domain.repair import ClockRun
from isems.storage.database import Upsert, database_of
from isems.storage.schema import backlog
from isems.storage.schema import clock_run as table
from isems.storage.writer_memory import memory_of

#: A board without network time has a run for each boot; only the newest can still be read again.
MAX_PER_NODE = 100

_SAVE = Upsert(table, key=["node_id", "offset_seconds"], replace=["first_at", "last_at"])


class NodeMemory(msgspec.Struct, frozen=True):
    """What is known of a node before its next records are judged; `runs` the newest first."""

    node_id: int | None
    delivered_at: int | None
    runs: list[ClockRun]
    clock_state: ClockState | None = None
    #: It has sent samples that carry no time.
    has_samples: bool = False
    #: Some of these wait for what it sends next.
    has_backlog: bool = False


#: Nothing is known.
UNKNOWN = NodeMemory(None, None, [])
#: What a writing connection calls its memory of nodes, and how many it holds before it is emptied.
MEMORY = "nodes"
MAX_REMEMBERED = 10_000
#: Names in one statement; SQLite allows 32766 variables.
CHUNK = 10_000

_MEMORIES = (
    "SELECT n.name, n.id, n.delivered_at, s.clock_state, coalesce(s.has_samples, false) AS has_samples,"
    " EXISTS (SELECT 1 FROM backlog b WHERE b.node = n.name) AS has_backlog,"
    " r.first_at, r.last_at, r.offset_seconds"
    " FROM {} JOIN node n ON n.name = wanted.value LEFT JOIN node_state s ON s.node_id = n.id"
    " LEFT JOIN clock_run r ON r.node_id = n.id ORDER BY r.id DESC"
)
SQLITE_MEMORIES = _MEMORIES.format("json_each(?) wanted CROSS")
POSTGRES_MEMORIES = _MEMORIES.format("unnest(%s::text[]) wanted(value)")


def select_memories(connection: Connection, names: Iterable[str]) -> dict[str, NodeMemory]:
    """Give what is known of each of these nodes, asking for all that it does not remember in one statement.

    Of a new node nothing is known.
    """
    remembered: dict[str, NodeMemory] = memory_of(connection).setdefault(MEMORY, {})
    memories = {name: remembered.get(name, UNKNOWN) for name in names}
    if missing := [name for name, memory in memories.items() if memory is UNKNOWN]:
        found = _select_memories(connection, missing)
        memories |= found
        if len(remembered) > MAX_REMEMBERED:
            remembered.clear()
        remembered |= {name: memory for name, memory in found.items() if memory.node_id is not None}
    return memories


#: Nodes of which something waits before anything of them was stored.
_WAITING = select(backlog.c.node).where(backlog.c.node.in_(bindparam("names", expanding=True))).distinct()


def _select_memories(connection: Connection, names: list[str]) -> dict[str, NodeMemory]:
    memories = {name: NodeMemory(None, None, []) for name in names}
    if database_of(connection).is_sqlite:
        rows = connection.exec_driver_sql(SQLITE_MEMORIES, (msgspec.json.encode(names).decode(),))
    else:
        rows = connection.exec_driver_sql(POSTGRES_MEMORIES, (names,))
    for name, node_id, delivered_at, state, has_samples, has_backlog, *run in rows.all():
        if memories[name].node_id is None:
            known = (state and ClockState(state), bool(has_samples), bool(has_backlog))
            memories[name] = NodeMemory(node_id, delivered_at, [], *known)
        if run[2] is not None:
            memories[name].runs.append(ClockRun(*run))
    new = [name for name, memory in memories.items() if memory.node_id is None]
    for start in range(0, len(new), CHUNK):
        waiting = connection.execute(_WAITING, {"names": new[start : start + CHUNK]}).scalars()
        memories |= {name: NodeMemory(None, None, [], has_backlog=True) for name in waiting}
    return memories


def forget_memories(connection: Connection) -> None:
    """Ask again for what is known of nodes: it was changed."""
    memory_of(connection).pop(MEMORY, None)


def select_runs(connection: Connection, node_id: int) -> list[ClockRun]:
    """Give a node's repaired runs, the newest first."""
    columns = (table.c.first_at, table.c.last_at, table.c.offset_seconds)
    rows = connection.execute(select(*columns).where(table.c.node_id == node_id).order_by(table.c.id.desc()))
    return [ClockRun(*row) for row in rows]


def insert_runs(connection: Connection, node_id: int, runs: Sequence[ClockRun]) -> None:
    """Store new runs and widen known ones; a run is known by its node and offset."""
    if not runs:
        return
    forget_memories(connection)
    rows = [
        {"node_id": node_id, "first_at": run.first, "last_at": run.last, "offset_seconds": run.offset} for run in runs
    ]
    _SAVE.execute(connection, rows)
    newest = select(table.c.id).where(table.c.node_id == node_id).order_by(table.c.id.desc()).limit(MAX_PER_NODE)
    connection.execute(delete(table).where(table.c.node_id == node_id, table.c.id.not_in(newest)))
