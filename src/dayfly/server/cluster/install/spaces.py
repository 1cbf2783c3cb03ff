"""An installation's namespaces: those that it makes bear its mark, and one that was there before stays as it was.

Only what bears the mark is removed with the installation, and only when nobody else works in it: who puts a Deployment
of their own beside the functions does not lose it.
"""

from collections.abc import Sequence
from typing import Any

from dayfly.providers.kubernetes import marks
from dayfly.server.cluster.install.choices import Node
from dayfly.server.cluster.install.kubectl import Kubectl
from dayfly.server.cluster.install.pods import INSTANCE
from dayfly.storage.kubernetes.tenancy import MADE

MADE_BY = "dayfly.dev/made-by"
"""On a namespace: the installation that made it, by the namespace of the platform. No Helm release writes it."""
_WORK = (
    "deployments.apps,statefulsets.apps,daemonsets.apps,jobs.batch,cronjobs.batch,pods,services,persistentvolumeclaims"
)
"""What somebody has in a namespace who works there. Clusters put ConfigMaps, Secrets and accounts into each."""


def to_apply(kubectl: Kubectl, nodes: Sequence[Node], installation: str) -> tuple[list[Node], list[str]]:
    """Return the objects with the namespaces marked that are the installation's to make, without those that are not.

    Those that were there before are named beside. Raises what kubectl raises.
    """
    wanted = [node["metadata"]["name"] for node in nodes if node["kind"] == "Namespace"]
    there = {each["metadata"]["name"]: each for each in kubectl.find_objects("namespaces", wanted)}
    others = sorted(name for name, found in there.items() if _label(found, MADE_BY) != installation)
    return [
        _marked(node, installation) if node["kind"] == "Namespace" else node
        for node in nodes
        if node["kind"] != "Namespace" or node["metadata"]["name"] not in others
    ], others


def made(kubectl: Kubectl, installation: str, *, is_alone: bool) -> list[str]:
    """Return the namespaces that the installation made, its own among them.

    Of those that `dayfly namespace create` made it is not written which installation did, so that they count only for
    one that is alone. Raises what kubectl raises.
    """
    found = kubectl.list_objects("namespaces", "-l", f"{MADE_BY}={installation}")
    if is_alone:
        found += kubectl.list_objects("namespaces", "-l", f"{MADE}=true")
    return list(dict.fromkeys(each["metadata"]["name"] for each in found))


def of_others(kubectl: Kubectl, namespace: str, installation: str) -> list[str]:
    """Return what somebody else has in the namespace and works with. Raises what kubectl raises."""
    return [
        f"{each['kind'].lower()}/{each['metadata']['name']}"
        for each in kubectl.list_objects(_WORK, "-n", namespace)
        if installation not in (_label(each, INSTANCE), _label(each, marks.INSTALLATION))
        and not _goes(each["metadata"])
    ]


def _goes(metadata: dict[str, Any]) -> bool:
    """Whether the object is on its way out, or goes with another that is looked at itself."""
    return "deletionTimestamp" in metadata or bool(metadata.get("ownerReferences"))


def _label(obj: dict[str, Any], name: str) -> str:
    return str((obj["metadata"].get("labels") or {}).get(name, ""))


def _marked(node: Node, installation: str) -> Node:
    metadata = node["metadata"]
    return {**node, "metadata": {**metadata, "labels": {**metadata["labels"], MADE_BY: installation}}}
