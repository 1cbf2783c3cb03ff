"""The queue's clock: monotonic for decisions; the wall clock for what has to hold in a later life of the machine."""

import time


class Clock:
    """The time, for decisions and for people."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def unix_ms(self) -> int:
        """Return the wall clock's time."""
        return time.time_ns() // 1_000_000
