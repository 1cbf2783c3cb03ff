"""What the control plane needs of others, as it sees them.

Preparing code, keeping log lines and counting calls are done by packages beside this one, which the control plane may
not import. It states here what it calls; the composition in `server` hands in the real ones, tests hand in small ones.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from dayfly.model.function import FunctionSpec
from dayfly.model.log import LogLine
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.replica import Prepared, StartOrder
from dayfly.model.table import Ended, Entry, Load, RevisionLoad

__all__ = ["Fill", "LogSink", "Meter", "Prepared", "Preparer", "Table"]

Fill = Callable[[StartOrder, tuple[str, ...]], Awaitable[StartOrder]]
"""Returns an order with what is in the secrets of these names."""


class Preparer(Protocol):
    """Makes a revision's code and dependencies, or its image, ready to run."""

    async def check(self, spec: FunctionSpec) -> None:
        """Refuse what this machine has not the means to run. Raises NotSupported."""

    async def prepare(self, spec: FunctionSpec, revision: int) -> Prepared:
        """Unpack the code and install what it needs; quick when that was done before, and safe to ask twice.

        `revision` is the number under which the spec was deployed, for what is to be the same each time.

        Raises BuildFailed, InvalidRequest, NotFound, Unavailable.
        """


class LogSink(Protocol):
    """Takes what functions print."""

    def write(self, line: LogLine) -> None:
        """Keep the line; never blocks and never raises."""

    async def forget(self, namespace: NamespaceName) -> None:
        """Remove every line of the namespace's functions. Raises StoreUnavailable."""


class Meter(Protocol):
    """Adds up what the gateways count."""

    def merge(self, gateway: str, boot: str, load: Load) -> None:
        """Take in a gateway's report; one life of a gateway is told from the next by `boot`."""

    def gone(self, gateway: str) -> None:
        """Forget what the gateway has in flight; what it counted remains."""

    def inflight(self, key: FunctionKey) -> int:
        """Calls being worked on now, in all gateways."""

    def waiting(self, key: FunctionKey) -> int:
        """Calls that wait for a replica now, in all gateways."""

    def invocations(self, key: FunctionKey) -> int:
        """Calls ever finished."""

    def begun(self, key: FunctionKey) -> int:
        """Calls seen to begin since this meter was made; only what it grows by means something."""

    def take_sides(self, key: FunctionKey) -> tuple[RevisionLoad, ...]:
        """Calls of the function's revisions in a canary, in all gateways, finished since this was last asked."""

    def forget(self, key: FunctionKey) -> None:
        """The function was removed; one deployed later under its name begins at zero."""

    def restore(self, totals: Mapping[str, int]) -> None:
        """Begin with what `totals` returned in an earlier life."""

    def totals(self) -> dict[str, int]:
        """What to keep over restarts: calls ever finished by `name.namespace`.

        What else the meter wants to keep of a function has its name, an `@` and more as the key.
        """


class Table(Protocol):
    """Where routing entries are announced."""

    def changed(self, entry: Entry) -> None:
        """The function's entry is this from now on."""

    def removed(self, key: FunctionKey) -> None:
        """There is no such function any more."""

    def ended(self, ended: Ended) -> None:
        """A replica has ended, for this reason."""
