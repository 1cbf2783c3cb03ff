"""Claims: what somebody has just asked for is left alone for a while, though nothing that is kept needs it yet.

Between an upload, the question whether it is there, and the deployment that names it, only the one who deploys knows
that a bundle is wanted. Claims are this life's: after a restart nothing is under way.
"""

import time
from collections.abc import Callable

CLAIM_S = 24 * 3600.0
"""A pipeline that uploads in one step and deploys after somebody's approval has a day."""


class Claims:
    """Names that are wanted, each until CLAIM_S after it was last asked for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def make(self, name: str) -> None:
        """Claim the name, anew if it was claimed before."""
        self._until[name] = self._clock() + CLAIM_S

    def hold(self, name: str) -> bool:
        """Whether the name is claimed."""
        if self._until.get(name, 0.0) > self._clock():
            return True
        self._until.pop(name, None)
        return False
