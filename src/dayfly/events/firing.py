"""A firing: a call that an event asks for, on its way into the queue, which keeps it until it is made."""

from typing import Protocol

import msgspec

from dayfly.model.function import Function
from dayfly.model.names import FunctionKey
from dayfly.model.retry import told_of
from dayfly.queue.remote import RemoteQueue
from dayfly.queue.submission import Terms


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A call that an event asks for."""

    function: FunctionKey
    terms: Terms
    """What the function's author says of its queued calls."""
    headers: dict[str, str]
    key: str
    """The same for every firing of the same event, which calls the function once."""
    body: bytes = b""

    @classmethod
    def of(cls, function: Function, headers: dict[str, str], *, key: str, body: bytes = b"") -> "Firing":
        """Return a call of the function as it is deployed now."""
        retry, concurrency = told_of(function.revision.spec.annotations)
        return cls(function=function.key, terms=Terms(retry, concurrency), headers=headers, key=key, body=body)


class Fire(Protocol):
    """Sees to it that a function is called."""

    async def __call__(self, firing: Firing, /) -> None:
        """Return once the call is safe in the queue, now or since before. Raises DayflyError when it is not."""
        ...


class QueueFire:
    """Hands firings to the queue."""

    def __init__(self, queue: RemoteQueue) -> None:
        self._queue = queue

    async def __call__(self, firing: Firing, /) -> None:
        """Have the queue accept the call."""
        await self._queue.submit(
            str(firing.function), firing.terms, key=firing.key, headers=firing.headers, body=firing.body
        )
