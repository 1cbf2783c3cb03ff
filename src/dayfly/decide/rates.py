"""Rate limits: a bucket of tokens for each client, one for a call, filled at an even pace.

It begins full and never holds more than the calls of one window, so that a client may spend a window's calls at once
and then has them back one by one.
"""

import math
from typing import NamedTuple


class Bucket(NamedTuple):
    """What a client had left, and when."""

    tokens: float
    at: float
    """Seconds on a clock of the caller's choice."""


class Taken(NamedTuple):
    """What became of a call."""

    bucket: Bucket
    allowed: bool
    left: int
    """Calls that could be made at once from now on."""
    full_s: int
    """Whole seconds until all calls of a window are there again."""
    next_s: int
    """Whole seconds until a call is there; 0 when one is."""


def take(calls: int, window_s: float, before: Bucket | None, now: float) -> Taken:
    """Return what becomes of a call at `now`, where `calls` may be made in `window_s` seconds."""
    pace = calls / window_s
    tokens = float(calls)
    if before is not None:
        tokens = min(tokens, before.tokens + max(now - before.at, 0.0) * pace)
        now = max(now, before.at)
    allowed = tokens >= 1.0
    if allowed:
        tokens -= 1.0
    return Taken(
        bucket=Bucket(tokens, now),
        allowed=allowed,
        left=int(tokens),
        full_s=math.ceil((calls - tokens) / pace),
        next_s=0 if tokens >= 1.0 else max(math.ceil((1.0 - tokens) / pace), 1),
    )
