"""What a server sends without being asked, until it is delivered.

NOTIFY and the subjects of core NATS come at the server's pace and are sent once: nobody can be asked to wait, and what
is dropped is gone. So a bounded number waits. When more come the subscription ends with the reason, for somebody to
read. However it ends, what waits is still delivered, unless that takes long as well.
"""

import asyncio
from collections import deque

from dayfly.events.port import Deliver, Lost
from dayfly.events.sources.batch import hand_on
from dayfly.model.event import Event

MAX_WAITING, MAX_WAITING_BYTES = 1_000, 16 * 2**20
GRACE_S = 1.0
"""How long each delivery may take once the subscription has ended."""


class Inbox:
    """The events that wait."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._bytes = 0
        self._came = asyncio.Event()
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def is_over(self) -> bool:
        """Whether the subscription has ended."""
        return self._over.done()

    def put(self, event: Event) -> None:
        """Let it wait, unless the subscription has ended."""
        if self.is_over:
            return
        if len(self._waiting) >= MAX_WAITING or self._bytes + len(event.data) > MAX_WAITING_BYTES:
            self.lost(
                f"{event.source}: more than {MAX_WAITING} messages or {MAX_WAITING_BYTES // 2**20} MiB came before"
                " they could be delivered, and some were lost: a JetStream consumer or an outbox loses none"
            )
            return
        self._bytes += len(event.data)
        self._waiting.append(event)
        self._came.set()

    def lost(self, why: str) -> None:
        """End the subscription; only the first reason counts."""
        if not self.is_over:
            self._over.set_result(why)
        self._came.set()

    async def empty(self, deliver: Deliver) -> None:
        """Deliver, one after the other, until the subscription ends. Raises Lost then."""
        while True:
            while self._waiting:
                event = self._waiting.popleft()
                self._bytes -= len(event.data)
                await self._deliver(deliver, event)
            if self.is_over:
                raise Lost(self._over.result())
            self._came.clear()
            await self._came.wait()

    async def _deliver(self, deliver: Deliver, event: Event) -> None:
        delivery = asyncio.ensure_future(hand_on(deliver, event))
        try:
            await asyncio.wait((delivery, self._over), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((delivery,), timeout=GRACE_S)
            if not delivery.done():
                raise Lost(self._over.result())
            delivery.result()
        finally:
            if not delivery.done():
                delivery.cancel()
                await asyncio.wait((delivery,))
