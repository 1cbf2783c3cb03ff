"""The queue: nats-server as a StatefulSet of one or three, which flushes every message before it acknowledges it."""

from collections.abc import Iterator

from dayfly.server.cluster.install.choices import Node, is_equal, is_not, is_set, when
from dayfly.server.cluster.install.pods import (
    TMP,
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
    CREDENTIALS,
    INTERNAL_SECRET,
    NATS_CLUSTER_PORT,
    NATS_MONITOR_PORT,
    NATS_PORT,
    NATS_SERVER,
    QUEUE,
    QUEUE_CONFIG,
    QUEUE_PASSWORD,
    QUEUE_ROUTE_PASSWORD,
    QUEUE_SYSTEM_PASSWORD,
)

_STORE = "/data"
_CONFIG = "/etc/nats"
_FILE = "nats.conf"
_COMMON = """\
server_name: $POD_NAME
include "users.conf"
listen: "0.0.0.0:{port}"
http: "0.0.0.0:{monitor}"
max_payload: 16777216
max_connections: 256
lame_duck_grace_period: 5s
lame_duck_duration: 30s
jetstream {{
  store_dir: "{store}"
  sync_interval: always
  max_memory_store: 1048576
}}
"""
_CLUSTER = """\
cluster {{
  name: dayfly
  listen: "0.0.0.0:{port}"
  authorization {{ user: route, password: $QUEUE_ROUTE_PASSWORD }}
  routes: [ {routes} ]
}}
"""
_ROUTE = "QUEUE_ROUTE_{number}"
"""A variable for each route: a password inside of a text of the configuration is nothing that the server puts there.

Servers know one password of each other, and those that know different ones do not agree on anything: it stays as it is
while they run, unlike those of `users.conf`, of which `queue.keeper` has them take two.
"""
_NODES = 3
_SOFT_LIMIT = "160MiB"
"""Near this much memory the server collects its garbage sooner."""


def queue(values: Values) -> Iterator[Node]:
    """Yield its configuration, its Service without an address of its own, and the servers."""
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta(values, QUEUE_CONFIG, "queue"),
        "data": {_FILE: _config(values)},
    }
    yield _service(values)
    yield _servers(values)
    yield disruption(values, QUEUE, "queue", values.queue.nodes)


def _config(values: Values) -> Node:
    alone = _COMMON.format(port=NATS_PORT, monitor=NATS_MONITOR_PORT, store=_STORE)
    routes = ", ".join(f"${_ROUTE.format(number=number)}" for number in range(_NODES))
    together = alone + _CLUSTER.format(port=NATS_CLUSTER_PORT, routes=routes)
    return when(is_equal(values.queue.nodes, 1), alone, together)


def _service(values: Values) -> Node:
    ports = {"client": NATS_PORT, "cluster": NATS_CLUSTER_PORT}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(values, QUEUE, "queue"),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": selector_of(values, "queue"),
            "ports": [{"name": name, "port": port, "targetPort": name} for name, port in ports.items()],
        },
    }


def _servers(values: Values) -> Node:
    lasting = values.queue.is_persistent
    part = Part(
        component="queue",
        is_movable=False,
        account=QUEUE,
        command=[
            "python3",
            "-P",
            "-m",
            "dayfly.queue.keeper",
            NATS_SERVER,
            "--config",
            f"{_CONFIG}/{_FILE}",
            "--credentials",
            CREDENTIALS,
            "--run",
            f"{TMP}/nats",
        ],
        resources=values.queue.resources,
        env=[
            of_the_pod("POD_NAME", "metadata.name"),
            of_the_pod("POD_IP", "status.podIP"),
            when(is_not(is_equal(values.queue.nodes, 1)), _secret("QUEUE_ROUTE_PASSWORD", QUEUE_ROUTE_PASSWORD)),
            variable("GOMEMLIMIT", _SOFT_LIMIT),
            variable("DAYFLY_LOG_FORMAT", values.logs.format),
            *(when(is_not(is_equal(values.queue.nodes, 1)), _route(values, number)) for number in range(_NODES)),
        ],
        ports={"client": NATS_PORT, "cluster": NATS_CLUSTER_PORT, "monitor": NATS_MONITOR_PORT},
        probes={
            "startupProbe": probe("/healthz?js-server-only=true", "monitor", period_s=2, failures=90),
            "livenessProbe": probe("/healthz?js-enabled-only=true", "monitor", period_s=10, failures=3),
            # Not who has all that it is to keep: where one server becomes three, the new ones agree on a leader only
            # with the third, whose turn comes when they are ready.
            "readinessProbe": probe("/healthz?js-server-only=true", "monitor", period_s=5, failures=3),
        },
        data_size="",
        credentials=keys_of(INTERNAL_SECRET, QUEUE_PASSWORD, QUEUE_SYSTEM_PASSWORD),
        mounts=[
            {"name": "config", "mountPath": _CONFIG, "readOnly": True},
            {"name": "store", "mountPath": _STORE},
        ],
        volumes=[
            {"name": "config", "configMap": {"name": QUEUE_CONFIG}},
            when(is_not(lasting), {"name": "store", "emptyDir": {"sizeLimit": values.queue.storage}}),
        ],
    )
    claim = {
        "metadata": {"name": "store", "labels": selector_of(values, "queue")},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": when(is_set(values.queue.storage_class), values.queue.storage_class),
            "resources": {"requests": {"storage": values.queue.storage}},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": meta(values, QUEUE, "queue"),
        "spec": {
            "replicas": values.queue.nodes,
            "serviceName": QUEUE,
            "podManagementPolicy": "Parallel",
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector_of(values, "queue")},
            "template": template(values, part),
            "volumeClaimTemplates": when(lasting, [claim]),
        },
    }


def _route(values: Values, number: int) -> Node:
    """Return the variable of the way to one of the servers, in quotes as the configuration has texts."""
    host = f"{QUEUE}-{number}.{QUEUE}.{values.namespace}.svc"
    url = f"nats://route:$(QUEUE_ROUTE_PASSWORD)@{host}:{NATS_CLUSTER_PORT}"
    return variable(_ROUTE.format(number=number), f'"{url}"')


def _secret(name: str, key: str) -> Node:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": INTERNAL_SECRET, "key": key}}}
