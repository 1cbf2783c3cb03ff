"""Times in log queries."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.api.logs import parse_rfc3339, parse_since
from dayfly.dialects.openfaas.mapping import to_rfc3339
from dayfly.model.errors import InvalidRequest

LAST = int(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC).timestamp())


@given(st.integers(0, LAST * 10**9))
def test_times_we_write_are_read_to_the_nanosecond(unix_ns: int) -> None:
    assert parse_rfc3339(to_rfc3339(unix_ns)) == unix_ns


def test_durations_count_back_from_now() -> None:
    assert parse_since("1m30s", 100 * 10**9) == 10 * 10**9
    assert parse_since("1970-01-01T01:00:00.5+01:00", 0) == 500_000_000


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "-5m",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-02-30T00:00:00Z",
        "2023-11-14T25:00:00Z",
        "２０２３-11-14T22:13:20Z",
        "2023-11-14T22:13:20+99:00",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_since(text, 0)
