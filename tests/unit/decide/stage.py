"""A lifecycle on a stage: the world around it is played by the test, in short words."""

import itertools
from collections.abc import Iterator

import msgspec

from dayfly.decide import events as ev
from dayfly.decide.invariants import validate
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.routing import entry
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import ReplicaId
from dayfly.model.replica import ExitReason, Prepared, RecoveredReplica, StartOrder
from dayfly.model.rollout import Canary


def function(number: int = 1, *, replicas: int | None = None, **fields: object) -> Function:
    spec = msgspec.convert({"name": "hello", "bundle": "sha256:" + "a" * 64, "timeout": "30s", **fields}, FunctionSpec)
    revision = Revision(number=number, spec=spec, created_unix_ms=number)
    return Function(key=spec.key, revision=revision, created_unix_ms=1, replicas=replicas)


class Stage:
    """A lifecycle that is checked after every event, with short words for telling a story."""

    def __init__(self, first: Function | None = None) -> None:
        names: Iterator[ReplicaId] = (ReplicaId(f"replica{number:03}") for number in itertools.count(1))
        self.now = 100.0
        self.machine = Lifecycle(first or function(), lambda: next(names))
        self.started: list[StartOrder] = []

    def tell(self, event: ev.Event, after: float = 0.0) -> list[ev.Instruction]:
        self.now += after
        out = self.machine.handle(event, self.now)
        validate(self.machine, self.now)
        self.started += [i.order for i in out if isinstance(i, ev.StartReplica)]
        return [i for i in out if not isinstance(i, ev.WakeAt)]

    def deploy(self, fn: Function | None = None, canary: Canary | None = None) -> list[ev.Instruction]:
        fn = fn or self.machine.function
        if canary is not None:
            fn = self.machine.plan(fn.revision, canary)
        out = self.tell(ev.Deployed(fn))
        for prepare in [i for i in out if isinstance(i, ev.Prepare)]:
            out += self.tell(ev.PrepareDone(prepare.revision, Prepared("/code")))
        return out

    def all_ready(self) -> None:
        """Everything that starts gets ready, also what is started for it."""
        before = -1
        while before != len(self.started):
            before = len(self.started)
            for order in list(self.started):
                self.tell(ev.Ready(order.replica, f"unix:/{order.replica}"))
            self.tell(ev.PrepareDone(self.machine.serving.number, Prepared("/code")))

    def revisions(self) -> list[int]:
        """The revisions of the replicas that serve."""
        return sorted(endpoint.revision for endpoint in entry(self.machine).endpoints)

    def ready(self, index: int = -1) -> list[ev.Instruction]:
        name = self.started[index].replica
        return self.tell(ev.Ready(name, f"unix:/{name}"))

    def exited(self, index: int = -1, reason: ExitReason = "crashed", detail: str = "") -> list[ev.Instruction]:
        return self.tell(ev.Exited(self.started[index].replica, reason, detail))

    def tick(self, after: float) -> list[ev.Instruction]:
        """Let time pass in one leap, with a tick at its end."""
        return self.tell(ev.Tick(), after)

    def serving(self) -> list[str]:
        return [endpoint.replica for endpoint in entry(self.machine).endpoints]

    def at_zero(self) -> "Stage":
        self.deploy()
        self.ready()
        self.tick(900)
        self.tick(1)
        self.exited(reason="stopped")
        return self


def kinds(instructions: list[ev.Instruction]) -> list[type]:
    return [type(instruction) for instruction in instructions]


def found(number: int, revision: int, *, ready: bool = True, stale: bool = False) -> RecoveredReplica:
    fn = function(revision)
    order = StartOrder(
        replica=ReplicaId(f"found{number:05}"), key=fn.key, revision=revision, lang="python", dialect="auto",
        handler="handler", code_dir="/code", timeout_s=30.0,
    )  # fmt: skip
    return RecoveredReplica(order, f"unix:/{number}" if ready else "", stale=stale)
