"""When to try again, and how long to wait."""

from hypothesis import given
from hypothesis import strategies as st

from dayfly.oci.registry.retrying import retry_after_s, wait_s


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_up_to_a_bound_and_are_never_nothing(failures: int, spread: float) -> None:
    assert 0 < wait_s(failures, 0, spread) <= 16
    assert wait_s(failures + 1, 0, spread) >= wait_s(failures, 0, spread)


@given(st.integers(1, 10), st.floats(0, 60), st.floats(0, 1))
def test_nobody_comes_back_before_the_time_they_were_told(failures: int, asked: float, spread: float) -> None:
    assert wait_s(failures, asked, spread) >= asked


def test_two_that_were_turned_away_together_come_back_apart() -> None:
    assert wait_s(3, 0, 0.0) != wait_s(3, 0, 1.0)


def test_retry_after_is_seconds_or_a_date_by_the_servers_own_clock() -> None:
    date = {"date": "Wed, 21 Oct 2015 07:27:00 GMT"}
    assert retry_after_s({"retry-after": "7"}) == 7
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT", **date}) == 60
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:26:00 GMT", **date}) == 0
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


@given(st.text(max_size=40))
def test_what_is_no_time_asks_for_nothing(text: str) -> None:
    assert retry_after_s({"retry-after": text, "date": text}) >= 0
