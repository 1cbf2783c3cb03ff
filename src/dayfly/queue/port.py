"""The queue's store: what of a call has to outlive everything, and how it is kept.

When a method that writes returns, what it wrote is on the disk: flushed, not merely handed over. One that raises
Unavailable may or may not have written; asking again is safe, as a repeated step is recognised or refused.
"""

from typing import Protocol

import msgspec

from dayfly.model.queued import QueuedCall, Request, Result, Standing


class Taken(Exception):
    """A call of this id is in the queue already."""


class Outrun(Exception):
    """The call does not stand where the caller believed: somebody else has moved it, or it is gone."""


class Kept(msgspec.Struct, frozen=True):
    """A call and where it stands."""

    call: QueuedCall
    standing: Standing
    revision: int
    """Grows with every move; 0 before the first."""


class KeyClaim(msgspec.Struct, frozen=True):
    """What an idempotency key stands for."""

    call_id: str
    digest: str
    """Of the request that came with it."""
    accepted: bool = False
    """Whether the call was accepted: if so, it is never accepted again, also when nothing is left of it."""


class QueueStore(Protocol):
    """Calls, their standings, results and idempotency keys. All raise Unavailable, those that write StoreFull too."""

    async def accept(self, call: QueuedCall, request: Request) -> None:
        """Keep a new call. Raises Taken."""
        ...

    async def move(self, call_id: str, standing: Standing, revision: int) -> int:
        """Let the call stand there, if its revision is still this one; return the next. Raises Outrun."""
        ...

    async def forget(self, call_id: str) -> None:
        """Let go of a call, its request and its standing. Idempotent."""
        ...

    async def kept(self) -> list[Kept]:
        """Return every call, in the order they were accepted."""
        ...

    async def find(self, call_id: str) -> Kept | None:
        """Return the call as it stands now."""
        ...

    async def request(self, call_id: str) -> Request | None:
        """Return what the function is to be sent."""
        ...

    async def keep_result(self, result: Result) -> None:
        """Keep what came of a call, for the time that results are kept; the last one counts."""
        ...

    async def result(self, call_id: str) -> Result | None:
        """Return what came of a call."""
        ...

    async def kept_after(self, position: int) -> tuple[int, Result] | None:
        """Return the first result that was kept after the position, and its own; None when there is none.

        Positions grow with every result that is kept, the first is 1. One that was never reached, as it is of a store
        that is gone, counts as none.
        """
        ...

    async def first_position(self) -> int:
        """Return the position before which no result is kept any more; 0 when none is kept at all."""
        ...

    async def claim_key(self, key: str, claim: KeyClaim) -> KeyClaim:
        """Return what the key stands for: what it stood for before, else the claim, for 24 hours."""
        ...

    async def settle_key(self, key: str, claim: KeyClaim) -> None:
        """Let the key stand for this from now on, for 24 hours."""
        ...
