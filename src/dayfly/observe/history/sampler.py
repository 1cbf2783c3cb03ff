"""The sampler: every ten seconds all figures are gathered and handed to the store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from dayfly.model.errors import DayflyError
from dayfly.model.table import FunctionLoad
from dayfly.observe.history.scrape import GatewayLife, Group, Scrape
from dayfly.observe.history.store import Clock, HistoryStore
from dayfly.observe.history.tiers import SAMPLE_S

Gather = Callable[[], Awaitable[tuple[Callable[[], tuple[Group, ...]], dict[GatewayLife, FunctionLoad]]]]
"""Returns what makes the figures, in any thread, and how far gateways were counted in them, both of one moment."""
_LEAST_PAUSE_S = 0.25
_PAUSES = 4
"""How many times as long as a sample took there is none that somebody asked for."""
_log = logging.getLogger("dayfly.observe")


class Sampler:
    """Samples at the full ten seconds of the clock, so that moments of all tiers lie on its minutes and days."""

    def __init__(self, store: HistoryStore, gather: Gather, clock: Clock) -> None:
        self._store = store
        self._gather = gather
        self._clock = clock
        self._failing = False
        self._sampled_ms = 0
        self._begun_at = 0.0
        self._free_at = 0.0
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(SAMPLE_S - self._clock.unix_ms() / 1000 % SAMPLE_S)
            async with self._turn:
                await self.sample()

    async def catch_up(self) -> None:
        """Have the present in the file: return when a sample is that was begun after this was called.

        It waits a moment when there was one just before, so that questions one after the other cost a fifth of a
        processor at most; those that wait share one.
        """
        called_at = self._clock.now()
        async with self._turn:
            if self._begun_at <= called_at and self._sampled_ms != self._clock.unix_ms():
                await asyncio.sleep(max(0.0, self._free_at - self._clock.now()))
                await self.sample()
        await self._store.flushed()

    async def sample(self) -> None:
        """Take one sample; what cannot be gathered leaves a gap and a line in the log."""
        self._begun_at = self._clock.now()
        try:
            make, marks = await self._gather()
            # With a thousand functions this takes a good while, which the event loop has not.
            groups = await asyncio.to_thread(make)
        except (DayflyError, OSError) as error:
            if not self._failing:
                _log.warning("the history has a gap: %s", error)
            self._failing = True
            return
        self._failing = False
        self._sampled_ms = self._clock.unix_ms()
        self._free_at = self._clock.now() + max(_LEAST_PAUSE_S, _PAUSES * (self._clock.now() - self._begun_at))
        self._store.record(Scrape(self._sampled_ms, groups, marks))
