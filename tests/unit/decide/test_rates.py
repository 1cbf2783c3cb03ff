"""The token bucket: never more than was promised, never less than is due."""

from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.rates import Bucket, take

CALLS = st.integers(1, 50)
WINDOWS = st.floats(1, 100)
WAITS = st.lists(st.floats(0, 30), min_size=1, max_size=200)


@given(CALLS, WINDOWS, WAITS)
def test_in_no_span_of_time_more_than_twice_a_windows_calls_pass_and_in_the_long_run_its_pace(
    calls: int, window_s: float, waits: list[float]
) -> None:
    now, bucket, passed = 0.0, None, []
    for wait in waits:
        now += wait
        taken = take(calls, window_s, bucket, now)
        bucket = taken.bucket
        if taken.allowed:
            passed.append(now)
    for at, first in enumerate(passed):
        for last in range(at, len(passed)):
            assert last - at + 1 <= calls + (passed[last] - first) * calls / window_s + 1e-6


@given(CALLS, WINDOWS, WAITS)
def test_who_waits_as_long_as_is_said_gets_through(calls: int, window_s: float, waits: list[float]) -> None:
    now, bucket = 0.0, None
    for wait in waits:
        now += wait / 100
        taken = take(calls, window_s, bucket, now)
        bucket = taken.bucket
        assert taken.allowed or taken.next_s > 0
        assert (taken.next_s == 0) == (bucket.tokens >= 1.0)
        assert 0 <= taken.left < calls
        assert take(calls, window_s, bucket, now + taken.next_s + 1e-6).allowed
        assert take(calls, window_s, bucket, now + taken.full_s + 1e-6).left == calls - 1


def test_a_fresh_client_has_a_whole_windows_calls_and_then_one_after_another() -> None:
    bucket = None
    said = []
    for at in (0.0, 0.0, 0.0, 0.0, 20.0, 20.0):
        taken = take(3, 60.0, bucket, at)
        bucket = taken.bucket
        said.append((taken.allowed, taken.left, taken.full_s, taken.next_s))
    assert said == [
        (True, 2, 20, 0), (True, 1, 40, 0), (True, 0, 60, 20), (False, 0, 60, 20), (True, 0, 60, 20), (False, 0, 60, 20)
    ]  # fmt: skip


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    empty = Bucket(0.0, 100.0)
    assert take(1, 1.0, empty, 50.0).allowed is False
    assert take(1, 1.0, take(1, 1.0, empty, 50.0).bucket, 100.5).allowed is False
