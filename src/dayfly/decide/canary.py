"""Is a candidate worse than the revision that serves? Decided by the calls both had in the same time.

Callers are few and luck is large: of 50 calls that fail one in a hundred, none fails or three do. A candidate is given
back when what was seen is more than the policy bears *and* more than luck explains:

- **errors**: the share of 5xx is more than `errors` points higher, and the lower end of the difference's confidence
  interval is above zero (Newcombe's interval, made of the Wilson intervals of both shares);
- **p95**: its 95th percentile is more than `p95` times and MIN_SLOWER_S longer, and the lower end of its interval is
  above the upper end of the other's (the percentiles between which the true one lies, by the normal approximation of
  the binomial rank).

The intervals are Z = 4 standard errors wide. That is a lot for a single look, but a canary is looked at with every
report for as long as it runs, and each look is another chance for luck: of simulated canaries with 300 looks and 3,000
calls that were as good as the other, 3 in 100 were given back with Z = 3 at one failure in fifty, fewer than 1 with 4.
What is really worse has to be seen little longer for it: where five in a hundred fail after none did, 60 calls instead
of 50.

At the end of the window a candidate is promoted if it had enough calls and nothing speaks against it. What is over the
policy's limits but could be luck is watched on: more calls will tell.
"""

import math
from array import array
from typing import Literal

import msgspec

from dayfly.model.rollout import Canary, Side
from dayfly.model.table import CANARY_BUCKETS_S, RevisionLoad

Z = 4.0
MIN_SLOWER_S = 0.01
"""A candidate is not given back for less than this. A process that gets one call in ten is slower than one that gets
nine, with the very same code, because it has to be woken and its caches are cold: twice, by 0.6 ms, for functions that
do nothing, and by 3 ms on a busy machine."""
CRASHES = 3
"""Failures in a row of a canary's replicas after which it is given back whatever its calls came to."""


class Tally:
    """One revision's calls since the canary began."""

    __slots__ = ("buckets", "calls", "failed")

    def __init__(self) -> None:
        self.calls = 0
        self.failed = 0
        self.buckets = array("q", bytes(8 * (len(CANARY_BUCKETS_S) + 1)))

    def add(self, more: RevisionLoad) -> None:
        """Count more calls."""
        self.calls += more.calls
        self.failed += more.failed
        for at, count in enumerate(more.buckets[: len(self.buckets)]):
            self.buckets[at] += count

    def quantile(self, share: float) -> float:
        """Return the latency in seconds that this share of the calls did not exceed; 0 when there was none."""
        rank, seen = min(max(share, 0.0), 1.0) * sum(self.buckets), 0
        for at, count in enumerate(self.buckets):
            if count and seen + count >= rank:
                low = CANARY_BUCKETS_S[at - 1] if at else 0.0
                high = CANARY_BUCKETS_S[min(at, len(CANARY_BUCKETS_S) - 1)]
                return low + (high - low) * (rank - seen) / count
            seen += count
        return 0.0

    def side(self, revision: int) -> Side:
        """Return the figures as they are told."""
        return Side(revision, self.calls, self.failed, self.quantile(0.95) if self.calls else None)


class Trial:
    """A canary under way: when it began, both revisions' calls since, and how often its replicas failed in a row."""

    __slots__ = ("began", "candidate", "crashes", "serving")

    def __init__(self, now: float) -> None:
        self.began = now
        self.crashes = 0
        self.candidate = Tally()
        self.serving = Tally()

    def add(self, more: RevisionLoad, *, candidate: int, serving: int) -> None:
        """Count more calls of the one or the other; those of a third revision say nothing here."""
        if more.revision == candidate:
            self.candidate.add(more)
        elif more.revision == serving:
            self.serving.add(more)


class Judgement(msgspec.Struct, frozen=True):
    """What is to become of a canary, and one sentence that says why, with the figures."""

    verdict: Literal["watch", "promote", "return"]
    reason: str


def judge(policy: Canary, trial: Trial, now: float) -> Judgement:
    """Return what the figures say by now."""
    ours, theirs = trial.candidate, trial.serving
    figures = f"{_told(ours)}, against {_told(theirs)} of the revision that serves"
    if trial.crashes >= CRASHES:
        return Judgement("return", f"its replicas failed {trial.crashes} times in a row: {figures}")
    if min(ours.calls, theirs.calls) >= policy.calls:
        errors = ours.failed / ours.calls - theirs.failed / theirs.calls
        more = errors * 100 > policy.errors
        if more and _difference_at_least(ours, theirs) > 0:
            return Judgement("return", f"its calls failed more often: {figures}")
        slow = policy.p95 > 0 and _is_slower(ours.quantile(0.95), theirs.quantile(0.95), policy.p95)
        if slow and ours.quantile(0.95 - _rank_error(ours.calls)) > theirs.quantile(0.95 + _rank_error(theirs.calls)):
            return Judgement("return", f"its calls took longer: {figures}")
        if more or slow:
            return Judgement("watch", f"it looks worse, which may be luck yet: {figures}")
    if now < trial.began + policy.window_s:
        return Judgement("watch", figures)
    if min(ours.calls, theirs.calls) < policy.calls:
        return Judgement("watch", f"the window is over, but there were fewer than {policy.calls} calls each: {figures}")
    if not policy.promote:
        return Judgement("watch", f"the window is over and nothing speaks against it: {figures}")
    return Judgement("promote", f"nothing spoke against it in {policy.window}: {figures}")


def _is_slower(ours_s: float, theirs_s: float, times: float) -> bool:
    return ours_s > theirs_s * times and ours_s - theirs_s > MIN_SLOWER_S


def _rank_error(calls: int) -> float:
    return Z * math.sqrt(0.95 * 0.05 / calls)


def _difference_at_least(ours: Tally, theirs: Tally) -> float:
    """Return the lower end of the interval of how much larger our share of failures is."""
    mine, its = ours.failed / ours.calls, theirs.failed / theirs.calls
    down = mine - _wilson(ours, -Z)
    up = _wilson(theirs, Z) - its
    return mine - its - math.hypot(down, up)


def _wilson(tally: Tally, z: float) -> float:
    """Return the end of the Wilson interval of the share of failures on the side of z's sign."""
    n, share = tally.calls, tally.failed / tally.calls
    spread = math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (share + z * z / (2 * n) + z * spread) / (1 + z * z / n)


def _told(tally: Tally) -> str:
    if not tally.calls:
        return "no call"
    share = 100 * tally.failed / tally.calls
    return f"{share:.3g} % of {tally.calls} calls failed, p95 {tally.quantile(0.95) * 1000:.3g} ms"
