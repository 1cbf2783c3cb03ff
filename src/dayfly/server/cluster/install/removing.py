"""Uninstalling: what is there is found by looking, and what people made is removed only when that was said.

What bears the labels of this installation goes, wherever it is; of another installation, or of somebody else, nothing.
"""

from collections import Counter

import msgspec

from dayfly.model.errors import NotFound
from dayfly.providers.kubernetes import marks, pool
from dayfly.server.cluster.install import spaces
from dayfly.server.cluster.install.applying import Say, others_in
from dayfly.server.cluster.install.kubectl import Kubectl
from dayfly.server.cluster.install.permissions import GROUP
from dayfly.server.cluster.install.pods import DAYFLY, INSTANCE, NAME, PART_OF
from dayfly.server.cluster.names import BOUNDS, CONTROL, FUNCTIONS_NAMESPACE
from dayfly.storage.kubernetes import secrets
from dayfly.storage.kubernetes.shelf import SHELF
from dayfly.storage.kubernetes.tenancy import TOKEN

_OURS = (
    "deployments.apps,statefulsets.apps,services,configmaps,secrets,serviceaccounts,networkpolicies.networking.k8s.io,"
    "poddisruptionbudgets.policy,ingresses.networking.k8s.io,roles.rbac.authorization.k8s.io,"
    "rolebindings.rbac.authorization.k8s.io"
)
_CLUSTER_WIDE = "clusterroles.rbac.authorization.k8s.io,clusterrolebindings.rbac.authorization.k8s.io"
_ROUTE = "httproutes.gateway.networking.k8s.io"
_LEASES = "leases.coordination.k8s.io"
_PODS = "DAYFLY_FUNCTIONS_NAMESPACE"


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
    others: tuple[str, ...]
    """The namespaces of other installations in the cluster, which need the kinds and follow the same functions."""


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
    others = tuple(others_in(kubectl, namespace))
    return There(
        namespace=namespace,
        functions=dict(counts),
        pods=_pods_namespace(control),
        made_namespaces=tuple(spaces.made(kubectl, namespace, is_alone=not others)),
        kinds=names,
        others=others,
    )


def remove(kubectl: Kubectl, there: There, what: What, say: Say = lambda _: None) -> dict[str, list[str]]:
    """Remove the platform, and what was said; return what others have in namespaces that stay for it.

    Functions and kinds stay while another installation is there. Raises what kubectl raises.
    """
    if what.functions and not there.others:
        # While the control plane is there, which stops their replicas.
        say("removing the functions")
        _remove_functions(kubectl, there)
    say("removing the platform")
    selector = ("-A", "-l", f"{NAME}={DAYFLY},{INSTANCE}={there.namespace}")
    kubectl.delete(_OURS, *selector)
    kubectl.delete(_ROUTE, *selector)
    # What runs functions goes with the platform, which could not stop it any more.
    kubectl.delete(
        "deployments.apps,pods,secrets,configmaps",
        "-l",
        f"{marks.INSTALLATION}={there.namespace}",
        namespace=there.pods,
    )
    kubectl.delete("configmap", pool.NAME, namespace=there.pods)
    kubectl.delete(_LEASES, CONTROL, namespace=there.namespace)
    kubectl.delete(_CLUSTER_WIDE, *selector[1:])
    if what.data:
        say("removing the queue's volumes")
        kubectl.delete("persistentvolumeclaims", *selector[1:], namespace=there.namespace)
    if what.kinds and not there.others and there.kinds:
        say("removing our kinds")
        kubectl.delete("customresourcedefinitions.apiextensions.k8s.io", *there.kinds)
    return _remove_namespaces(kubectl, there, what, say)


def _remove_functions(kubectl: Kubectl, there: There) -> None:
    """Remove the objects of our kinds, and what is kept for them: secrets, tokens, shelves."""
    if there.kinds:
        kubectl.delete(",".join(there.kinds), "--all", "-A")
    kubectl.delete("secrets", "-A", "-l", secrets.LABEL)
    kubectl.delete("secrets", "-l", TOKEN, namespace=there.namespace)
    kubectl.delete("configmaps", "-l", SHELF, namespace=there.namespace)


def _remove_namespaces(kubectl: Kubectl, there: There, what: What, say: Say) -> dict[str, list[str]]:
    kept = {}
    for namespace in there.made_namespaces:
        # In its own are the volumes; of the others that of functions' pods holds nothing by now.
        if not (what.data if namespace == there.namespace else what.functions or namespace == there.pods):
            continue
        if found := spaces.of_others(kubectl, namespace, there.namespace):
            kept[namespace] = found
        else:
            say(f"removing the namespace {namespace}")
            kubectl.delete("namespace", namespace)
    return kept


def _pods_namespace(control: dict[str, object]) -> str:
    return _variable(control, _PODS) or FUNCTIONS_NAMESPACE


def bounds_of(control: dict[str, object]) -> list[str]:
    """Return the only namespaces that a control plane's Deployment lets it work in; none where it works in all."""
    return [each for each in (_variable(control, BOUNDS) if control else "").split(",") if each]


def _variable(control: dict[str, object], name: str) -> str:
    told = msgspec.convert(control, _Control)
    every = [variable for each in told.spec.template.spec.containers for variable in each.env]
    return next((variable.value for variable in every if variable.name == name), "")


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
