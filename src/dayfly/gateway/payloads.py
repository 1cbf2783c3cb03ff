"""Payloads on their way to the control plane: what a call was sent and answered, taken while it runs.

Only calls of functions whose policy asks for it have a `Taking`. What all of them hold together is bounded: beyond that
a payload is let go of, and the call's record goes without.
"""

import random

from dayfly.decide.payloads import is_kept, is_taken
from dayfly.http1.wire import Data
from dayfly.model.payload import PayloadPolicy, TakenPayload

MAX_HELD_BYTES = 16 * 2**20


class Payloads:
    """What one gateway process holds. `most` are the bytes of each body that are kept; 0 takes none."""

    def __init__(self, most: int = 0) -> None:
        self.most = most
        self.held_bytes = 0

    def take(self, policy: PayloadPolicy) -> "Taking | None":
        """Begin to take a call's payload, if it is one whose payload is taken."""
        if not self.most or not is_taken(policy, random.random()):  # noqa: S311 - a sample, no secret
            return None
        return Taking(self, policy)

    def let_go(self, payload: TakenPayload) -> None:
        """Hold a payload no longer: it was handed over, or given up."""
        self.held_bytes -= _size(payload)


class Taking:
    """One call's payload."""

    __slots__ = ("_answer", "_answer_cut", "_body", "_body_cut", "_lines", "_payloads", "_policy")

    def __init__(self, payloads: Payloads, policy: PayloadPolicy) -> None:
        self._payloads = payloads
        self._policy = policy
        self._body, self._body_cut = b"", False
        self._answer, self._answer_cut = b"", False
        self._lines = b""

    def sent(self, data: Data) -> None:
        """Take more of the request's body."""
        room = self._room(self._body)
        self._body_cut |= len(data) > room
        self._body += self._held(data[:room])

    def answered(self, lines: bytes, first: Data) -> None:
        """Take the answer's head and what of its body came along; what was taken of another is gone."""
        self._payloads.held_bytes -= len(self._answer)
        self._lines, self._answer, self._answer_cut = lines, b"", False
        self.more(first)

    def more(self, data: Data) -> None:
        """Take more of the answer's body."""
        room = self._room(self._answer)
        self._answer_cut |= len(data) > room
        self._answer += self._held(data[:room])

    def over(self, head: bytes, status: int, error: str) -> TakenPayload | None:
        """Return what is kept of the call, which is over; None when nothing is."""
        self._payloads.held_bytes -= len(self._body) + len(self._answer)
        if not is_kept(self._policy, error):
            return None
        payload = TakenPayload(
            head, self._body, self._body_cut, status, self._lines, self._answer, self._answer_cut, self._policy.redact
        )
        if self._payloads.held_bytes + _size(payload) > MAX_HELD_BYTES:
            return None
        self._payloads.held_bytes += _size(payload)
        return payload

    def _room(self, part: bytes) -> int:
        payloads = self._payloads
        return max(0, min(payloads.most - len(part), MAX_HELD_BYTES - payloads.held_bytes))

    def _held(self, data: Data) -> bytes:
        self._payloads.held_bytes += len(data)
        return bytes(data)


def _size(payload: TakenPayload) -> int:
    return len(payload.head) + len(payload.body) + len(payload.answer_lines) + len(payload.answer_body)
