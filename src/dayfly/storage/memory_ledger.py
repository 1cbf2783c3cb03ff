"""A ledger in memory, for tests and for nothing that should outlive the process."""

from collections.abc import Iterable, Mapping

from dayfly.model.allowance import Used
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.storage.ledger import KEPT_DAYS_HOURS, KEPT_HOURS, Growth, Ledger


class MemoryLedger(Ledger):
    """What was used, for as long as the object lives."""

    def __init__(self) -> None:
        self._hours: dict[tuple[FunctionKey, int], Used] = {}
        self._marks: dict[str, int] = {}

    async def open(self) -> None:
        """Nothing is to be done."""

    async def close(self) -> None:
        """Nothing is to be done."""

    async def add(self, growth: Iterable[Growth], marks: Mapping[str, int]) -> None:
        """Add to what is known."""
        for each in growth:
            at = each.key, each.hour
            self._hours[at] = self._hours.get(at, Used()).plus(each.used)
        self._marks |= marks

    async def marks(self) -> dict[str, int]:
        """Return how far calls were counted."""
        return dict(self._marks)

    async def used(
        self, since_hour: int, until_hour: int, namespace: NamespaceName | None = None
    ) -> dict[FunctionKey, Used]:
        """Return what each function used."""
        found: dict[FunctionKey, Used] = {}
        for (key, hour), used in self._hours.items():
            if since_hour <= hour < until_hour and namespace in (None, key.namespace):
                found[key] = found.get(key, Used()).plus(used)
        return found

    async def forget(self, namespace: NamespaceName) -> None:
        """Let go of the namespace's."""
        self._hours = {at: used for at, used in self._hours.items() if at[0].namespace != namespace}
        self._marks = {name: mark for name, mark in self._marks.items() if name.rpartition(".")[2] != namespace}

    async def tidy(self, now_hour: int) -> None:
        """Make days of old hours."""
        hours, self._hours = self._hours, {}
        for (key, hour), used in hours.items():
            if hour >= now_hour - KEPT_DAYS_HOURS:
                at = key, hour if hour >= now_hour - KEPT_HOURS else hour // 24 * 24
                self._hours[at] = self._hours.get(at, Used()).plus(used)
