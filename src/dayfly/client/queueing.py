"""What both clients have for queued calls. A namespace that is left empty is the client's own."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TypeVar

from dayfly.client import queue_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.client.queue_calls import Which
from dayfly.model.queued import CallStatus

T = TypeVar("T")


class Queueing(ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def submit(
        self,
        name: str,
        body: bytes = b"",
        *,
        namespace: str = "",
        path: str = "",
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Queue a call and return its id; from then on it is made whatever happens. Raises NotFound, LimitExceeded."""
        return self._send(calls.submit(self._target.key(name, namespace), body, path, query, headers or {}))

    def get_call(self, call_id: str, *, wait_s: float = 0.0) -> CallStatus:
        """Return how a queued call stands, when it is over or after `wait_s`, up to 60. Raises NotFound."""
        return self._send(calls.get_call(call_id, wait_s))

    def cancel_call(self, call_id: str) -> CallStatus:
        """Let a queued or running call be over. Raises NotFound, Conflict when it is over already."""
        return self._send(calls.cancel_call(call_id))

    def list_calls(
        self, namespace: str = "", *, state: str = "", function: str = "", limit: int = 100
    ) -> list[CallStatus]:
        """Return a namespace's calls in the queue, the oldest first; `state` `dead` for its dead letters."""
        return self._send(calls.list_calls(self._target.namespace(namespace), state, function, limit))

    def redrive_dead_letters(self, ids: Iterable[str] = (), *, namespace: str = "", function: str = "") -> int:
        """Let dead letters begin anew: these, those of a function, or all; return how many did."""
        return self._send(calls.redrive(self._target.namespace(namespace), Which(tuple(ids), function)))

    def purge_dead_letters(self, ids: Iterable[str] = (), *, namespace: str = "", function: str = "") -> int:
        """Let go of dead letters: these, those of a function, or all; return how many went."""
        return self._send(calls.purge(self._target.namespace(namespace), Which(tuple(ids), function)))


class AsyncQueueing(ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def submit(
        self,
        name: str,
        body: bytes = b"",
        *,
        namespace: str = "",
        path: str = "",
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Queue a call and return its id; from then on it is made whatever happens. Raises NotFound, LimitExceeded."""
        return await self._send(calls.submit(self._target.key(name, namespace), body, path, query, headers or {}))

    async def get_call(self, call_id: str, *, wait_s: float = 0.0) -> CallStatus:
        """Return how a queued call stands, when it is over or after `wait_s`, up to 60. Raises NotFound."""
        return await self._send(calls.get_call(call_id, wait_s))

    async def cancel_call(self, call_id: str) -> CallStatus:
        """Let a queued or running call be over. Raises NotFound, Conflict when it is over already."""
        return await self._send(calls.cancel_call(call_id))

    async def list_calls(
        self, namespace: str = "", *, state: str = "", function: str = "", limit: int = 100
    ) -> list[CallStatus]:
        """Return a namespace's calls in the queue, the oldest first; `state` `dead` for its dead letters."""
        return await self._send(calls.list_calls(self._target.namespace(namespace), state, function, limit))

    async def redrive_dead_letters(self, ids: Iterable[str] = (), *, namespace: str = "", function: str = "") -> int:
        """Let dead letters begin anew: these, those of a function, or all; return how many did."""
        return await self._send(calls.redrive(self._target.namespace(namespace), Which(tuple(ids), function)))

    async def purge_dead_letters(self, ids: Iterable[str] = (), *, namespace: str = "", function: str = "") -> int:
        """Let go of dead letters: these, those of a function, or all; return how many went."""
        return await self._send(calls.purge(self._target.namespace(namespace), Which(tuple(ids), function)))
