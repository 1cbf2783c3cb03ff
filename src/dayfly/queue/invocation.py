"""Invoking: a queued call on its way through a gateway, as any other call, and what its answer means."""

import re
from typing import Protocol

import msgspec

from dayfly.decide.queueing import Outcome
from dayfly.model.queued import QueuedCall, Request, Result
from dayfly.model.status import Problem
from dayfly.queue.asking import Lost, Sockets, Unreached
from dayfly.queue.ledger import headers_of
from dayfly.queue.port import Kept

_BUSY = frozenset(("queue_full", "queue_timeout", "no_table", "not_ready"))
"""What a gateway says when a call did not get to the function, and nobody is to blame but the moment."""
_KILLED = frozenset(("replica_lost", "function_killed"))
"""What a gateway answers for a replica that died with the call, and not by what its function did."""
_RAN = frozenset((502, 504))
"""What a gateway answers when the function got the call, and its own answer did not come or cannot be passed on."""
_LIMITER = "faas-middleware"
"""The part that says it, in X-OpenFaaS-Internal, which no function can."""
_USED_UP = "budget_used_up"
_LOOK_AGAIN_S = 3.0
"""A budget that is used up may be raised at any time, and then calls should not wait for long."""
_AWAY_WAIT_S = 0.2
_SECONDS = re.compile(r"[0-9]{1,6}")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt."""

    outcome: Outcome
    reached: bool = True
    """Whether the attempt counts: the call did not only meet a moment at which nobody could take it."""
    ran: bool = True
    """Whether the function may have run."""
    lines: bytes = b""
    body: bytes = b""
    dropped_bytes: int = 0
    hold_s: float = 0.0
    """For how long no other call of the function need be tried."""


def result_of(kept: Kept, attempt: Attempt, seconds: float, finished_unix_ms: int) -> Result:
    """Return what came of a call that stands as it does after this attempt."""
    call, standing = kept.call, kept.standing
    return Result(
        id=call.id,
        function=call.function,
        state=standing.verdict if standing.phase == "answering" else standing.state,
        attempts=standing.attempts,
        accepted_unix_ms=call.accepted_unix_ms,
        finished_unix_ms=finished_unix_ms,
        status=attempt.outcome.status,
        reason=standing.reason,
        seconds=seconds,
        lines=attempt.lines,
        body=attempt.body,
        dropped_bytes=attempt.dropped_bytes,
        depth=call.depth + 1,
        redriven=standing.redriven,
        ran=attempt.ran or not call.direct,
    )


class Invoke(Protocol):
    """Runs a call once."""

    async def __call__(self, call: QueuedCall, request: Request, /) -> Attempt:
        """Return what came of it."""
        ...


class GatewayInvoker:
    """Runs calls through whichever gateway is there."""

    def __init__(self, gateways: Sockets) -> None:
        self._gateways = gateways

    async def __call__(self, call: QueuedCall, request: Request, /) -> Attempt:
        """Send the call to its function and return what came of it."""
        try:
            whole = await self._gateways.ask(request_head(call, request), request.body)
        except Unreached as away:
            return Attempt(
                outcome=Outcome(from_platform=True, reason=str(away), retry_after_s=_AWAY_WAIT_S),
                reached=False,
                ran=False,
            )
        except Lost as lost:
            reason = f"The gateway that passed the call on is gone: {lost}. It may have run."
            return Attempt(outcome=Outcome(from_platform=True, reason=reason))
        attempt = judged(whole.status, whole.lines, whole.body)
        dropped = whole.size if whole.size and not whole.body else 0
        return msgspec.structs.replace(attempt, lines=whole.lines, body=whole.body, dropped_bytes=dropped)


def request_head(call: QueuedCall, request: Request) -> bytes:
    """Return the head that a gateway is sent."""
    name, target = call.function.encode(), call.target.encode()
    line = b"%b /function/%b%b HTTP/1.1\r\n" % (call.method.encode(), name, target)
    head = line + b"Host: queue\r\nX-Call-Id: %b\r\n" % call.id.encode()
    return head + request.lines + b"Content-Length: %d\r\n\r\n" % len(request.body)


def judged(status: int, lines: bytes, body: bytes) -> Attempt:
    """Return what an answer means: whether it is the function's, and whether the call got to it."""
    headers = dict(headers_of(lines))
    asked = headers.get("retry-after", "") if status in (429, 503) else ""
    retry_after_s = float(asked) if _SECONDS.fullmatch(asked) else 0.0
    if "x-duration-seconds" in headers:
        reason = f"The function answered {status}." if status >= 400 else ""
        return Attempt(outcome=Outcome(status=status, reason=reason, retry_after_s=retry_after_s))
    if headers.get("x-openfaas-internal") == _LIMITER:
        outcome = Outcome(status=status, reason="All replicas were busy.", retry_after_s=max(retry_after_s, 1.0))
        return Attempt(outcome=outcome, reached=False, ran=False)
    told = _problem(body)
    outcome = Outcome(
        status=status,
        reason=told.detail if told is not None else f"The gateway answered {status}.",
        from_platform=status == 503 or told is None or told.code in _KILLED,
        retry_after_s=retry_after_s,
    )
    if told is not None and told.code == _USED_UP:
        outcome = msgspec.structs.replace(outcome, retry_after_s=_LOOK_AGAIN_S)
        return Attempt(outcome=outcome, reached=False, ran=False, hold_s=_LOOK_AGAIN_S)
    if told is not None and told.code in _BUSY:
        busy = msgspec.structs.replace(outcome, retry_after_s=max(retry_after_s, 1.0))
        return Attempt(outcome=busy, reached=False, ran=False)
    return Attempt(outcome=outcome, ran=told is None or status in _RAN)


def _problem(body: bytes) -> Problem | None:
    try:
        return msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        return None
