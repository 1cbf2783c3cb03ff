"""Thousands of random stories of several functions in one namespace: its quota holds, whatever the order of events.

The machine plays the provider, those who deploy, call, scale and remove, and whoever changes the quota, against the
lifecycles of three functions that share a budget. It counts the replicas that exist by itself.
"""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dayfly.decide import events as ev
from dayfly.decide import room
from dayfly.decide.invariants import validate
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.quotas import NAMES, Budget, Need, amounts
from dayfly.decide.replicas import READY, STARTING
from dayfly.model.function import Function, FunctionSpec, Resources, Revision
from dayfly.model.names import ReplicaId
from dayfly.model.namespace import Quota
from dayfly.model.replica import Prepared, RecoveredReplica, StartOrder
from dayfly.model.rollout import Canary

FUNCTIONS = ("ant", "bee", "cat")
POLICIES: list[dict[str, str]] = [
    {},
    {"min": "2"},
    {"zero": "false"},
    {"max": "4", "target": "1"},
    {"zero-duration": "5s"},
]
SIZES = [Resources("64Mi", "100m"), Resources("128Mi", "1"), Resources("", "500m")]
CANARIES = [None, None, Canary(weight=30, window="5s", calls=2)]
QUOTAS = [
    Quota(replicas=1),
    Quota(replicas=3),
    Quota(memory="256Mi"),
    Quota(memory="1Gi", cpu="2"),
    Quota(replicas=2, memory="640Mi", cpu="1100m"),
]


class Namespace(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)
        self.revisions = itertools.count(1)
        self.now = 0.0
        self.budget = Budget(QUOTAS[1])
        self.machines: dict[str, Lifecycle] = {}
        self.alive: dict[ReplicaId, StartOrder] = {}
        self.ready: set[ReplicaId] = set()
        self.stopping: set[ReplicaId] = set()
        self.wake: dict[str, float] = {}
        self.calls = dict.fromkeys(FUNCTIONS, 0)
        self.history: dict[str, list[Revision]] = {}
        self.highest = self.used()
        """The most that was used since the quota was last changed."""

    def used(self) -> tuple[int, ...]:
        needs = [Need.of_order(order).parts for order in self.alive.values()]
        return tuple(sum(part) for part in zip(*needs, strict=True)) if needs else (0, 0, 0)

    def begin(self, function: Function) -> Lifecycle:
        return Lifecycle(function, lambda: ReplicaId(f"replica{next(self.numbers):03}"), self.budget)

    def tell(self, name: str, event: ev.Event) -> None:
        machine = self.machines.get(name)
        if machine is None:
            return
        out = machine.handle(event, self.now)
        # Before anything is carried out: what others do then may change what this one could do now.
        validate(machine, self.now)
        for instruction in out:
            self.carry_out(name, machine, instruction)
        for prepare in [each for each in out if isinstance(each, ev.Prepare)]:
            self.tell(name, ev.PrepareDone(prepare.revision, Prepared("/code")))

    def carry_out(self, name: str, machine: Lifecycle, instruction: ev.Instruction) -> None:
        if isinstance(instruction, ev.StartReplica):
            self.alive[instruction.order.replica] = instruction.order
            self.within_quota()
        elif isinstance(instruction, ev.StopReplica):
            self.stopping.add(instruction.replica)
        elif isinstance(instruction, ev.WakeAt):
            self.wake[name] = instruction.at
        elif isinstance(instruction, ev.AskForRoom):
            for each in room.to_rest(self.machines.values(), self.now):
                self.tell(each.function.key.name, ev.Rest())
        elif isinstance(instruction, ev.RoomMade):
            for key in list(self.budget.waiting):
                if key != machine.function.key:
                    self.tell(key.name, ev.Tick())
        elif isinstance(instruction, ev.Forget):
            del self.machines[name]

    def within_quota(self) -> None:
        for most, used, at_first in zip(amounts(self.budget.quota), self.used(), self.highest, strict=True):
            assert most is None or used <= max(most, at_first), "a replica was started beyond the quota"

    @rule(name=st.sampled_from(FUNCTIONS), policy=st.sampled_from(POLICIES), size=st.sampled_from(SIZES),
          canary=st.sampled_from(CANARIES))  # fmt: skip
    def deploy(self, name: str, policy: dict[str, str], size: Resources, canary: Canary | None) -> None:
        labels = {f"com.openfaas.scale.{key}": value for key, value in policy.items()}
        spec = FunctionSpec(name=name, bundle="sha256:" + "a" * 64, labels=labels, limits=size, timeout="3s")
        revision = Revision(number=next(self.revisions), spec=spec, created_unix_ms=0)
        self.history.setdefault(name, []).append(revision)
        machine = self.machines.get(name)
        if machine is None or machine.removed:
            function = Function(key=spec.key, revision=revision, created_unix_ms=0)
            if machine is None:
                self.machines[name] = self.begin(function)
        else:
            function = machine.plan(revision, canary)
        self.tell(name, ev.Deployed(function))

    @precondition(lambda self: self.machines)
    @rule(data=st.data(), name=st.sampled_from(FUNCTIONS), canary=st.sampled_from(CANARIES))
    def roll_back(self, data: st.DataObject, name: str, canary: Canary | None) -> None:
        machine = self.machines.get(name)
        if machine is None or machine.removed:
            return
        taken = [track.number for track in machine.tracks]
        kept = [revision for revision in self.history[name] if revision.number not in taken]
        if kept:
            self.tell(name, ev.Deployed(machine.plan(data.draw(st.sampled_from(kept)), canary)))

    @precondition(lambda self: self.machines)
    @rule(name=st.sampled_from(FUNCTIONS), replicas=st.none() | st.integers(0, 6))
    def scale(self, name: str, replicas: int | None) -> None:
        machine = self.machines.get(name)
        if machine is not None and not machine.removed:
            self.tell(name, ev.Scaled(msgspec.structs.replace(machine.function, replicas=replicas)))

    @precondition(lambda self: self.machines)
    @rule(name=st.sampled_from(FUNCTIONS))
    def remove(self, name: str) -> None:
        self.tell(name, ev.Removed())

    @precondition(lambda self: self.machines)
    @rule(name=st.sampled_from(FUNCTIONS), calls=st.integers(0, 60))
    def load(self, name: str, calls: int) -> None:
        self.calls[name] += calls
        machine = self.machines.get(name)
        working = calls if machine is not None and machine.replicas.within(READY) else 0
        self.tell(name, ev.LoadObserved(working, calls - working, self.calls[name] - calls, self.calls[name]))

    @precondition(lambda self: self.machines)
    @rule(name=st.sampled_from(FUNCTIONS))
    def demand(self, name: str) -> None:
        self.tell(name, ev.Demanded(1))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), crashes=st.booleans())
    def replica_is_ready_or_ends(self, data: st.DataObject, crashes: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.alive)))
        if crashes:
            self.gone(name, ev.Exited(name, "crashed"))
        else:
            self.ready.add(name)
            self.tell(self.alive[name].key.name, ev.Ready(name, f"unix:/{name}"))

    @rule()
    def all_goes_well(self) -> None:
        for name in sorted(self.alive.keys() - self.ready):
            self.ready.add(name)
            self.tell(self.alive[name].key.name, ev.Ready(name, f"unix:/{name}"))
        for name in sorted(self.stopping):
            self.gone(name, ev.Exited(name, "stopped"))

    @rule(quota=st.sampled_from(QUOTAS))
    def quota_changes(self, quota: Quota) -> None:
        self.budget.limit(quota)
        self.highest = self.used()
        for name in list(self.machines):
            self.tell(name, ev.Tick())

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0, 6.0, 61.0, 901.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        for _ in range(3000):
            due = min(self.wake.items(), key=lambda item: item[1], default=None)
            if due is None or due[1] > until:
                break
            self.now = max(self.now, due[1])
            del self.wake[due[0]]
            self.tell(due[0], ev.Tick())
        else:
            raise AssertionError("the lifecycles want to be woken without end")
        self.now = until

    @precondition(lambda self: self.machines)
    @rule(newer=st.booleans())
    def control_plane_restarts(self, newer: bool) -> None:
        functions = [machine.function for machine in self.machines.values() if not machine.removed]
        quota, self.budget = self.budget.quota, Budget()
        self.budget.limit(quota)
        self.machines, self.wake, self.stopping = {}, {}, set()
        wanted = {function.key for function in functions}
        for name in [name for name, order in self.alive.items() if order.key not in wanted]:
            del self.alive[name]
        self.highest = self.used()
        for function in functions:
            self.machines[function.key.name] = self.begin(function)
        # All that runs is counted before anything starts, and each replica by its lifecycle from when that knows it.
        running = dict(self.alive)
        for order in running.values():
            self.budget.take(Need.of_order(order))
        for function in functions:
            ours = [(name, order) for name, order in running.items() if order.key == function.key]
            for _, order in ours:
                self.budget.give(Need.of_order(order))
            found = [
                RecoveredReplica(order, f"unix:/{name}" if name in self.ready else "", stale=newer)
                for name, order in ours
            ]
            self.tell(function.key.name, ev.Recovered(tuple(found)))

    def gone(self, name: ReplicaId, event: ev.Exited) -> None:
        order = self.alive.pop(name)
        self.ready.discard(name)
        self.stopping.discard(name)
        self.tell(order.key.name, event)

    @invariant()
    def the_budget_counts_what_exists(self) -> None:
        usage = self.budget.usage(0)
        counted = usage.replicas, usage.memory_bytes, usage.cpu_millicores
        assert dict(zip(NAMES, counted, strict=True)) == dict(zip(NAMES, self.used(), strict=True))

    @invariant()
    def nobody_waits_beside_room(self) -> None:
        for machine in self.machines.values():
            if machine.lacking is not None:
                assert not self.budget.room(machine.lacking.need), "a replica waits though there is room for it"
                assert room.reason(machine)

    def teardown(self) -> None:
        """Once nothing fails and nobody calls but one, that one is served, unless others are always there."""
        for name in list(self.machines):
            self.scale(name, None)
        for name in FUNCTIONS[1:]:
            self.load(name, 0)
        self.load(FUNCTIONS[0], 1)
        called = self.machines.get(FUNCTIONS[0])
        for _ in range(40):
            self.all_goes_well()
            self.time_passes(2.0)
            self.load(FUNCTIONS[0], 1)
        if called is None or called.removed:
            return
        others = [machine for machine in self.machines.values() if machine is not called]
        in_the_way = any(not machine.policy.to_zero or machine.candidate is not None for machine in others)
        empty = Budget(self.budget.quota)
        if not in_the_way and empty.room(called.serving.need):
            assert called.replicas.within(STARTING, READY), "a call waits for a replica though others are idle"
        # A rollout ends also where there is no room for two revisions at once; a canary may have to wait for it.
        if called.candidate is not None and called.canary is None and not any(each.replicas for each in others):
            assert called.candidate.trouble is not None or not empty.room(called.candidate.need)


Namespace.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestNamespace = Namespace.TestCase
