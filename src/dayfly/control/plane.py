"""The control plane: what can be asked of the platform, and the parts that make it true.

Every change is written to the store first and acted upon after; what was acknowledged is on the disk. The desired state
is kept in memory beside the lifecycles, so that neither a cold start nor a question reads the store. Changes of one
function happen one after another; a change that is being written is carried through, whoever asked for it may be gone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Literal

from dayfly.control.apart import ReplicasApart
from dayfly.control.budgets import Budgets
from dayfly.control.bundles import Blobs, Bundles
from dayfly.control.clock import Clock
from dayfly.control.deployments import Deployments
from dayfly.control.link import LinkServer
from dayfly.control.namespaces import Functions, LogLines, Namespaces
from dayfly.control.ports import LogSink, Meter, Preparer
from dayfly.control.processor import Processor
from dayfly.control.quotas import Quotas
from dayfly.control.reconciler import Reconciler
from dayfly.control.recovery import adopt, dismiss
from dayfly.control.rollouts import Rollouts
from dayfly.control.routes import Routes
from dayfly.control.scaler import Scaler
from dayfly.control.secrets import Secrets
from dayfly.control.sequence import Sequence
from dayfly.control.spending import Spending
from dayfly.control.spent import Spent
from dayfly.control.statuses import status_of, those_of
from dayfly.control.totals import Totals
from dayfly.decide import events as ev
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.routing import entry
from dayfly.model.apart import Apart
from dayfly.model.budget import Budget
from dayfly.model.errors import NotFound
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import FunctionKey, NamespaceName, ReplicaId
from dayfly.model.replica import Ceilings, ReplicaEvent, ReplicaStats
from dayfly.model.rollout import Canary, Verdict
from dayfly.model.sandbox import Tier
from dayfly.model.status import FunctionStatus, RevisionStatus
from dayfly.model.table import Entry
from dayfly.providers.port import Provider
from dayfly.storage.ledger import Ledger
from dayfly.storage.port import StateStore
from dayfly.storage.routes import RouteStore
from dayfly.storage.secrets.port import SecretStore
from dayfly.storage.tenancy import TenancyStore
from dayfly.storage.things import ThingStore

log = logging.getLogger("dayfly.control")

SHUTDOWN_GRACE_S = 10.0


class ControlPlane:
    """Functions deployed, scaled, removed and told of. Start it before anything else, and stop it in the end.

    `max_body_bytes` is the largest body that gateways take; 0 when nobody knows.
    """

    def __init__(
        self,
        *,
        store: StateStore,
        secrets: SecretStore,
        tenancy: TenancyStore,
        routes: RouteStore,
        budgets: ThingStore[Budget],
        ledger: Ledger,
        provider: Provider,
        blobs: Blobs,
        preparer: Preparer,
        meter: Meter,
        logs: LogSink,
        link_socket: Path,
        gateway_url: str,
        clock: Clock,
        sandbox_tier: Tier | Literal[""] = "",
        ceilings: Ceilings = Ceilings(),  # noqa: B008 - it is frozen
        max_body_bytes: int = 0,
    ) -> None:
        self._store, self._provider, self._preparer = store, provider, preparer
        self._meter, self._clock = meter, clock
        self._gateway_url, self._sandbox_tier = gateway_url, sandbox_tier
        self.link = LinkServer(
            link_socket, clock=clock, entries=self._entries,
            on_demand=lambda function, waiting: self._scaler.demand(function, waiting),
            on_load=lambda gateway, boot, load: self._scaler.load(gateway, boot, load),
            on_gone=lambda gateway: self._scaler.gone(gateway),
        )  # fmt: skip
        self._changes = Sequence()
        machines: dict[FunctionKey, Lifecycle] = {}
        self._quotas = Quotas(machines)
        self.namespaces = Namespaces(tenancy, self._quotas, clock)
        self.bundles = Bundles(blobs, tenancy)
        self._rollouts = Rollouts(store, self._changes, clock, logs, machines)
        self.on_rollout = self._rollouts.on_decided
        self.secrets = Secrets(secrets, self._changes, self.namespaces.check_open, clock)
        self._reconciler = Reconciler(
            provider=provider, preparer=preparer, logs=logs, clock=clock, table=self.link, machines=machines,
            record=self._rollouts.record, fill=self.secrets.fill, ceilings=ceilings, quotas=self._quotas,
        )  # fmt: skip
        self.exits = self._reconciler.exits
        self._apart = ReplicasApart(store, self._reconciler, preparer, self.secrets, self._quotas, self.link, clock)
        self._reconciler.on_word = self._apart.on_word
        self._quotas.on_change = self._reconciler.look_again
        self.namespaces.house(Functions(self._quotas, self.remove))
        self.namespaces.house(self.secrets)
        self.routes = Routes(routes, secrets, self.link, clock, machines)
        self.routes.join(self.namespaces, self.secrets)
        self.namespaces.house(LogLines(logs))
        self._deployments = Deployments(
            self._reconciler, self._rollouts, self.bundles, self.namespaces, self._quotas, clock, max_body_bytes
        )
        self._processor = Processor(self._reconciler, provider, clock)
        self._spent = Spent(provider, self._reconciler.owners, machines, clock)
        self.budgets = Budgets(budgets, self.namespaces, clock)
        self.spending = Spending(ledger, meter, self._spent, machines, self.budgets, self.link, clock)
        self.namespaces.house(self.spending)
        self.namespaces.budgets = self.spending.budgets
        self._scaler = Scaler(self._reconciler, meter, self._processor, self.spending)
        self._totals = Totals(store, meter, clock, lambda: {str(key) for key in self._reconciler.machines})
        self._early: list[ReplicaEvent] | None = []
        self._dismissals: asyncio.Task[None] | None = None
        self._started = False

    async def start(self) -> None:
        """Read the desired state, adopt what still runs, listen for gateways. Raises Unavailable, OSError."""
        self._started = True
        await self._store.open()
        await self.namespaces.open()
        functions = await self._store.all()
        await self.secrets.start(self._reconciler)
        await self.routes.start()
        await self._totals.start()
        await self._provider.open(self._on_event, self._reconciler.on_log)
        found = await self._provider.recover()
        unwanted = adopt(self._reconciler, self._quotas, functions, found, self.secrets.is_outdated)
        self._spent.found(each.order.replica for each in found)
        early, self._early = self._early or [], None
        for event in early:
            self._reconciler.on_event(event)
        await self.spending.start()
        await self.link.start()
        self._dismissals = asyncio.get_running_loop().create_task(dismiss(self._reconciler, unwanted))
        log.info("%d functions wanted, %d replicas found running", len(functions), len(found))

    async def stop(self) -> None:
        """Stop acting and listening; replicas keep running and gateways keep serving. Idempotent."""
        if not self._started:
            return
        self._started = False
        self._rollouts.stop()
        for each in (self.namespaces, self._changes, self.routes, self.budgets):
            await each.drain()
        if self._dismissals is not None:
            self._dismissals.cancel()
            await asyncio.wait([self._dismissals])
        await self.link.refresh()
        await self._apart.close()
        await self._processor.stop()
        await self._reconciler.close()
        await self.link.stop()
        await self._totals.stop()
        await self.spending.stop()
        await self._provider.close()
        await self.secrets.stop()
        await self._store.close()

    async def shutdown(self, grace_s: float = SHUTDOWN_GRACE_S) -> None:
        """Stop, and every replica with it; each may finish its calls for `grace_s` seconds."""
        await self._changes.drain()
        await self._apart.close()
        await self._reconciler.stop_all(grace_s)
        await self.stop()

    async def deploy(
        self, spec: FunctionSpec, *, mode: Literal["create", "update", "upsert"], canary: Canary | None = None
    ) -> FunctionStatus:
        """Have this revision take over, and return at once; the status tells how it comes up.

        What serves goes on until the new one can. With a canary it has to prove itself first.

        Raises InvalidRequest, Conflict (create, and it exists), NotFound (update, and it does not; no such namespace),
        NotSupported (the machine lacks what runs it), QuotaExceeded, StoreUnavailable.
        """
        spec.check()
        if canary is not None:
            canary.check()
        self.namespaces.check_open(spec.key.namespace)
        await self._deployments.check(spec)
        self.secrets.check(spec)
        await self._preparer.check(spec)
        return await self._changes.run(spec.key, self._after(self._deployments.deploy(spec, mode, canary)))

    async def rollback(self, key: FunctionKey, to: int | None = None, canary: Canary | None = None) -> FunctionStatus:
        """Have an earlier revision take over; without a number, end the rollout under way or go back by one.

        Raises NotFound, InvalidRequest, Conflict (the rollout ended in this moment), QuotaExceeded, StoreUnavailable.
        """
        if canary is not None:
            canary.check()
        return await self._changes.run(key, self._after(self._deployments.rollback(key, to, canary)))

    async def promote(self, key: FunctionKey) -> FunctionStatus:
        """Have a canary under way take over. Raises NotFound, Conflict (none is), StoreUnavailable."""
        return await self._changes.run(key, self._after(self._deployments.promote(key)))

    async def remove(self, key: FunctionKey) -> None:
        """Remove the function; its replicas finish their calls. Raises NotFound, StoreUnavailable."""
        await self._changes.run(key, self._remove(key))

    async def scale(self, key: FunctionKey, replicas: int | None) -> FunctionStatus:
        """Fix the number of replicas until the next deployment; None gives it back to the scaler.

        Raises NotFound, InvalidRequest, QuotaExceeded, StoreUnavailable.
        """
        return await self._changes.run(key, self._after(self._deployments.scale(key, replicas)))

    async def status(self, key: FunctionKey) -> FunctionStatus:
        """Return what is true of the function now. Raises NotFound."""
        self._reconciler.machine(key)
        await self.refresh_load()
        return self._status(self._reconciler.machine(key), await self._spent.look())

    async def statuses(self, namespace: NamespaceName, *, lively: bool = False) -> list[FunctionStatus]:
        """Return what is true of the namespace's functions now, ordered by name; `lively` only of those in use."""
        await self.refresh_load()
        stats = await self._spent.look()
        used = self._meter.invocations if lively else None
        return [self._status(each, stats) for each in those_of(self._reconciler.machines, namespace, used)]

    async def revisions(self, key: FunctionKey) -> list[RevisionStatus]:
        """Return the function's revisions, the highest number first. Raises NotFound, StoreUnavailable."""
        return await self._rollouts.revisions(key, self._reconciler.machine(key).function)

    def functions(self) -> list[Function]:
        """Return every function, as it is wanted now."""
        return [machine.function for machine in self._reconciler.machines.values() if not machine.removed]

    def newest(self, key: FunctionKey) -> Revision:
        """Return the revision that was asked for last and still stands. Raises NotFound."""
        return self._reconciler.machine(key).function.newest

    def apart(self, key: FunctionKey, revision: int) -> AbstractAsyncContextManager[Apart]:
        """Have a replica of any revision that is kept; see `ReplicasApart.use` for what it raises."""
        return self._apart.use(key, revision)

    @property
    def rollouts(self) -> Mapping[tuple[FunctionKey, Verdict], int]:
        """Rollouts that ended since the control plane started, by function and verdict."""
        return self._rollouts.ended

    def gateways(self) -> int:
        """Return how many gateways are connected."""
        return len(self.link.gateways)

    async def refresh_load(self) -> None:
        """Take in what every gateway has counted up to now, waiting half a second at most."""
        await self.link.refresh()

    async def _after(self, change: Awaitable[Lifecycle]) -> FunctionStatus:
        machine = await change
        self.spending.changed(machine.function.key)
        return self._status(machine, {})

    async def _remove(self, key: FunctionKey) -> None:
        self._reconciler.machine(key)
        with suppress(NotFound):  # whoever took it out of the store wants what runs to end, too
            await self._store.delete(key)
        self._reconciler.tell(key, ev.Removed())
        self._meter.forget(key)
        self.spending.forgot(key)

    def _on_event(self, event: ReplicaEvent) -> None:
        if self._early is not None:  # until recovery has said whose the replicas are, nobody could tell what this means
            self._early.append(event)
        else:
            self._reconciler.on_event(event)

    def _entries(self) -> tuple[Entry, ...]:
        return tuple(entry(machine) for machine in self._reconciler.machines.values() if not machine.removed)

    def _status(self, machine: Lifecycle, stats: dict[ReplicaId, ReplicaStats]) -> FunctionStatus:
        key = machine.function.key
        return status_of(
            machine, clock=self._clock, gateway_url=self._gateway_url, invocations=self._meter.invocations(key),
            stats=stats, cpu_s=self._spent.of(key), exits=self._reconciler.exits.get(key, {}),
            budgets=self.spending.budgets(key.namespace, key), sandbox_tier=self._sandbox_tier,
        )  # fmt: skip
