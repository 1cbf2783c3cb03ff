"""How many replicas of each function ended by themselves within the last minutes.

The control plane counts them since it began. So what there was before is not known: until it has run for a whole window
the count is a lower bound, and `knows` says so.
"""

from collections import deque
from collections.abc import Callable, Mapping

from dayfly.model.names import FunctionKey

LONGEST_S = 86_400.0
MAX_NOTES = 20_000


class Restarts:
    """Remembers when counts grew. `now` is a clock that never goes back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._counts: dict[FunctionKey, int] = {}
        self._grown: deque[tuple[float, FunctionKey, int]] = deque(maxlen=MAX_NOTES)

    def note(self, counts: Mapping[FunctionKey, int]) -> None:
        """Take in the counts as they are now."""
        now = self._now()
        for key, count in counts.items():
            before = self._counts.get(key, 0)
            if grown := count - before if count >= before else count:
                self._grown.append((now, key, grown))
        self._counts = dict(counts)
        while self._grown and now - self._grown[0][0] > LONGEST_S:
            self._grown.popleft()

    def within(self, window_s: float) -> dict[FunctionKey, int]:
        """Return how many there were in the last `window_s`, of functions that are there."""
        since, found = self._now() - window_s, dict.fromkeys(self._counts, 0)
        for at, key, grown in self._grown:
            if at >= since and key in found:
                found[key] += grown
        return found

    def knows(self, window_s: float) -> bool:
        """Whether the counts are of a whole window."""
        return self._now() - self._began >= window_s
