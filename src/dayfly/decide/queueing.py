"""The queue's protocol: how a call gets from accepted to done, as a state machine without a clock, store or socket.

    accepted ──► queued ──claim──► queued, owned ──conclude──► done │ dead │ answering ──claim, delivered──► done │ dead
                   ▲                    │ │
                   ├──── release ───────┘ │     it was not the function's turn: the attempt does not count
                   ├──── conclude ────────┘     it failed and may be tried again, after a wait
                   ├──── orphan                 whoever owned it is dead: the attempt counts, as it may have run
                   │     recall                 the same, but what came of it is known
                   └──── redrive ◄── dead
          any that is not over ──cancel──► cancelled

What always holds (`invariants`): a call is owned only while it is to be run or its callback is to be made; no more
attempts are counted than its policy allows; what is over stays as it is. What a step asks for is checked first, and a
step that does not fit raises `Misstep`: so an answer that comes after its owner was taken for dead, or after the call
was cancelled, changes nothing. The store refuses a step from any standing but the last (`Outrun`), which makes this
hold for two processes as well.
"""

import msgspec

from dayfly.model.queued import Phase, QueuedCall, Standing
from dayfly.model.retry import RetryPolicy

CALLBACK_POLICY = RetryPolicy(attempts=8, min_wait_s=1.0, max_wait_s=60.0)
MAX_RETRY_AFTER_S = 3600.0
OVER = frozenset(("done", "cancelled"))


class Misstep(Exception):
    """The step does not fit where the call stands; the text says why."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt came to."""

    status: int = 0
    """The answer's; 0 when there was none."""
    reason: str = ""
    """Why it failed, when it did."""
    from_platform: bool = False
    """Whether it was not the function that answered: such failures are always tried again."""
    retry_after_s: float = 0.0


def claim(standing: Standing, owner: str) -> Standing:
    """Let `owner` work on the call. Raises Misstep when somebody does, or there is nothing to do."""
    if standing.owner:
        raise Misstep(f"{standing.owner} works on it")
    if standing.phase == "queued":
        return msgspec.structs.replace(standing, owner=owner, attempts=standing.attempts + 1)
    if standing.phase == "answering":
        return msgspec.structs.replace(standing, owner=owner, callbacks=standing.callbacks + 1)
    raise Misstep(f"it is {standing.phase}")


def conclude(
    standing: Standing, owner: str, call: QueuedCall, outcome: Outcome, *, now_unix_ms: int, jitter: float
) -> Standing:
    """Return where the call stands after the owner's attempt. `jitter` is from 0 to 1. Raises Misstep."""
    _owned(standing, owner, "queued")
    failed = outcome.from_platform or outcome.status == 0 or outcome.status >= 400
    after = msgspec.structs.replace(standing, owner="", status=outcome.status, reason=outcome.reason if failed else "")
    if not failed:
        return _verdict(after, call, "done")
    again = outcome.from_platform or outcome.status == 0 or outcome.status in call.retry.codes
    if not again or standing.attempts >= call.retry.attempts:
        return _verdict(after, call, "dead")
    wait_s = max(backoff_s(call.retry, standing.attempts, jitter), min(outcome.retry_after_s, MAX_RETRY_AFTER_S))
    return msgspec.structs.replace(after, due_unix_ms=now_unix_ms + round(wait_s * 1000))


def release(standing: Standing, owner: str, *, now_unix_ms: int, wait_s: float = 0.0, reason: str = "") -> Standing:
    """Return the call to the queue as if it had not been claimed: nothing has reached the function.

    `reason` tells why, where people should know. Raises Misstep.
    """
    _owned(standing, owner, standing.phase)
    due = now_unix_ms + round(min(wait_s, MAX_RETRY_AFTER_S) * 1000)
    if standing.phase == "answering":
        return msgspec.structs.replace(standing, owner="", callbacks=standing.callbacks - 1, due_unix_ms=due)
    reason = reason or standing.reason
    return msgspec.structs.replace(standing, owner="", attempts=standing.attempts - 1, due_unix_ms=due, reason=reason)


def orphan(standing: Standing, owner: str, call: QueuedCall, *, now_unix_ms: int) -> Standing:
    """Return where the call stands now that its owner is dead; the attempt counts. Raises Misstep."""
    _owned(standing, owner, standing.phase)
    after = msgspec.structs.replace(standing, owner="", due_unix_ms=now_unix_ms)
    if standing.phase == "queued" and standing.attempts >= call.retry.attempts:
        why = "The process that worked on it ended during the last attempt; it may have run."
        return _verdict(msgspec.structs.replace(after, status=0, reason=why), call, "dead")
    if standing.phase == "answering" and standing.callbacks >= CALLBACK_POLICY.attempts:
        return msgspec.structs.replace(after, phase=standing.verdict)
    return after


def recall(standing: Standing, owner: str, call: QueuedCall, verdict: Phase, status: int) -> Standing:
    """Return where the call stands whose owner died when it had kept the result, and before it said so.

    Raises Misstep.
    """
    _owned(standing, owner, "queued")
    return _verdict(msgspec.structs.replace(standing, owner="", status=status), call, verdict)


def delivered(
    standing: Standing, owner: str, failure: str, *, now_unix_ms: int, jitter: float, final: bool = False
) -> Standing:
    """Return where the call stands after its callback was tried; `failure` is empty when it was taken.

    One whose failure is `final` is not tried again. Raises Misstep.
    """
    _owned(standing, owner, "answering")
    after = msgspec.structs.replace(standing, owner="")
    if not failure or final or standing.callbacks >= CALLBACK_POLICY.attempts:
        reason = f"{standing.reason} The callback failed: {failure}".strip() if failure else standing.reason
        return msgspec.structs.replace(after, phase=standing.verdict, reason=reason)
    wait_s = backoff_s(CALLBACK_POLICY, standing.callbacks, jitter)
    return msgspec.structs.replace(after, due_unix_ms=now_unix_ms + round(wait_s * 1000))


def cancel(standing: Standing) -> Standing:
    """Let the call be over. Raises Misstep when it has run already."""
    if standing.phase != "queued":
        raise Misstep(f"it is {standing.phase}")
    return msgspec.structs.replace(standing, phase="cancelled", owner="", reason="It was cancelled.")


def redrive(standing: Standing, *, now_unix_ms: int) -> Standing:
    """Let a dead call begin anew. Raises Misstep for any other."""
    if standing.phase != "dead":
        raise Misstep(f"it is {standing.state}")
    return Standing(due_unix_ms=now_unix_ms, redriven=standing.redriven + 1)


def has_aged(call: QueuedCall, standing: Standing, now_unix_ms: int, most_ms: int) -> bool:
    """Whether a call has been dead for longer than that; it died no earlier than it was last due."""
    return standing.phase == "dead" and now_unix_ms - max(standing.due_unix_ms, call.due_unix_ms) > most_ms


def backoff_s(policy: RetryPolicy, attempts: int, jitter: float) -> float:
    """Return the wait after so many attempts: it doubles, and lies in the upper half of that by `jitter`.

    So waits never fall below the one before until they have reached the longest, and calls that failed together do not
    come back together.
    """
    whole = min(policy.max_wait_s, policy.min_wait_s * 2.0 ** min(attempts - 1, 60))
    return whole * (0.5 + 0.5 * jitter)


def invariants(call: QueuedCall, standing: Standing) -> list[str]:
    """Return what is wrong with a standing; nothing, ever."""
    wrong = []
    if standing.owner and standing.phase not in ("queued", "answering"):
        wrong.append(f"{standing.owner} owns a call that is {standing.phase}")
    if not 0 <= standing.attempts <= call.retry.attempts:
        wrong.append(f"{standing.attempts} attempts are counted of {call.retry.attempts}")
    if not 0 <= standing.callbacks <= CALLBACK_POLICY.attempts:
        wrong.append(f"{standing.callbacks} callbacks are counted of {CALLBACK_POLICY.attempts}")
    if standing.phase == "answering" and not (call.callback and standing.verdict in ("done", "dead")):
        wrong.append("it waits for a callback that nobody asked for, or does not know what it becomes")
    if standing.phase in ("done", "dead") and not standing.attempts:
        wrong.append(f"it is {standing.phase} and was never tried")
    return wrong


def _owned(standing: Standing, owner: str, phase: str) -> None:
    if not owner or standing.owner != owner:
        raise Misstep(f"{standing.owner or 'nobody'} works on it, not {owner or 'nobody'}")
    if standing.phase != phase:
        raise Misstep(f"it is {standing.phase}")


def _verdict(standing: Standing, call: QueuedCall, verdict: Phase) -> Standing:
    if not call.callback:
        # Whoever waits for a direct call is told of its failure; nobody would come for the dead letter.
        return msgspec.structs.replace(standing, phase="done" if call.direct else verdict)
    return msgspec.structs.replace(standing, phase="answering", verdict=verdict, due_unix_ms=0)
