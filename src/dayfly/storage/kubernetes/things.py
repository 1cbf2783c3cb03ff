"""The stores of routes, triggers, flows and budgets in a cluster."""

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import BUDGET, FLOW, ROUTE, TRIGGER, Kind
from dayfly.model.budget import Budget
from dayfly.model.errors import NotFound
from dayfly.model.flow import Flow
from dayfly.model.names import NamespaceName
from dayfly.model.route import HostGrant, Route
from dayfly.model.trigger import Trigger
from dayfly.storage.kubernetes.named import Named
from dayfly.storage.kubernetes.shelf import Shelf
from dayfly.storage.routes import RouteStore
from dayfly.storage.things import T, ThingStore
from dayfly.storage.triggers import TriggerStore

_POSITION = "position"


class KubernetesThings(ThingStore[T]):
    """Things that are no more than an object each."""

    def __init__(self, connection: Connection, kind: Kind, struct: type[T]) -> None:
        self.objects = Named(connection, kind, struct)

    async def all(self) -> list[T]:
        """Return every one that was taken over, ordered by namespace and name."""
        return await self.objects.all()

    async def put(self, thing: T) -> None:
        """Create or replace it."""
        await self.objects.put(thing)

    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove it. Raises NotFound."""
        await self.objects.delete(namespace, name)


class KubernetesRoutes(KubernetesThings[Route], RouteStore):
    """Routes, and on a shelf the hosts that namespaces were granted."""

    def __init__(self, connection: Connection, home: str) -> None:
        super().__init__(connection, ROUTE, Route)
        self._grants = Shelf(connection, home, "grants")

    async def grants(self) -> list[HostGrant]:
        """Return every grant, ordered by host and namespace."""
        pairs = [name.split(" ") for name in await self._grants.all()]
        return [HostGrant(host=host, namespace=NamespaceName(namespace)) for host, namespace in sorted(pairs)]

    async def put_grant(self, grant: HostGrant) -> None:
        """Keep the grant. Idempotent."""
        await self._grants.put({_name(grant): ""})

    async def delete_grant(self, grant: HostGrant) -> None:
        """Forget the grant. Raises NotFound."""
        gone = False

        def without(texts: dict[str, str]) -> dict[str, str]:
            nonlocal gone
            gone = texts.pop(_name(grant), None) is not None
            return texts

        await self._grants.change(without)
        if not gone:
            raise NotFound(f"the host {grant.host or '*'} is not granted to the namespace {grant.namespace}")


class KubernetesTriggers(KubernetesThings[Trigger], TriggerStore):
    """Triggers, and on a shelf how far the queue's results were followed."""

    def __init__(self, connection: Connection, home: str) -> None:
        super().__init__(connection, TRIGGER, Trigger)
        self._followed = Shelf(connection, home, "followed")

    async def followed(self) -> int:
        """Return up to which of the queue's results functions' ends were delivered; 0 for none."""
        return int(await self._followed.get(_POSITION) or 0)

    async def follow(self, position: int) -> None:
        """Keep up to which of the queue's results functions' ends were delivered."""
        await self._followed.put({_POSITION: str(position)})


def flows_in(connection: Connection) -> KubernetesThings[Flow]:
    """Return the store of flows."""
    return KubernetesThings(connection, FLOW, Flow)


def budgets_in(connection: Connection) -> KubernetesThings[Budget]:
    """Return the store of budgets."""
    return KubernetesThings(connection, BUDGET, Budget)


def _name(grant: HostGrant) -> str:
    """Neither a host nor a namespace holds a space."""
    return f"{grant.host} {grant.namespace}"
