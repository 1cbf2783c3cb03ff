"""Who may talk to whom, and the way in: Services, NetworkPolicies, and on request an Ingress or an HTTPRoute.

A policy for every pod of ours closes both directions; the others open what is needed. Functions reach the DNS and the
gateways, and on request addresses that are no private ones: never the control plane, the queue, the API server or the
address at which clouds hand out their machines' credentials.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Address

from dayfly.providers.kubernetes import marks
from dayfly.server.cluster.install.choices import Node, each, is_equal, is_set, when
from dayfly.server.cluster.install.pods import meta, selector_of
from dayfly.server.cluster.install.values import Values
from dayfly.server.cluster.names import (
    CONSOLE,
    CONTROL,
    GATEWAY,
    GATEWAY_PORT,
    LEADER_LABEL,
    METRICS_PORT,
    NATS_CLUSTER_PORT,
    NATS_PORT,
    PASSAGE_PORT,
)

_PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"]
_CLOUDS = ["168.63.129.16/32", "192.0.0.0/24"]
"""Where two clouds answer their machines at addresses that look public."""
_NAT64 = IPv6Address("64:ff9b::")
"""Behind it, in many clusters that have IPv6 alone, is every address of IPv4."""


def _by_nat64(cidrs: Sequence[str]) -> list[str]:
    """Return the same networks as they are reached by way of NAT64."""
    networks = map(IPv4Network, cidrs)
    return [f"{_NAT64 + int(each.network_address)}/{96 + each.prefixlen}" for each in networks]


_METADATA, _METADATA_6 = ["169.254.0.0/16"], ["fe80::/10", "fd00:ec2::/32", *_by_nat64(["169.254.0.0/16"])]
_PRIVATE_6 = ["fc00::/7", "fe80::/10", "::1/128", "64:ff9b:1::/48", *_by_nat64([*_PRIVATE, *_CLOUDS])]
"""Addresses of IPv4 within those of IPv6 (::ffff:0:0/96) go out as IPv4, and no policy may name them."""
_OUTWARDS = ("proxy", "host")
"""Words by which a function may reach further than the gateways; docs/sandbox.md."""
_NAMESPACE = "kubernetes.io/metadata.name"
CONTROL_PORTS = {"link": PASSAGE_PORT}
"""What gateways reach the control plane by, and its name."""


def services(values: Values) -> Iterator[Node]:
    """Yield the Services of the control plane and the gateways."""
    leader = {**selector_of(values, "control"), LEADER_LABEL: "true"}
    yield _service(values, CONTROL, "control", leader, CONTROL_PORTS)
    yield _service(values, CONSOLE, "gateway", selector_of(values, "gateway"), {"console": 80})
    public = _service(values, GATEWAY, "gateway", selector_of(values, "gateway"), {"http": values.service.port})
    public["spec"]["type"] = values.service.type
    annotations = values.service.annotations
    public["metadata"]["annotations"] = when(is_set(annotations), annotations)
    yield public


def ways_in(values: Values) -> Iterator[Node]:
    """Yield what was asked for to reach the gateways from outside of the cluster."""
    yield when(values.ingress.enabled, _ingress(values))
    yield when(values.http_route.enabled, _route(values))


def policies(values: Values) -> Iterator[Node]:
    """Yield the NetworkPolicies of our namespace."""
    everybody = _pods(selector_of(values))
    functions = _in_namespace(values.functions.namespace, {marks.INSTALLATION: values.namespace})
    control, gateway, queue = (_pods(selector_of(values, name)) for name in ("control", "gateway", "queue"))
    yield _policy(values, "dayfly-closed", selector_of(values), [], [_to_dns(values)])
    yield _policy(
        values,
        CONTROL,
        selector_of(values, "control"),
        [{"from": [gateway], "ports": _ports(*CONTROL_PORTS.values())}],
        # The API server's address is nobody's label, and triggers read from brokers wherever these are.
        [
            {"to": [_outside("0.0.0.0/0", _METADATA), _outside("::/0", _METADATA_6)]},
            {"to": [everybody, functions]},
        ],
    )
    yield _policy(
        values,
        GATEWAY,
        selector_of(values, "gateway"),
        [
            {"ports": _ports(GATEWAY_PORT)},
            when(
                is_set(values.network.metrics_namespaces),
                {
                    "from": [each(values.network.metrics_namespaces, _in_namespace)],
                    "ports": _ports(METRICS_PORT),
                },
            ),
        ],
        [{"to": [control], "ports": _ports(*CONTROL_PORTS.values())}, {"to": [functions]}],
    )
    yield _policy(
        values,
        "dayfly-queue",
        selector_of(values, "queue"),
        [
            {"from": [control], "ports": _ports(NATS_PORT)},
            {"from": [queue], "ports": _ports(NATS_CLUSTER_PORT)},
        ],
        [{"to": [queue], "ports": _ports(NATS_CLUSTER_PORT)}],
    )


def for_functions(values: Values) -> Iterator[Node]:
    """Yield the NetworkPolicies of the pods that run functions, or wait to."""
    ours, namespace = {_NAMESPACE: values.namespace}, values.functions.namespace
    callers = [
        {"namespaceSelector": {"matchLabels": ours}, "podSelector": {"matchLabels": selector_of(values, name)}}
        for name in ("gateway", "control")
    ]
    every = {marks.INSTALLATION: values.namespace}
    egress = [_to_dns(values), {"to": callers[:1], "ports": _ports(GATEWAY_PORT)}]
    yield _policy(values, "dayfly-functions", every, [{"from": callers}], egress, namespace)
    public = [{"to": [_outside("0.0.0.0/0", [*_PRIVATE, *_CLOUDS]), _outside("::/0", _PRIVATE_6)]}]
    for network in _OUTWARDS:
        policy = _policy(
            values, f"dayfly-functions-{network}", {**every, marks.NETWORK: network}, [], public, namespace, ["Egress"]
        )
        yield when(is_equal(values.functions.egress, "public"), policy)


def _policy(
    values: Values,
    name: str,
    selector: dict[str, str],
    ingress: list[Node],
    egress: list[Node],
    namespace: str | None = None,
    types: Sequence[str] = ("Ingress", "Egress"),
) -> Node:
    return when(
        values.network.policies,
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": meta(values, name, "", namespace),
            "spec": {
                "podSelector": {"matchLabels": selector},
                "policyTypes": list(types),
                **({"ingress": ingress} if ingress else {}),
                **({"egress": egress} if egress else {}),
            },
        },
    )


def _pods(labels: dict[str, str]) -> Node:
    return {"podSelector": {"matchLabels": labels}}


def _in_namespace(name: str, labels: dict[str, str] | None = None) -> Node:
    chosen = {"namespaceSelector": {"matchLabels": {_NAMESPACE: name}}}
    return {**chosen, **_pods(labels)} if labels else chosen


def _outside(every: str, but: list[str]) -> Node:
    return {"ipBlock": {"cidr": every, "except": but}}


def _ports(*numbers: int) -> list[Node]:
    return [{"port": number, "protocol": "TCP"} for number in numbers]


def _to_dns(values: Values) -> Node:
    ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {"to": [_in_namespace(values.network.dns_namespace)], "ports": ports}


def _service(
    values: Values, name: str, component: str, selector: dict[str, str], ports: dict[str, int]
) -> dict[str, Node]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(values, name, component),
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [
                {"name": each_name, "port": port, "targetPort": each_name, "protocol": "TCP"}
                for each_name, port in ports.items()
            ],
        },
    }


def _ingress(values: Values) -> Node:
    ingress = values.ingress
    backend = {"service": {"name": GATEWAY, "port": {"name": "http"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": meta(
            values, GATEWAY, "gateway", annotations=when(is_set(ingress.annotations), ingress.annotations)
        ),
        "spec": {
            "ingressClassName": when(is_set(ingress.class_name), ingress.class_name),
            "rules": [
                {"host": ingress.host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
            ],
            "tls": when(is_set(ingress.tls_secret), [{"hosts": [ingress.host], "secretName": ingress.tls_secret}]),
        },
    }


def _route(values: Values) -> Node:
    route = values.http_route
    namespace = when(is_set(route.gateway_namespace), route.gateway_namespace)
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": meta(values, GATEWAY, "gateway"),
        "spec": {
            "parentRefs": [{"name": route.gateway, "namespace": namespace}],
            "hostnames": [route.host],
            "rules": [{"backendRefs": [{"name": GATEWAY, "port": values.service.port}]}],
        },
    }
