"""What can happen to a function, and what can be done about it.

The lifecycle of a function takes in the events and answers with the instructions; whoever carries these out feeds
back what came of them as further events. All of them are values: a story of a production fault, event by event, is a
test.
"""

from typing import Literal

import msgspec

from dayfly.model.function import Function, FunctionSpec
from dayfly.model.names import ReplicaId
from dayfly.model.replica import ExitReason, Prepared, RecoveredReplica, StartOrder
from dayfly.model.table import Ended, RevisionLoad


class Deployed(msgspec.Struct, frozen=True):
    """A revision is to serve, now or as soon as it can; also one of a function that was just removed."""

    function: Function
    """What `Lifecycle.plan` made of it and was written."""


class Decided(msgspec.Struct, frozen=True):
    """Somebody decided what becomes of the candidate of this number."""

    revision: int
    verdict: Literal["promoted", "returned"]


class CanaryObserved(msgspec.Struct, frozen=True):
    """What was added to the figures of the revisions in a canary since the last such event."""

    sides: tuple[RevisionLoad, ...]


class Scaled(msgspec.Struct, frozen=True):
    """Somebody set the number of replicas by hand, or gave it back to the scaler."""

    function: Function


class Rest(msgspec.Struct, frozen=True):
    """Another function of the namespace is called and has no room for a replica: go to zero, if nobody calls."""


class Removed(msgspec.Struct, frozen=True):
    """The function is wanted no longer."""


class Recovered(msgspec.Struct, frozen=True):
    """The control plane was away and is back; these replicas, perhaps none, were found running."""

    replicas: tuple[RecoveredReplica, ...] = ()


class SecretChanged(msgspec.Struct, frozen=True):
    """The secret of this name holds something else now, or is there again."""

    name: str


class Demanded(msgspec.Struct, frozen=True):
    """Calls wait, and their gateway knows of no ready replica."""

    waiting: int


class LoadObserved(msgspec.Struct, frozen=True):
    """What all gateways together see: calls worked on, calls waiting, calls ever finished and ever begun."""

    inflight: int
    waiting: int
    finished: int
    started: int


class CpuObserved(msgspec.Struct, frozen=True):
    """What the function's replicas, also those that are gone, have used of processors ever since they are watched."""

    cpu_s: float


class PrepareDone(msgspec.Struct, frozen=True):
    """The revision's code and dependencies are on the disk, or its image is in the engine."""

    revision: int
    prepared: Prepared


class PrepareFailed(msgspec.Struct, frozen=True):
    """The revision's code, dependencies or image could not be prepared."""

    revision: int
    detail: str


class Ready(msgspec.Struct, frozen=True):
    """The replica takes calls at `address`."""

    replica: ReplicaId
    address: str


class Exited(msgspec.Struct, frozen=True):
    """The replica is gone. `detail` and the `lines` it last printed are for a person."""

    replica: ReplicaId
    reason: ExitReason
    detail: str = ""
    lines: tuple[str, ...] = ()


class StopFailed(msgspec.Struct, frozen=True):
    """The provider could not be asked to stop the replica."""

    replica: ReplicaId


class Tick(msgspec.Struct, frozen=True):
    """Time has passed, as `WakeAt` asked for."""


Event = (
    Deployed
    | Decided
    | CanaryObserved
    | Scaled
    | Rest
    | Removed
    | Recovered
    | SecretChanged
    | Demanded
    | LoadObserved
    | CpuObserved
    | PrepareDone
    | PrepareFailed
    | Ready
    | Exited
    | StopFailed
    | Tick
)


class Prepare(msgspec.Struct, frozen=True):
    """Make the revision's code and dependencies ready; answer with PrepareDone or PrepareFailed."""

    revision: int
    spec: FunctionSpec


class StartReplica(msgspec.Struct, frozen=True):
    """Start a replica; answer with Ready at most once and Exited exactly once."""

    order: StartOrder
    secrets: tuple[str, ...] = ()
    """Those to be put into the order; what is in them no decision knows."""


class StopReplica(msgspec.Struct, frozen=True):
    """Let the replica finish its calls and end, within the grace; answer with Exited, or StopFailed."""

    replica: ReplicaId
    grace_s: float


class Publish(msgspec.Struct, frozen=True):
    """The function's routing entry has changed: tell the gateways."""


class Record(msgspec.Struct, frozen=True):
    """What should be true has changed by the lifecycle's own decision: date it and write it down.

    It is acted upon at once. A crash before it is written costs the decision only, which is then made again.
    """


class Explain(msgspec.Struct, frozen=True):
    """A replica ended that may have had calls: tell the gateways why, before its place in the table goes."""

    ended: Ended


class Retract(msgspec.Struct, frozen=True):
    """The function is gone from the routing table: tell the gateways."""


class WakeAt(msgspec.Struct, frozen=True):
    """Send a Tick at this time; it takes the place of any earlier wish."""

    at: float


class Tell(msgspec.Struct, frozen=True):
    """Something went wrong that the operator and the function's author should be able to read in their logs."""

    summary: str
    detail: str


class AskForRoom(msgspec.Struct, frozen=True):
    """The namespace has no room for the function's only replica: let others rest that nobody calls."""


class RoomMade(msgspec.Struct, frozen=True):
    """A replica is gone while functions of the namespace lack room: send them a Tick."""


class Forget(msgspec.Struct, frozen=True):
    """Nothing is left of the function, and this lifecycle can go."""


Instruction = (
    Prepare
    | StartReplica
    | StopReplica
    | Publish
    | Record
    | Explain
    | Retract
    | WakeAt
    | Tell
    | AskForRoom
    | RoomMade
    | Forget
)
