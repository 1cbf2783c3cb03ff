"""Rollouts: what a deployment makes of a function, and how many replicas each of two revisions should have meanwhile.

A deployment of a function that serves makes a *candidate*. It takes over in steps: some of its replicas start, each one
that is ready lets one of the serving revision go, then the next ones start. As many replicas as are wanted are ready
all the time, and at most a step more are running. Once as many of the candidate's are ready as are wanted, it serves.

During a canary the serving revision keeps all its replicas and the candidate has its part beside them, so that taking
it back costs nobody anything: nothing has to be started for it.

All functions here return what should be true next; the outcomes they add carry no date (`ended_unix_ms` is 0), since a
decision knows no calendar.
"""

import math

from msgspec.structs import replace

from dayfly.model.function import Candidate, Function, Revision
from dayfly.model.rollout import Canary, Outcome, Verdict

BY_HAND = "somebody ended its rollout by hand"


def first(revision: Revision, canary: Canary | None, unix_ms: int) -> Function:
    """The function's first revision is to serve; there is nothing that a canary could be compared with."""
    reason = "it is the function's first revision, so that there is nothing to compare with"
    return Function(
        key=revision.spec.key,
        revision=revision,
        outcome=ended(revision, "promoted", reason) if canary is not None else None,
        created_unix_ms=unix_ms,
    )


def deployed(function: Function, revision: Revision, canary: Canary | None, *, works: bool) -> Function:
    """The revision is to serve; `works` says whether the one that is there goes on until it can.

    Where there is nothing that could go on, it is the one that serves, canary or not.
    """
    before = function.candidate
    outcome = function.outcome
    if before is not None:
        outcome = ended(
            before.revision, "replaced", f"revision {revision.number} was deployed before it had taken over"
        )
    if works:
        return replace(function, candidate=Candidate(revision=revision, canary=canary), outcome=outcome, replicas=None)
    outcome = None
    if canary is not None:
        outcome = ended(
            revision, "promoted",
            f"revision {function.revision.number} does not come up, so that there is nothing to compare with",
        )  # fmt: skip
    return replace(function, revision=revision, candidate=None, outcome=outcome, replicas=None)


def shifted(function: Function) -> Function:
    """The candidate's canary is over, and it takes over in steps."""
    candidate = function.candidate
    return function if candidate is None else replace(function, candidate=replace(candidate, canary=None))


def promoted(function: Function, reason: str) -> Function:
    """The candidate serves."""
    if function.candidate is None:
        return function
    revision = function.candidate.revision
    return replace(function, revision=revision, candidate=None, outcome=ended(revision, "promoted", reason))


def returned(function: Function, reason: str) -> Function:
    """The candidate is given up, and the revision that serves goes on."""
    if function.candidate is None:
        return function
    return replace(function, candidate=None, outcome=ended(function.candidate.revision, "returned", reason))


def ended(revision: Revision, verdict: Verdict, reason: str) -> Outcome:
    """Return how the revision's rollout ended, without a date."""
    return Outcome(revision=revision.number, verdict=verdict, reason=reason, ended_unix_ms=0)


def dated(function: Function, unix_ms: int) -> Function:
    """Put a date on an outcome that has none."""
    if function.outcome is None or function.outcome.ended_unix_ms:
        return function
    return replace(function, outcome=replace(function.outcome, ended_unix_ms=unix_ms))


def step(wanted: int) -> int:
    """Return how many replicas may start at a time beside those that serve."""
    return max(1, wanted // 4)


def enough(wanted: int, maximum: int) -> int:
    """Return how many of the candidate's replicas must be ready for it to take over; its own maximum is enough."""
    return max(1, min(wanted, maximum))


def part(wanted: int, weight: int) -> int:
    """Return how many replicas a canary of `weight` percent has beside `wanted` of the other."""
    return math.ceil(wanted * weight / 100)
