"""Queued calls: what was accepted, how far it got, and what came of it.

A `QueuedCall` never changes once it is accepted. Its `Standing` is the one thing about it that moves; `decide.queueing`
says how. A `Result` is kept for a while after the call is over.
"""

from typing import Literal

import msgspec

from dayfly.model.retry import RetryPolicy

Priority = Literal["high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
Phase = Literal["queued", "answering", "dead", "done", "cancelled"]
"""queued: to be run, or running. answering: it has run, and its callback is still to be made. dead: it failed for good
and is kept until somebody redrives or purges it. done, cancelled: over."""
CallState = Literal["queued", "running", "retrying", "answering", "dead", "done", "cancelled"]
"""What people are told: `queued` is split up by whether somebody runs it and whether it has failed before."""


class QueuedCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call as it was accepted."""

    id: str
    function: str
    """`name.namespace`."""
    target: str
    """The function's own path, with the query."""
    accepted_unix_ms: int
    due_unix_ms: int
    """Not to be run before."""
    priority: Priority = "normal"
    callback: str = ""
    retry: RetryPolicy = RetryPolicy()
    concurrency: int = 0
    """How many queued calls of the function may run at a time; 0 leaves it to the platform."""
    size_bytes: int = 0
    """Of its request."""
    depth: int = 0
    """How deep the call is that made it; 0 when it came from outside."""
    method: str = "POST"
    direct: bool = False
    """Whether its caller waits for the answer: it is tried once, at once, and is no dead letter when it fails."""

    @property
    def namespace(self) -> str:
        """The tenant it belongs to."""
        return self.function.rpartition(".")[2]


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a call got."""

    phase: Phase = "queued"
    owner: str = ""
    """Who works on it: the name of one life of the queue's process; empty when nobody does."""
    attempts: int = 0
    """How often the function was tried."""
    callbacks: int = 0
    """How often the callback was tried."""
    due_unix_ms: int = 0
    status: int = 0
    """The last answer's; 0 when there was none."""
    reason: str = ""
    """Why the last attempt failed."""
    verdict: Phase = "queued"
    """What the call becomes once its callback is made."""
    redriven: int = 0
    """How often it began anew; its attempts are counted from the last time."""

    @property
    def state(self) -> CallState:
        """What people are told."""
        if self.phase != "queued":
            return self.phase
        if self.owner:
            return "running"
        return "retrying" if self.attempts else "queued"


class Request(msgspec.Struct, frozen=True, array_like=True):
    """What the function is sent: header lines as they go on the wire, and the body."""

    lines: bytes
    body: bytes


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a call."""

    id: str
    function: str
    state: CallState
    attempts: int
    accepted_unix_ms: int
    finished_unix_ms: int
    status: int = 0
    """Of the function's last answer; 0 when there was none."""
    reason: str = ""
    seconds: float = 0.0
    """How long the last attempt took."""
    lines: bytes = b""
    """The answer's header lines."""
    body: bytes = b""
    dropped_bytes: int = 0
    """The size of an answer that was too large to be kept."""
    depth: int = 0
    """How deep the call was."""
    redriven: int = 0
    """How often the call had begun anew."""
    ran: bool = True
    """Whether the function may have run; a direct call's key is good for another try if not."""


class CallStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A queued call, for its callers."""

    id: str
    function: str
    namespace: str
    state: CallState
    attempts: int
    accepted_unix_ms: int
    due_unix_ms: int = 0
    """When it is tried next, or was last due."""
    finished_unix_ms: int = 0
    status: int = 0
    reason: str = ""
    seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """The answer, base64 in JSON."""
    dropped_bytes: int = 0


class QueueFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One function's figures, or one namespace's."""

    function: str
    pending: int
    inflight: int
    dead: int
    submitted: int
    """Totals since the queue's process started."""
    processed: dict[str, int]
    """Finished calls by verdict."""
    expired: int = 0
    """Dead letters that were let go as nobody came for them."""
    callbacks_failed: int = 0
    """Callbacks that failed for good."""
