"""The provider port: a place where replicas can run.

A provider starts replicas, tells when they are ready and when they are gone, and finds those that still run after the
control plane was away. It decides nothing: which replica, how many and when is the control plane's business.
"""

import abc
from collections.abc import AsyncGenerator, Callable

from dayfly.model.errors import NotFound
from dayfly.model.log import LogLine
from dayfly.model.machine import PartLine, Surroundings
from dayfly.model.names import ReplicaId
from dayfly.model.replica import RecoveredReplica, ReplicaEvent, ReplicaStats, StartOrder


class Provider(abc.ABC):
    """A place where replicas can run. Every method may be called again after it failed."""

    name: str

    @abc.abstractmethod
    async def open(self, on_event: Callable[[ReplicaEvent], None], on_log: Callable[[LogLine], None]) -> None:
        """Connect and begin to report. Both callbacks are called on the event loop and must not block.

        For each replica started, `ReplicaReady` comes at most once and `ReplicaExited` exactly once, in this order.
        Raises Unavailable.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Disconnect; replicas keep running. Idempotent."""

    @abc.abstractmethod
    async def recover(self) -> list[RecoveredReplica]:
        """Return the replicas that already run here, and report on them from now on. Raises Unavailable."""

    @abc.abstractmethod
    async def start(self, order: StartOrder) -> None:
        """Begin to start a replica; returns once it was taken on, events tell the rest.

        A replica id that is in use already is left as it is. Raises Unavailable, NotSupported.
        """

    @abc.abstractmethod
    async def stop(self, replica: ReplicaId, *, grace_s: float) -> None:
        """Ask the replica to finish its calls and end; kill it and all it started after `grace_s` seconds.

        Returns at once; `ReplicaExited` tells when it is gone. An unknown replica is no error. Raises Unavailable.
        """

    @abc.abstractmethod
    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        """Return what each replica uses now."""

    async def survey(self) -> Surroundings:
        """Return what is known of where replicas run, for people to look at. Raises Unavailable."""
        return Surroundings()

    async def container_log(self, name: str, *, tail: int, follow: bool) -> AsyncGenerator[PartLine, None]:
        """Return what one of the containers or pods of `survey` has printed, and prints until it ends if followed.

        `tail` is how many lines of before, all for a negative number. Raises NotFound, Unavailable.
        """
        del tail, follow
        raise NotFound(f"there is no container {name[:80]}")
