"""One function in a small world: a gateway that queues, replicas that take time to start, and a clock turned by hand.

The lifecycle is the real one. The world does what the platform does around it: calls go to the ready replica with the
fewest, no more than `per_replica` to each, others wait in order; a replica is ready `cold_start_s` after it was ordered
and ends once it has finished its calls after it was told to stop; gateways report every second, and ask at once when
calls wait and there is no replica.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable

import msgspec
from tools.simulate_scaling.policies import Policy
from tools.simulate_scaling.trace import Trace

from dayfly.decide import events as ev
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.replicas import READY
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import ReplicaId
from dayfly.model.replica import Prepared


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """How replicas behave."""

    cold_start_s: float = 0.4
    per_replica: int = 5
    """Calls a replica works on at a time."""
    labels: dict[str, str] = {}
    """Of the function: `com.openfaas.scale.…`."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of a day."""

    queue_s: list[float]
    """By call, in order of arrival: how long it waited for a replica."""
    alive: list[int]
    """By second: replicas that existed."""
    replica_s: float
    cold_starts: int
    """Calls that found no ready replica at all."""
    starts: int
    changes: int
    """How often the number of replicas wanted changed."""


class _Replica:
    __slots__ = ("busy", "ready", "since", "stopping")

    def __init__(self, since: float) -> None:
        self.busy = 0
        self.ready = False
        self.stopping = False
        self.since = since


class World:
    """Plays a trace. One use only."""

    def __init__(self, trace: Trace, service: Service, policy: Policy, seconds: int) -> None:
        self._trace = trace
        self._service = service
        self._policy = policy
        self._seconds = seconds
        spec = FunctionSpec(name="simulated", bundle="sha256:" + "0" * 64, labels=service.labels)
        self._function = Function(
            key=spec.key, revision=Revision(number=1, spec=spec, created_unix_ms=0), created_unix_ms=0
        )
        numbers = itertools.count()
        self.machine = Lifecycle(self._function, lambda: ReplicaId(f"r{next(numbers)}"))
        self._now = 0.0
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake_at: float | None = None
        self._replicas: dict[ReplicaId, _Replica] = {}
        self._routed: list[_Replica] = []
        self._queue: deque[int] = deque()
        self._inflight = self._started = self._finished = 0
        self._queue_s = [0.0] * len(trace.arrivals)
        self._alive: list[int] = []
        self._replica_s = 0.0
        self._cold = self._starts = self._changes = 0

    def play(self) -> Outcome:
        """Let the day pass."""
        self._tell(ev.Deployed(self._function))
        self._at(1.0, self._report)
        for number, arrival in enumerate(self._trace.arrivals):
            self._pass_time(arrival)
            self._arrive(number)
        self._pass_time(float(self._seconds))
        for number in self._queue:
            self._queue_s[number] = self._now - self._trace.arrivals[number]
        self._replica_s += sum(self._now - replica.since for replica in self._replicas.values())
        return Outcome(
            self._queue_s, self._alive, self._replica_s, self._cold, self._starts, self._changes
        )  # fmt: skip

    def _pass_time(self, until: float) -> None:
        while self._later and self._later[0][0] <= until:
            self._now, _, act = heapq.heappop(self._later)
            act()
        self._now = until

    def _at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._later, (when, next(self._order), act))

    # -- calls -------------------------------------------------------------------------------------------------------

    def _arrive(self, number: int) -> None:
        self._started += 1
        replica = self._free()
        if replica is not None:
            self._serve(number, replica)
            return
        self._queue.append(number)
        if not self._routed:
            self._cold += 1
            self._tell(ev.Demanded(len(self._queue)))

    def _free(self) -> _Replica | None:
        best = min(self._routed, key=_busy, default=None)
        return best if best is not None and best.busy < self._service.per_replica else None

    def _serve(self, number: int, replica: _Replica) -> None:
        self._queue_s[number] = self._now - self._trace.arrivals[number]
        replica.busy += 1
        self._inflight += 1
        self._at(self._now + self._trace.services[number], lambda: self._finish(replica))

    def _finish(self, replica: _Replica) -> None:
        replica.busy -= 1
        self._inflight -= 1
        self._finished += 1
        if replica.stopping:
            self._end_if_done(replica)
        self._serve_queue()

    def _serve_queue(self) -> None:
        while self._queue:
            replica = self._free()
            if replica is None:
                return
            self._serve(self._queue.popleft(), replica)

    # -- the control plane -------------------------------------------------------------------------------------------

    def _report(self) -> None:
        seen = ev.LoadObserved(self._inflight, len(self._queue), self._finished, self._started)
        self._tell(seen)
        number = self._policy.report(seen, self.machine.scale.wanted, self._now)
        if number is not None and number != self.machine.function.replicas:
            self._tell(ev.Scaled(msgspec.structs.replace(self._function, replicas=number)))
        self._alive.append(len(self._replicas))
        if self._queue and not self._routed:
            self._tell(ev.Demanded(len(self._queue)))
        if self._now < self._seconds:
            self._at(self._now + 1.0, self._report)

    def _tell(self, event: ev.Event) -> None:
        before = self.machine.scale.wanted
        out = self.machine.handle(event, self._now)
        self._changes += self.machine.scale.wanted != before
        for instruction in out:
            self._carry_out(instruction)

    def _carry_out(self, instruction: ev.Instruction) -> None:
        if isinstance(instruction, ev.Prepare):
            number = instruction.revision
            self._at(self._now, lambda: self._tell(ev.PrepareDone(number, Prepared("/code"))))
        elif isinstance(instruction, ev.StartReplica):
            name = instruction.order.replica
            self._replicas[name] = _Replica(self._now)
            self._starts += 1
            self._at(self._now + self._service.cold_start_s, lambda: self._become_ready(name))
        elif isinstance(instruction, ev.StopReplica):
            replica = self._replicas.get(instruction.replica)
            if replica is not None:
                replica.stopping = True
                self._end_if_done(replica)
        elif isinstance(instruction, ev.Publish):
            self._routed = [self._replicas[replica.id] for replica in self.machine.replicas.within(READY)]
            self._serve_queue()
        elif isinstance(instruction, ev.WakeAt):
            self._wake_at = instruction.at
            self._at(instruction.at, self._wake)

    def _wake(self) -> None:
        if self._wake_at is not None and self._wake_at <= self._now:
            self._wake_at = None
            self._tell(ev.Tick())

    def _become_ready(self, name: ReplicaId) -> None:
        if name in self._replicas and not self._replicas[name].stopping:
            self._tell(ev.Ready(name, f"unix:/{name}"))

    def _end_if_done(self, replica: _Replica) -> None:
        if replica.busy == 0:
            name = next(name for name, found in self._replicas.items() if found is replica)
            self._at(self._now, lambda: self._end(name))

    def _end(self, name: ReplicaId) -> None:
        replica = self._replicas.pop(name, None)
        if replica is not None:
            self._replica_s += self._now - replica.since
            self._tell(ev.Exited(name, "stopped"))


def _busy(replica: _Replica) -> int:
    return replica.busy
