"""What goes wrong with a function, how long to wait before it is tried again, and how it is told.

Restarts back off: 1, 2, 4 … 60 seconds, so that a function that ends at once costs nearly nothing (a restart storm is
how one broken function starves the others). 60 seconds without a failure after a restart begin the series anew. Several
replicas that fail together are one failure. Replicas that were lost through no fault of the function's, because what
ran them went away, are replaced nearly at once the first time, and callers are held meanwhile, not refused.

Callers of a function may be strangers, so that what they are told names the kind of failure only. Tracebacks and
printed lines go into `account`, for those who may administer the function.
"""

import msgspec

from dayfly.model.rollout import Fault

LONGEST_BACKOFF_S = 60.0
HEALTHY_AFTER_S = 60.0
"""Without a failure for this long after a restart, the function counts as healthy again."""
LOST_BACKOFF_S = 0.2
"""Long enough that replicas lost together count as one failure, short enough for a held call not to matter."""
MAX_ACCOUNT = 8_000
"""Characters kept of what a failing replica said; the end says more than the beginning."""

SENTENCES = {
    "stopped": "its process ended by itself",
    "crashed": "its process ended unexpectedly",
    "killed": "its process was killed, most often for using more memory than its limit",
    "import_failed": "its handler could not be imported",
    "start_failed": "no replica of it could be started",
    "lost": "the process that ran it went away",
    "prepare_failed": "its code or dependencies could not be prepared",
    "too_slow": "it was not ready in time after its start",
}
_BLAMELESS = ("lost", "stopped")


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """The last failure of a function that has not proved healthy since."""

    reason: Fault
    failures: int
    """Failures in a row."""
    failed_at: float
    retry_at: float
    """When the next attempt may begin."""
    detail: str
    hold: bool = False
    """Whether callers are better held than refused until then."""

    @property
    def sentence(self) -> str:
        """What happened, for anybody: no traceback, no printed line."""
        return SENTENCES[self.reason]

    @property
    def account(self) -> str:
        """What happened, for those who may administer the function."""
        text = f"{self.sentence} ({self.failures} in a row)"
        return f"{text}: {self.detail}" if self.detail else text


def failed(before: Trouble | None, reason: Fault, detail: str, lines: tuple[str, ...], now: float) -> Trouble:
    """Return the trouble after one more failure."""
    detail = "\n".join(part for part in (detail.strip(), *lines) if part)[-MAX_ACCOUNT:]
    if before is not None and now < before.retry_at:
        return before
    fresh = before is None or now >= before.retry_at + HEALTHY_AFTER_S
    failures = 1 if before is None or fresh else before.failures + 1
    hold = fresh and reason in _BLAMELESS
    wait_s = LOST_BACKOFF_S if hold else min(2.0 ** min(failures - 1, 6), LONGEST_BACKOFF_S)
    return Trouble(reason=reason, failures=failures, failed_at=now, retry_at=now + wait_s, detail=detail, hold=hold)
