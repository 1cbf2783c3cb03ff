"""What all our pods have in common: whose they are, what they may not, how they are spread, probed and bounded."""

from collections.abc import Sequence

import msgspec

from dayfly import __version__
from dayfly.server.cluster.install.choices import Node, each, is_equal, is_not, is_set, when
from dayfly.server.cluster.install.values import Resources, Values
from dayfly.server.cluster.names import CREDENTIALS, DATA
from dayfly.server.cluster.versions import VERSION

USER = 65532
"""As whom all of it runs: nobody in particular, as the image says too."""
NAME, INSTANCE, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
DAYFLY = "dayfly"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
"""Labels by which a namespace takes no pods but those of the level `restricted`."""
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
LOST_S = 30
"""How long a pod waits for a node that is not heard to be there again, before another takes its place. Kubernetes calls
a node lost after 50 seconds, and by itself would wait for five minutes more."""
TMP = "/tmp"  # noqa: S108 - the pod's own


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one of our pods is made of, beside what all have."""

    component: str
    account: str
    container: str = ""
    """The container's name; empty for the component's."""
    command: list[str]
    resources: Resources
    env: list[Node]
    ports: dict[str, int]
    probes: dict[str, Node]
    credentials: Node = None
    """The volume of the files that it is given."""
    mounts: Sequence[Node] = ()
    volumes: Sequence[Node] = ()
    data_size: str = "1Gi"
    """How much DATA may hold; empty for no such folder."""
    data: Node = None
    """What DATA is kept on, where that is not as lasting as the pod."""
    labels: dict[str, str] = {}
    grace_s: int = 60
    lingers_s: int = 0
    """How long it goes on as before once it is to go, which is a part of `grace_s`."""
    asks_the_api: bool = False
    is_movable: bool = True
    """Whether another pod may take its place while nobody can say whether it has ended."""


def labels_of(values: Values, component: str = "") -> dict[str, str]:
    """Return the labels that all our objects have."""
    return {**selector_of(values, component), PART_OF: DAYFLY, VERSION: __version__}


def selector_of(values: Values, component: str = "") -> dict[str, str]:
    """Return the labels that a component's pods are found by."""
    found = {NAME: DAYFLY, INSTANCE: values.namespace}
    return {**found, COMPONENT: component} if component else found


def meta(values: Values, name: str, component: str = "", namespace: str | None = None, **more: Node) -> Node:
    """Return an object's metadata; without a namespace it is ours, and empty for an object that has none."""
    place = values.namespace if namespace is None else namespace
    where = {"namespace": place} if isinstance(place, str) and len(place) else {}
    return {"name": name, **where, "labels": labels_of(values, component), **more}


def template(values: Values, part: Part) -> Node:
    """Return the template of a workload's pods."""
    spec = {
        "serviceAccountName": part.account,
        "automountServiceAccountToken": part.asks_the_api,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": part.grace_s,
        "topologySpreadConstraints": spreading(selector_of(values, part.component)),
        **placing(values, is_movable=part.is_movable),
        "containers": [_container(values, part)],
        "volumes": _volumes(part),
    }
    return {"metadata": {"labels": {**labels_of(values, part.component), **part.labels}}, "spec": spec}


def placing(values: Values, *, is_movable: bool = True) -> dict[str, Node]:
    """Return what every pod of the installation says of nodes, and of where images come from."""
    lost = [
        {"key": f"node.kubernetes.io/{how}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": LOST_S}
        for how in ("not-ready", "unreachable")
    ]
    return {
        "nodeSelector": when(is_set(values.node_selector), values.node_selector),
        "tolerations": [each(values.tolerations, lambda one: one), *lost]
        if is_movable
        else when(is_set(values.tolerations), values.tolerations),
        "imagePullSecrets": when(
            is_set(values.image.pull_secrets), [each(values.image.pull_secrets, lambda name: {"name": name})]
        ),
    }


def spreading(selector: dict[str, str]) -> list[Node]:
    """Return how pods of these labels are spread over nodes and zones, where there are several."""
    return [_spread(selector, "kubernetes.io/hostname"), _spread(selector, "topology.kubernetes.io/zone")]


def _container(values: Values, part: Part) -> Node:
    mounts: list[Node] = [{"name": "tmp", "mountPath": TMP}]
    if part.data_size:
        mounts.append({"name": "data", "mountPath": DATA})
    if part.credentials is not None:
        mounts.append({"name": "credentials", "mountPath": CREDENTIALS, "readOnly": True})
    return {
        "name": part.container or part.component,
        "image": values.image.reference,
        "imagePullPolicy": values.image.pull_policy,
        "command": part.command,
        "env": part.env,
        "ports": [{"name": name, "containerPort": port} for name, port in part.ports.items()],
        **part.probes,
        **({"lifecycle": {"preStop": {"sleep": {"seconds": part.lingers_s}}}} if part.lingers_s else {}),
        "resources": resources(part.resources),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*mounts, *part.mounts],
    }


def _volumes(part: Part) -> Node:
    volumes: list[Node] = [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}]
    if part.data_size:
        volumes.append(part.data or {"name": "data", "emptyDir": {"sizeLimit": part.data_size}})
    if part.credentials is not None:
        volumes.append({"name": "credentials", **part.credentials})
    return [*volumes, *part.volumes]


def _spread(selector: dict[str, str], key: str) -> Node:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
    }


def resources(wanted: Resources) -> Node:
    """Return a container's requests and limits."""
    return {
        "requests": {"cpu": wanted.cpu, "memory": wanted.memory},
        "limits": {"memory": wanted.memory_limit, "cpu": when(is_set(wanted.cpu_limit), wanted.cpu_limit)},
    }


def keys_of(secret: str, *keys: str) -> Node:
    """Return the volume of some keys of a Secret, each a file."""
    return {
        "secret": {"secretName": secret, "defaultMode": 0o440, "items": [{"key": key, "path": key} for key in keys]}
    }


def variable(name: str, value: Node) -> Node:
    """Return a variable of this text."""
    return {"name": name, "value": value}


def of_the_pod(name: str, path: str) -> Node:
    """Return a variable that tells the pod something of itself."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def probe(path: str, port: str, *, period_s: int, failures: int, scheme: Node = "HTTP") -> Node:
    """Return a question over HTTP, asked of a named port."""
    asked = {"path": path, "port": port, "scheme": scheme}
    return {"httpGet": asked, "periodSeconds": period_s, "timeoutSeconds": 5, "failureThreshold": failures}


def disruption(values: Values, name: str, component: str, replicas: int) -> Node:
    """Return a PodDisruptionBudget: one pod at a time may be moved away; none where the only one would be."""
    return when(
        is_not(is_equal(replicas, 1)),
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": meta(values, name, component),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector_of(values, component)}},
        },
    )
