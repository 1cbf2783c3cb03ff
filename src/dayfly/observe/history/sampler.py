"""The sampler: every ten seconds all figures are gathered and handed to the store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from dayfly.model.errors import DayflyError
from dayfly.model.table import FunctionLoad
from dayfly.observe.history.scrape import GatewayLife, Group, Scrape
from dayfly.observe.history.store import Clock, HistoryStore
from dayfly.observe.history.tiers import SAMPLE_S

Gather = Callable[[], Awaitable[tuple[tuple[Group, ...], dict[GatewayLife, FunctionLoad]]]]
"""Returns the figures and how far gateways were counted in them, both of one moment."""
_log = logging.getLogger("dayfly.observe")


class Sampler:
    """Samples at the full ten seconds of the clock, so that moments of all tiers lie on its minutes and days."""

    def __init__(self, store: HistoryStore, gather: Gather, clock: Clock) -> None:
        self._store = store
        self._gather = gather
        self._clock = clock
        self._failing = False
        self._sampled_ms = 0
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(SAMPLE_S - self._clock.unix_ms() / 1000 % SAMPLE_S)
            async with self._turn:
                await self.sample()

    async def catch_up(self, fresh_ms: int) -> None:
        """Have the present in the file: sample unless that was done within this time."""
        async with self._turn:
            if not 0 <= self._clock.unix_ms() - self._sampled_ms < fresh_ms:
                await self.sample()
        await self._store.flushed()

    async def sample(self) -> None:
        """Take one sample; what cannot be gathered leaves a gap and a line in the log."""
        try:
            groups, marks = await self._gather()
        except (DayflyError, OSError) as error:
            if not self._failing:
                _log.warning("the history has a gap: %s", error)
            self._failing = True
            return
        self._failing = False
        self._sampled_ms = self._clock.unix_ms()
        self._store.record(Scrape(self._sampled_ms, groups, marks))
