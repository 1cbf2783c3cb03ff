"""The pods of this installation and the nodes they are on, as a person wants to see them. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from dayfly.cluster.kinds import Object, name_of
from dayfly.model.errors import InvalidSpec
from dayfly.model.machine import Container, Node, Surroundings
from dayfly.model.quantities import parse_cpu, parse_memory
from dayfly.providers.kubernetes import marks
from dayfly.providers.kubernetes.metrics import Use, Uses
from dayfly.providers.kubernetes.pods import Pod

_UNKNOWN = Uses()


def survey(
    pods: Iterable[Pod], nodes: Iterable[Object], own: tuple[Container, ...] = (), used: Uses = _UNKNOWN
) -> Surroundings:
    """Return what is known of pods and nodes; of a node that is none of `nodes`, how many pods are on it.

    `pods` are those of functions, `own` those that the platform consists of, `used` what all of them use.
    """
    found = sorted(pods, key=lambda pod: pod.name)
    names = {pod.name for pod in found}
    others = tuple(_using(each, used.own) for each in own if each.name not in names)
    on = Counter([*(pod.spec.node_name for pod in found), *(each.node for each in others)])
    del on[""]
    known = {name: Node(name=name, pods=count) for name, count in on.items()}
    known |= {name_of(node): _node(node, on[name_of(node)]) for node in nodes}
    return Surroundings(
        nodes=tuple(_busy(known[name], used.nodes) for name in sorted(known)),
        containers=(*others, *(_using(_container(pod), used.functions) for pod in found)),
        notes=used.notes,
    )


def _busy(node: Node, used: Mapping[str, Use]) -> Node:
    use = used.get(node.name)
    return replace(node, cores_used=use.cores, memory_used_bytes=use.memory_bytes) if use is not None else node


def _using(container: Container, used: Mapping[str, Use]) -> Container:
    use = used.get(container.name)
    return replace(container, cores_used=use.cores, memory_bytes=use.memory_bytes) if use is not None else container


def _node(obj: Object, pods: int) -> Node:
    status = obj.get("status", {})
    room = status.get("allocatable", {})
    return Node(
        name=name_of(obj),
        ready=any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ())),
        cores=_quantity(parse_cpu, room.get("cpu", "")) / 1000,
        memory_bytes=int(_quantity(parse_memory, room.get("memory", ""))),
        pods=pods,
        version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
    )


def _quantity(parse: Callable[[str], int], text: str) -> float:
    try:
        return parse(text)
    except InvalidSpec:
        return 0


def _container(pod: Pod) -> Container:
    waits = "pool" if pod.role == marks.POOL else "starting"
    return Container(
        id=pod.metadata.uid,
        name=pod.name,
        image=pod.container.image,
        state="leaving" if pod.is_leaving else "running" if pod.is_ready and pod.replica else waits,
        replica=pod.replica,
        node=pod.spec.node_name,
        created_unix_ms=created_unix_ms(pod.metadata.creation_timestamp),
    )


def created_unix_ms(text: str) -> int:
    """Return when an object was made by its stamp, 0 where it has none."""
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0
