"""Uninstalling: what is there is found by looking, and what people made is removed only when that was said."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from dayfly.model.errors import NotFound
from dayfly.providers.kubernetes import marks, pool
from dayfly.server.cluster.install.applying import Say
from dayfly.server.cluster.install.kubectl import Kubectl
from dayfly.server.cluster.install.permissions import GROUP
from dayfly.server.cluster.install.pods import DAYFLY, INSTANCE, PART_OF
from dayfly.server.cluster.names import CONTROL, FUNCTIONS_NAMESPACE

_OURS = (
    "deployments.apps,statefulsets.apps,services,configmaps,secrets,serviceaccounts,networkpolicies.networking.k8s.io,"
    "poddisruptionbudgets.policy,ingresses.networking.k8s.io,roles.rbac.authorization.k8s.io,"
    "rolebindings.rbac.authorization.k8s.io"
)
_CLUSTER_WIDE = "clusterroles.rbac.authorization.k8s.io,clusterrolebindings.rbac.authorization.k8s.io"
_ROUTE = "httproutes.gateway.networking.k8s.io"
_LEASES = "leases.coordination.k8s.io"
_PODS = "DAYFLY_FUNCTIONS_NAMESPACE"
_MADE = "dayfly.dev/made=true"
"""On a namespace that the control plane made."""


class There(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of an installation."""

    namespace: str
    functions: dict[str, int]
    """How many functions each namespace has."""
    pods: str
    """The namespace of functions' pods."""
    made_namespaces: tuple[str, ...]
    """Namespaces that were made by the installation, its own among them."""
    kinds: tuple[str, ...]
    """The definitions of our kinds."""
    is_alone: bool
    """Whether no other installation in the cluster needs the kinds."""


class What(msgspec.Struct, frozen=True, kw_only=True):
    """What is removed beside the platform itself."""

    functions: bool
    """Functions with all that belongs to them, and their namespaces where the installation made these."""
    data: bool
    """Queued calls and functions' code: the queue's volumes."""
    kinds: bool
    """The definitions of our kinds, and with them every object of theirs in the cluster."""


def look(kubectl: Kubectl, namespace: str) -> There:
    """Return what is there. Raises NotFound when there is no installation, and what kubectl raises."""
    control = kubectl.find_object("deployment", CONTROL, namespace)
    if control is None:
        raise NotFound(
            f"There is no installation in the namespace {namespace}.",
            hint="`kubectl get deployments -A -l app.kubernetes.io/part-of=dayfly` finds them; --namespace names one.",
        )
    kinds = kubectl.list_objects("customresourcedefinitions.apiextensions.k8s.io", "-l", f"{PART_OF}={DAYFLY}")
    names = tuple(each["metadata"]["name"] for each in kinds)
    functions = kubectl.list_objects(f"functions.{GROUP}", "-A") if f"functions.{GROUP}" in names else []
    counts = Counter(each["metadata"]["namespace"] for each in functions)
    others = kubectl.list_objects("deployments.apps", "-A", "-l", f"{PART_OF}={DAYFLY},{INSTANCE}!={namespace}")
    made = kubectl.list_objects("namespaces", "-l", f"{INSTANCE}={namespace}")
    made += kubectl.list_objects("namespaces", "-l", _MADE)
    return There(
        namespace=namespace,
        functions=dict(counts),
        pods=_pods_namespace(control),
        made_namespaces=tuple(dict.fromkeys(each["metadata"]["name"] for each in made)),
        kinds=names,
        is_alone=not any(each["metadata"]["name"] == CONTROL for each in others),
    )


def remove(kubectl: Kubectl, there: There, what: What, say: Say = lambda _: None) -> None:
    """Remove the platform, and what was said. Raises what kubectl raises."""
    selector = ("-l", f"{INSTANCE}={there.namespace}")
    if what.functions and there.kinds:
        # While the control plane is there, which stops their replicas.
        say("removing the functions")
        kubectl.delete(",".join(there.kinds), "--all", "-A")
    for namespace in (there.namespace, there.pods):
        say(f"removing what is in {namespace}")
        kubectl.delete(_OURS, *selector, namespace=namespace)
        kubectl.delete(_ROUTE, *selector, namespace=namespace)
    # What runs functions goes with the platform, which could not stop it any more.
    kubectl.delete(
        "deployments.apps,pods,secrets,configmaps",
        "-l",
        f"{marks.INSTALLATION}={there.namespace}",
        namespace=there.pods,
    )
    kubectl.delete("configmap", pool.NAME, namespace=there.pods)
    kubectl.delete(_LEASES, CONTROL, namespace=there.namespace)
    kubectl.delete(_CLUSTER_WIDE, *selector)
    if what.data:
        say("removing the queue's volumes")
        kubectl.delete("persistentvolumeclaims", *selector, namespace=there.namespace)
    if what.kinds and there.is_alone and there.kinds:
        say("removing our kinds")
        kubectl.delete("customresourcedefinitions.apiextensions.k8s.io", *there.kinds)
    for namespace in _removable(there, what):
        say(f"removing the namespace {namespace}")
        kubectl.delete("namespace", namespace)


def _removable(there: There, what: What) -> Iterator[str]:
    for namespace in there.made_namespaces:
        if what.data if namespace == there.namespace else what.functions or namespace == there.pods:
            yield namespace


def _pods_namespace(control: dict[str, object]) -> str:
    told = msgspec.convert(control, _Control)
    every = [variable for each in told.spec.template.spec.containers for variable in each.env]
    return next((variable.value for variable in every if variable.name == _PODS), FUNCTIONS_NAMESPACE)


class _Variable(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Container(msgspec.Struct, frozen=True):
    env: list[_Variable] = []


class _PodSpec(msgspec.Struct, frozen=True):
    containers: list[_Container]


class _Template(msgspec.Struct, frozen=True):
    spec: _PodSpec


class _Spec(msgspec.Struct, frozen=True):
    template: _Template


class _Control(msgspec.Struct, frozen=True):
    spec: _Spec
