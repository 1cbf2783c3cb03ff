"""Where events come from: one port, an adapter a kind of source.

A source reads from a server that belongs to others and hands on what it reads. It acknowledges a message to the server
only after the event was delivered, so that one which is killed in between comes again: at least once, as far as the
server can. It does not connect again by itself; whoever runs it does, after a wait that grows.
"""

from collections.abc import Callable
from typing import Protocol

from dayfly.model.event import Event


class Lost(Exception):
    """The server cannot be reached or has gone away; the text says which and why, in one sentence without secrets."""


class Undeliverable(Exception):
    """No function will ever take this event, as one that is too large; the text says why. Acknowledge it and go on."""


class Deliver(Protocol):
    """Has an event's functions called."""

    async def __call__(self, event: Event, /) -> None:
        """Return once the calls are safe in the queue, or nobody wants them.

        Waits, as long as it takes, for a queue that is full or away. Raises Undeliverable.
        """
        ...


class Source(Protocol):
    """One subscription to one server."""

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """Read and deliver until cancelled; call `ready` once nothing that happens from then on is missed.

        Holds a bounded number of messages. Raises Lost. Cancelled or not, it closes what it opened.
        """
        ...
