"""Which kinds of objects are followed beside functions, and by which part of the control plane."""

import dataclasses

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import BUDGET, FLOW, ROUTE, TENANT, TRIGGER, Kind
from dayfly.control.budgets import Budgets
from dayfly.control.namespaces import Namespaces
from dayfly.control.routes import Routes
from dayfly.control.spending import Spending
from dayfly.control.triggers import Triggers
from dayfly.events.flows.flows import Flows
from dayfly.model.budget import Budget
from dayfly.model.errors import InvalidSpec
from dayfly.model.flow import Flow
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName
from dayfly.model.namespace import Namespace
from dayfly.model.trigger import TriggerStanding
from dayfly.observe.audit import AuditLog
from dayfly.server.background import Job
from dayfly.server.cluster.bounding import telling_budgets
from dayfly.server.cluster.following import Following, Read
from dayfly.server.cluster.opening import Opening
from dayfly.server.cluster.telling import Key, telling_troubles
from dayfly.server.cluster.witness import Witness
from dayfly.storage.kubernetes.seen import OwnWrites, SeenObjects
from dayfly.storage.kubernetes.tenancy import KubernetesTenancy
from dayfly.storage.kubernetes.things import KubernetesRoutes, KubernetesThings, KubernetesTriggers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The stores that hold what is followed."""

    tenancy: KubernetesTenancy
    routes: KubernetesRoutes
    triggers: KubernetesTriggers
    flows: KubernetesThings[Flow]
    budgets: KubernetesThings[Budget]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of the control plane that take it over."""

    namespaces: Namespaces
    routes: Routes
    triggers: Triggers
    flows: Flows
    budgets: Budgets
    spending: Spending


def jobs(
    api: Connection, stores: Stores, parts: Parts, opening: Opening, audit: AuditLog, home: str
) -> tuple[Job, ...]:
    """Return what keeps both in step, for as long as the control plane works."""

    def witness(kind: Kind, own: OwnWrites) -> Witness:
        return Witness(audit, kind, SeenObjects(api, home, kind), own)

    async def follow_tenant(key: Key, read: Read[Namespace]) -> None:
        if key[0] != key[1]:
            await read()
            raise InvalidSpec(f"a Tenant is named as the namespace that it is in: {key[0]}")
        await parts.namespaces.follow(key[0], read)
        if key[0] not in parts.namespaces.names():
            await stores.tenancy.forget(key[0])

    async def leave(_namespace: NamespaceName) -> None:
        """A Tenant opens its namespace itself."""

    def tenants() -> list[Key]:
        return [(name, str(name)) for name in parts.namespaces.names() if name != DEFAULT_NAMESPACE]

    opened, of = opening.open, stores
    of_routes = telling_troubles(of.routes.objects.told, lambda: {r.key: r.trouble for r in parts.routes.all()})
    of_triggers = telling_troubles(of.triggers.objects.told, lambda: _troubles(parts.triggers))
    of_flows = telling_troubles(of.flows.objects.told, lambda: _flows(parts))
    of_budgets = telling_budgets(api, lambda: [parts.spending.standing(each) for each in parts.budgets.all()])
    spaces = Following(api, TENANT, of.tenancy, follow_tenant, tenants, leave, witness(TENANT, of.tenancy.own))
    routes = Following(
        api, ROUTE, of.routes.objects, parts.routes.follow, lambda: [r.key for r in parts.routes.all()], opened,
        witness(ROUTE, of.routes.objects.own), of_routes.forget,
    )  # fmt: skip
    triggers = Following(
        api, TRIGGER, of.triggers.objects, parts.triggers.follow, lambda: [t.key for t in parts.triggers.all()], opened,
        witness(TRIGGER, of.triggers.objects.own), of_triggers.forget,
    )  # fmt: skip
    flows = Following(
        api, FLOW, of.flows.objects, parts.flows.follow, lambda: list(_flows(parts)), opened,
        witness(FLOW, of.flows.objects.own), of_flows.forget,
    )  # fmt: skip
    budgets = Following(
        api, BUDGET, of.budgets.objects, parts.budgets.follow, lambda: [b.key for b in parts.budgets.all()], opened,
        witness(BUDGET, of.budgets.objects.own), of_budgets.forget,
    )  # fmt: skip
    tell = (of_routes, of_triggers, of_flows, of_budgets)
    return tuple(each.run for each in (spaces, routes, triggers, flows, budgets, *tell))


def _flows(parts: Parts) -> dict[Key, str]:
    return {(NamespaceName(flow.spec.namespace), flow.spec.name): "" for flow in parts.flows.all()}


def _troubles(triggers: Triggers) -> dict[Key, str]:
    return {trigger.key: trouble_of(triggers.standing(trigger.key)) for trigger in triggers.all()}


def trouble_of(standing: TriggerStanding) -> str:
    """Return what keeps a trigger from working; empty for one that works or rests."""
    if standing.state in ("running", "paused"):
        return ""
    return standing.trouble or f"it is {standing.state}"
