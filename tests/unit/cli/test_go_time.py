"""Times in Go's layouts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.cli.faas_json import rfc3339
from dayfly.cli.go_time import RFC3339, format_time

MOMENT = 1_700_000_000_120_000_000
EARLY = int(datetime(2026, 3, 5, 9, 4, 7, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("layout", "late", "early"),
    [
        ("ANSIC", "Tue Nov 14 22:13:20 2023", "Thu Mar  5 09:04:07 2026"),
        ("UnixDate", "Tue Nov 14 22:13:20 UTC 2023", "Thu Mar  5 09:04:07 UTC 2026"),
        ("RubyDate", "Tue Nov 14 22:13:20 +0000 2023", "Thu Mar 05 09:04:07 +0000 2026"),
        ("RFC822", "14 Nov 23 22:13 UTC", "05 Mar 26 09:04 UTC"),
        ("rfc822z", "14 Nov 23 22:13 +0000", "05 Mar 26 09:04 +0000"),
        ("RFC850", "Tuesday, 14-Nov-23 22:13:20 UTC", "Thursday, 05-Mar-26 09:04:07 UTC"),
        ("RFC1123", "Tue, 14 Nov 2023 22:13:20 UTC", "Thu, 05 Mar 2026 09:04:07 UTC"),
        ("RFC1123Z", "Tue, 14 Nov 2023 22:13:20 +0000", "Thu, 05 Mar 2026 09:04:07 +0000"),
        ("RFC3339", "2023-11-14T22:13:20Z", "2026-03-05T09:04:07Z"),
        ("RFC3339Nano", "2023-11-14T22:13:20.12Z", "2026-03-05T09:04:07Z"),
        ("3:04PM", "10:13PM", "9:04AM"),
        ("Jan 2 15:04:05.000", "Nov 14 22:13:20.120", "Mar 5 09:04:07.000"),
        ("January 1, 2006 at 03:4:5.999 pm", "November 11, 2023 at 10:13:20.12 pm", "March 3, 2026 at 09:4:7 am"),
        ("002 -07:00", "318 +00:00", "064 +00:00"),
        ("", "", ""),
        ("at", "at", "at"),
    ],
)
def test_layouts(layout: str, late: str, early: str) -> None:
    """What Go's time.Format prints for the same moments."""
    assert (format_time(MOMENT, layout), format_time(EARLY, layout)) == (late, early)


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999_999))
def test_a_moment_can_be_read_back(seconds: int, fraction: int) -> None:
    unix_ns = seconds * 10**9 + fraction
    assert datetime.fromisoformat(format_time(unix_ns, RFC3339)).timestamp() == seconds
    told = rfc3339(unix_ns)
    assert told == format_time(unix_ns, "rfc3339nano")
    assert datetime.fromisoformat(told).replace(microsecond=0).timestamp() == seconds
