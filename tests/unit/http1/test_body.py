"""How much of a body may come, and how fast."""

import pytest

from dayfly.http1.body import RequestBody
from dayfly.http1.head import CHUNKED
from dayfly.http1.limits import Limits
from dayfly.http1.refusal import Refusal

LIMITS = Limits(body_rate_bytes_s=10, body_window_s=10)


def test_a_counted_body_ends_where_it_said() -> None:
    body = RequestBody(5, 100, LIMITS, 0)
    assert body.take(b"abc") == (b"abc", b"")
    assert not body.complete
    assert body.take(b"defGET") == (b"de", b"fGET")
    assert body.complete


def test_a_chunked_body_ends_with_its_last_chunk() -> None:
    body = RequestBody(CHUNKED, 100, LIMITS, 0)
    assert body.take(b"3\r\nabc\r\n") == (b"abc", b"")
    assert body.take(b"0\r\n\r\nGET") == (b"", b"GET")
    assert body.complete


def test_an_announced_body_over_the_limit_is_refused_before_it_comes() -> None:
    with pytest.raises(Refusal) as caught:
        RequestBody(101, 100, LIMITS, 0)
    assert caught.value.status == 413
    assert "100 bytes" in caught.value.text
    RequestBody(100, 100, LIMITS, 0)


def test_a_chunked_body_is_counted_as_it_comes() -> None:
    body = RequestBody(CHUNKED, 5, LIMITS, 0)
    body.take(b"5\r\nabcde\r\n")
    with pytest.raises(Refusal) as caught:
        body.take(b"1\r\nf\r\n")
    assert caught.value.status == 413


def test_the_rate_is_taken_over_a_window() -> None:
    body = RequestBody(1000, 1000, LIMITS, 0)
    body.take(b"a" * 100)
    body.check_rate(9.9, blameless=False)
    body.check_rate(10, blameless=False)
    body.take(b"a" * 99)
    body.check_rate(19.9, blameless=False)
    with pytest.raises(Refusal) as caught:
        body.check_rate(20, blameless=False)
    assert caught.value.status == 408


def test_who_is_not_read_is_not_slow() -> None:
    body = RequestBody(1000, 1000, LIMITS, 0)
    body.check_rate(10, blameless=True)
    assert body.window_end == 20
