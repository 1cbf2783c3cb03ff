"""When a request is sent again, and how long to wait first.

Registries bound how often they are asked (429) and have moments in which they cannot answer (5xx, a broken connection).
A moment is waited out with growing pauses, spread so that several who were turned away together do not come back
together. A registry that names the time itself is believed, up to a bound: beyond it the user should know.
"""

import email.utils
from collections.abc import Mapping

ATTEMPTS = 5
"""How often a request is sent at most."""
LONGEST_WAIT_S = 60.0
"""The longest that a registry may make us wait without our saying so."""
_FIRST_WAIT_S, _LONGEST_PAUSE_S = 0.5, 16.0
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which the same request may succeed."""


def wait_s(failures: int, asked_s: float, spread: float) -> float:
    """Return how long to wait after so many failures, from 1 on.

    `asked_s` is what the registry asked for, 0 when nothing; `spread` is from 0 to 1.
    """
    pause = min(_FIRST_WAIT_S * 2.0 ** min(failures - 1, 16), _LONGEST_PAUSE_S)
    return max(asked_s, pause * (0.5 + spread / 2))


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return the seconds that Retry-After asks for, 0 when it does not.

    A date is measured from the answer's own Date, so that two clocks that differ do no harm.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until, now = (_date(each) for each in (text, headers.get("date", "")))
    return max(0.0, until - now) if until is not None and now is not None else 0.0


def _date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
