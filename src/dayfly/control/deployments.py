"""What a person asks of a function: deploy a revision, go back to one, decide about the one under way; scale it.

Each of these is written to the store before it is acted upon, and returns the lifecycle that acts on it. Whoever calls
sees to it that changes of one function come one after another.
"""

from typing import Literal

from msgspec.structs import replace

from dayfly.control.bundles import Bundles
from dayfly.control.clock import Clock
from dayfly.control.namespaces import Namespaces
from dayfly.control.quotas import Quotas
from dayfly.control.reconciler import Reconciler
from dayfly.control.refusals import missing
from dayfly.control.rollouts import Rollouts
from dayfly.decide import events as ev
from dayfly.decide.cron import CronPlan
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.rollout import first
from dayfly.model.errors import Conflict, InvalidRequest, InvalidSpec
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import FunctionKey, parse_bundle_digest
from dayfly.model.quantities import format_memory
from dayfly.model.rollout import Canary
from dayfly.model.scaling import MAX_REPLICAS


class Deployments:
    """Changes of which revision serves, and in how many replicas."""

    def __init__(
        self,
        reconciler: Reconciler,
        rollouts: Rollouts,
        bundles: Bundles,
        namespaces: Namespaces,
        quotas: Quotas,
        clock: Clock,
        max_body_bytes: int = 0,
    ) -> None:
        self._reconciler = reconciler
        self._rollouts = rollouts
        self._bundles = bundles
        self._namespaces = namespaces
        self._quotas = quotas
        self._clock = clock
        self._max_body_bytes = max_body_bytes

    async def deploy(
        self, spec: FunctionSpec, mode: Literal["create", "update", "upsert"], canary: Canary | None
    ) -> Lifecycle:
        """Have this revision take over from the one that serves, or serve if there is none.

        Raises InvalidRequest, Conflict (create, and it exists), NotFound (update, and it does not), QuotaExceeded,
        StoreUnavailable.
        """
        key, now_ms = spec.key, self._clock.unix_ms()
        before = self._reconciler.machines.get(key)
        present = before.function if before is not None and not before.removed else None
        if mode == "create" and present is not None:
            raise Conflict(
                f"the function {key.name} exists already in the namespace {key.namespace}; update it instead"
            )
        if mode == "update" and present is None:
            raise missing(key)
        self._quotas.check_caps(spec)
        number = await self._rollouts.next_number(key, present, self._reconciler.living(key))
        revision = Revision(number=number, spec=spec, created_unix_ms=now_ms)
        if present is None:
            return await self._put(first(revision, canary, now_ms))
        return await self._put(self._reconciler.machine(key).plan(revision, canary))

    async def rollback(self, key: FunctionKey, to: int | None, canary: Canary | None) -> Lifecycle:
        """Have an earlier revision take over; without a number, end the rollout under way or go back by one.

        Raises NotFound, InvalidRequest, Conflict (the rollout ended otherwise in this moment), QuotaExceeded,
        StoreUnavailable.
        """
        present = self._reconciler.machine(key).function
        if to is not None or present.candidate is None:
            revision = await self._rollouts.target(key, present, to)
            await self.check(revision.spec)
            return await self._put(self._reconciler.machine(key).plan(revision, canary))
        if canary is not None:
            raise InvalidRequest(
                f"canary: revision {present.newest.number} of {key.name} would be given up and nothing take over;"
                " name the revision that is to"
            )
        return await self._decide(key, present.newest.number, "returned")

    async def promote(self, key: FunctionKey) -> Lifecycle:
        """End a canary in its favour. Raises NotFound, Conflict (none is under way), StoreUnavailable."""
        present = self._reconciler.machine(key).function
        if present.candidate is None or present.candidate.canary is None:
            raise Conflict(f"no canary of {key.name} is under way")
        return await self._decide(key, present.newest.number, "promoted")

    async def scale(self, key: FunctionKey, replicas: int | None) -> Lifecycle:
        """Fix the number of replicas; None gives it back to the scaler.

        Raises NotFound, InvalidRequest, QuotaExceeded, StoreUnavailable.
        """
        if replicas is not None and not 0 <= replicas <= MAX_REPLICAS:
            raise InvalidRequest(f"replicas: {replicas} must be between 0 and {MAX_REPLICAS}")
        function = replace(self._reconciler.machine(key).function, replicas=replicas)
        with self._quotas.claiming(function):
            await self._rollouts.put(function)
            self._reconciler.tell(key, ev.Scaled(function))
        return self._reconciler.machine(key)

    async def check(self, spec: FunctionSpec) -> None:
        """Refuse a deployment that asks for too much, has no readable schedule, or whose code its namespace has not.

        Raises InvalidSpec, StoreUnavailable.
        """
        _ = CronPlan.of(spec.annotations)
        if 0 < self._max_body_bytes < spec.max_body_bytes:
            raise InvalidSpec(
                f"max_body: {spec.max_body} is more than the gateway takes, {format_memory(self._max_body_bytes)}",
                hint="the operator can raise DAYFLY_MAX_BODY",
            )
        if spec.runtime == "image":
            return  # it comes from elsewhere when it is prepared
        if not spec.bundle:
            raise InvalidSpec("bundle: a function needs code; upload a bundle and name its digest")
        namespace = spec.key.namespace
        if not await self._bundles.has(namespace, parse_bundle_digest(spec.bundle)):
            raise InvalidSpec(
                f"bundle: {spec.bundle} was not uploaded into the namespace {namespace}; upload it, then deploy again"
            )

    async def _put(self, function: Function) -> Lifecycle:
        self._namespaces.check_open(function.key.namespace)
        with self._quotas.claiming(function):
            function = await self._rollouts.put(function)
            # Its last replica may have ended while the store was written, and the lifecycle with it.
            machine = self._reconciler.machines.get(function.key) or self._reconciler.add(function)
            self._reconciler.tell(function.key, ev.Deployed(function))
        return machine

    async def _decide(self, key: FunctionKey, number: int, verdict: Literal["promoted", "returned"]) -> Lifecycle:
        machine = self._reconciler.machine(key)
        await self._rollouts.decided(machine.function, verdict)
        self._reconciler.tell(key, ev.Decided(number, verdict))
        outcome = machine.function.outcome
        if outcome is not None and outcome.revision == number and outcome.verdict != verdict:
            raise Conflict(f"revision {number} of {key.name} was {outcome.verdict} just before: {outcome.reason}")
        return machine
