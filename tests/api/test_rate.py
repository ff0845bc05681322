"""How often somebody may ask, by a clock that the tests set."""

from hypothesis import given
from hypothesis import strategies as st

from isems.api.rate import RateLimit


def test_a_burst_may_pass_and_then_one_each_interval() -> None:
    limit = RateLimit(per_minute=60, burst=3)
    assert [limit.take("a", 100.0) for _ in range(5)] == [0, 0, 0, 1, 1]
    assert [limit.take("a", 100.5), limit.take("a", 101.0), limit.take("a", 101.0)] == [0.5, 0, 1]


def test_who_waits_as_long_as_told_may_pass() -> None:
    limit = RateLimit(per_minute=7, burst=2)
    now = 0.0
    for _ in range(20):
        wait = limit.take("a", now)
        assert limit.take("b", now + 1000 * _) == 0
        now += wait
        if wait:
            assert limit.take("a", now + 1e-6) == 0


def test_after_a_rest_there_is_one_burst_and_not_more() -> None:
    limit = RateLimit(per_minute=60, burst=3)
    assert [limit.take("a", now) for now in (0.0, 1e6, 1e6, 1e6)] == [0, 0, 0, 0]
    assert limit.take("a", 1e6) > 0


def test_one_key_does_not_use_up_what_another_has() -> None:
    limit = RateLimit(per_minute=1, burst=1)
    assert [limit.take(key, 0.0) for key in ("a", "b", "a", "b")] == [0, 0, 60, 60]


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1000)), max_size=200))
def test_the_memory_is_bounded_whoever_comes_when(calls: list[tuple[int, float]]) -> None:
    limit = RateLimit(per_minute=1, burst=2, max_keys=5)
    for key, now in calls:
        assert limit.take(key, now) >= 0
        assert len(limit._rested_at) <= 5


def test_who_has_rested_is_forgotten_before_who_has_not() -> None:
    limit = RateLimit(per_minute=1, burst=1, max_keys=3)
    limit.take("old", 0.0)
    limit.take("a", 60.0)
    limit.take("b", 60.0)
    assert limit.take("c", 61.0) == 0
    assert limit.take("a", 61.0) == 59
