"""Who may poll an address: one at a time, whoever comes first when it is due, and nobody for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from isems.domain.polling import PollTarget
from isems.storage.database import Database
from isems.storage.poll_leases import MARGIN_SECONDS, Left, PollLeases, Wanted
from isems.storage.poll_targets import save_targets

NODE = "10.0.0.1"
DEADLINE = 30
INTERVAL = 900


@contextmanager
def leases_of(database: Database, holder: str) -> Iterator[PollLeases]:
    leases = PollLeases(database, holder, poll_seconds=DEADLINE, interval=INTERVAL)
    yield leases
    leases.close()


@pytest.fixture
def first(database: Database) -> Iterator[PollLeases]:
    with leases_of(database, "first") as leases:
        yield leases


@pytest.fixture
def second(database: Database) -> Iterator[PollLeases]:
    other = Database(database.url.render_as_string(hide_password=False))
    with leases_of(other, "second") as leases:
        yield leases
    other.close()


def take(leases: PollLeases, *, is_urgent: bool = False, seen: int | None = None) -> PollTarget | Left:
    (taken,) = leases.take([Wanted(NODE, is_urgent, seen)])
    return taken


def finish(leases: PollLeases, wait: float) -> int | None:
    """As after a poll: its result is stored, with how long to wait for the next."""
    with leases.database.write() as connection:
        save_targets(connection, [PollTarget(address=NODE, etag=leases.holder, wait_seconds=round(wait))])
        due = leases.finish(connection, {NODE: wait})
    leases.release(NODE)
    return due.get(NODE)


def change(database: Database, assignment: str) -> None:
    with database.write() as connection:
        connection.execute(text(f"UPDATE poll_target SET {assignment}"))


def test_what_one_polls_no_other_may_and_it_is_told_by_whom(first: PollLeases, second: PollLeases) -> None:
    assert take(first) == PollTarget(address=NODE)
    left = take(second, is_urgent=True)
    assert isinstance(left, Left)
    if first.database.is_sqlite:
        assert (left.holder, left.seconds) == ("another process on this machine", 10)
    else:
        assert left.holder == "first"
        assert DEADLINE < left.seconds <= DEADLINE + MARGIN_SECONDS
    finish(first, 0)
    assert take(second) == PollTarget(address=NODE, etag="first", wait_seconds=0)


def test_before_it_is_due_it_is_only_polled_if_it_must_be(first: PollLeases, second: PollLeases) -> None:
    take(first)
    due_at = finish(first, 600)
    left = take(second)
    assert isinstance(left, Left)
    assert (left.holder, left.due_at, left.wait_seconds) == (None, due_at, 600)
    assert 0.9 * 600 - 5 < left.seconds <= 0.9 * 600
    assert isinstance(take(second, is_urgent=True), PollTarget)


def test_who_has_waited_until_it_is_due_takes_it_whatever_the_clock_says_by_now(
    first: PollLeases, second: PollLeases
) -> None:
    take(first)
    seen = finish(first, 600)
    assert isinstance(take(first, seen=seen), PollTarget)
    later = finish(first, 700)
    left = take(second, seen=seen)  # but not who saw the time before that
    assert isinstance(left, Left)
    assert left.due_at == later


def test_a_time_that_a_wrong_clock_wrote_holds_nobody_up_for_longer_than_the_interval(
    first: PollLeases, second: PollLeases
) -> None:
    take(first)
    finish(first, 0)
    change(first.database, "due_at = 9999999999, held_until = 9999999999")
    left = take(second)
    assert isinstance(left, Left)
    assert (left.holder, left.seconds) == (None, INTERVAL)


def test_many_are_taken_together_and_each_is_judged_for_itself(first: PollLeases, second: PollLeases) -> None:
    names = [f"10.0.1.{number}" for number in range(100)]
    assert all(isinstance(one, PollTarget) for one in first.take([Wanted(name, False) for name in names[::2]]))
    answers = second.take([Wanted(name, False) for name in names])
    assert [isinstance(one, Left) for one in answers] == [True, False] * 50
    assert [one.address for one in answers if isinstance(one, PollTarget)] == names[1::2]


def test_who_ends_leaves_all_to_others_at_once(database: Database, second: PollLeases) -> None:
    with leases_of(database, "ending") as ending:
        take(ending)
        assert isinstance(take(second), Left)
    assert isinstance(take(second), PollTarget)


def test_who_dies_while_polling_is_replaced_when_its_lease_ends(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with leases_of(database, "dead") as dead, leases_of(database, "alive") as alive:
        take(dead)
        assert isinstance(take(alive), Left)
        change(database, "held_until = extract(epoch FROM now()) - 1")  # so much later it is
        assert isinstance(take(alive), PollTarget)
        finish(dead, 600)  # it was not dead but slow: what the other does is not touched
        left = take(dead)
        assert isinstance(left, Left)
        assert left.holder == "alive"
    database.close()


def test_on_sqlite_a_lease_writes_nothing(sqlite_url: str) -> None:
    """An SD card wears by what is written, and one collector alone needs no lease."""
    database = Database(sqlite_url)
    with leases_of(database, "only") as leases:
        before = database.data_version()
        assert isinstance(take(leases), PollTarget)
        leases.release(NODE)
        assert database.data_version() == before
    lock = Path(f"{database.url.database}.poll-lock")
    assert lock.stat().st_size == 0
    database.close()


def test_a_lock_is_for_all_who_may_use_the_database(sqlite_url: str) -> None:
    """The user who came first must not keep another one from polling."""
    database = Database(sqlite_url)
    database.make_ready()
    path = Path(str(database.url.database))
    path.chmod(0o664)
    with leases_of(database, "only") as leases:
        take(leases)
    assert Path(f"{path}.poll-lock").stat().st_mode & 0o777 == 0o664
    database.close()
