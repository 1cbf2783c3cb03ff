"""Thousands of random stories of one function, with every invariant checked after every event.

The machine plays the provider, the preparer, the gateways and time against the lifecycle, and keeps its own simple
account of what must be true of the instructions, whatever the order of events.
"""

import itertools
import string
from typing import get_args

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dayfly.decide import events as ev
from dayfly.decide.invariants import validate
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.replicas import DRAIN_DELAY_S, DRAINING, READY
from dayfly.decide.routing import entry
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import ReplicaId
from dayfly.model.replica import ExitReason, Prepared, RecoveredReplica, StartOrder

POLICIES: list[dict[str, str]] = [
    {},
    {"min": "2"},
    {"min": "2", "max": "2"},
    {"max": "3", "target": "1"},
    {"zero": "false"},
    {"min": "0", "zero-duration": "5s"},
    {"zero": "true", "min": "3", "max": "3", "zero-duration": "2s"},
    {"type": "rps", "target": "2", "down.window": "0s"},
    {"type": "cpu", "target": "100", "down.window": "5m"},
]
REASONS = st.sampled_from(get_args(ExitReason))


class Stories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)
        self.now = 0.0
        self.revision = 1
        self.function = self.make(POLICIES[0], None)
        self.machine = Lifecycle(self.function, lambda: ReplicaId(f"replica{next(self.numbers):03}"))
        self.alive: dict[ReplicaId, StartOrder] = {}
        self.ready: dict[ReplicaId, str] = {}
        self.stopping: set[ReplicaId] = set()
        self.preparing: list[int] = []
        self.wake: float | None = None
        self.published: frozenset[ReplicaId] = frozenset()
        self.unpublished_at: dict[ReplicaId, float] = {}
        self.known = True
        self.finished = 0
        self.cpu_s = 0.0
        self.tell(ev.Deployed(self.function))

    def make(self, policy: dict[str, str], replicas: int | None) -> Function:
        labels = {f"com.openfaas.scale.{name}": value for name, value in policy.items()}
        spec = FunctionSpec(name="hello", bundle="sha256:" + "a" * 64, labels=labels, timeout="3s")
        revision = Revision(number=self.revision, spec=spec, created_unix_ms=0)
        return Function(key=spec.key, revision=revision, created_unix_ms=0, replicas=replicas)

    def tell(self, event: ev.Event) -> None:
        before = self.published
        out = self.machine.handle(event, self.now)
        for instruction in out:
            self.carry_out(instruction)
        validate(self.machine, self.now)
        starts = sum(isinstance(instruction, ev.StartReplica) for instruction in out)
        assert starts <= max(0, self.machine.scale.wanted), "more was started than is wanted"
        if isinstance(event, ev.Deployed):
            assert before <= self.published, "a deployment stopped what serves before its own replicas do"

    def carry_out(self, instruction: ev.Instruction) -> None:
        if isinstance(instruction, ev.StartReplica):
            order = instruction.order
            assert order.replica not in self.alive, "an id was used twice"
            assert order.revision == self.revision
            assert order.code_dir == f"/code/{self.revision}"
            self.alive[order.replica] = order
        elif isinstance(instruction, ev.StopReplica):
            name = instruction.replica
            assert name in self.alive, "what is gone was stopped"
            assert name not in self.published, "a replica was stopped that callers are sent to"
            if name in self.unpublished_at:
                assert self.now >= self.unpublished_at[name] + DRAIN_DELAY_S - 1e-6, "stopped before gateways heard"
            self.stopping.add(name)
        elif isinstance(instruction, ev.Publish):
            self.announce(frozenset(ReplicaId(e.replica) for e in entry(self.machine).endpoints))
        elif isinstance(instruction, ev.Retract):
            self.announce(frozenset())
        elif isinstance(instruction, ev.Prepare):
            self.preparing.append(instruction.revision)
        elif isinstance(instruction, ev.WakeAt):
            self.wake = instruction.at
        elif isinstance(instruction, ev.Forget):
            assert not self.alive, "forgotten with replicas left"

    def announce(self, names: frozenset[ReplicaId]) -> None:
        for name in self.published - names:
            self.unpublished_at[name] = self.now
        self.published = names

    @rule(policy=st.sampled_from(POLICIES))
    def deploy(self, policy: dict[str, str]) -> None:
        self.revision += 1
        self.function = self.make(policy, None)
        self.known = True
        self.tell(ev.Deployed(self.function))
        assert self.machine.scale.wanted >= 1

    @precondition(lambda self: self.known)
    @rule(replicas=st.one_of(st.none(), st.integers(0, 5)))
    def scale(self, replicas: int | None) -> None:
        self.function = msgspec.structs.replace(self.function, replicas=replicas)
        self.tell(ev.Scaled(self.function))
        if replicas is not None:
            assert self.machine.scale.wanted == replicas

    @precondition(lambda self: self.known)
    @rule()
    def remove(self) -> None:
        self.known = False
        self.tell(ev.Removed())

    @rule(waiting=st.integers(1, 500))
    def demand(self, waiting: int) -> None:
        self.tell(ev.Demanded(waiting))
        assert not self.known or self.machine.scale.wanted >= 1

    @rule(inflight=st.integers(0, 60), waiting=st.integers(0, 60), more=st.integers(0, 3))
    def load(self, inflight: int, waiting: int, more: int) -> None:
        self.finished += more
        self.tell(ev.LoadObserved(inflight, waiting, self.finished, self.finished + inflight + waiting))

    @rule(used_s=st.floats(0, 5))
    def processor_time(self, used_s: float) -> None:
        self.cpu_s += used_s
        self.tell(ev.CpuObserved(self.cpu_s))

    @precondition(lambda self: self.preparing)
    @rule(works=st.booleans(), data=st.data())
    def prepared(self, works: bool, data: st.DataObject) -> None:
        number = self.preparing.pop(data.draw(st.integers(0, len(self.preparing) - 1)))
        self.tell(ev.PrepareDone(number, Prepared(f"/code/{number}")) if works else ev.PrepareFailed(number, "no"))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def replica_ready(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.alive)))
        self.ready[name] = f"unix:/{name}"
        self.tell(ev.Ready(name, f"unix:/{name}"))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), reason=REASONS, detail=st.text(string.printable, max_size=5))
    def replica_exits(self, data: st.DataObject, reason: str, detail: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.alive)))
        self.gone(name)
        self.tell(msgspec.convert({"replica": name, "reason": reason, "detail": detail}, ev.Exited))

    @precondition(lambda self: self.stopping)
    @rule(data=st.data(), works=st.booleans())
    def stop_answers(self, data: st.DataObject, works: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.stopping)))
        if works:
            self.gone(name)
            self.tell(ev.Exited(name, "stopped"))
        else:
            self.stopping.discard(name)
            self.tell(ev.StopFailed(name))

    @rule(seconds=st.one_of(st.floats(0, 2), st.sampled_from([1.0, 60.0, 61.0, 130.0, 900.0])))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        # Each replica that will not stop is asked again every few seconds; a load is looked at for some minutes.
        for _ in range(1000 + 300 * len(self.machine.replicas)):
            if self.wake is None or self.wake > until:
                break
            self.now, self.wake = max(self.now, self.wake), None
            self.tell(ev.Tick())
        else:
            raise AssertionError("the lifecycle wants to be woken without end")
        self.now = until

    @rule()
    def early_tick(self) -> None:
        self.tell(ev.Tick())

    @precondition(lambda self: self.known)
    @rule()
    def control_plane_restarts(self) -> None:
        found = tuple(
            RecoveredReplica(order, self.ready.get(name, ""))
            for name, order in self.alive.items()
            if order.revision <= self.revision
        )
        self.machine = Lifecycle(self.function, lambda: ReplicaId(f"replica{next(self.numbers):03}"))
        self.preparing, self.stopping, self.wake = [], set(), None
        self.published = frozenset(self.ready)
        self.unpublished_at = {}
        self.tell(ev.Recovered(found))
        self.announce(frozenset(ReplicaId(e.replica) for e in entry(self.machine).endpoints))

    @invariant()
    def gateways_know_what_serves(self) -> None:
        if self.known:
            assert self.published == {replica.id for replica in self.machine.replicas.within(READY)}

    @invariant()
    def the_lifecycle_knows_every_replica_that_lives(self) -> None:
        assert {replica.id for replica in self.machine.replicas} == self.alive.keys()

    @invariant()
    def it_is_woken_when_it_must(self) -> None:
        due = self.machine.next_due(self.now)
        assert due is None or (self.wake is not None and self.wake <= due)

    def teardown(self) -> None:
        """Whatever happened, a world in which nothing fails any more comes to rest as it is wanted."""
        for _ in range(12):
            for number in list(self.preparing):
                self.preparing.remove(number)
                self.tell(ev.PrepareDone(number, Prepared(f"/code/{number}")))
            for name in sorted(self.alive.keys() - self.ready.keys() - self.stopping):
                self.ready[name] = f"unix:/{name}"
                self.tell(ev.Ready(name, self.ready[name]))
            self.time_passes(70.0)
            for name in sorted(self.stopping):
                self.gone(name)
                self.tell(ev.Exited(name, "stopped"))
        # The last of these turns may have been the one that put an idle function to rest: its replicas drain.
        self.time_passes(1.0)
        for name in sorted(self.stopping):
            self.gone(name)
            self.tell(ev.Exited(name, "stopped"))
        if self.known:
            # A replica given up at this very moment is told to stop a moment later.
            leaving = [r for r in self.machine.replicas.within(DRAINING) if r.act_at and r.act_at > self.now]
            serving = len(self.machine.current(READY))
            assert serving == self.machine.scale.wanted == len(self.alive) - len(leaving)
        else:
            assert not self.alive

    def gone(self, name: ReplicaId) -> None:
        del self.alive[name]
        self.ready.pop(name, None)
        self.stopping.discard(name)


Stories.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestStories = Stories.TestCase
