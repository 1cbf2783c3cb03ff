"""The port behind runs of flows: a log for each, which only grows, and what is known of the run as a whole.

When a write returns it is on the disk. Whoever adds entries says after which one: what was decided on a log that has
grown meanwhile is refused, so that two who believe that a run is theirs cannot both go on with it. What is in an entry
is not this port's business, but for the one that ends a run.
"""

import abc
from collections.abc import Collection, Sequence

import msgspec

from dayfly.model.flow_run import Entry, FlowRun, Logged, RunState
from dayfly.model.names import NamespaceName


class Outrun(Exception):
    """The log does not end where the caller believed, or the run is over or gone."""


class RunKey(msgspec.Struct, frozen=True):
    """An idempotency key and what came with it; a flow's runs begin once for each."""

    key: str
    digest: str


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are wanted."""

    namespace: str
    flow: str = ""
    state: RunState | None = None
    limit: int = 100
    """At most so many of the newest."""


class RunLog(abc.ABC):
    """Runs and their logs. All methods raise StoreUnavailable."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Open; nothing happens when it is open already. Raises StoreUnavailable for a layout newer than ours."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Finish pending writes and close. Idempotent."""

    @abc.abstractmethod
    async def begin(self, run: FlowRun, log: Sequence[Logged] = (), key: RunKey | None = None) -> FlowRun:
        """Keep a new run with what is in its log already; return it, or the one that began with this key before.

        Raises KeyReused when the key came with something else.
        """

    @abc.abstractmethod
    async def append(self, run: str, after: int, unix_ms: int, entries: Sequence[Entry]) -> int:
        """Add entries behind the one of this number; return how many bytes the log has. A Finished ends the run.

        Raises Outrun, and nothing is added.
        """

    @abc.abstractmethod
    async def log(self, run: str) -> list[Logged]:
        """Return the run's log; empty for one that is not there."""

    @abc.abstractmethod
    async def size(self, run: str) -> int:
        """Return how many bytes the log has."""

    @abc.abstractmethod
    async def get(self, run: str) -> FlowRun:
        """Return the run. Raises NotFound."""

    @abc.abstractmethod
    async def listed(self, query: RunQuery) -> list[FlowRun]:
        """Return the runs wanted, the newest first."""

    @abc.abstractmethod
    async def under_way(self) -> list[FlowRun]:
        """Return every run that is not over, the oldest first."""

    @abc.abstractmethod
    async def remove(self, runs: Collection[str]) -> None:
        """Forget these runs."""

    @abc.abstractmethod
    async def forget(self, namespace: NamespaceName) -> None:
        """Forget all runs of the namespace."""

    @abc.abstractmethod
    async def trim(self, finished_before_unix_ms: int, most: int) -> int:
        """Forget runs that were over before a moment, and of each namespace the oldest over `most`; return how many.

        Runs under way stay.
        """
