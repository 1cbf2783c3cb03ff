"""What volumes and servers were asked for cannot be said otherwise later: such a change is refused before all others.

A StatefulSet's claims are as it was made with, and a claim grows, where its class lets it, and does nothing else. The
cluster says so only when half of an installation is applied, and calls it forbidden, as if a right were missing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dayfly.model.errors import Conflict
from dayfly.model.quantities import parse_memory
from dayfly.server.cluster.install.choices import Node
from dayfly.server.cluster.install.kubectl import Kubectl
from dayfly.server.cluster.names import QUEUE

_BEFORE = "Nothing was changed. Say what is there, or "
_GROW = (
    _BEFORE
    + "have the claims grow, where their class lets them (`kubectl -n {0} edit pvc -l {1}`), then `kubectl -n {0}"
    " delete statefulset {2} --cascade=orphan`, which leaves pods and volumes, and install again."
)
_ANEW = (
    _BEFORE
    + "begin anew with `kubectl -n {0} delete statefulset {2}` and install again: calls that wait, functions' code,"
    " runs of flows and the audit log are lost with what it had."
)
_LOSE = _BEFORE + "lose what is on the volume: `kubectl -n {0} delete pvc {1}`, and install again."


class Claim(NamedTuple):
    """What a volume is asked for with; a class that is empty is the cluster's own."""

    size: str
    storage_class: str

    def __str__(self) -> str:
        return f"{self.size}{f' of the class {self.storage_class}' if self.storage_class else ''}"

    @property
    def size_bytes(self) -> int:
        """Its size, for which there are several texts."""
        return parse_memory(self.size)


def check_volumes(kubectl: Kubectl, nodes: Sequence[Node]) -> None:
    """Raise Conflict when an object asks for another volume than the one that is there, and what kubectl raises."""
    for node in nodes:
        namespace, name = node["metadata"].get("namespace", ""), node["metadata"]["name"]
        if node["kind"] == "StatefulSet":
            _check_set(kubectl, node, namespace, name)
        elif node["kind"] == "PersistentVolumeClaim":
            _check_claim(kubectl, node, namespace, name)


def _check_set(kubectl: Kubectl, node: Node, namespace: str, name: str) -> None:
    found = kubectl.find_object("statefulset", name, namespace)
    if found is None:
        return
    count, before = node["spec"]["replicas"], found["spec"]["replicas"]
    if count < before:
        raise Conflict(
            f"{name} has {before} servers, and {count} is asked for (queue.nodes): what others alone have is lost.",
            hint="Nothing was changed. Say what is there.",
        )
    wanted, there = (next(_claims(each), None) for each in (node, found))
    if _measure(wanted) == _measure(there):
        return
    labels = ",".join(f"{key}={value}" for key, value in node["spec"]["selector"]["matchLabels"].items())
    raise Conflict(
        f"Each server of {name} has {_told(there)}, and {_told(wanted)} is asked for ({_values_of(name)}):"
        " Kubernetes lets nobody change that of a StatefulSet.",
        hint=(_GROW if wanted and there else _ANEW).format(namespace, labels, name),
    )


def _check_claim(kubectl: Kubectl, node: Node, namespace: str, name: str) -> None:
    found = kubectl.find_object("persistentvolumeclaim", name, namespace)
    if found is None:
        return
    wanted, there = _claim(node), _claim(found)
    if wanted.size_bytes >= there.size_bytes and wanted.storage_class in ("", there.storage_class):
        return
    raise Conflict(
        f"The volume {name} has {there}, and {wanted} is asked for ({_values_of(name)}): a volume grows, where its"
        " class lets it, and Kubernetes lets nobody change anything else of it.",
        hint=_LOSE.format(namespace, name),
    )


def _claims(node: Node) -> Iterator[Claim]:
    return map(_claim, node["spec"].get("volumeClaimTemplates") or ())


def _claim(node: Node) -> Claim:
    spec = node["spec"]
    return Claim(spec["resources"]["requests"]["storage"], spec.get("storageClassName") or "")


def _measure(claim: Claim | None) -> tuple[int, str]:
    return (claim.size_bytes, claim.storage_class) if claim else (0, "")


def _told(claim: Claim | None) -> str:
    return f"a volume of {claim}" if claim else "no volume"


def _values_of(name: str) -> str:
    part = "queue" if name == QUEUE else "observer"
    return f"{part}.storage, {part}.storageClass" + (", queue.persistent" if name == QUEUE else "")
