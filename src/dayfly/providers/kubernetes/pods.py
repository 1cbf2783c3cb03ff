"""Pods as the API server tells of them, and what their status means for a replica. Pure.

A pod of ours has one container. That it was started again in its place is an end too: what ran in it is gone.
"""

import signal
from typing import Any, Literal

import msgspec

from dayfly.model.endpoint import Endpoint
from dayfly.model.replica import ExitReason
from dayfly.providers.kubernetes import marks
from dayfly.providers.pod.lines import read_last_word

HOPELESS = {
    "ErrImageNeverPull": "its image is not on the node and may not be pulled; load it there, or allow pulling",
    "ImagePullBackOff": "its image cannot be pulled; look at the name, and at imagePullSecrets for a private registry",
    "InvalidImageName": "its image's name is none",
    "CreateContainerError": "its container could not be made",
    "RunContainerError": "its container could not be started",
    "CrashLoopBackOff": "its container ends each time it is started",
}
"""Why a container that waits will not be started without somebody's help, and which help."""
_SLOW = {
    "CreateContainerConfigError": "it waits for a Secret or a ConfigMap, or its user is not allowed",
    "ErrImagePull": "its image is being asked for again",
}
_FAREWELLS = {
    "PreemptionByScheduler": "a pod of a higher priority took its place",
    "DeletionByTaintManager": "its node was lost or closed to it",
    "EvictionByEvictionAPI": "its node is being emptied",
    "DeletionByPodGC": "its node is gone",
    "TerminationByKubelet": "its node ended it, for want of memory or disk or to shut down",
}


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A part of an object; fields that we do not know are passed over."""


class Owner(_Part, frozen=True):
    """Who made an object."""

    kind: str
    name: str
    uid: str


class Meta(_Part, frozen=True):
    """Who an object is."""

    name: str
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    owner_references: list[Owner] = []


class Waiting(_Part, frozen=True):
    """A container that does not run yet."""

    reason: str = ""
    message: str = ""


class Terminated(_Part, frozen=True):
    """A container that has run."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""


class State(_Part, frozen=True):
    """What a container does; one of the three."""

    waiting: Waiting | None = None
    running: dict[str, Any] | None = None
    terminated: Terminated | None = None


class Container(_Part, frozen=True):
    """A container's status."""

    name: str = ""
    image: str = ""
    state: State = State()
    last_state: State = State()
    restart_count: int = 0
    container_id: str = msgspec.field(name="containerID", default="")


class Condition(_Part, frozen=True):
    """One thing that is so of a pod, or is not."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class Spec(_Part, frozen=True):
    """Where a pod runs."""

    node_name: str = ""


class Status(_Part, frozen=True):
    """How a pod is."""

    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    conditions: list[Condition] = []
    container_statuses: list[Container] = []


class Pod(_Part, frozen=True):
    """A pod."""

    metadata: Meta
    spec: Spec = Spec()
    status: Status = Status()

    def at(self, port: int) -> str:
        """Return where the pod's port is, as `HOST:PORT`; an IPv6 address has brackets."""
        return str(Endpoint(self.status.pod_ip, port))

    @property
    def name(self) -> str:
        """Its name in the namespace."""
        return self.metadata.name

    @property
    def replica(self) -> str:
        """Whose it is; empty for one that is nobody's yet."""
        return self.metadata.labels.get(marks.REPLICA, "")

    @property
    def role(self) -> str:
        """Whether it waits in the pool or is a function's."""
        return self.metadata.labels.get(marks.ROLE, "")

    @property
    def container(self) -> Container:
        """Its only container's status."""
        return next(iter(self.status.container_statuses), Container())

    @property
    def is_leaving(self) -> bool:
        """Whether somebody has deleted it and it still ends."""
        return self.metadata.deletion_timestamp is not None

    @property
    def is_ready(self) -> bool:
        """Whether its probe was answered."""
        return self.condition("Ready").status == "True"

    @property
    def is_unheard(self) -> bool:
        """Whether the cluster hears nothing of its node: then it says `Ready` no more, and nothing else it was told."""
        return self.condition("Ready").status == "False" and self.condition("ContainersReady").status == "True"

    def condition(self, kind: str) -> Condition:
        """Return what is said of it in this respect."""
        return next((each for each in self.status.conditions if each.type == kind), Condition(kind, "Unknown"))


class End(msgspec.Struct, frozen=True):
    """How a pod's replica ended."""

    reason: ExitReason
    detail: str


class Standing(msgspec.Struct, frozen=True):
    """What a pod's status means."""

    phase: Literal["waiting", "running", "over"]
    why: str = ""
    """While it waits: what for, when it is no matter of seconds."""
    end: End | None = None


def understand(raw: Any) -> Pod:
    """Return a pod from an object of the API's. Raises msgspec.ValidationError."""
    return msgspec.convert(_without_nulls(raw), Pod, strict=False)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return value


def standing(pod: Pod, *, memory_bytes: int = 0) -> Standing:
    """Return what the pod's status means for a replica in it, whose memory limit is this."""
    status, container = pod.status, pod.container
    claimed_in = pod.metadata.annotations.get(marks.CONTAINER, "")
    last = container.state.terminated or (container.last_state.terminated if _was_replaced(pod, claimed_in) else None)
    if last is not None:
        return Standing("over", end=_ended(pod, last, memory_bytes))
    if status.phase in ("Failed", "Succeeded"):
        return Standing("over", end=End("lost", f"its pod {status.phase.lower()}: {_farewell(pod)}"))
    if claimed_in and container.container_id and container.container_id != claimed_in:
        return Standing("over", end=End("lost", "its container was started again in its place, and it is gone"))
    if container.state.running is not None:
        return Standing("running")
    waiting = container.state.waiting or Waiting()
    told = ". ".join(
        part for part in (f"{waiting.reason}: {HOPELESS.get(waiting.reason, '')}", waiting.message) if part
    )
    if waiting.reason in HOPELESS:
        return Standing("over", end=End("start_failed", told))
    scheduled = pod.condition("PodScheduled")
    if scheduled.status == "False":
        return Standing("waiting", f"no node has room for it ({scheduled.reason}): {scheduled.message}")
    if waiting.reason in _SLOW:
        return Standing("waiting", f"{waiting.reason}: {_SLOW[waiting.reason]}. {waiting.message}".strip())
    return Standing("waiting")


def gone(pod: Pod) -> End:
    """Return how a replica ended whose pod somebody else removed."""
    return End("lost", f"its pod was removed: {_farewell(pod)}")


def _was_replaced(pod: Pod, claimed_in: str) -> bool:
    """Whether the container's last life is the one that counts: it was claimed, and another one has begun."""
    container = pod.container
    if pod.role != marks.OURS or container.last_state.terminated is None:
        return False
    return not claimed_in or container.container_id != claimed_in or container.state.running is None


def _ended(pod: Pod, last: Terminated, memory_bytes: int) -> End:
    if (word := read_last_word(last.message)) is not None:
        return End(word.reason, word.detail)
    told = describe(last.exit_code)
    if last.reason == "OOMKilled":
        limit = f" of {memory_bytes >> 20} MiB" if memory_bytes else ""
        return End("oom", f"{told}: it used more than its memory limit{limit} (limits.memory)")
    if pod.is_leaving:
        return End("stopped", told)
    if pod.status.reason or pod.condition("DisruptionTarget").status == "True":
        return End("lost", f"{told}: {_farewell(pod)}")
    if last.reason in ("ContainerCannotRun", "StartError", "ContainerStatusUnknown"):
        lost = last.reason == "ContainerStatusUnknown"
        return End("lost" if lost else "start_failed", f"{last.reason}: {last.message or 'the node says no more'}")
    return End("killed" if last.exit_code == 128 + signal.SIGKILL else "crashed", told)


def _farewell(pod: Pod) -> str:
    disruption = pod.condition("DisruptionTarget")
    parts = [_FAREWELLS.get(disruption.reason, ""), pod.status.reason, pod.status.message or disruption.message]
    return ": ".join(part for part in parts if part) or "somebody deleted it, or its node is gone"


def describe(exit_code: int) -> str:
    """Return an exit code in words; those above 128 stand for a signal."""
    try:
        name = signal.Signals(exit_code - 128).name if exit_code > 128 else ""
    except ValueError:
        name = ""
    return f"exit code {exit_code} ({name})" if name else f"exit code {exit_code}"
