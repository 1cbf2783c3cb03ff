"""Keeps the call totals over restarts.

They are saved at intervals and at the end, only what has changed, and never stand in a call's way: a crash costs the
count of the last SAVE_EVERY_S seconds.
"""

import asyncio
import logging
from collections.abc import Callable

from dayfly.control.clock import Clock, Timer
from dayfly.control.ports import Meter
from dayfly.model.errors import StoreUnavailable
from dayfly.storage.port import StateStore

log = logging.getLogger("dayfly.control")

SAVE_EVERY_S = 30.0


class Totals:
    """Moves totals between the meter and the store; `known` names the functions that there are."""

    def __init__(self, store: StateStore, meter: Meter, clock: Clock, known: Callable[[], set[str]]) -> None:
        self._store = store
        self._meter = meter
        self._clock = clock
        self._known = known
        self._saved: dict[str, int] = {}
        self._failing = False
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Give the meter what was saved, and begin to save. Raises StoreUnavailable."""
        self._saved = await self._store.totals()
        self._meter.restore(self._saved)
        self._arm()

    async def stop(self) -> None:
        """Save once more, and end."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
        await self.save()

    async def save(self) -> None:
        """Save what has changed; a store that fails is tried again next time, and told of once."""
        known = self._known()
        # What is kept beside a function's calls outlives it: gateways go on counting where they were, and one deployed
        # later under its name must not be given the calls of the first.
        totals = {name: calls for name, calls in self._meter.totals().items() if "@" in name or name in known}
        changed = {name: calls for name, calls in totals.items() if self._saved.get(name) != calls}
        gone = self._saved.keys() - totals.keys()
        if not changed and not gone:
            return
        try:
            await self._store.save_totals(changed, gone)
        except StoreUnavailable as error:
            if not self._failing:
                log.warning("the call totals could not be saved and will be tried again: %s", error)
            self._failing = True
        else:
            self._saved = totals
            self._failing = False

    def _arm(self) -> None:
        self._timer = self._clock.call_at(self._clock.now() + SAVE_EVERY_S, self._due)

    def _due(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self.save())
        self._arm()
