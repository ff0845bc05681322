"""Which rows are exported: those of the range, all, once, in order, whatever is stored meanwhile."""

import tracemalloc
from collections.abc import Iterator

import pytest

from isems.errors import ConfigError
from isems.export import CSV, NDJSON, Selection, choose, read_pieces
from isems.storage.database import Database
from isems.storage.inbox import settle_database
from isems.storage.measurements import insert_measurements
from tests.samples import NOON, measurement, minutes


def store(database: Database, *batches: list) -> None:  # type: ignore[type-arg]
    for batch in batches:
        with database.write() as connection:
            insert_measurements(connection, batch, NOON)


def times(database: Database, selection: Selection, rows: int = 7) -> list[tuple[str, str]]:
    text = b"".join(piece.data for piece in read_pieces(database, selection, CSV, rows)).decode()
    return [(cells[0], cells[1]) for line in text.splitlines()[1:] if (cells := line.split(","))]


def test_a_range_begins_with_its_first_second_and_ends_before_its_last(database: Database) -> None:
    store(database, minutes(10))
    found = times(database, choose(database, [], NOON + 60, NOON + 180))
    assert [time for _, time in found] == ["2024-06-15T11:15:00Z", "2024-06-15T11:16:00Z"]


@pytest.mark.parametrize("count", [1, 6, 7, 8, 14, 50])
def test_pieces_have_every_row_once_and_in_order(database: Database, count: int) -> None:
    store(database, minutes(count, "b")[::-1], minutes(count, "a", step=1))
    selection = choose(database, [], 0, 10**11)
    found = times(database, selection)
    assert found == sorted(set(found))
    assert len(found) == 2 * count
    pieces = list(read_pieces(database, selection, CSV, 7))
    assert sum(piece.rows for piece in pieces) == 2 * count
    assert sum(piece.seconds for piece in pieces) == selection.seconds


def test_what_waits_in_the_inbox_is_exported_too_and_once_when_it_is_sorted_in(sqlite_url: str) -> None:
    database = Database(sqlite_url, has_inbox=True)
    store(database, minutes(30))
    pieces = read_pieces(database, choose(database, [], 0, 10**11), CSV, 7)
    text = next(pieces).data + next(pieces).data
    assert settle_database(database) == 30
    text += b"".join(piece.data for piece in pieces)
    assert len(set(text.splitlines())) == len(text.splitlines()) == 31
    database.close()


def test_no_transaction_outlasts_a_piece(sqlite_url: str) -> None:
    """Else SQLite could not bring its write-ahead log into the file."""
    database, other = Database(sqlite_url), Database(sqlite_url)
    store(database, minutes(30))
    pieces = read_pieces(database, choose(database, [], 0, 10**11), CSV, 7)
    for _ in range(3):
        next(pieces)
        store(other, minutes(1, "Neu"))
        with other.engine.connect() as connection:
            busy, log, moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        assert (busy, log, moved) == (0, 0, 0)
    other.close()
    database.close()


def test_only_the_named_nodes_are_exported(database: Database) -> None:
    store(database, [measurement(name) for name in ("a", "b", "c", "a,b")])
    assert [name for name, _ in times(database, choose(database, ["c, a"], 0, 10**11))] == ["a", "c"]
    assert [name for name, _ in times(database, choose(database, ["b", "c"], 0, 10**11))] == ["b", "c"]
    found = choose(database, ["a,b"], 0, 10**11)  # a name with a comma in it is one
    assert [name for name, _ in found.nodes.values()] == ["a,b"]


@pytest.mark.parametrize("name", ["x", "a,x", "", "a,", "\0"])
def test_an_unknown_node_is_named(database: Database, name: str) -> None:
    store(database, [measurement("a")])
    with pytest.raises(ConfigError, match="expected the name of a node"):
        choose(database, [name], 0, 10**11)


def test_nothing_stored_gives_the_header_only(database: Database) -> None:
    assert times(database, choose(database, [], 0, 10**11)) == []


def peak_of(pieces: Iterator[object]) -> int:
    tracemalloc.start()
    for _ in pieces:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_ten_times_the_rows_take_no_more_memory(lite: Database) -> None:
    store(lite, minutes(25_000, "Dach"))
    few = peak_of(read_pieces(lite, choose(lite, [], NOON, NOON + 2500 * 60), NDJSON, 500))
    many = peak_of(read_pieces(lite, choose(lite, [], NOON, NOON + 25_000 * 60), NDJSON, 500))
    assert many < 1.2 * few
