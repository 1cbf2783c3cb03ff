"""The stores of routes, triggers, flows and budgets in a cluster."""

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import BUDGET, FLOW, ROUTE, TRIGGER
from dayfly.model.budget import Budget
from dayfly.model.errors import NotFound
from dayfly.model.flow import Flow
from dayfly.model.names import NamespaceName
from dayfly.model.route import HostGrant, Route
from dayfly.model.trigger import Trigger
from dayfly.storage import budgets, flows
from dayfly.storage.budgets import BudgetStore
from dayfly.storage.flows import FlowStore
from dayfly.storage.kubernetes.named import Named
from dayfly.storage.kubernetes.shelf import Shelf
from dayfly.storage.routes import RouteStore
from dayfly.storage.triggers import TriggerStore

_POSITION = "position"


class KubernetesRoutes(RouteStore):
    """Routes, and on a shelf the hosts that namespaces were granted."""

    def __init__(self, connection: Connection, home: str) -> None:
        self.objects = Named(connection, ROUTE, Route)
        self._grants = Shelf(connection, home, "grants")

    async def routes(self) -> list[Route]:
        """Return every route that was taken over, ordered by namespace and name."""
        return await self.objects.all()

    async def put_route(self, route: Route) -> None:
        """Create or replace the route."""
        await self.objects.put(route)

    async def delete_route(self, namespace: NamespaceName, name: str) -> None:
        """Remove the route. Raises NotFound."""
        await self.objects.delete(namespace, name)

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


class KubernetesTriggers(TriggerStore):
    """Triggers, and on a shelf how far the queue's results were followed."""

    def __init__(self, connection: Connection, home: str) -> None:
        self.objects = Named(connection, TRIGGER, Trigger)
        self._followed = Shelf(connection, home, "followed")

    async def triggers(self) -> list[Trigger]:
        """Return every trigger that was taken over, ordered by namespace and name."""
        return await self.objects.all()

    async def put_trigger(self, trigger: Trigger) -> None:
        """Create or replace the trigger."""
        await self.objects.put(trigger)

    async def delete_trigger(self, namespace: NamespaceName, name: str) -> None:
        """Remove the trigger. Raises NotFound."""
        await self.objects.delete(namespace, name)

    async def followed(self) -> int:
        """Return up to which of the queue's results functions' ends were delivered; 0 for none."""
        return int(await self._followed.get(_POSITION) or 0)

    async def follow(self, position: int) -> None:
        """Keep up to which of the queue's results functions' ends were delivered."""
        await self._followed.put({_POSITION: str(position)})


class KubernetesFlows(FlowStore):
    """Flows."""

    def __init__(self, connection: Connection) -> None:
        self.objects = Named(connection, FLOW, Flow)

    async def flows(self) -> list[Flow]:
        """Return every flow that was taken over, ordered by namespace and name."""
        return await self.objects.all()

    async def put_flow(self, flow: Flow) -> None:
        """Create or replace the flow."""
        await self.objects.put(flow)

    async def delete_flow(self, namespace: NamespaceName, name: str) -> None:
        """Remove the flow. Raises NotFound."""
        try:
            await self.objects.delete(namespace, name)
        except NotFound as error:
            raise NotFound(flows.missing(namespace, name)) from error


class KubernetesBudgets(BudgetStore):
    """Budgets."""

    def __init__(self, connection: Connection) -> None:
        self.objects = Named(connection, BUDGET, Budget)

    async def budgets(self) -> list[Budget]:
        """Return every budget that was taken over, ordered by namespace and name."""
        return await self.objects.all()

    async def put_budget(self, budget: Budget) -> None:
        """Create or replace the budget."""
        await self.objects.put(budget)

    async def delete_budget(self, namespace: NamespaceName, name: str) -> None:
        """Remove the budget. Raises NotFound."""
        try:
            await self.objects.delete(namespace, name)
        except NotFound as error:
            raise NotFound(budgets.missing(namespace, name)) from error


def _name(grant: HostGrant) -> str:
    """Neither a host nor a namespace holds a space."""
    return f"{grant.host} {grant.namespace}"
