"""One revision's way: what is prepared for it, what went wrong with it, what it was seen to do.

A function has one for the revision that serves and, during a rollout, one for the candidate. They are kept apart so
that whatever happens to a candidate costs the revision that serves nothing.
"""

from dayfly.decide import events as ev
from dayfly.decide.canary import Trial
from dayfly.decide.quotas import Need
from dayfly.decide.trouble import HEALTHY_AFTER_S, SENTENCES, Trouble, failed
from dayfly.model.function import Revision
from dayfly.model.replica import Prepared
from dayfly.model.rollout import Fault
from dayfly.model.scaling import ScalingPolicy


class Track:
    """A revision that has replicas or is to have some."""

    __slots__ = (
        "body_bytes", "need", "policy", "prepared", "preparing", "reason", "revision", "timeout_s", "trial", "trouble",
        "until",
    )  # fmt: skip

    def __init__(self, revision: Revision, until: float = 0.0) -> None:
        self.revision = revision
        self.policy: ScalingPolicy = revision.spec.scaling
        self.need = Need.of(revision.spec)
        self.body_bytes = revision.spec.max_body_bytes
        self.timeout_s: float = revision.spec.timeout_s
        self.prepared: Prepared | None = None
        self.preparing = False
        self.trouble: Trouble | None = None
        self.trial: Trial | None = None
        """A candidate's figures, from when the first of its replicas was ready, if it is a canary."""
        self.reason = ""
        """Why a candidate was promoted, once that is decided."""
        self.until = until
        """A candidate that fails is tried again until then although nobody calls."""

    @property
    def number(self) -> int:
        """The revision's number."""
        return self.revision.number

    @property
    def is_blamed(self) -> bool:
        """Whether it failed in a way for which callers are better refused than held."""
        return self.trouble is not None and not self.trouble.hold

    def is_tried(self, now: float) -> bool:
        """Whether a candidate is to be started though the function is at zero: until it has shown what it can."""
        return self.trial is None and (self.trouble is None or now < self.until)

    def waits(self, now: float) -> bool:
        """Whether nothing may be tried now."""
        return self.trouble is not None and now < self.trouble.retry_at

    def startable(self, missing: int, starting: int, ready: int, now: float) -> int:
        """Return how many of the missing replicas may be started now; nothing to start is 0 or less."""
        if self.waits(now):
            return 0
        if self.trouble is not None and not ready:
            # After a failure one replica tries ahead of the others: twenty that fail the same way say no more.
            return min(missing, 1 - starting)
        return missing

    def fail(
        self, reason: Fault, detail: str, lines: tuple[str, ...], now: float, *, lived_s: float | None = None
    ) -> ev.Tell:
        """Note a failure, of a replica that had served for `lived_s` if it had; return what to tell of it."""
        before, self.trouble = self.trouble, failed(self.trouble, reason, detail, lines, now, lived_s=lived_s)
        if self.trial is not None and self.trouble is not before and reason != "lost":
            self.trial.crashes += 1
        summary = f"revision {self.number} failed, {self.trouble.failures} in a row: {SENTENCES[reason]}"
        return ev.Tell(summary, detail)

    def heal(self, now: float) -> None:
        """Forget the trouble of a revision that has served for long enough since."""
        if self.trouble is not None and now >= self.trouble.retry_at + HEALTHY_AFTER_S:
            self.trouble = None
            if self.trial is not None:
                self.trial.crashes = 0

    def next_due(self, now: float) -> list[float]:
        """Return when time alone will have an effect on it."""
        times = [self.until]
        if self.trouble is not None:
            times += self.trouble.retry_at, self.trouble.retry_at + HEALTHY_AFTER_S
        return [at for at in times if at > now]
