"""What an image's revision is made of: a Deployment whose count follows the orders, and a Secret. Pure.

A container gets no service account, no capability, no new privileges and the runtime's filter of system calls. Its user
is the image's, which must not be root unless that was granted. Its network is held by NetworkPolicies, which select it
by its label: a pod of an image has no egress proxy of ours, so that what only a proxy could judge, names of hosts, is
refused and not passed over.
"""

import base64
import hashlib
from typing import Any

import msgspec

from dayfly.model.egress import PUBLIC
from dayfly.model.errors import NotSupported
from dayfly.model.names import ReplicaId
from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes import choice, marks
from dayfly.providers.kubernetes.pool import PoolValues, container_security, pod_security, resources
from dayfly.providers.kubernetes.probe import HEALTH_PATH
from dayfly.runtimes.python.limits import tmp_of

Object = dict[str, Any]

SECRETS_DIR = "/var/openfaas/secrets"
MAX_SECRETS_BYTES = 1 << 20
CONTAINER = "function"
_WATCHDOG_MARGIN_S = 1.0


def check(order: StartOrder) -> None:
    """Refuse what a pod of an image cannot do. Raises NotSupported, InvalidSpec."""
    if order.network == "proxy" and order.allow != (PUBLIC,):
        raise NotSupported(
            "allow: an image's pod has no egress proxy: say network: host and a NetworkPolicy of your own,"
            " or leave it at public"
        )
    if sum(map(len, order.secrets.values())) > MAX_SECRETS_BYTES:
        raise NotSupported(f"secrets: together they are more than {MAX_SECRETS_BYTES >> 20} MiB, which a Secret holds")
    _ = choice.node_selector(order.constraints), marks.order_text(order)


def shared(order: StartOrder) -> StartOrder:
    """Return the order as all replicas of the revision have it, without a secret's contents."""
    return msgspec.structs.replace(order.without_contents(), replica=ReplicaId(""))


def name_of(order: StartOrder) -> str:
    """Return what the Deployment, and the Secret, of this order's like are called."""
    digest = hashlib.sha256(msgspec.json.encode(shared(order), order="sorted")).hexdigest()[:10]
    return f"{order.key.name[:40].rstrip('-.')}-{order.revision}-{digest}".lower()


def deployment(values: PoolValues, order: StartOrder, count: int) -> Object:
    """Return the Deployment of the order's revision, with so many replicas."""
    name = name_of(order)
    own = {marks.DEPLOYMENT: name} | marks.labels(values.installation, order, replica=False)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": own, "annotations": {marks.ORDER: marks.order_text(shared(order))}},
        "spec": {
            "replicas": count,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": {marks.INSTALLATION: values.installation, marks.DEPLOYMENT: name}},
            "template": {
                "metadata": {"labels": own, "annotations": {marks.ORDER: marks.order_text(shared(order))}},
                "spec": _pod(values, order, name),
            },
        },
    }


def secret(values: PoolValues, order: StartOrder) -> Object:
    """Return the Secret that holds the contents of the function's secrets."""
    name = name_of(order)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {marks.DEPLOYMENT: name} | marks.labels(values.installation, order, replica=False),
        },
        "type": "Opaque",
        "immutable": True,
        "data": {key: base64.b64encode(content).decode() for key, content in order.secrets.items()},
    }


def environ(order: StartOrder, port: int) -> dict[str, str]:
    """Return the variables that are set over those of the image."""
    span, longer = f"{order.timeout_s:g}s", f"{order.timeout_s + _WATCHDOG_MARGIN_S:g}s"
    found = {
        "PORT": str(port),
        "exec_timeout": span,
        "read_timeout": longer,
        "write_timeout": longer,
        "healthcheck_interval": "1s",
    }
    found |= {"fprocess": order.process} if order.process else {}
    found |= order.env
    found |= {
        "OPENFAAS_NAME": order.key.name,
        "OPENFAAS_NAMESPACE": order.key.namespace,
        "DAYFLY_FUNCTION": order.key.name,
        "DAYFLY_NAMESPACE": order.key.namespace,
        "DAYFLY_REVISION": str(order.revision),
        "DAYFLY_TIMEOUT_SECONDS": f"{order.timeout_s:g}",
    }
    return found | ({"DAYFLY_SECRETS": SECRETS_DIR} if order.secret_versions or order.secrets else {})


def _pod(values: PoolValues, order: StartOrder, name: str) -> Object:
    has_secrets = bool(order.secret_versions or order.secrets)
    size, _ = tmp_of(order)
    security = pod_security(None) | ({"runAsNonRoot": False} if order.as_root else {})
    selector = values.node_selector | choice.node_selector(order.constraints)
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security,
        "terminationGracePeriodSeconds": int(order.timeout_s) + 5,
        "containers": [_container(order, values.function_port, has_secrets=has_secrets)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}},
            *([{"name": "secrets", "secret": {"secretName": name, "defaultMode": 0o444}}] if has_secrets else []),
        ],
        **({"imagePullSecrets": [{"name": each} for each in values.pull_secrets]} if values.pull_secrets else {}),
        **({"nodeSelector": selector} if selector else {}),
        **({"tolerations": list(values.tolerations)} if values.tolerations else {}),
    }


def _container(order: StartOrder, port: int, *, has_secrets: bool) -> Object:
    mounts: list[Object] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - inside the container
    if has_secrets:
        mounts.append({"name": "secrets", "mountPath": SECRETS_DIR, "readOnly": True})
    return {
        "name": CONTAINER,
        "image": order.image,
        "env": [{"name": key, "value": value} for key, value in environ(order, port).items()],
        "ports": [{"name": "http", "containerPort": port}],
        "readinessProbe": {
            "httpGet": {"path": order.health_path or HEALTH_PATH, "port": port},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "resources": resources(order),
        "securityContext": container_security(read_only=order.read_only),
        "volumeMounts": mounts,
    }
