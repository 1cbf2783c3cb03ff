"""What goes wrong with a function, how long to wait before it is tried again, and how it is told.

Restarts back off: 1, 2, 4 … 60 seconds, so that a function that ends at once costs nearly nothing (a restart storm is
how one broken function starves the others). HEALTHY_AFTER_S without a failure after a restart begin the series anew;
the end of a replica that had lived for as long does too. Several replicas that fail together are one failure.

What fails while it is started will fail again: callers are refused at once. The end of a replica that served may be
chance: it is replaced nearly at once the first time, the series begins after that, and callers are held for as long as
the wait is short. Replicas that were lost through no fault of the function's, because what ran them went away, count
apart; the wait for others stays short, and callers are always held.

Callers of a function may be strangers, so that what they are told names the kind of failure only. Tracebacks and
printed lines go into `account`, for those who may administer the function.
"""

import msgspec

from dayfly.model.rollout import Fault

LONGEST_BACKOFF_S = 60.0
HEALTHY_AFTER_S = 10.0
"""Without a failure for this long after a restart, the function counts as healthy again."""
LOST_BACKOFF_S = 0.2
"""Long enough that replicas lost together count as one failure, short enough for a held call not to matter."""
HELD_BACKOFF_S = 2.0
"""The longest wait over which callers are held."""
MAX_ACCOUNT = 8_000
"""Characters kept of what a failing replica said; the end says more than the beginning."""

SENTENCES = {
    "stopped": "its process ended by itself",
    "crashed": "its process ended unexpectedly",
    "killed": "its process was killed",
    "oom": "it used more memory than its limit",
    "pids": "it made more processes and threads than it may",
    "timeout": "a call of it went on after its timeout and could not be ended alone",
    "stuck": "its process had been stopped and did not go on",
    "import_failed": "its handler could not be imported",
    "start_failed": "no replica of it could be started",
    "lost": "the process that ran it went away",
    "prepare_failed": "its code, dependencies or image could not be prepared",
    "too_slow": "it was not ready in time after its start",
}


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


def failed(
    before: Trouble | None,
    reason: Fault,
    detail: str,
    lines: tuple[str, ...],
    now: float,
    *,
    lived_s: float | None = None,
) -> Trouble:
    """Return the trouble after one more failure; `lived_s` is the age of a replica that served, None for any other."""
    # Why a start failed is in the log too; nobody wants to read it twice.
    said = (line for line in lines if not detail.startswith(line))
    detail = "\n".join(part for part in (detail.strip(), *said) if part)[-MAX_ACCOUNT:]
    if before is not None and now < before.retry_at:
        return before
    lost = reason == "lost"
    failures = 1
    if before is not None and (before.reason == "lost") == lost and now < before.retry_at + HEALTHY_AFTER_S:
        failures = 1 if lived_s is not None and lived_s >= HEALTHY_AFTER_S else before.failures + 1
    served = lived_s is not None or reason == "stopped"
    wait_s = _wait_s(failures, lost=lost, served=served)
    hold = lost or (served and wait_s <= HELD_BACKOFF_S)
    return Trouble(reason=reason, failures=failures, failed_at=now, retry_at=now + wait_s, detail=detail, hold=hold)


def _wait_s(failures: int, *, lost: bool, served: bool) -> float:
    if lost:
        return min(LOST_BACKOFF_S * 2.0 ** min(failures - 1, 6), HELD_BACKOFF_S)
    if served and failures == 1:
        return LOST_BACKOFF_S
    return min(2.0 ** min(failures - 1 - served, 6), LONGEST_BACKOFF_S)
