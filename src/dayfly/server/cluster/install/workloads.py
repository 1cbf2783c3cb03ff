"""The Deployments: the control plane, the gateways, and the pool in the namespace of functions."""

from collections.abc import Iterator

from dayfly.providers.pod.wire import AGENT_PORT, FUNCTION_PORT
from dayfly.server.cluster.install.choices import Node, as_text, is_set, when
from dayfly.server.cluster.install.pods import (
    Part,
    disruption,
    keys_of,
    meta,
    of_the_pod,
    probe,
    selector_of,
    template,
    variable,
)
from dayfly.server.cluster.install.values import Values
from dayfly.server.cluster.names import (
    ADMIN_PASSWORD,
    ADMIN_SECRET,
    ADMIN_USER,
    CA,
    CERT,
    CERTIFICATE,
    CONSOLE_PORT,
    CONTROL,
    CONTROL_KEY,
    DATA,
    GATEWAY,
    GATEWAY_PORT,
    HEALTH_PORT,
    INSTALLATION_LABEL,
    INTERNAL_SECRET,
    KEY,
    LINK_PORT,
    LINK_TOKEN,
    METRICS_PORT,
    NETWORK_LABEL,
    POOL,
    QUEUE,
    QUEUE_PASSWORD,
    QUEUE_SYSTEM_PASSWORD,
    ROLE_LABEL,
    TOKEN_KEY,
)

_PYTHON = ["python3", "-P", "-m"]
_GRACE_S = 90
"""How long a gateway has for the calls under way, in seconds."""


def deployments(values: Values) -> Iterator[Node]:
    """Yield the Deployments of our namespace, and their disruption budgets."""
    yield _deployment(values, CONTROL, values.control.replicas, control(values))
    yield disruption(values, CONTROL, "control", values.control.replicas)
    yield _deployment(values, GATEWAY, values.gateway.replicas, gateway(values))
    yield disruption(values, GATEWAY, "gateway", values.gateway.replicas)


def control(values: Values) -> Part:
    """Return what the control plane's pods are made of."""
    admin = {
        "name": ADMIN_SECRET,
        "items": [{"key": key, "path": f"admin-{key}"} for key in (ADMIN_USER, ADMIN_PASSWORD)],
    }
    keys = (LINK_TOKEN, TOKEN_KEY, QUEUE_PASSWORD, QUEUE_SYSTEM_PASSWORD, CA, CERT, KEY)
    internal = {"name": INTERNAL_SECRET, "items": [{"key": key, "path": key} for key in keys]}
    return Part(
        component="control",
        account=CONTROL,
        command=[*_PYTHON, "dayfly.server.cluster.control"],
        resources=values.control.resources,
        env=[
            *_itself(),
            variable("DAYFLY_FUNCTIONS_NAMESPACE", values.functions.namespace),
            variable("DAYFLY_QUEUE_HOST", f"{QUEUE}.{values.namespace}.svc"),
            variable("DAYFLY_QUEUE_NODES", as_text(values.queue.nodes)),
            variable("DAYFLY_DATA_DIR", DATA),
        ],
        ports={"link": LINK_PORT, "health": HEALTH_PORT},
        probes={
            "startupProbe": probe("/live", "health", period_s=2, failures=60),
            "livenessProbe": probe("/live", "health", period_s=10, failures=3),
            "readinessProbe": probe("/ready", "health", period_s=5, failures=2),
        },
        credentials={"projected": {"defaultMode": 0o440, "sources": [{"secret": admin}, {"secret": internal}]}},
        asks_the_api=True,
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
        credentials=keys_of(INTERNAL_SECRET, LINK_TOKEN, CA),
        mounts=[when(is_set(values.tls.secret), {"name": "tls", "mountPath": CERTIFICATE, "readOnly": True})],
        volumes=[when(is_set(values.tls.secret), certificate)],
        grace_s=_GRACE_S,
    )


def pool(values: Values) -> Node:
    """Return the pool: pods that wait to become a replica of any function."""
    waiting = {INSTALLATION_LABEL: values.namespace, ROLE_LABEL: "pool"}
    public = {"configMapKeyRef": {"name": POOL, "key": CONTROL_KEY}}
    part = Part(
        component="pool",
        container="function",
        account=POOL,
        command=[*_PYTHON, "dayfly.providers.pod"],
        resources=values.pool.resources,
        env=[
            *_itself(),
            {"name": "DAYFLY_CONTROL_KEY", "valueFrom": public},
            variable("DAYFLY_FOLDER", DATA),
            variable("DAYFLY_TERMINATION_LOG", "/dev/termination-log"),
        ],
        ports={"function": FUNCTION_PORT, "agent": AGENT_PORT},
        probes={
            "startupProbe": probe("/", "agent", period_s=1, failures=60),
            "livenessProbe": probe("/", "agent", period_s=10, failures=3),
            "readinessProbe": probe("/ready", "agent", period_s=5, failures=2),
        },
        labels={**waiting, NETWORK_LABEL: "none"},
        grace_s=330,
    )
    made = _deployment(values, POOL, values.pool.size, part, values.functions.namespace)
    # One that is claimed has another role from then on, so that its ReplicaSet lets go of it and starts another.
    made["spec"]["selector"] = {"matchLabels": waiting}
    return made


def _itself() -> list[Node]:
    fields = {"NAME": "metadata.name", "NAMESPACE": "metadata.namespace", "IP": "status.podIP"}
    return [of_the_pod(f"DAYFLY_POD_{name}", path) for name, path in fields.items()]


def _deployment(values: Values, name: str, replicas: int, part: Part, namespace: str | None = None) -> dict[str, Node]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(values, name, part.component, namespace),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector_of(values, part.component)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template(values, part),
        },
    }
