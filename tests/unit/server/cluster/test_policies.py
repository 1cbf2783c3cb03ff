"""The NetworkPolicies let through what the table in docs/kubernetes.md, Network, says, and nothing else."""

from __future__ import annotations

import functools

import pytest
from tests.unit.server.cluster.making import made, templates, values
from tests.unit.server.cluster.reach import Pod, connects, enters, leaves

from dayfly.server.cluster.install.choices import Node

PARTS = {"control": "dayfly-control", "gateway": "dayfly-gateway", "queue": "dayfly-queue", "functions": "dayfly-pool"}
PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822")
METADATA = {
    "169.254.169.254": "most clouds", "169.254.170.2": "containers of one", "fe80::a9fe:a9fe": "by IPv6",
    "fd00:ec2::254": "the first by IPv6", "64:ff9b::a9fe:a9fe": "by way of NAT64",
}  # fmt: skip
PRIVATE = {
    "10.96.0.1": "the API server's Service", "172.16.0.9": "", "192.168.1.1": "", "127.0.0.1": "",
    "100.100.100.200": "another cloud's", "168.63.129.16": "a third's", "192.0.0.192": "a fourth's",
    "fd12:3456::1": "", "::1": "", "64:ff9b::a00:1": "10.0.0.1 by way of NAT64",
    "64:ff9b::a83f:8110": "168.63.129.16 so", "64:ff9b:1::a00:1": "by way of a local NAT64",
}  # fmt: skip


@functools.cache
def installed(name: str) -> list[Node]:
    return made(name)


def pods(name: str) -> dict[str, Pod]:
    """Return a pod of each part, and somebody in each place that may matter."""
    found = {}
    for place, template in templates(installed(name)).items():
        namespace, _, made_by = place.partition("/")
        part = next(part for part, named in PARTS.items() if named == made_by)
        found[part] = Pod(namespace, template["metadata"]["labels"])
    functions = found["functions"]
    for network in ("none", "proxy", "host"):
        found[f"functions {network}"] = Pod(
            functions.namespace, {**functions.labels, "dayfly.dev/role": "function", "dayfly.dev/network": network}
        )
    labels = found["control"].labels
    return found | {
        "stranger": Pod("strangers", {"app": "x"}),
        "one who says it is the control plane": Pod("strangers", labels),
        "one who says it is of another installation's": Pod("strangers", functions.labels),
        "a pod beside functions": Pod(functions.namespace, {"app": "x"}),
        "dns": Pod(values(name).network.dns_namespace, {"k8s-app": "dns"}),
        "monitoring": Pod("monitoring", {"app": "prometheus"}),
    }


def ports(name: str) -> dict[tuple[str, int], str]:
    """Return every port that a container of ours listens at, by part and number."""
    return {
        (part, port["containerPort"]): f"{part} {port['name']}"
        for place, template in templates(installed(name)).items()
        for part, named in PARTS.items() if place.endswith(f"/{named}")
        for container in template["spec"]["containers"]
        for port in container.get("ports", ())
    }  # fmt: skip


_FUNCTIONS = {"functions http", "functions agent"}
_WANTED: dict[str, set[str]] = {
    "control": {"gateway http", "queue client", *_FUNCTIONS},
    "gateway": {"control link", *_FUNCTIONS},
    "queue": {"queue cluster"},
    **{who: {"gateway http"} for who in ("functions", "functions none", "functions proxy", "functions host")},
    "stranger": {"gateway http"},
    "one who says it is the control plane": {"gateway http"},
    "one who says it is of another installation's": {"gateway http"},
    "a pod beside functions": {"gateway http"},
}


@pytest.mark.parametrize("name", ["plain", "much"])
@pytest.mark.parametrize("who", _WANTED)
def test_each_reaches_the_ports_that_it_needs_and_no_other(who: str, name: str) -> None:
    found, source = pods(name), pods(name)[who]
    every = ports(name)
    assert len(every) >= 9
    # Each side closes by itself: a network that enforces but one of both lets nothing more through.
    let_in = {what for (part, port), what in every.items() if enters(installed(name), source, found[part], port)}
    let_out = {what for (part, port), what in every.items() if leaves(installed(name), source, found[part], port)}
    assert let_in == _WANTED[who] | {"gateway http"}
    if who in ("gateway", "queue") or who.startswith("functions"):
        assert let_out == _WANTED[who]
    else:
        assert let_out == set(every.values())


def test_metrics_are_for_the_namespaces_that_are_named() -> None:
    (port,) = (number for (_, number), what in ports("much").items() if what == "gateway metrics")
    for name, is_open in (("plain", False), ("much", True)):
        found = pods(name)
        assert connects(installed(name), found["monitoring"], found["gateway"], port) == is_open
        assert not connects(installed(name), found["stranger"], found["gateway"], port)


@pytest.mark.parametrize("name", ["plain", "much"])
def test_only_the_dns_is_asked_and_only_at_its_port(name: str) -> None:
    found = pods(name)
    for who in (*PARTS, "functions none"):
        for protocol in ("UDP", "TCP"):
            assert connects(installed(name), found[who], found["dns"], 53, protocol), who
            assert not connects(installed(name), found[who], found["stranger"], 53, protocol) or who == "stranger"
        if who != "control":
            assert not connects(installed(name), found[who], found["dns"], 443), who


def outside(address: str) -> Pod:
    return Pod("", {}, address)


@pytest.mark.parametrize("address", METADATA)
def test_nobody_reaches_the_address_at_which_a_cloud_hands_out_credentials(address: str) -> None:
    for name in ("plain", "much"):
        for who, pod in pods(name).items():
            if pod.namespace in ("strangers", "monitoring", pods(name)["dns"].namespace) or who.startswith("a pod"):
                continue
            assert not connects(installed(name), pod, outside(address), 80), who


@pytest.mark.parametrize("address", PRIVATE)
def test_functions_reach_nothing_private(address: str) -> None:
    for name in ("plain", "much"):
        for who in ("functions", "functions none", "functions proxy", "functions host", "gateway", "queue"):
            assert not connects(installed(name), pods(name)[who], outside(address), 443), who


@pytest.mark.parametrize("address", PUBLIC)
def test_functions_reach_what_is_public_where_they_may(address: str) -> None:
    for name, may in (("plain", {"functions proxy", "functions host"}), ("much", set[str]())):
        found = pods(name)
        opened = {
            who for who in found if who in _WANTED and connects(installed(name), found[who], outside(address), 443)
        }
        strangers = {who for who in found if found[who].namespace == "strangers"} | {"a pod beside functions"}
        assert opened - strangers == may | {"control"}


def test_the_control_plane_reaches_the_api_server_and_brokers_wherever_they_are() -> None:
    for address in ("10.96.0.1", "192.168.1.1", "fd12:3456::1", *PUBLIC):
        assert connects(installed("plain"), pods("plain")["control"], outside(address), 6443)


@pytest.mark.parametrize("part", PARTS)
def test_from_outside_of_the_cluster_only_gateways_are_reached(part: str) -> None:
    opened = {
        what for (owner, port), what in ports("plain").items()
        if owner == part and connects(installed("plain"), outside("93.184.216.34"), pods("plain")[part], port)
    }  # fmt: skip
    assert opened == ({"gateway http"} if part == "gateway" else set())
