"""The history as others use it: the store with its sampler, and the Prometheus that is asked instead of it."""

from dayfly.model.errors import NotSupported
from dayfly.observe.history.queries import Answer, Extent
from dayfly.observe.history.remote import Prometheus
from dayfly.observe.history.sampler import Gather, Sampler
from dayfly.observe.history.shelf import Family
from dayfly.observe.history.store import Clock, HistoryStore
from dayfly.observe.promql.series import Labels


class Past:
    """History; with `is_kept` false there is none, and all but a Prometheus is refused."""

    def __init__(
        self, store: HistoryStore, gather: Gather, clock: Clock, *, is_kept: bool, prometheus: Prometheus | None = None
    ) -> None:
        self.prometheus = prometheus
        self._store = store
        self._sampler = Sampler(store, gather, clock)
        self._clock = clock
        self._is_kept = is_kept

    async def run(self) -> None:
        """Sample until cancelled."""
        await self._sampler.run()

    async def at_moment(self, query: str, namespace: str | None, at_ms: int | None) -> Answer:
        """Answer a query of the series of a namespace, or of all, at a moment; None for now, which is sampled then.

        Raises QueryWrong, QueryFailed, LimitExceeded, NotSupported,
        StoreUnavailable.
        """
        self._check()
        if at_ms is None:
            await self._sampler.catch_up()
            at_ms = self._clock.unix_ms()
        return await self._store.at_moment(query, Extent(namespace, at_ms, at_ms))

    async def over_span(self, query: str, extent: Extent, step_ms: int) -> Answer:
        """Answer a query step by step; raises as `at_moment`."""
        self._check()
        return await self._store.over_span(query, extent, step_ms)

    async def series(self, selectors: list[str], extent: Extent) -> list[Labels]:
        """Return the labels of series; raises as `at_moment`."""
        self._check()
        return await self._store.series(selectors, extent)

    async def families(self) -> list[Family]:
        """Return what the metrics are; raises as `at_moment`."""
        self._check()
        return await self._store.families()

    def _check(self) -> None:
        if not self._is_kept:
            raise NotSupported("this installation keeps no history", hint="it was started with DAYFLY_HISTORY=off")
