"""Steps: moving a call in the store and in the ledger alike, also when the store is away in between."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dayfly.model.errors import Unavailable
from dayfly.model.queued import Standing
from dayfly.queue.ledger import Ledger
from dayfly.queue.port import Kept, Outrun, QueueStore

AGAIN_S = 0.5
"""How long to wait when the store is away."""
_log = logging.getLogger("dayfly.queue")
T = TypeVar("T")


class Steps:
    """Steps on the calls of one store and its ledger."""

    def __init__(self, store: QueueStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def move(self, kept: Kept, standing: Standing) -> Kept:
        """Let the call stand there. Raises Outrun, Unavailable."""
        after = Kept(kept.call, standing, await self._store.move(kept.call.id, standing, kept.revision))
        self._ledger.put(after)
        return after

    async def move_surely(self, kept: Kept, standing: Standing) -> Kept:
        """Let the call stand there, however long the store is away. Raises Outrun."""
        asked = False
        while True:
            try:
                return await self.move(kept, standing)
            except Unavailable:
                asked = True
                await asyncio.sleep(AGAIN_S)
            except Outrun:
                # It may be our own step that outran us: the one whose acknowledgement was lost.
                found = await self.surely(lambda: self._store.find(kept.call.id))
                if not asked or found is None or found.standing != standing:
                    raise
                self._ledger.put(found)
                return found

    async def has_come_back(self, kept: Kept) -> bool:
        """Whether a call that nobody has ever claimed is over: a store that is killed may forget what it forgot.

        Raises Unavailable.
        """
        result = None if kept.revision else await self._store.result(kept.call.id)
        return result is not None and result.accepted_unix_ms == kept.call.accepted_unix_ms

    async def surely(self, step: Callable[[], Awaitable[T]]) -> T:
        """Return what the step does, however long the store is away."""
        while True:
            try:
                return await step()
            except Unavailable as away:
                _log.warning("the queue's store is away, trying again reason=%s", away)
                await asyncio.sleep(AGAIN_S)
