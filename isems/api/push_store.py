"""How what was pushed is stored: nobody is told that it is taken before a power cut could do it no harm."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from isems.config import Config
from isems.domain.clock import Moment
from isems.domain.payload import Payload
from isems.ingest import IngestResult, ingest, ingest_all
from isems.sources.own_clock import read_moment
from isems.storage.database import Database
from isems.storage.group_writer import GroupWriter
from isems.storage.inbox import settle_database

#: Stores a payload and returns when that is safe; raises StorageError where it cannot be stored.
Store = Callable[[Payload], IngestResult]

#: What comes while something is being written is written together, up to so many bytes.
GROUP_BYTES = 500_000


def store_at_once(config: Config, database: Database) -> Store:
    """Store each payload by itself, for servers that start no thread of ours. The database has to be a durable one."""
    _check_durable(database)
    return lambda payload: ingest(database, payload, _moment(config))


@contextmanager
def store_in_groups(config: Config, database: Database) -> Iterator[Store]:
    """Store payloads that come at the same time together, in a thread that ends with the context.

    The database has to be a durable one.
    """
    _check_durable(database)

    def write(payloads: Sequence[Payload]) -> list[IngestResult | Exception]:
        return ingest_all(database, payloads, _moment(config))

    writer: GroupWriter[Payload, IngestResult] = GroupWriter(
        # Nobody waits for company: the sender, and a thread of the web server, wait for the answer.
        write,
        lambda: settle_database(database),
        interval_seconds=0,
        limit=GROUP_BYTES,
    )
    try:
        yield lambda payload: writer.put(payload, len(payload.data)).result()
    finally:
        writer.close()


def _check_durable(database: Database) -> None:
    if not database.is_durable:
        raise ValueError("what was pushed is to be stored durably: its sender forgets it")


def _moment(config: Config) -> Moment:
    return read_moment(is_trusted_by_operator=config.is_clock_trusted)
