"""The records of calls as the API knows them, and what stands for them where the API was put together without any."""

from collections.abc import Mapping
from typing import Protocol

from dayfly.model.invocation import Invocation, RecordQuery
from dayfly.model.payload import CallPayload
from dayfly.model.rollup import Rollup
from dayfly.observe.rollups import RollupQuery


class Records(Protocol):
    """What is kept of calls that are over."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """Calls of which nothing was kept, by reason."""
        ...

    async def flush(self) -> None:
        """Return when all that came up to now is in the file."""
        ...

    async def find(self, query: RecordQuery) -> list[Invocation]:
        """Return the calls wanted, the newest first. Raises StoreUnavailable."""
        ...

    async def of_id(self, call_id: str) -> list[Invocation]:
        """Return the calls of this id in all namespaces, the oldest first. Raises StoreUnavailable."""
        ...

    async def payloads(self, namespace: str, call_id: str) -> list[CallPayload]:
        """Return what is kept of the namespace's calls of this id, the oldest first. Raises StoreUnavailable."""
        ...

    async def rolled_up(self, query: RollupQuery) -> list[Rollup]:
        """Return the roll-ups wanted, the newest first. Raises StoreUnavailable."""
        ...


class NoRecords:
    """Has no records."""

    dropped: Mapping[str, int] = {}

    async def flush(self) -> None:
        """Return at once."""

    async def find(self, query: RecordQuery) -> list[Invocation]:
        """Return none."""
        del query
        return []

    async def of_id(self, call_id: str) -> list[Invocation]:
        """Return none."""
        del call_id
        return []

    async def payloads(self, namespace: str, call_id: str) -> list[CallPayload]:
        """Return none."""
        del namespace, call_id
        return []

    async def rolled_up(self, query: RollupQuery) -> list[Rollup]:
        """Return none."""
        del query
        return []
