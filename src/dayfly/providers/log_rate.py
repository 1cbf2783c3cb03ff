"""How fast a replica may log.

A replica that prints faster than anybody reads must not take our time. Each has a bucket of bytes that fills at the
rate of its order; while it is empty, what comes is thrown away and counted, and a line tells how many were dropped.
"""

import time

BURST_S = 4
"""For so many seconds' worth it may log at once after it was quiet: a long traceback, a configuration at the start."""
LEAST_BURST_BYTES = 64_000
"""A traceback can be read whatever the rate is."""
LINE_BYTES = 256
"""What even an empty line counts for: it is stored, sent and found again as any other."""
PAUSE_S = 0.1
"""How long one that floods is left unread."""


class LogRate:
    """One replica's bucket, and the number of lines dropped while it was empty."""

    def __init__(self, rate_bytes: int) -> None:
        self._rate_bytes = rate_bytes
        self._burst_bytes = max(BURST_S * rate_bytes, LEAST_BURST_BYTES)
        self._tokens = float(self._burst_bytes)
        self._filled_at = time.monotonic()
        self._is_spent = False
        self._dropped = 0

    def fill(self) -> None:
        """Put in what has come since the last time."""
        now = time.monotonic()
        self._tokens = min(self._burst_bytes, self._tokens + (now - self._filled_at) * self._rate_bytes)
        self._filled_at = now
        # Not at the first byte that comes in: a flood would be told of in as many lines as it had.
        self._is_spent = self._is_spent and self._tokens < self._rate_bytes * PAUSE_S / 2

    def spend(self, nbytes: int) -> None:
        """Take out what a line of this size counts for."""
        self._tokens -= max(nbytes, LINE_BYTES)
        self._is_spent = self._is_spent or self._tokens <= 0

    @property
    def is_spent(self) -> bool:
        """Whether what comes now is too much."""
        return self._is_spent

    def drop(self, lines: int) -> None:
        """Count lines that were thrown away."""
        self._dropped += lines

    def account(self) -> str:
        """Return what to tell of the lines dropped since it was last asked; nothing when there were none."""
        dropped, self._dropped = self._dropped, 0
        rate = f"{self._rate_bytes / 1_000_000:g} MB/s for a while (max_log_rate)"
        return f"limit: {dropped} lines dropped, as the replica logged more than {rate}" if dropped else ""
