"""Losses: that records are being lost is told when it begins and when it is over, and not at every batch."""

import logging

from dayfly.model.errors import StoreUnavailable

_log = logging.getLogger("dayfly.observe")


class Losses:
    """What a writer of records has lost; `what` it is called in the platform's log."""

    def __init__(self, what: str, dropped: int) -> None:
        self._what = what
        self._before = self._seen = dropped

    def tell(self, dropped: int, failure: StoreUnavailable | None) -> None:
        """Note the sum of those dropped so far, after a batch was written or was not."""
        losing = self._seen > self._before
        if dropped > self._seen:
            if not losing:
                why = failure or "it is too slow"
                _log.error("%s are dropped until the disk takes them again: %s", self._what, why)
            self._seen = dropped
        elif losing:
            _log.warning("%s are kept again dropped=%d", self._what, self._seen - self._before)
            self._before = self._seen
