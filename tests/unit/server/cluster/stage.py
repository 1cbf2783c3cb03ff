"""A cluster that somebody writes to with kubectl, and a control plane that follows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.server import Double
from tests.unit.control.conftest import BUNDLE, Rig

from dayfly.cluster.connection import Connection
from dayfly.control.triggers import Triggers
from dayfly.events.flows.engine import Engine
from dayfly.events.flows.flows import Flows
from dayfly.model.audit import AuditLimits
from dayfly.model.names import BundleDigest, FunctionKey, NamespaceName
from dayfly.model.reach import Reach
from dayfly.observe.audit import AuditLog
from dayfly.server.background import Background
from dayfly.server.cluster.opening import Opening
from dayfly.server.cluster.watched import Parts, Stores, jobs
from dayfly.storage.kubernetes.shelf import PART, SHELF
from dayfly.storage.kubernetes.tenancy import KubernetesTenancy
from dayfly.storage.kubernetes.things import KubernetesRoutes, KubernetesTriggers, budgets_in, flows_in
from dayfly.storage.memory_flow_runs import MemoryRuns
from dayfly.storage.sqlite_audit import SqliteAudit

MERGE = "application/merge-patch+json"
KUBECTL = "kubectl-client-side-apply"
TEAM, OTHER = NamespaceName("team"), NamespaceName("other")
HOST = "shop.example"
TO_HELLO: dict[str, Any] = {"targets": [{"function": "hello"}], "host": HOST}


def apply(double: Double, plural: str, name: str, namespace: str = "team", **spec: Any) -> None:
    """As kubectl would."""
    resource, registry = double.resource(plural), double.registry
    if double.object(plural, namespace, name) is None:
        registry.create(resource, namespace, {"metadata": {"name": name}, "spec": spec}, manager=KUBECTL)
    else:
        registry.patch(resource, namespace, name, MERGE, {"spec": spec}, manager=KUBECTL)


def delete(double: Double, plural: str, name: str, namespace: str = "team") -> None:
    """As kubectl would."""
    double.registry.delete(double.resource(plural), namespace, name, {})


class Stage:
    """A cluster, and a control plane that follows it."""

    def __init__(self, double: Double, rig: Rig, api: Connection, folder: Path) -> None:
        self.double, self.rig = double, rig
        self.log = AuditLog(SqliteAudit(folder / "audit.db"), AuditLimits(), rig.clock)
        self.stores = Stores(
            tenancy=KubernetesTenancy(api, "dayfly"), routes=KubernetesRoutes(api, "dayfly"),
            triggers=KubernetesTriggers(api, "dayfly"), flows=flows_in(api),
            budgets=budgets_in(api),
        )  # fmt: skip
        rig.tenancy, rig.routes = self.stores.tenancy, self.stores.routes  # type: ignore[assignment]
        rig.budgets = self.stores.budgets  # type: ignore[assignment]
        self._api = api
        self.plane = rig.plane = rig.new_plane()
        runs = MemoryRuns()
        self.flows = Flows(
            self.stores.flows, Engine(runs, None, rig.clock), runs, self.plane.namespaces.check_open, rig.clock  # type: ignore[arg-type]
        )  # fmt: skip
        self.triggers = Triggers(self.stores.triggers, self.plane.functions, Reach(), rig.clock)
        self.triggers.join(self.plane.namespaces, self.plane.secrets)
        self.plane.namespaces.house(self.flows)

    async def start(self) -> Background:
        await self.plane.start()
        await self.triggers.start()
        await self.flows.start()
        parts = Parts(
            namespaces=self.plane.namespaces, routes=self.plane.routes, triggers=self.triggers, flows=self.flows,
            budgets=self.plane.budgets, spending=self.plane.spending,
        )  # fmt: skip
        opening = Opening(self.plane.namespaces, self.stores.tenancy)
        await self.log.open()
        background = Background(*jobs(self._api, self.stores, parts, opening, self.log, "dayfly"))
        background.start()
        return background

    def apply(self, plural: str, name: str, namespace: str = "team", **spec: Any) -> None:
        """As kubectl would."""
        apply(self.double, plural, name, namespace, **spec)

    def delete(self, plural: str, name: str, namespace: str = "team") -> None:
        delete(self.double, plural, name, namespace)

    def said(self, plural: str, name: str, kind: str, namespace: str = "team") -> str:
        """Return what a condition of the object says, as `True` or `False: why`, of what it is now."""
        found = self.double.object(plural, namespace, name)
        for each in (found or {}).get("status", {}).get("conditions", ()):
            if found is not None and each["type"] == kind:
                is_new = each["observedGeneration"] == found["metadata"]["generation"]
                return f"{each['status']}: {each.get('message', '')}".rstrip(": ") if is_new else ""
        return ""

    async def deployed(self) -> FunctionKey:
        await self.stores.tenancy.claim_bundle(TEAM, BundleDigest(BUNDLE))
        return await self.rig.deployed(namespace="team")

    async def followed(self) -> None:
        """Wait until everything that was there at first has been seen."""
        kinds = {"tenants", "routes", "triggers", "flows", "budgets"}

        def begun() -> bool:
            shelves = [each["metadata"]["labels"] for each in self.double.objects("configmaps", "dayfly")]
            return {each[PART] for each in shelves if each[SHELF] == "seen"} >= kinds

        await self.rig.until(begun)

    def routes(self) -> dict[str, str]:
        return {entry.key: entry.path for entry in self.plane.routes.entries()}


Play = Callable[[Callable[[Stage], Awaitable[None]]], None]


@asynccontextmanager
async def staged(
    double: Double, folder: Path, token: str = "admin", bounds: tuple[str, ...] = ()
) -> AsyncIterator[Stage]:
    """Yield a control plane that follows the cluster with this token's rights, and has its files in the folder."""
    config = KubeConfig.from_dict(double.kubeconfig(token)).get()
    assert config is not None
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Connection(config, namespaces=bounds))
        stage = Stage(double, Rig(folder), api, folder)
        background = await stage.start()
        stack.push_async_callback(stage.log.close)
        stack.push_async_callback(stage.rig.close)
        stack.push_async_callback(background.stop)
        yield stage
