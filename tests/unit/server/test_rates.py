"""Token buckets never give more than their size and their pace."""

from hypothesis import given
from hypothesis import strategies as st

from chipledger_server.domain.rates import Bucket


def test_a_bucket_gives_its_size_at_once_and_then_its_pace() -> None:
    """Two at once, and one more every 30 seconds."""
    bucket = Bucket(2, 2)
    assert [bucket.take(0) for _ in range(3)] == [True, True, False]
    assert bucket.wait_s() == 30
    assert not bucket.take(29_999)
    assert bucket.take(30_000)


def test_no_pace_is_no_limit() -> None:
    """Zero turns a limit off."""
    bucket = Bucket(1, 0)
    assert all(bucket.take(0) for _ in range(10))


@given(st.lists(st.integers(0, 5_000), max_size=60), st.integers(1, 10), st.integers(1, 100))
def test_never_more_than_size_and_pace(gaps: list[int], size: int, per_minute: int) -> None:
    """Whatever the timing, a clock that stands still or jumps back included."""
    bucket, now, taken = Bucket(size, per_minute), 0, 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now)
        bucket.take(now - 1000)
    assert taken <= size + now * per_minute // 60_000 + 1
