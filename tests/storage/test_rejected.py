"""Rejected input: kept once for each distinct piece, within limits, the oldest first to go."""

from typing import Any

import pytest
from sqlalchemy import text

from isems.domain.payload import Source
from isems.domain.rejection import Reason, Rejected
from isems.storage.database import Database
from isems.storage.rejected import StoredRejection, count_dropped, insert_rejected, select_rejected
from tests.samples import NOON


def piece(raw: bytes = b"broken;line", reason: Reason = Reason.FIELD_COUNT, node: str | None = None) -> Rejected:
    return Rejected(raw, reason, f"{len(raw)} bytes, expected more", node)


def reject(database: Database, *pieces: Rejected, at: int = NOON, **where: Any) -> None:
    values: dict[str, Any] = {"source": Source.POLL, "address": "10.0.0.1", **where}
    with database.write() as connection:
        insert_rejected(connection, rejected=pieces, now=at, **values)


def kept(database: Database) -> list[StoredRejection]:
    with database.read() as connection:
        return select_rejected(connection)


def raws(database: Database) -> set[bytes]:
    return {one.raw for one in kept(database)}


def dropped(database: Database) -> dict[Reason, int]:
    with database.read() as connection:
        return count_dropped(connection)


def make_permanent(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE rejected SET is_permanent = :yes"), {"yes": True})


def test_a_piece_is_kept_as_it_came(database: Database) -> None:
    raw = bytes(range(256))
    reject(database, piece(raw, Reason.ENCODING, "Elektra-Dach"), source=Source.MQTT, address="isems/x")
    expected = StoredRejection(
        id=1,
        source="mqtt",
        address="isems/x",
        node="Elektra-Dach",
        reason="encoding",
        detail="256 bytes, expected more",
        raw=raw,
        times=1,
        first_at=NOON,
        last_at=NOON,
    )
    assert kept(database) == [expected]


def test_the_same_piece_again_is_counted_not_stored(database: Database) -> None:
    reject(database, piece(), piece())
    reject(database, piece(), at=NOON + 900)
    (one,) = kept(database)
    assert (one.times, one.first_at, one.last_at) == (3, NOON, NOON + 900)


@pytest.mark.parametrize(
    ("other", "where"),
    [
        (piece(b"other"), {}),
        (piece(reason=Reason.REVISION), {}),
        (piece(node="a"), {}),
        (piece(), {"source": Source.IMPORT}),
        (piece(), {"address": "10.0.0.2"}),
    ],
)
def test_what_differs_in_source_origin_bytes_or_reason_is_another_piece(
    database: Database, other: Rejected, where: dict[str, Any]
) -> None:
    reject(database, piece())
    reject(database, other, **where)
    assert [one.times for one in kept(database)] == [1, 1]


def test_a_node_is_known_by_its_name_at_whatever_address(database: Database) -> None:
    for address in ("10.0.0.1", "10.0.0.2"):
        reject(database, piece(node="a"), address=address)
    assert [one.times for one in kept(database)] == [2]


def test_raw_bytes_are_cut_at_four_kilobytes(database: Database) -> None:
    reject(database, piece(b"x" * 4096), piece(b"x" * 4096 + b"tail"), piece(b"x" * 5_000_000))
    (one,) = kept(database)
    assert one.raw == b"x" * 4096
    assert one.times == 3


def test_an_origin_keeps_its_newest_pieces_and_the_rest_is_counted_by_reason(database: Database) -> None:
    for i in range(5):
        reason = Reason.FIELD_COUNT if i else Reason.REVISION
        reject(database, piece(b"%d" % i, reason), at=NOON + i, max_per_origin=3)
    assert raws(database) == {b"2", b"3", b"4"}
    assert dropped(database) == {Reason.REVISION: 1, Reason.FIELD_COUNT: 1}


def test_a_piece_that_came_again_is_not_the_oldest(database: Database) -> None:
    for i, raw in enumerate([b"a", b"b", b"c", b"a", b"d"]):
        reject(database, piece(raw), at=NOON + i, max_per_origin=3)
    assert raws(database) == {b"c", b"a", b"d"}


def test_more_than_the_limit_at_once_keeps_the_last_of_them(database: Database) -> None:
    reject(database, *(piece(b"%d" % i) for i in range(50)), max_per_origin=10)
    assert raws(database) == {b"%d" % i for i in range(40, 50)}
    assert dropped(database) == {Reason.FIELD_COUNT: 40}


def test_one_origin_does_not_push_out_anothers_pieces(database: Database) -> None:
    reject(database, piece(b"quiet"), address="10.0.0.2")
    for i in range(9):
        reject(database, piece(b"%d" % i), at=NOON + i, max_per_origin=3)
    assert b"quiet" in raws(database)
    assert len(raws(database)) == 4


def test_the_nodes_at_one_address_have_a_limit_each(database: Database) -> None:
    reject(database, *(piece(b"%d" % i, node=node) for node in "ab" for i in range(5)), max_per_origin=3)
    assert sorted(one.node or "" for one in kept(database)) == ["a"] * 3 + ["b"] * 3


def test_the_oldest_of_all_goes_when_all_are_too_many(database: Database) -> None:
    for i in range(12):
        reject(database, piece(b"%d" % i), address=f"10.0.0.{i}", at=NOON + i, max_in_all=10)
    assert raws(database) == {b"%d" % i for i in range(2, 12)}
    assert dropped(database) == {Reason.FIELD_COUNT: 2}


def test_permanent_pieces_lie_outside_all_limits(database: Database) -> None:
    reject(database, *(piece(b"old %d" % i) for i in range(20)), at=1)
    make_permanent(database)
    for i in range(6):
        reject(database, piece(b"%d" % i), at=NOON + i, max_per_origin=3, max_in_all=2)
    assert raws(database) == {*(b"old %d" % i for i in range(20)), b"4", b"5"}


def test_the_limits_are_a_thousand_an_origin(database: Database) -> None:
    reject(database, *(piece(b"%d" % i) for i in range(1003)))
    assert len(raws(database)) == 1000


def test_the_latest_come_first(database: Database) -> None:
    for i in (2, 0, 1):
        reject(database, piece(b"%d" % i), at=NOON + i)
    assert [one.raw for one in kept(database)] == [b"2", b"1", b"0"]


def test_nothing_rejected_is_nothing_written(database: Database) -> None:
    reject(database)
    assert kept(database) == []


@pytest.mark.parametrize(
    ("name", "spelt_out"),
    [("NUL \0 inside", r"NUL \x00 inside"), ("no text \udcff", r"no text \udcff"), ("ü \0 \ud800", r"ü \x00 \ud800")],
)
def test_names_that_no_database_takes_are_spelt_out(database: Database, name: str, spelt_out: str) -> None:
    for _ in range(2):
        reject(database, Rejected(b"x", Reason.NODE_NAME, f"node id is {name}", name), address=name)
    (one,) = kept(database)
    assert (one.node, one.address, one.detail) == (spelt_out, spelt_out, f"node id is {spelt_out}")
    assert one.times == 2


def test_counting_a_full_table_reads_no_raw_bytes(sqlite_url: str) -> None:
    """100 000 pieces of 4 kB would be read at each rejected line otherwise."""
    database = Database(sqlite_url)
    statements = [
        "SELECT count(*) FROM rejected WHERE is_permanent IS 0",
        "SELECT count(*) FROM rejected WHERE is_permanent IS 0 AND origin = 'a'",
    ]
    with database.read() as connection:
        for statement in statements:
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all()
            assert "COVERING INDEX" in str(plan), plan
    database.close()
