"""The pods that code runs in: the pool's Deployment, and a pod of its own for who needs more. Pure.

Everything meets Pod Security `restricted`. A pod of the pool holds no secret, no token and nothing that would open
another: it knows the control plane's public key alone. Values may be template expressions, so that they are only ever
put in their places here.
"""

from typing import Any

import msgspec

from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes import choice, marks
from dayfly.providers.pod.wire import AGENT_PORT, FUNCTION_PORT
from dayfly.runtimes.python import secret_files
from dayfly.runtimes.python.limits import LEAST_MEMORY_BYTES, limits_of

Object = dict[str, Any]

NAME = "dayfly-pool"
CONTROL_KEY = "control-key"
"""The entry of the ConfigMap, called as the pool is, that holds the control plane's public key."""
CONTAINER = "function"
USER = 10_001
_LOG_FORMAT = "DAYFLY_LOG_FORMAT"
FOLDER, LAST_WORD = "/run/dayfly", "/dev/termination-log"
OVERHEAD_BYTES = 96 << 20
"""What the agent, the zygote and the egress proxy take beside the function."""
SECRETS_SIZE = "16Mi"
"""How much a function's secrets may take; it counts to the pod's memory as it is used."""
GRACE_S = 3600
"""How long a pod that somebody else deletes may finish its calls; our own stops say how long."""


class PoolValues(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation says of its pool. Numbers may be texts that become numbers later."""

    installation: str
    image: str
    name: str = NAME
    size: int | str = 2
    memory: str = "608Mi"
    """The limit of each pod: the largest function that the pool takes, and OVERHEAD_BYTES."""
    memory_request: str = "96Mi"
    cpu: str = ""
    """The limit of each pod; empty for none."""
    cpu_request: str = "50m"
    disk: str = "2Gi"
    """How much code and dependencies may take."""
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    node_selector: dict[str, str] = {}
    tolerations: tuple[Object, ...] = ()
    priority_class: str = ""
    account: str = ""
    """The service account, which needs no rights; empty for the namespace's own."""
    agent_port: int = AGENT_PORT
    function_port: int = FUNCTION_PORT
    command: tuple[str, ...] = ("python", "-P", "-m", "dayfly.providers.pod")
    log_format: str = "text"
    """How the pod's own processes log: text or json."""


def pod_template(values: PoolValues) -> Object:
    """Return the template of the pool's pods."""
    return {
        "metadata": {"labels": marks.selector(values.installation, marks.POOL) | {marks.NETWORK: "none"}},
        "spec": {
            **({"serviceAccountName": values.account} if values.account else {}),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security(USER),
            "terminationGracePeriodSeconds": GRACE_S,
            "containers": [_container(values)],
            "volumes": [
                {"name": "run", "emptyDir": {"sizeLimit": values.disk}},
                {"name": "tmp", "emptyDir": {"sizeLimit": values.disk}},
                {"name": "secrets", "emptyDir": {"medium": "Memory", "sizeLimit": SECRETS_SIZE}},
            ],
            **({"imagePullSecrets": [{"name": each} for each in values.pull_secrets]} if values.pull_secrets else {}),
            **({"nodeSelector": values.node_selector} if values.node_selector else {}),
            **({"tolerations": list(values.tolerations)} if values.tolerations else {}),
            **({"priorityClassName": values.priority_class} if values.priority_class else {}),
        },
    }


def deployment(values: PoolValues) -> Object:
    """Return the pool's Deployment. A new template replaces pods that wait; those claimed are none of its any more."""
    labels = marks.selector(values.installation, marks.POOL)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": values.name, "labels": labels},
        "spec": {
            "replicas": values.size,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}},
            "template": pod_template(values),
        },
    }


def installed(made: Object, installation: str, image: str) -> PoolValues:
    """Return the values that a pool's Deployment was made from, so that other pods are made alike.

    `image` is the one for those, as the pool's may be of an older version yet. Raises KeyError, IndexError, ValueError
    for what is none of ours.
    """
    spec = made["spec"]["template"]["spec"]
    container = next(each for each in spec["containers"] if each["name"] == CONTAINER)
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    return PoolValues(
        installation=installation, image=image, name=made["metadata"]["name"], size=made["spec"]["replicas"],
        memory=limits["memory"], memory_request=requests["memory"], cpu=limits.get("cpu", ""),
        cpu_request=requests["cpu"], disk=spec["volumes"][0]["emptyDir"]["sizeLimit"],
        pull_policy=container["imagePullPolicy"],
        pull_secrets=tuple(each["name"] for each in spec.get("imagePullSecrets", ())),
        node_selector=spec.get("nodeSelector", {}), tolerations=tuple(spec.get("tolerations", ())),
        priority_class=spec.get("priorityClassName", ""), account=spec.get("serviceAccountName", ""),
        agent_port=ports["agent"], function_port=ports["http"], command=tuple(container["command"]),
        log_format=next((each["value"] for each in container["env"] if each["name"] == _LOG_FORMAT), "text"),
    )  # fmt: skip


def own_pod(values: PoolValues, order: StartOrder) -> Object:
    """Return a pod for one order, which the pool's do not fit. Raises InvalidSpec for what it cannot be told."""
    template = pod_template(values)
    spec = template["spec"]
    spec["restartPolicy"] = "Never"
    spec["nodeSelector"] = values.node_selector | choice.node_selector(order.constraints)
    spec["containers"][0]["resources"] = resources(order, overhead=OVERHEAD_BYTES)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"dayfly-{order.replica}",
            "labels": marks.labels(values.installation, order),
            "annotations": {marks.ORDER: marks.order_text(order)},
        },
        "spec": spec,
    }


def resources(order: StartOrder, *, overhead: int = 0) -> Object:
    """Return what a function's container may use, and what is set aside for it."""
    limits = limits_of(order)
    most = {"memory": str(limits.memory_bytes + overhead)}
    # Without a request Kubernetes would set aside all that a limit allows, and our limit is there when nobody gave one.
    asked = order.memory_request_bytes or order.memory_bytes or LEAST_MEMORY_BYTES
    least = {"memory": str(min(asked, limits.memory_bytes) + overhead)}
    if limits.cpu_millicores:
        most["cpu"] = f"{limits.cpu_millicores}m"
    if order.cpu_request_millicores:
        least["cpu"] = f"{min(order.cpu_request_millicores, limits.cpu_millicores or order.cpu_request_millicores)}m"
    return {"limits": most, "requests": least}


def pod_security(user: int | None) -> Object:
    """Return a pod's security context as `restricted` wants it; None leaves the user to the image."""
    who = {"runAsUser": user, "runAsGroup": user, "fsGroup": user} if user is not None else {}
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}} | who


def container_security(*, read_only: bool = True) -> Object:
    """Return a container's security context as `restricted` wants it."""
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": read_only,
        "capabilities": {"drop": ["ALL"]},
    }


def _container(values: PoolValues) -> Object:
    probe = {"port": values.agent_port, "scheme": "HTTP"}
    ports = {"http": values.function_port, "agent": values.agent_port}
    limits = {"memory": values.memory} | ({"cpu": values.cpu} if values.cpu else {})
    return {
        "name": CONTAINER,
        "image": values.image,
        "imagePullPolicy": values.pull_policy,
        "command": list(values.command),
        "env": [
            {"name": "DAYFLY_CONTROL_KEY", "valueFrom": {"configMapKeyRef": {"name": values.name, "key": CONTROL_KEY}}},
            {"name": "DAYFLY_POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "DAYFLY_FOLDER", "value": FOLDER},
            {"name": "DAYFLY_TERMINATION_LOG", "value": LAST_WORD},
            {"name": secret_files.OWN, "value": secret_files.FOLDER},
            {"name": "DAYFLY_AGENT_PORT", "value": str(values.agent_port)},
            {"name": "DAYFLY_FUNCTION_PORT", "value": str(values.function_port)},
            {"name": _LOG_FORMAT, "value": values.log_format},
        ],
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "readinessProbe": {"httpGet": probe | {"path": "/ready"}, "periodSeconds": 1, "timeoutSeconds": 5},
        "startupProbe": {"httpGet": probe | {"path": "/health"}, "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {
            "httpGet": probe | {"path": "/health"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
        "resources": {"limits": limits, "requests": {"memory": values.memory_request, "cpu": values.cpu_request}},
        "securityContext": container_security(),
        "terminationMessagePath": LAST_WORD,
        "volumeMounts": [
            {"name": "run", "mountPath": FOLDER},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - inside the container
            {"name": "secrets", "mountPath": secret_files.FOLDER},
        ],
    }
