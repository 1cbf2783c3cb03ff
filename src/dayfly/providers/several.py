"""Several providers as one: each runtime's replicas run where that runtime is to be had.

The first provider is the machine's own and has to be there. The others may come and go, as a container engine does:
what they cannot tell is left out, and only what needs them fails.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping

from dayfly.model.errors import NotFound, NotSupported, Unavailable
from dayfly.model.log import LogLine
from dayfly.model.machine import PartLine, Surroundings
from dayfly.model.names import ReplicaId
from dayfly.model.replica import RecoveredReplica, ReplicaEvent, ReplicaExited, ReplicaStats, StartOrder
from dayfly.model.runtime import Runtime
from dayfly.providers.port import Provider

_log = logging.getLogger("dayfly.providers")


class SeveralProviders(Provider):
    """The replicas of all providers; those of a runtime in `elsewhere` are started there, all others by `first`."""

    def __init__(self, first: Provider, elsewhere: Mapping[Runtime, Provider]) -> None:
        self.name = first.name
        self._first = first
        self._elsewhere = dict(elsewhere)
        self._all = list(dict.fromkeys((first, *elsewhere.values())))
        self._homes: dict[ReplicaId, Provider] = {}
        self._on_event: Callable[[ReplicaEvent], None] = lambda _event: None

    async def open(self, on_event: Callable[[ReplicaEvent], None], on_log: Callable[[LogLine], None]) -> None:
        """Open every provider. Raises Unavailable."""
        self._on_event = on_event
        for provider in self._all:
            await provider.open(self._heard, on_log)

    async def close(self) -> None:
        """Close every provider; replicas keep running. Idempotent."""
        for provider in self._all:
            await provider.close()
        self._homes.clear()

    async def recover(self) -> list[RecoveredReplica]:
        """Return the replicas that run anywhere. Raises Unavailable when the first provider cannot tell."""
        found: list[RecoveredReplica] = []
        for provider in self._all:
            try:
                here = await provider.recover()
            except Unavailable as error:
                if provider is self._first:
                    raise
                _log.info("no replica is taken over from %s: %s", provider.name, error)
            else:
                self._homes |= {each.order.replica: provider for each in here}
                found += here
        return found

    async def start(self, order: StartOrder) -> None:
        """Have the runtime's provider start the replica. Raises Unavailable, NotSupported."""
        provider = self._elsewhere.get(order.runtime, self._first)
        known = order.replica in self._homes
        self._homes.setdefault(order.replica, provider)
        try:
            await provider.start(order)
        except (Unavailable, NotSupported):
            if not known:
                self._homes.pop(order.replica, None)
            raise

    async def stop(self, replica: ReplicaId, *, grace_s: float) -> None:
        """Have the replica end, wherever it is. Raises Unavailable."""
        home = self._homes.get(replica)
        for provider in (home,) if home is not None else self._all:
            await provider.stop(replica, grace_s=grace_s)

    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        """Return what each replica uses, as far as its provider can tell. Raises Unavailable when the first cannot."""
        found: dict[ReplicaId, ReplicaStats] = {}
        told = await asyncio.gather(*(provider.stats() for provider in self._all), return_exceptions=True)
        for provider, uses in zip(self._all, told, strict=True):
            if not isinstance(uses, BaseException):
                found |= uses
            elif provider is self._first or not isinstance(uses, Unavailable):
                raise uses
            else:
                _log.info("%s cannot tell what its replicas use: %s", provider.name, uses)
        return found

    async def survey(self) -> Surroundings:
        """Return what all know of where replicas run; what one cannot tell is noted."""
        found = Surroundings()
        for provider in self._all:
            try:
                told = await provider.survey()
            except Unavailable as error:
                told = Surroundings(notes=(f"{provider.name}: {error.message}",))
            found = Surroundings(
                nodes=found.nodes + told.nodes,
                containers=found.containers + told.containers,
                images=found.images | told.images,
                image_names=found.image_names | told.image_names,
                pids=found.pids | told.pids,
                notes=found.notes + told.notes,
            )
        return found

    async def container_log(self, name: str, *, tail: int, follow: bool) -> AsyncGenerator[PartLine, None]:
        """Return what the container prints, wherever it is. Raises NotFound, and Unavailable where one cannot tell."""
        away: Unavailable | None = None
        for provider in self._all:
            try:
                return await provider.container_log(name, tail=tail, follow=follow)
            except NotFound:
                continue
            except Unavailable as error:
                away = error
        raise away or NotFound(f"there is no container {name[:80]}")

    def _heard(self, event: ReplicaEvent) -> None:
        if isinstance(event, ReplicaExited):
            self._homes.pop(event.replica, None)
        self._on_event(event)
