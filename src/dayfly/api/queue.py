"""The queue as the API knows it, and what stands for it where the API was put together without one."""

from collections.abc import Iterable
from typing import Protocol

from dayfly.model.errors import NotSupported
from dayfly.model.queued import CallStatus
from dayfly.queue.questions import Figures


class Queue(Protocol):
    """The use cases of queued calls. All raise Unavailable, and NotSupported where this installation has no queue."""

    async def status(self, call_id: str, wait_s: float = 0.0) -> CallStatus:
        """Return how a call stands, when it is over or after `wait_s`. Raises NotFound."""
        ...

    async def changed(self, call_id: str, seen: CallStatus, wait_s: float) -> CallStatus:
        """Return how a call stands once that is not what was seen, or after `wait_s`. Raises NotFound."""
        ...

    async def cancel(self, call_id: str) -> CallStatus:
        """Let a call be over. Raises NotFound, Conflict when it is over already."""
        ...

    async def listed(
        self, namespaces: Iterable[str] | None, state: str = "", function: str = "", limit: int = 100
    ) -> list[CallStatus]:
        """Return the namespaces' calls in the queue, or all, the oldest first."""
        ...

    async def redrive(self, call_ids: Iterable[str]) -> int:
        """Let these dead calls begin anew; return how many did."""
        ...

    async def purge(self, call_ids: Iterable[str]) -> int:
        """Let go of these dead calls; return how many went."""
        ...

    async def figures(self) -> Figures:
        """Return the figures of the queue."""
        ...


class NoQueue:
    """Has no calls and takes none: every method raises NotSupported, but for the figures."""

    async def status(self, call_id: str, wait_s: float = 0.0) -> CallStatus:
        """Refuse."""
        del call_id, wait_s
        raise _none()

    async def changed(self, call_id: str, seen: CallStatus, wait_s: float) -> CallStatus:
        """Refuse."""
        del call_id, seen, wait_s
        raise _none()

    async def cancel(self, call_id: str) -> CallStatus:
        """Refuse."""
        del call_id
        raise _none()

    async def listed(
        self, namespaces: Iterable[str] | None, state: str = "", function: str = "", limit: int = 100
    ) -> list[CallStatus]:
        """Refuse."""
        del namespaces, state, function, limit
        raise _none()

    async def redrive(self, call_ids: Iterable[str]) -> int:
        """Refuse."""
        del call_ids
        raise _none()

    async def purge(self, call_ids: Iterable[str]) -> int:
        """Refuse."""
        del call_ids
        raise _none()

    async def figures(self) -> Figures:
        """Return that there is none."""
        return Figures((), is_up=False)


def _none() -> NotSupported:
    return NotSupported("Calls cannot be queued here: this control plane was given no queue")
