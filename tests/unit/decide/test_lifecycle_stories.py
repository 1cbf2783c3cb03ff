"""Thousands of random stories of one function, with every invariant checked after every event.

The machine plays the provider, the preparer, the gateways, the store, those who deploy and time against the lifecycle,
and keeps its own simple account of what must be true of the instructions, whatever the order of events.
"""

import itertools
import string
from typing import get_args

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dayfly.decide import events as ev
from dayfly.decide import rollout
from dayfly.decide.invariants import validate
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.replicas import DRAIN_DELAY_S, DRAINING, READY, STARTING
from dayfly.decide.routing import entry
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import ReplicaId
from dayfly.model.replica import ExitReason, Prepared, RecoveredReplica, StartOrder
from dayfly.model.rollout import Canary
from dayfly.model.table import RevisionLoad

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
CANARIES = [
    None,
    None,
    Canary(weight=10, window="30s", calls=5),
    Canary(weight=60, window="5s", calls=2, promote=False),
]
REASONS = st.sampled_from(get_args(ExitReason))


class Stories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)
        self.now = 0.0
        self.highest = 0
        self.history: dict[int, Revision] = {}
        revision = self.revision(POLICIES[0])
        self.stored = Function(key=revision.spec.key, revision=revision, created_unix_ms=0)
        self.unwritten = False
        """Whether the lifecycle decided what is not in the store yet."""
        self.written: Function | None = None
        """A deployment in the store of which the lifecycle does not know yet."""
        self.machine = self.begin()
        self.alive: dict[ReplicaId, StartOrder] = {}
        self.ready: dict[ReplicaId, str] = {}
        self.stopping: set[ReplicaId] = set()
        self.preparing: list[int] = []
        self.wake: float | None = None
        self.published: frozenset[ReplicaId] = frozenset()
        self.served: set[ReplicaId] = set()
        """Those that were ever published."""
        self.unpublished_at: dict[ReplicaId, float] = {}
        self.known = True
        self.finished = 0
        self.cpu_s = 0.0
        self.tell(ev.Deployed(self.stored))
        self.all_goes_well()

    def begin(self) -> Lifecycle:
        return Lifecycle(self.stored, lambda: ReplicaId(f"replica{next(self.numbers):03}"))

    def revision(self, policy: dict[str, str]) -> Revision:
        self.highest += 1
        labels = {f"com.openfaas.scale.{name}": value for name, value in policy.items()}
        timeout = f"{3 + self.highest % 4}s"
        secrets = ("shared",) if self.highest % 3 else ()
        spec = FunctionSpec(name="hello", bundle="sha256:" + "a" * 64, labels=labels, timeout=timeout, secrets=secrets)
        revision = self.history[self.highest] = Revision(number=self.highest, spec=spec, created_unix_ms=0)
        return revision

    def tell(self, event: ev.Event) -> None:
        before, outcome = self.published, self.machine.function.outcome
        out = self.machine.handle(event, self.now)
        explained = [instruction.ended.replica for instruction in out if isinstance(instruction, ev.Explain)]
        ended = [event.replica] if isinstance(event, ev.Exited) and event.reason != "stopped" else []
        # One that was given up in the moment it got ready took no calls; to tell of it all the same does no harm.
        took = [name for name in ended if name in self.served]
        assert explained in (took, ended), "callers are told of each end that took down calls"
        for instruction in out:
            if isinstance(instruction, ev.Explain):
                assert self.published == before, "the table went ahead of the reason"
            self.carry_out(instruction)
        validate(self.machine, self.now)
        wanted, candidate = self.machine.scale.wanted, self.machine.candidate
        starts = [instruction.order.revision for instruction in out if isinstance(instruction, ev.StartReplica)]
        serving = self.machine.serving.number
        assert starts.count(serving) <= wanted, "more was started than is wanted"
        if candidate is not None:
            assert starts.count(candidate.number) <= rollout.step(wanted), "a candidate started more than a step"
        now = self.machine.function.outcome
        if now is not outcome and now is not None and now.verdict == "returned":
            assert not {name for name in self.published & before if self.alive[name].revision == now.revision} or (
                not before - {name for name, order in self.alive.items() if order.revision == now.revision}
            ), "what was returned serves beside others"
        elif self.known:
            lost = 1 if isinstance(event, ev.Exited) and event.replica in before else 0
            assert len(self.published) >= min(len(before) - lost, wanted), "fewer serve than before"
        assert self.published <= self.ready.keys(), "what is not ready is called"

    def carry_out(self, instruction: ev.Instruction) -> None:
        if isinstance(instruction, ev.StartReplica):
            order = instruction.order
            assert order.replica not in self.alive, "an id was used twice"
            assert order.revision in [track.number for track in self.machine.tracks]
            assert order.code_dir == f"/code/{order.revision}"
            assert instruction.secrets == self.history[order.revision].spec.secrets
            self.alive[order.replica] = order
        elif isinstance(instruction, ev.StopReplica):
            name = instruction.replica
            assert name in self.alive, "what is gone was stopped"
            assert name not in self.published, "a replica was stopped that callers are sent to"
            assert instruction.grace_s in (0.0, self.alive[name].timeout_s), "a replica has its own revision's time"
            if name in self.unpublished_at:
                assert self.now >= self.unpublished_at[name] + DRAIN_DELAY_S - 1e-6, "stopped before gateways heard"
            self.stopping.add(name)
        elif isinstance(instruction, ev.Publish):
            self.announce(frozenset(ReplicaId(e.replica) for e in entry(self.machine).endpoints))
        elif isinstance(instruction, ev.Record):
            self.unwritten = True
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
        self.served |= names

    @precondition(lambda self: self.written is None)
    @rule(policy=st.sampled_from(POLICIES), canary=st.sampled_from(CANARIES), at_once=st.booleans())
    def deploy(self, policy: dict[str, str], canary: Canary | None, at_once: bool) -> None:
        revision = self.revision(policy)
        if not self.known:
            self.known = True
            self.stored = self.written = Function(key=revision.spec.key, revision=revision, created_unix_ms=0)
            self.deployment_is_written()
            return
        self.plan(revision, canary)
        if at_once:
            self.deployment_is_written()

    @precondition(lambda self: self.known and self.written is None)
    @rule(data=st.data(), canary=st.sampled_from(CANARIES))
    def roll_back(self, data: st.DataObject, canary: Canary | None) -> None:
        taken = [track.number for track in self.machine.tracks]
        kept = [revision for number, revision in self.history.items() if number not in taken]
        if kept:
            self.plan(data.draw(st.sampled_from(kept)), canary)

    def plan(self, revision: Revision, canary: Canary | None) -> None:
        self.stored = self.written = rollout.dated(self.machine.plan(revision, canary), 1)

    @precondition(lambda self: self.written is not None)
    @rule()
    def deployment_is_written(self) -> None:
        assert self.written is not None
        function, self.written = self.written, None
        newest, before = function.newest.number, [track.number for track in self.machine.tracks]
        self.tell(ev.Deployed(function))
        assert self.machine.serving.number in [*before, newest], "another serves than before"
        self.machine.date(1)
        assert newest in [track.number for track in self.machine.tracks], "a deployment is lost"
        assert self.unwritten or self.machine.function == self.stored, "the store does not know what is true"

    @precondition(lambda self: self.unwritten and self.written is None)
    @rule()
    def decision_is_written(self) -> None:
        self.unwritten = False
        self.machine.date(1)
        self.stored = self.machine.function

    @precondition(lambda self: self.known and self.machine.candidate is not None and self.written is None)
    @rule(promote=st.booleans())
    def decide(self, promote: bool) -> None:
        assert self.machine.candidate is not None
        number = self.machine.candidate.number
        function = self.machine.function
        self.stored = rollout.shifted(function) if promote else rollout.returned(function, rollout.BY_HAND)
        self.tell(ev.Decided(number, "promoted" if promote else "returned"))
        if not promote:
            assert self.machine.candidate is None

    @precondition(lambda self: self.machine.candidate is not None and self.machine.candidate.trial is not None)
    @rule(calls=st.integers(0, 30), bad=st.integers(0, 30), slow=st.booleans(), ours=st.booleans())
    def canary_is_called(self, calls: int, bad: int, slow: bool, ours: bool) -> None:
        assert self.machine.candidate is not None
        number = self.machine.candidate.number if ours else self.machine.serving.number
        buckets = (0,) * (40 if slow else 10) + (calls,)
        self.tell(ev.CanaryObserved((RevisionLoad(number, calls, min(bad, calls), buckets),)))

    @precondition(lambda self: self.known and self.written is None)
    @rule(replicas=st.one_of(st.none(), st.integers(0, 5)))
    def scale(self, replicas: int | None) -> None:
        self.stored = msgspec.structs.replace(self.machine.function, replicas=replicas)
        self.tell(ev.Scaled(self.stored))
        if replicas is not None:
            assert self.machine.scale.wanted == replicas

    @precondition(lambda self: self.known and self.written is None)
    @rule()
    def remove(self) -> None:
        self.known = self.unwritten = False
        self.history.clear()
        self.tell(ev.Removed())

    @rule(waiting=st.integers(1, 500))
    def demand(self, waiting: int) -> None:
        self.tell(ev.Demanded(waiting))
        assert not self.known or self.machine.scale.wanted >= 1

    @rule(inflight=st.integers(0, 20), waiting=st.integers(0, 20), more=st.integers(0, 3))
    def load(self, inflight: int, waiting: int, more: int) -> None:
        self.finished += more
        self.tell(ev.LoadObserved(inflight, waiting, self.finished, self.finished + inflight + waiting))

    @rule(name=st.sampled_from(["shared", "shared", "other"]))
    def secret_changes(self, name: str) -> None:
        before = set(self.alive)
        self.tell(ev.SecretChanged(name))
        users = [track.number for track in self.machine.tracks if name in track.revision.spec.secrets]
        for replica in self.machine.replicas.within(STARTING, READY):
            assert replica.id not in before or replica.revision not in users or replica.stale, "it holds the old one"
        assert name == "shared" or not self.known or set(self.alive) == before, "it was none of its business"

    @rule(used_s=st.floats(0, 5))
    def processor_time(self, used_s: float) -> None:
        self.cpu_s += used_s
        self.tell(ev.CpuObserved(self.cpu_s))

    @precondition(lambda self: self.preparing)
    @rule(works=st.booleans(), data=st.data())
    def prepared(self, works: bool, data: st.DataObject) -> None:
        number = self.preparing.pop(data.draw(st.integers(0, len(self.preparing) - 1)))
        self.tell(ev.PrepareDone(number, Prepared(f"/code/{number}")) if works else ev.PrepareFailed(number, "no"))

    @precondition(lambda self: self.preparing or self.stopping or self.alive.keys() - self.ready.keys())
    @rule()
    def all_goes_well(self) -> None:
        """Without this, few stories would get far enough for a rollout to end."""
        for number in list(self.preparing):
            self.preparing.remove(number)
            self.tell(ev.PrepareDone(number, Prepared(f"/code/{number}")))
        for name in sorted(self.alive.keys() - self.ready.keys()):
            self.ready[name] = f"unix:/{name}"
            self.tell(ev.Ready(name, self.ready[name]))
        for name in sorted(self.stopping):
            self.gone(name)
            self.tell(ev.Exited(name, "stopped"))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def replica_ready(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.alive.keys() - self.ready.keys()) or sorted(self.alive)))
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

    @rule(seconds=st.one_of(st.floats(0, 2), st.sampled_from([1.0, 61.0, 130.0, 900.0])))
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

    @precondition(lambda self: self.known and self.written is None)
    @rule(newer=st.booleans(), changed=st.booleans())
    def control_plane_restarts(self, newer: bool, changed: bool) -> None:
        found = tuple(
            RecoveredReplica(order, self.ready.get(name, ""), stale=newer or (changed and order.revision % 3 > 0))
            for name, order in self.alive.items()
        )
        self.machine = self.begin()
        self.preparing, self.stopping, self.wake = [], set(), None
        self.unwritten = False
        self.published = frozenset(self.ready)
        self.served |= self.published  # for all that the next life can know
        self.unpublished_at = {}
        self.tell(ev.Recovered(found))
        self.announce(frozenset(ReplicaId(e.replica) for e in entry(self.machine).endpoints))

    @invariant()
    def gateways_know_what_serves(self) -> None:
        if self.known:
            assert self.published == {replica.id for replica in self.machine.replicas.within(READY)}

    @invariant()
    def the_store_knows_what_is_true_or_will(self) -> None:
        known = rollout.dated(self.machine.function, 1) == rollout.dated(self.stored, 1)
        assert known or self.unwritten or self.written is not None or not self.known

    @invariant()
    def the_lifecycle_knows_every_replica_that_lives(self) -> None:
        assert {replica.id for replica in self.machine.replicas} == self.alive.keys()

    @invariant()
    def it_is_woken_when_it_must(self) -> None:
        due = self.machine.next_due(self.now)
        assert due is None or (self.wake is not None and self.wake <= due)

    def teardown(self) -> None:
        """Whatever happened, a world in which nothing fails any more comes to rest as it is wanted."""
        if self.written is not None:
            self.deployment_is_written()
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
            wanted, candidate = self.machine.scale.wanted, self.machine.candidate
            assert len(self.machine.of(self.machine.serving, READY)) == wanted
            if candidate is not None and self.machine.canary is None:
                # One that went on failing until its time was over waits for the next call.
                assert not wanted, "a rollout without a canary never ends"
                assert not candidate.is_tried(self.now), "a rollout without a canary never ends"
            elif self.machine.canary is not None:
                wanted += rollout.part(wanted, self.machine.canary.weight)
            assert wanted == len(self.alive) - len(leaving)
        else:
            assert not self.alive

    def gone(self, name: ReplicaId) -> None:
        del self.alive[name]
        self.ready.pop(name, None)
        self.stopping.discard(name)


Stories.TestCase.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
# A bound for a hang: thousands of steps take half a minute where others work on the same cores.
TestStories = pytest.mark.timeout(300)(Stories.TestCase)
