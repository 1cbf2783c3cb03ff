"""What all lives of one provider share: the API, the pods as they were last seen, and how an installation is set up."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import POD, Kind, Object
from dayfly.model.errors import Conflict, NotFound, Unavailable
from dayfly.model.log import LogLine
from dayfly.model.replica import ReplicaEvent
from dayfly.providers.kubernetes.choice import Room
from dayfly.providers.kubernetes.pods import Pod, understand
from dayfly.providers.kubernetes.pool import CONTAINER, PoolValues
from dayfly.providers.pod.seal import ControlKey

_log = logging.getLogger("dayfly.providers.kubernetes")

START_S = 120.0
"""How long a pod may take to be there: to find a node, to pull an image."""
RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where an installation's pods are, and what they are made from."""

    namespace: str
    """The one namespace that all pods of functions are in; which Dayfly namespace they are of, their labels say."""
    pool: PoolValues
    own_namespace: str = ""
    """The one that the platform itself is in; empty where it is in none."""
    room: Room
    """What a function in a pod of the pool may use."""
    start_s: float = START_S


class House:
    """The shared part; `pods` is kept up by whoever watches, who calls `seen` and `lost`."""

    def __init__(
        self,
        connection: Connection,
        site: Site,
        key: ControlKey,
        on_event: Callable[[ReplicaEvent], None],
        on_log: Callable[[LogLine], None],
    ) -> None:
        self.connection = connection
        self.site = site
        self.key = key
        self.on_event = on_event
        self.on_log = on_log
        self.pods: dict[str, Pod] = {}
        self.doubted: set[str] = set()
        """Nodes in whose pods no agent answered when it was last looked for."""
        self._changed = asyncio.Event()
        self._leftovers: dict[tuple[str, str], tuple[Kind, int | None, str]] = {}

    def notify(self) -> None:
        """Wake whoever waits for pods to change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Return when pods have changed since the call."""
        await self._changed.wait()

    async def patch(self, pod: str, change: Mapping[str, object], version: str = "") -> Pod:
        """Change labels or annotations of a pod, guarded by `version`. Raises Unavailable, NotFound, Conflict."""
        meta: Object = {**change} | ({"resourceVersion": version} if version else {})
        return understand(await self.connection.patch(POD, pod, {"metadata": meta}, self.site.namespace))

    async def remove(self, kind: Kind, name: str, *, grace_s: int | None = None, uid: str = "") -> None:
        """Delete an object, as soon as the API is there. Another one of its name is left alone."""
        self._leftovers[kind.plural, name] = (kind, grace_s, uid)
        await self._remove(kind.plural, name)

    def keep(self, kind: Kind, name: str) -> None:
        """Leave an object where it is that is wanted again, although it could not be deleted before."""
        self._leftovers.pop((kind.plural, name), None)

    async def sweep(self) -> None:
        """Delete what could not be deleted when it should have been."""
        for plural, name in list(self._leftovers):
            await self._remove(plural, name)

    async def _remove(self, plural: str, name: str) -> None:
        if (left := self._leftovers.get((plural, name))) is None:
            return
        kind, grace_s, uid = left
        try:
            await self.connection.delete(kind, name, self.site.namespace, grace_s=grace_s, uid=uid)
        except (NotFound, Conflict):
            pass
        except Unavailable as error:
            _log.info("%s %s cannot be removed now: %s", kind.name, name, error)
            return
        self._leftovers.pop((plural, name), None)

    def log_of(self, pod: str, *, follow: bool, **params: str) -> AsyncGenerator[bytes, None]:
        """Yield the lines that a pod's container printed. Raises Unavailable, NotFound, InvalidRequest."""
        query = {"container": CONTAINER} | ({"follow": "true"} if follow else {}) | params
        return self.connection.stream(POD.path(self.site.namespace, pod, "log"), query)
