"""What a person asks of a function's revisions: deploy one, go back to one, decide about the one under way.

Each of these is written to the store before it is acted upon, and returns the lifecycle that acts on it. Whoever calls
sees to it that changes of one function come one after another.
"""

from typing import Literal

from dayfly.control.clock import Clock
from dayfly.control.reconciler import Reconciler, missing
from dayfly.control.rollouts import Rollouts
from dayfly.decide import events as ev
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.rollout import first
from dayfly.model.errors import Conflict, InvalidRequest, InvalidSpec
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import FunctionKey, parse_bundle_digest
from dayfly.model.rollout import Canary
from dayfly.storage.blobs import FileBlobs


class Deployments:
    """Changes of which revision serves."""

    def __init__(self, reconciler: Reconciler, rollouts: Rollouts, blobs: FileBlobs, clock: Clock) -> None:
        self._reconciler = reconciler
        self._rollouts = rollouts
        self._blobs = blobs
        self._clock = clock

    async def deploy(
        self, spec: FunctionSpec, mode: Literal["create", "update", "upsert"], canary: Canary | None
    ) -> Lifecycle:
        """Have this revision take over from the one that serves, or serve if there is none.

        Raises InvalidRequest, Conflict (create, and it exists), NotFound (update, and it does not), StoreUnavailable.
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
        number = await self._rollouts.next_number(key, present, self._reconciler.living(key))
        revision = Revision(number=number, spec=spec, created_unix_ms=now_ms)
        if present is None:
            return await self._put(first(revision, canary, now_ms))
        return await self._put(self._reconciler.machine(key).plan(revision, canary))

    async def rollback(self, key: FunctionKey, to: int | None, canary: Canary | None) -> Lifecycle:
        """Have an earlier revision take over; without a number, end the rollout under way or go back by one.

        Raises NotFound, InvalidRequest, Conflict (the rollout ended otherwise in this moment), StoreUnavailable.
        """
        present = self._reconciler.machine(key).function
        if to is not None or present.candidate is None:
            revision = await self._rollouts.target(key, present, to)
            self.check_code(revision.spec)
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

    def check_code(self, spec: FunctionSpec) -> None:
        """Refuse a deployment whose code is not here. Raises InvalidSpec."""
        if not spec.bundle:
            raise InvalidSpec("bundle: a function needs code; upload a bundle and name its digest")
        if not self._blobs.has(parse_bundle_digest(spec.bundle)):
            raise InvalidSpec(f"bundle: {spec.bundle} was not uploaded here; upload it, then deploy again")

    async def _put(self, function: Function) -> Lifecycle:
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
