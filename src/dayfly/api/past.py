"""The history as the API knows it, and what stands for it where the API was put together without any."""

from typing import NoReturn, Protocol

from dayfly.model.errors import NotSupported
from dayfly.observe.history.queries import Answer, Extent
from dayfly.observe.history.remote import Prometheus
from dayfly.observe.history.shelf import Family
from dayfly.observe.promql.series import Labels


class History(Protocol):
    """What figures were over time.

    Each raises QueryWrong, QueryFailed, LimitExceeded when too many ask, NotSupported without a history, and
    StoreUnavailable.
    """

    @property
    def prometheus(self) -> Prometheus | None:
        """The one that is asked instead, by those who may see everything."""
        ...

    async def at_moment(self, query: str, namespace: str | None, at_ms: int | None) -> Answer:
        """Answer a query of the series of a namespace, or of all, at a moment; None for now."""
        ...

    async def over_span(self, query: str, extent: Extent, step_ms: int) -> Answer:
        """Answer a query step by step."""
        ...

    async def series(self, selectors: list[str], extent: Extent) -> list[Labels]:
        """Return the labels of the series that any of the selectors means, of all without one."""
        ...

    async def families(self) -> list[Family]:
        """Return what the metrics are."""
        ...


class NoHistory:
    """Has no history."""

    prometheus: Prometheus | None = None

    async def at_moment(self, query: str, namespace: str | None, at_ms: int | None) -> Answer:
        """Refuse."""
        del query, namespace, at_ms
        _refuse()

    async def over_span(self, query: str, extent: Extent, step_ms: int) -> Answer:
        """Refuse."""
        del query, extent, step_ms
        _refuse()

    async def series(self, selectors: list[str], extent: Extent) -> list[Labels]:
        """Refuse."""
        del selectors, extent
        _refuse()

    async def families(self) -> list[Family]:
        """Refuse."""
        _refuse()


def _refuse() -> NoReturn:
    raise NotSupported("this installation keeps no history", hint="it was started with DAYFLY_HISTORY=off")
