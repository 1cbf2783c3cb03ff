"""Replays: a call of the past made once more, and both of its answers."""

import msgspec

MAX_ANSWER_BYTES = 2**20
"""What a replay tells of an answer's body."""


class ReplayedRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to send instead of what was sent then."""

    method: str = "POST"
    target: str = "/"
    """Path and query, as the function is to see them."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class ReplayOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a call is to be made once more."""

    number: int = 0
    """Of the record, where several calls have the id; 0 for the last one whose payload is kept."""
    revision: int = 0
    """The revision that gets it, any that is kept; 0 for whichever serves now."""
    request: ReplayedRequest | None = None
    """What to send instead; None for what is kept."""


class ReplaySide(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two answers, with what the function has redacted."""

    call_id: str
    revision: int
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    cut: bool
    """Whether the body was longer."""
    milliseconds: float
    """How long the caller waited."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A call and what came of making it once more."""

    function: str
    method: str
    target: str
    old: ReplaySide
    new: ReplaySide
