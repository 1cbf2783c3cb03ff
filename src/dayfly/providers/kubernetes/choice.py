"""Which pod of the pool is claimed for an order, and which of an image's pods gets which replica's id. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes import marks
from dayfly.providers.kubernetes.pods import Pod, standing
from dayfly.runtimes.python.limits import limits_of


class Room(msgspec.Struct, frozen=True):
    """What each pod of the pool may use."""

    memory_bytes: int
    cpu_millicores: int = 0
    """0 for no limit."""


def fits(order: StartOrder, room: Room) -> bool:
    """Whether a pod of the pool will do, or the order needs one of its own: for more room, or for a certain node."""
    limits = limits_of(order)
    has_cpu = not room.cpu_millicores or 0 < limits.cpu_millicores <= room.cpu_millicores or not order.cpu_millicores
    return limits.memory_bytes <= room.memory_bytes and has_cpu and not order.constraints


def free(pods: Iterable[Pod], tried: Mapping[str, str]) -> list[Pod]:
    """Return the pods that wait to be claimed, but for those that were `tried` in the version that is known."""
    return [
        pod
        for pod in pods
        if pod.role == marks.POOL
        and not pod.replica
        and not pod.is_leaving
        and pod.is_ready
        and pod.status.pod_ip
        and standing(pod).phase == "running"
        and tried.get(pod.name) != pod.metadata.resource_version
    ]


def to_claim(
    order: StartOrder, pods: Iterable[Pod], tried: Mapping[str, str], doubted: Collection[str] = ()
) -> Pod | None:
    """Return the pod to claim: on a node that is not doubted, with few replicas of this function, then the oldest."""
    pods = list(pods)
    beside = Counter(
        pod.spec.node_name
        for pod in pods
        if pod.role == marks.OURS
        and (pod.metadata.labels.get(marks.FUNCTION), pod.metadata.labels.get(marks.NAMESPACE))
        == (order.key.name, order.key.namespace)
    )
    return min(
        free(pods, tried),
        key=lambda pod: (
            pod.spec.node_name in doubted,
            beside[pod.spec.node_name],
            pod.metadata.creation_timestamp,
            pod.name,
        ),
        default=None,
    )


def why_none(pods: Iterable[Pod]) -> str:
    """Return why no pod of the pool can be claimed, as far as their status tells."""
    pool = [pod for pod in pods if pod.role == marks.POOL]
    if not pool:
        return "the pool has no pods; is its Deployment there, and its size more than 0?"
    told = Counter(found.end.detail if found.end is not None else found.why for found in map(standing, pool))
    told.pop("", None)
    worst = "; ".join(f"{count}: {text}" for text, count in told.most_common(2))
    return f"none of the pool's {len(pool)} pods is ready" + (f" ({worst})" if worst else "")


def to_name(pods: Iterable[Pod], waiting: Sequence[str]) -> dict[str, str]:
    """Return which of an image's pods, by name, get which of the waiting replicas' ids: the furthest ones first."""
    pods = list(pods)
    nameless = [pod for pod in pods if not pod.replica and not pod.is_leaving]
    nameless.sort(key=lambda pod: (not pod.is_ready, not pod.spec.node_name, pod.metadata.creation_timestamp, pod.name))
    named = {pod.replica for pod in pods}
    return dict(zip((pod.name for pod in nameless), (each for each in waiting if each not in named), strict=False))


def node_selector(constraints: Iterable[str]) -> dict[str, str]:
    """Return what OpenFaaS's constraints, `key=value` or `node.labels.key == value`, select. Raises InvalidSpec."""
    found = {}
    for text in constraints:
        name, equals, value = text.replace("==", "=").partition("=")
        name, value = name.strip().removeprefix("node.labels."), value.strip()
        if not (name and equals and value) or "!" in name or "=" in value:
            raise InvalidSpec(f"constraints: {text[:80]!r} must be LABEL=VALUE, a label that the node must have")
        found[name] = value
    return found
