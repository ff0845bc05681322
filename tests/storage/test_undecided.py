"""Input that waits for our own clock: nothing of it is ever dropped."""

import pytest

from isems.domain.clock import Uptime
from isems.domain.payload import Payload, Source
from isems.errors import StorageError
from isems.storage.database import Database
from isems.storage.undecided import Undecided, count_bytes, delete_undecided, insert_undecided, select_undecided
from tests.samples import payload

UPTIME = Uptime("boot-1", 100)


def keep(database: Database, one: Payload, uptime: Uptime = UPTIME, max_bytes: int = 10_000) -> None:
    with database.write() as connection:
        insert_undecided(connection, one, uptime, max_bytes)


def waiting(database: Database) -> list[Undecided]:
    with database.read() as connection:
        return select_undecided(connection)


def data_of(database: Database) -> list[bytes]:
    return [undecided.payload.data for undecided in waiting(database)]


def test_a_payload_is_read_back_as_it_came(database: Database) -> None:
    one = Payload(
        data=bytes(range(256)),
        source=Source.MQTT,
        address="isems/Übersee/a b",
        received_at=2**40,
        format_hint="node_json",
        node_hint="Übersee",
        is_live=False,
        sender_time=12,
    )
    keep(database, one, Uptime("boot-2", 2**33))
    (undecided,) = waiting(database)
    assert undecided.payload == one
    assert undecided.received == Uptime("boot-2", 2**33)


def test_a_log_that_grew_replaces_its_shorter_self(database: Database) -> None:
    keep(database, payload("one\ntwo"), Uptime("boot-1", 100))
    keep(database, payload("one\ntwo\nthree", received_at=99), Uptime("boot-1", 200))
    (undecided,) = waiting(database)
    assert undecided.payload == payload("one\ntwo\nthree", received_at=99)
    assert undecided.received.seconds == 200


def test_the_same_log_again_keeps_the_first_receipt(database: Database) -> None:
    """Its newest record was fresh then, not now."""
    keep(database, payload("one\ntwo"), Uptime("boot-1", 100))
    keep(database, payload("one\ntwo"), Uptime("boot-1", 900))
    keep(database, payload("one\n"), Uptime("boot-1", 950))
    assert [(u.payload.data, u.received.seconds) for u in waiting(database)] == [(b"one\ntwo", 100)]


def test_a_log_that_begins_the_same_and_goes_on_otherwise_replaces_nothing(database: Database) -> None:
    keep(database, payload("one\ntwo\nthree"))
    keep(database, payload("one\nthree\nfour"))
    keep(database, payload("one\nthree\nfour"))
    keep(database, payload("one\ntwo\nthree\nfour"))
    assert data_of(database) == [b"one\ntwo\nthree\nfour", b"one\nthree\nfour"]


def test_logs_of_two_addresses_do_not_replace_each_other(database: Database) -> None:
    keep(database, payload("one", address="10.0.0.1"))
    keep(database, payload("one\ntwo", address="10.0.0.2"))
    assert data_of(database) == [b"one", b"one\ntwo"]


@pytest.mark.parametrize("source", [Source.MQTT, Source.PUSH])
def test_equal_bodies_pushed_at_two_times_are_two_samples(database: Database, source: Source) -> None:
    """A board whose counter does not run sends the same body twice in an hour, and means two measurements."""
    for seconds in (100, 3700):
        keep(database, payload("{}", source=source), Uptime("boot-1", seconds))
    keep(database, payload("{}", source=source), Uptime("boot-2", 100))
    assert len(waiting(database)) == 3


def test_a_file_imported_twice_waits_once(database: Database) -> None:
    for seconds in (100, 3700):
        keep(database, payload("one\ntwo", source=Source.IMPORT), Uptime("boot-1", seconds))
    keep(database, payload("one\nthree", source=Source.IMPORT))
    assert data_of(database) == [b"one\ntwo", b"one\nthree"]


def test_the_oldest_come_first_and_no_more_than_asked_for(database: Database) -> None:
    for i in range(9, -1, -1):
        keep(database, payload(f"{i}"))
    with database.read() as connection:
        found = select_undecided(connection, limit=4)
    assert [u.payload.data for u in found] == [b"9", b"8", b"7", b"6"]


def test_a_judged_payload_is_forgotten(database: Database) -> None:
    keep(database, payload("one"))
    keep(database, payload("two"))
    with database.write() as connection:
        delete_undecided(connection, waiting(database)[0].id)
    assert data_of(database) == [b"two"]


def test_a_full_store_refuses_and_drops_nothing(database: Database) -> None:
    keep(database, payload(b"a" * 60), max_bytes=100)
    keep(database, payload(b"b" * 40), max_bytes=100)
    with pytest.raises(StorageError, match=r"100 bytes of input wait.*set the clock"):
        keep(database, payload(b"c"), max_bytes=100)
    assert data_of(database) == [b"a" * 60, b"b" * 40]
    with database.read() as connection:
        assert count_bytes(connection) == 100


def test_a_growing_log_counts_once_towards_the_limit(database: Database) -> None:
    keep(database, payload(b"line\n" + b"x" * 45), max_bytes=100)
    keep(database, payload(b"line\n" + b"x" * 95), max_bytes=100)
    with pytest.raises(StorageError):
        keep(database, payload(b"line\n" + b"x" * 96), max_bytes=100)
    assert data_of(database) == [b"line\n" + b"x" * 95]


def test_room_comes_back_with_what_was_judged(database: Database) -> None:
    keep(database, payload(b"a" * 100), max_bytes=100)
    with database.write() as connection:
        delete_undecided(connection, waiting(database)[0].id)
    keep(database, payload(b"b" * 100), max_bytes=100)
    assert data_of(database) == [b"b" * 100]


def test_an_empty_store_holds_no_bytes(database: Database) -> None:
    with database.read() as connection:
        assert count_bytes(connection) == 0


def test_the_name_of_a_file_may_be_no_text(database: Database) -> None:
    for _ in range(2):
        keep(database, payload("one", source=Source.IMPORT, address="log\udcff.csv"))
    assert [u.payload.address for u in waiting(database)] == ["log\\udcff.csv"]
