"""Installing: look at what is there, apply, take away what is no longer wanted, and wait until it is up."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dayfly.model.errors import Conflict, Unavailable
from dayfly.server.cluster.install import spaces
from dayfly.server.cluster.install.choices import Node
from dayfly.server.cluster.install.credentials import make_credentials
from dayfly.server.cluster.install.kubectl import Kubectl, Versions
from dayfly.server.cluster.install.manifests import objects
from dayfly.server.cluster.install.pods import DAYFLY, INSTANCE, PART_OF
from dayfly.server.cluster.install.values import HttpRoute, Ingress, Network, Values
from dayfly.server.cluster.names import ADMIN_SECRET, CONTROL, INTERNAL_SECRET
from dayfly.server.cluster.versions import judge_server

_ASK_EVERY_S = 1.0
_HELM = "meta.helm.sh/release-name"
_ROUTE = "httproutes."
_SKEW = 1
Say = Callable[[str], None]


class Found(msgspec.Struct, frozen=True):
    """What is in the cluster before."""

    admin: Mapping[str, str]
    internal: Mapping[str, str]
    is_there: bool


NOTHING = Found({}, {}, is_there=False)
"""Of a cluster that nobody asked."""


def check_versions(found: Versions) -> str:
    """Return what is odd about the two versions, if anything is. Raises ConfigError for a cluster that is too old."""
    if odd := judge_server(found.server):
        return odd
    if abs(found.server - found.client) > _SKEW:
        return (
            f"kubectl is of 1.{found.client} and the cluster of 1.{found.server}: Kubernetes vouches for one minor "
            "version of difference only."
        )
    return ""


def look(kubectl: Kubectl, namespace: str) -> Found:
    """Return what is there of an installation. Raises Conflict when it is Helm's, and what kubectl raises."""
    control = kubectl.find_object("deployment", CONTROL, namespace)
    if control is not None and (release := control["metadata"].get("annotations", {}).get(_HELM)):
        raise Conflict(
            f"The installation in the namespace {namespace} is the Helm release {release}.",
            hint=f"Use helm for it: helm upgrade {release}, helm uninstall {release}, -n {namespace}.",
        )
    admin, internal = (kubectl.find_object("secret", name, namespace) for name in (ADMIN_SECRET, INTERNAL_SECRET))
    return Found((admin or {}).get("data", {}), (internal or {}).get("data", {}), control is not None)


def others_in(kubectl: Kubectl, namespace: str) -> list[str]:
    """Return the namespaces of the cluster's other installations. Raises what kubectl raises."""
    found = kubectl.list_objects("deployments.apps", "-A", "-l", f"{PART_OF}={DAYFLY},{INSTANCE}!={namespace}")
    return [each["metadata"]["namespace"] for each in found if each["metadata"]["name"] == CONTROL]


def check_alone(kubectl: Kubectl, namespace: str) -> None:
    """Raise Conflict when there is an installation elsewhere in the cluster, and what kubectl raises."""
    if others := others_in(kubectl, namespace):
        raise Conflict(
            f"There is an installation in the namespace {others[0]} of this cluster, and there can be one only: each"
            " follows every function of the cluster, and two would undo each other's work.",
            hint=f"`dayfly install --namespace {others[0]}` changes that one, `dayfly uninstall` removes it.",
        )


def wanted(values: Values, found: Found, crds: Sequence[Mapping[str, Node]]) -> list[Node]:
    """Return the objects to apply, with the credentials that are there already."""
    credentials = make_credentials(values.namespace, values.auth.password, found.admin, found.internal)
    return objects(values, credentials, crds)


def unwanted(values: Values, nodes: Sequence[Node], crds: Sequence[Mapping[str, Node]]) -> list[Node]:
    """Return what an installation with other values may have left that these do not ask for.

    Kinds, namespaces and Secrets are never among it.
    """
    other = msgspec.structs.replace(
        values,
        control=msgspec.structs.replace(values.control, replicas=2),
        gateway=msgspec.structs.replace(values.gateway, replicas=2),
        queue=msgspec.structs.replace(values.queue, nodes=3),
        functions=msgspec.structs.replace(
            values.functions, egress="public", is_everywhere=not values.functions.is_everywhere
        ),
        network=Network(),
        ingress=Ingress(enabled=True, host="a"),
        http_route=HttpRoute(enabled=True, host="a", gateway="a"),
    )
    here = {place_of(node) for node in nodes}
    kept = {"CustomResourceDefinition", "Namespace", "Secret"}
    every = objects(other, make_credentials(values.namespace, "", {}, {}), crds)
    return [node for node in every if node["kind"] not in kept and place_of(node) not in here]


def place_of(node: Node) -> tuple[str, str, str]:
    """Return an object's kind as kubectl takes it, namespace and name."""
    group = node["apiVersion"].rpartition("/")[0]
    kind = f"{node['kind'].lower()}s.{group}" if group else node["kind"].lower()
    kind = kind.replace("policys.", "policies.").replace("ingresss.", "ingresses.")
    return kind, node["metadata"].get("namespace", ""), node["metadata"]["name"]


def install(kubectl: Kubectl, values: Values, nodes: Sequence[Node], crds: Sequence[Mapping[str, Node]]) -> list[str]:
    """Have the objects be there, and no others of ours; return the namespaces that were there and stay as they were.

    Raises what kubectl raises.
    """
    ours, others = spaces.to_apply(kubectl, nodes, values.namespace)
    kubectl.apply(ours)
    extra = sorted(place_of(node) for node in unwanted(values, nodes, crds))
    for namespace in sorted({place[1] for place in extra}):
        here = [f"{kind}/{name}" for kind, where, name in extra if where == namespace]
        # The cluster need not know every kind, and a kind that it does not know keeps kubectl from doing the rest.
        odd = [each for each in here if each.startswith(_ROUTE)]
        for each in filter(None, ([each for each in here if each not in odd], odd)):
            kubectl.delete(*each, namespace=namespace)
    return others


def wait(kubectl: Kubectl, values: Values, timeout_s: float, say: Say = lambda _: None) -> None:
    """Return once every workload is up. Raises Unavailable after `timeout_s`, with what the pods say."""
    give_up = time.monotonic() + timeout_s
    while True:
        left = [text for namespace in _places(values) for text in _not_up(kubectl, values, namespace)]
        if not left:
            return
        say(f"waiting for {', '.join(left)}")
        if time.monotonic() > give_up:
            break
        time.sleep(_ASK_EVERY_S)
    troubles = [text for namespace in _places(values) for text in _troubles(kubectl, values, namespace)]
    told = "".join(f"\n{text}" for text in troubles)
    raise Unavailable(
        f"After {timeout_s:g} s these are not up: {', '.join(left)}.{told}",
        hint=f"`kubectl -n {values.namespace} get pods` shows them; `dayfly install` again goes on.",
    )


def _places(values: Values) -> tuple[str, ...]:
    return (values.namespace, values.functions.namespace)


def _selected(values: Values) -> tuple[str, str]:
    return "-l", f"{INSTANCE}={values.namespace}"


def _not_up(kubectl: Kubectl, values: Values, namespace: str) -> Iterator[str]:
    for each in kubectl.list_objects("deployments.apps,statefulsets.apps", "-n", namespace, *_selected(values)):
        status, count = each.get("status", {}), each["spec"].get("replicas", 1)
        seen = status.get("observedGeneration", 0) >= each["metadata"].get("generation", 0)
        ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0)) if seen else 0
        if ready < count or not seen:
            yield f"{each['metadata']['name']} ({ready} of {count})"


def _troubles(kubectl: Kubectl, values: Values, namespace: str) -> Iterator[str]:
    for pod in kubectl.list_objects("pods", "-n", namespace, *_selected(values)):
        if why := trouble_of(pod):
            yield f"{namespace}/{pod['metadata']['name']}: {why}"


def trouble_of(pod: Mapping[str, Any]) -> str:
    """Return what keeps a pod from being ready, as far as its status says; empty for nothing."""
    status = pod.get("status", {})
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"no node takes it: {condition.get('message', '')}"
    for container in status.get("containerStatuses", ()):
        state = container.get("state", {})
        waiting, ended = state.get("waiting"), container.get("lastState", {}).get("terminated")
        if waiting and ended:
            return f"{waiting['reason']}: it ended with code {ended['exitCode']}: {ended.get('message', '').strip()}"
        if waiting and waiting["reason"] != "ContainerCreating":
            return f"{waiting['reason']}: {waiting.get('message', '')}"
        if not container.get("ready"):
            return "it runs and does not say yet that it is ready"
    return ""
