"""The port behind budgets and costs: what each function used, by the hour.

It is a record and no desired state: a crash may lose the last that was added, and a file that cannot be read is set
aside for a new one. Hours are numbered since 1970, in UTC. Those of the last two months are kept one by one, older ones
as days, and nothing for longer than four hundred days.
"""

import abc
from collections.abc import Iterable, Mapping

import msgspec

from dayfly.model.allowance import Used
from dayfly.model.names import FunctionKey, NamespaceName

HOUR_MS = 3_600_000
KEPT_HOURS = 62 * 24
KEPT_DAYS_HOURS = 400 * 24


class Growth(msgspec.Struct, frozen=True):
    """What a function used within one hour, beyond what is known of that hour."""

    key: FunctionKey
    hour: int
    used: Used


class Ledger(abc.ABC):
    """What was used. All methods raise StoreUnavailable when the medium fails."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Open it."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Finish what is under way and close. Idempotent."""

    @abc.abstractmethod
    async def add(self, growth: Iterable[Growth], marks: Mapping[str, int]) -> None:
        """Add to what is known, and keep how far each function's calls were counted with it: both or nothing."""

    @abc.abstractmethod
    async def marks(self) -> dict[str, int]:
        """Return how far calls were counted, by `name.namespace`."""

    @abc.abstractmethod
    async def used(
        self, since_hour: int, until_hour: int, namespace: NamespaceName | None = None
    ) -> dict[FunctionKey, Used]:
        """Return what each function used from the beginning of one hour to the beginning of another."""

    @abc.abstractmethod
    async def forget(self, namespace: NamespaceName) -> None:
        """Let go of all that is known of the namespace's functions."""

    @abc.abstractmethod
    async def tidy(self, now_hour: int) -> None:
        """Make days of old hours, and let go of what is too old."""
