"""The Date header as the library for mail writes it, which RFC 9110 took it from."""

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.http1 import date


@given(st.integers(0, 4_102_444_800))
def test_the_date_is_that_of_http(now: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dayfly.http1.date.time.time", lambda: now + 0.9)
        assert date.date_line() == f"Date: {email.utils.formatdate(now, usegmt=True)}\r\n".encode()


def test_it_is_made_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.http1.date.time.time", lambda: 1000.25)
    line, until = date.date_line_until(50.0)
    assert until == 50.75
    assert date.date_line() is line
