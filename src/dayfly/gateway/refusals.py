"""Refusals: what the caller of a function is told when it is not the function that answers.

Each names the function, which limit was hit and the setting that raises it. `X-OpenFaaS-Internal` tells programs that a
failure is not the function's own, by the name of the part that OpenFaaS has for it.
"""

from math import ceil
from typing import NamedTuple

from dayfly.gateway.admission import Lane
from dayfly.model.depth import ANNOTATION
from dayfly.model.table import Ended

_TRY_AGAIN = "Try again, or raise com.openfaas.scale.max or max_inflight of the function."
_NOT_REPEATED = "The call was not repeated, as it may have had effects."


_PROXY, _WATCHDOG, _LIMITER = (
    b"X-OpenFaaS-Internal: %b\r\n" % part for part in (b"proxy", b"of-watchdog", b"faas-middleware")
)


class Refusal(NamedTuple):
    """One answer of ours."""

    status: int
    code: str
    detail: str
    hint: str = ""
    retry_after_s: int = 0
    internal: bytes = b""
    """The line that says which part refused."""
    plain: bool = False
    """Whether `detail` is the whole body, as a line of text."""


NO_TABLE = Refusal(
    503,
    "no_table",
    "This gateway has not heard from the control plane yet and knows no function.",
    retry_after_s=1,
    internal=_PROXY,
)


def unknown(name: bytes) -> Refusal:
    """No function has this name, `NAME` or `NAME.NAMESPACE`; it is empty for what is no name at all."""
    called = f"function {name.decode('ascii', 'replace')}" if name else "such function"
    return Refusal(404, "not_found", f"There is no {called}.", "`dayfly list` shows the functions there are.")


QUEUED_BY_POST = Refusal(405, "method_not_allowed", "Calls are queued by POST.", "Use POST, or call /function/NAME.")
QUEUE_AWAY = Refusal(
    503, "queue_away", "The queue does not answer at the moment; the call was not accepted.",
    "It is started again by itself; calls of /function/NAME go on meanwhile.", retry_after_s=1,
)  # fmt: skip


def no_queue(missing: str) -> Refusal:
    """This installation queues nothing."""
    return Refusal(501, "not_supported", f"Calls cannot be queued here: {missing}.", "Calls of /function/NAME work.")


def queue_lost(why: str) -> Refusal:
    """The queue has the call and did not say that it keeps it."""
    detail = f"The queue did not say whether it accepted the call: {why}. It may have."
    return Refusal(503, "queue_lost", detail, "With an Idempotency-Key it can be sent again without harm.", 1)


KEYS_AWAY = Refusal(
    503, "queue_away", "The queue, which sees to it that an Idempotency-Key counts once, does not answer; nothing ran.",
    "It is started again by itself; calls without a key go on meanwhile.", retry_after_s=1,
)  # fmt: skip
KEYED_LATE = Refusal(
    504, "still_running", "The call with this Idempotency-Key has not ended yet, and goes on.",
    "Send it again with the same key: it does not run twice, and its answer comes when there is one.",
)  # fmt: skip


def no_keys(missing: str) -> Refusal:
    """This installation has nothing that could remember a key."""
    detail = f"An Idempotency-Key is kept by the queue, and this installation has none: {missing}."
    return Refusal(501, "not_supported", detail, "Without the key the call is made as any other.")


def key_lost(why: str) -> Refusal:
    """The queue has the call and did not say what came of it."""
    detail = f"The queue did not say what came of the call with this Idempotency-Key: {why}. It may have run."
    return Refusal(503, "queue_lost", detail, "Send it again with the same key: it does not run twice.", 1)


def queue_full(lane: Lane) -> Refusal:
    """As many calls wait as may."""
    wait = f"{lane.entry.queue_limit} calls of {lane.name} wait already for a free replica"
    detail = f"{wait}{_inflight(lane)}; no more may wait (queue_limit)."
    return Refusal(429, "queue_full", detail, _TRY_AGAIN, retry_after_s=1, internal=_LIMITER)


def busy(lane: Lane) -> Refusal:
    """All replicas work on as many calls as they may, and the function's variable says that none shall wait."""
    text = f"Concurrent request limit exceeded. Max concurrent requests: {lane.limit}"
    return Refusal(429, "max_inflight", text, retry_after_s=1, internal=_LIMITER, plain=True)


def turned_away(lane: Lane) -> Refusal:
    """Waiting is in vain: the function is gone, or cannot be started."""
    if lane.removed:
        return Refusal(404, "not_found", f"The function {lane.name} was removed while the call waited for it.")
    return Refusal(
        503,
        "function_failing",
        f"No replica of {lane.name} can be started: {lane.entry.failing}",
        "The function's log says more; a corrected deployment serves at once.",
        retry_after_s=5,
        internal=_PROXY,
    )


def hold_over(lane: Lane) -> Refusal:
    """The call has waited for as long as it may."""
    waited = f"{lane.entry.hold_s:g} s"
    if lane.seats:
        detail = f"No replica of {lane.name} was free within {waited}{_inflight(lane)}."
        return Refusal(429, "queue_timeout", detail, _TRY_AGAIN, retry_after_s=1, internal=_LIMITER)
    return Refusal(
        503,
        "no_replica",
        f"No replica of {lane.name} was ready within {waited}, the longest that a call is held (hold_s).",
        "The function's log and `dayfly describe` say what the start is waiting for.",
        retry_after_s=1,
        internal=_PROXY,
    )


def too_deep(lane: Lane) -> Refusal:
    """Functions call each other in a circle, or deeper than they may."""
    own = 0 < lane.entry.max_depth == lane.max_depth
    detail = (
        f"The call was cut: {lane.max_depth} calls of functions led to it, one made by the other, and {lane.name} is"
        f" called no deeper ({ANNOTATION if own else 'DAYFLY_MAX_DEPTH'})."
    )
    hint = "See whether functions call each other in a circle. " + (
        "The function's annotation can be raised." if own else "The operator can raise the setting."
    )
    return Refusal(508, "loop_detected", detail, hint, internal=_PROXY)


def used_up(lane: Lane, unix_s: float) -> Refusal:
    """A budget of the function's or of its namespace's leaves nothing."""
    allowed = lane.entry.allowed
    assert allowed is not None
    after_s = max(1, ceil(allowed.until_unix_s - unix_s))
    return Refusal(429, "budget_used_up", allowed.detail, allowed.hint, after_s, _PROXY)


def timed_out(lane: Lane, timeout_s: float = 0.0) -> Refusal:
    """The function has taken longer than it may, or than its revision may where that is another than serves."""
    detail = f"{lane.name} did not answer within its timeout of {timeout_s or lane.entry.timeout_s:g} s."
    hint = "Raise `timeout` of the function if it needs longer."
    return Refusal(504, "timeout", detail, hint, internal=_WATCHDOG)


def too_large(size_bytes: int, most_bytes: int) -> Refusal:
    """The function answers with more than may pass."""
    return Refusal(
        502,
        "answer_too_large",
        f"The function's answer has {size_bytes} bytes or more; {most_bytes} may pass.",
        "The operator can raise the gateway's limit answer_bytes; larger things belong into a blob store.",
        internal=_PROXY,
    )


def lost(lane: Lane, why: str) -> Refusal:
    """The replica gave no answer, or none that can be passed on, and nobody knows more."""
    detail = f"The replica of {lane.name} that worked on this call gave no answer: {why}."
    hint = f"The function's log says why it ended. {_NOT_REPEATED}"
    return Refusal(502, "replica_lost", detail, hint, internal=_PROXY)


def ended(lane: Lane, told: Ended) -> Refusal:
    """The replica is gone, and it is known why."""
    detail = f"The replica of {lane.name} that worked on this call is gone: {told.detail}."
    return Refusal(502, told.code, detail, f"{told.hint} {_NOT_REPEATED}", internal=_PROXY)


def _inflight(lane: Lane) -> str:
    return f" (each works on max_inflight = {lane.entry.max_inflight} at a time)" if lane.entry.max_inflight else ""
