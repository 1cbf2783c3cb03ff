"""The Deployments: the control plane, the gateways, and the pool in the namespace of functions."""

from collections.abc import Iterator

from dayfly.providers.kubernetes import pool as pods_of_functions
from dayfly.providers.kubernetes.pool import PoolValues
from dayfly.server.cluster.install.choices import Expression, Node, each, is_not, is_set, joined, when
from dayfly.server.cluster.install.network import CONTROL_PORTS
from dayfly.server.cluster.install.pods import (
    Part,
    disruption,
    keys_of,
    labels_of,
    meta,
    of_the_pod,
    placing,
    probe,
    resources,
    selector_of,
    spreading,
    template,
    variable,
)
from dayfly.server.cluster.install.values import Setting, Values
from dayfly.server.cluster.names import (
    ADMIN_PASSWORD,
    ADMIN_SECRET,
    ADMIN_USER,
    BOUNDS,
    CA,
    CERT,
    CERTIFICATE,
    CONSOLE_PORT,
    CONTROL,
    DATA,
    GATEWAY,
    GATEWAY_PORT,
    HEALTH_PORT,
    INTERNAL_SECRET,
    KEY,
    METRICS_PORT,
    OBSERVER,
    PASSAGE_TOKEN,
    QUEUE,
    QUEUE_PASSWORD,
    QUEUE_SYSTEM_PASSWORD,
    TOKEN_KEY,
)

_PYTHON = ["python3", "-P", "-m"]
_DRAIN_S = 90
"""How long a gateway has for the calls under way, in seconds."""
_LINGERS_S = 10
"""How long a gateway that is to go still takes new calls: each node, and each load balancer, is told only then that it
goes, and sends it calls until it has heard so."""
_MARGIN_S = 5


def deployments(values: Values) -> Iterator[Node]:
    """Yield the Deployments of our namespace, and their disruption budgets."""
    lasting = is_set(values.observer.storage)
    yield when(lasting, _claim(values))
    # A volume is one pod's: the next control plane gets it when the one before has gone.
    made = _deployment(values, CONTROL, values.control.replicas, control(values))
    made["spec"]["strategy"] = when(lasting, {"type": "Recreate"}, made["spec"]["strategy"])
    yield made
    yield disruption(values, CONTROL, "control", values.control.replicas)
    yield _deployment(values, GATEWAY, values.gateway.replicas, gateway(values))
    yield disruption(values, GATEWAY, "gateway", values.gateway.replicas)


def control(values: Values) -> Part:
    """Return what the control plane's pods are made of."""
    admin = {
        "name": ADMIN_SECRET,
        "items": [{"key": key, "path": f"admin-{key}"} for key in (ADMIN_USER, ADMIN_PASSWORD)],
    }
    keys = (PASSAGE_TOKEN, TOKEN_KEY, QUEUE_PASSWORD, QUEUE_SYSTEM_PASSWORD, CA, CERT, KEY)
    internal = {"name": INTERNAL_SECRET, "items": [{"key": key, "path": key} for key in keys]}
    return Part(
        component="control",
        account=CONTROL,
        command=[*_PYTHON, "dayfly.server.cluster.control"],
        resources=values.control.resources,
        env=[
            *_itself(),
            variable("DAYFLY_FUNCTIONS_NAMESPACE", values.functions.namespace),
            when(
                is_not(values.functions.is_everywhere),
                variable(BOUNDS, joined(values.functions.namespaces)),
            ),
            variable("DAYFLY_QUEUE_HOST", f"{QUEUE}.{values.namespace}.svc"),
            variable("DAYFLY_DATA_DIR", DATA),
            variable("DAYFLY_LOG_FORMAT", values.logs.format),
            each(values.settings, _as_variable),
        ],
        ports={**CONTROL_PORTS, "health": HEALTH_PORT},
        probes={
            "startupProbe": probe("/live", "health", period_s=2, failures=60),
            "livenessProbe": probe("/live", "health", period_s=10, failures=3),
            "readinessProbe": probe("/ready", "health", period_s=5, failures=2),
        },
        credentials={"projected": {"defaultMode": 0o440, "sources": [{"secret": admin}, {"secret": internal}]}},
        asks_the_api=True,
        data=when(
            is_set(values.observer.storage),
            {"name": "data", "persistentVolumeClaim": {"claimName": OBSERVER}},
            {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}},
        ),
    )


def gateway(values: Values) -> Part:
    """Return what the gateways' pods are made of."""
    certificate = {"name": "tls", "secret": {"secretName": values.tls.secret, "defaultMode": 0o440}}
    scheme = when(is_set(values.tls.secret), "HTTPS", "HTTP")
    return Part(
        component="gateway",
        account=GATEWAY,
        command=[*_PYTHON, "dayfly.server.cluster.gateway"],
        resources=values.gateway.resources,
        env=[
            *_itself(),
            variable("DAYFLY_CONTROL_HOST", f"{CONTROL}.{values.namespace}.svc"),
            variable("DAYFLY_DATA_DIR", DATA),
            variable("DAYFLY_LOG_FORMAT", values.logs.format),
            each(values.settings, _as_variable),
            variable("DAYFLY_DRAIN_TIMEOUT", f"{_DRAIN_S}s"),
            when(is_set(values.tls.secret), variable("DAYFLY_TLS_CERT", f"{CERTIFICATE}/tls.crt")),
            when(is_set(values.tls.secret), variable("DAYFLY_TLS_KEY", f"{CERTIFICATE}/tls.key")),
        ],
        ports={"http": GATEWAY_PORT, "console": CONSOLE_PORT, "metrics": METRICS_PORT},
        probes={
            # Alive is whoever accepts: one that drains, or was never given a routing table, must not be killed for it.
            "startupProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1, "failureThreshold": 60},
            "livenessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 10, "failureThreshold": 3},
            "readinessProbe": probe("/readyz", "http", period_s=2, failures=2, scheme=scheme),
        },
        credentials=keys_of(INTERNAL_SECRET, PASSAGE_TOKEN, CA),
        mounts=[when(is_set(values.tls.secret), {"name": "tls", "mountPath": CERTIFICATE, "readOnly": True})],
        volumes=[when(is_set(values.tls.secret), certificate)],
        grace_s=_LINGERS_S + _DRAIN_S + _MARGIN_S,
        lingers_s=_LINGERS_S,
    )


def pool(values: Values) -> Node:
    """Return the pool: pods that wait to become a replica of any function, and what an installation says of them."""
    made = pods_of_functions.deployment(
        PoolValues(
            installation=values.namespace,
            image=values.image.reference,
            size=values.pool.size,
            pull_policy=values.image.pull_policy,
            account=pods_of_functions.NAME,
            command=(*_PYTHON, "dayfly.providers.pod"),
            log_format=values.logs.format,
        )
    )
    waiting = made["spec"]["selector"]["matchLabels"]
    template = made["spec"]["template"]
    template["metadata"]["labels"] = {**labels_of(values, "pool"), **template["metadata"]["labels"]}
    template["spec"] |= {**placing(values), "topologySpreadConstraints": spreading(waiting)}
    template["spec"]["containers"][0]["resources"] = resources(values.pool.resources)
    metadata = meta(values, pods_of_functions.NAME, "pool", values.functions.namespace)
    return {**made, "metadata": {**metadata, "labels": {**metadata["labels"], **made["metadata"]["labels"]}}}


def _claim(values: Values) -> Node:
    """Return the volume of records, logs and figures; it stays when Helm takes a release away."""
    observer = values.observer
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta(values, OBSERVER, "control", annotations={"helm.sh/resource-policy": "keep"}),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": when(is_set(observer.storage_class), observer.storage_class),
            "resources": {"requests": {"storage": observer.storage}},
        },
    }


def _as_variable(setting: Setting | Expression) -> Node:
    return setting if isinstance(setting, Expression) else variable(setting.name, setting.value)


def _itself() -> list[Node]:
    fields = {"NAME": "metadata.name", "NAMESPACE": "metadata.namespace", "IP": "status.podIP"}
    return [of_the_pod(f"DAYFLY_POD_{name}", path) for name, path in fields.items()]


def _deployment(values: Values, name: str, replicas: int, part: Part) -> dict[str, Node]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(values, name, part.component),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector_of(values, part.component)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template(values, part),
        },
    }
