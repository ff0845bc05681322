"""What a connection knows without asking: ids that never change, and what a writer wrote as long as nobody else does."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection

#: Ids remembered in the process before the memory is emptied.
MAX_REMEMBERED = 50_000


class KnownIds(NamedTuple):
    """What this process has seen of rows that never change, mostly ids: in committed transactions or in this one."""

    new: dict[Any, Any]
    committed: dict[Any, Any]

    def get(self, key: Any) -> Any:
        """Give what is known by a key, or None where the database must be asked."""
        found = self.committed.get(key)
        return self.new.get(key) if found is None else found

    def get_each(self, keys: Iterable[Any]) -> dict[Any, Any]:
        """Give what is known by each of these keys."""
        new, committed = self
        return {key: committed[key] if key in committed else new.get(key) for key in keys}

    def remember(self, facts: Mapping[Any, Any]) -> None:
        """Remember these; they are forgotten if a writing transaction fails, since they may not exist then."""
        if len(self.new) > MAX_REMEMBERED:
            self.new.clear()
        self.new.update(facts)


def known_ids(connection: Connection) -> KnownIds:
    """Give the memory of a connection; what a reader sees is committed."""
    return KnownIds(connection.info["new_ids"], connection.info["committed_ids"])


class Memory(NamedTuple):
    """What a connection has read or written, and the state of the database in which that is all there is to know."""

    version: object
    facts: dict[str, Any]

    @classmethod
    def of(cls, connection: Connection, raw: sqlite3.Connection | None) -> "Memory":
        """Give what the connection knows from its last transaction: all of it, or nothing if anybody else wrote since.

        It is taken away from the connection: a transaction that fails leaves no memory.
        """
        kept: Memory | None = connection.info.pop("kept", None)
        if raw is None:
            return cls(None, {})
        # SQLite counts the commits of all other connections, but not the connection's own.
        version = raw.execute("PRAGMA data_version").fetchone()
        return kept if kept is not None and kept.version == version else cls(version, {})


def keep_memory(connection: Connection) -> None:
    """Let a connection whose transaction was committed keep what it knows."""
    memory: Memory = connection.info.pop("memory")
    if memory.version is not None:
        connection.info["kept"] = memory


def memory_of(connection: Connection) -> dict[str, Any]:
    """Give the facts that a writing connection knows to be true until its transaction ends.

    What is put in is still there in the connection's next transaction, unless this one fails or anybody else writes
    in between; PostgreSQL cannot tell, so there nothing is kept.
    """
    memory: Memory = connection.info["memory"]
    return memory.facts


def is_writing(connection: Connection) -> bool:
    """Tell whether a connection's transaction may change the database."""
    return "memory" in connection.info
