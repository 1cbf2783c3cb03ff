"""Who may connect to whom by the NetworkPolicies of an installation, as Kubernetes defines them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

from dayfly.server.cluster.install.choices import Node

_NAME = "kubernetes.io/metadata.name"


class Pod(NamedTuple):
    """A pod, or what is outside of the cluster, which has an address and no namespace."""

    namespace: str
    labels: Mapping[str, str]
    address: str = ""


def connects(nodes: list[Node], source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether the one may connect to the other's port: both its way out and the other's way in are to let it."""
    return leaves(nodes, source, target, port, protocol) and enters(nodes, source, target, port, protocol)


def leaves(nodes: list[Node], source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether the one's way out lets it."""
    return _lets(nodes, source, target, "Egress", "egress", "to", port, protocol)


def enters(nodes: list[Node], source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether the other's way in lets it."""
    return _lets(nodes, target, source, "Ingress", "ingress", "from", port, protocol)


def _lets(
    nodes: list[Node], pod: Pod, peer: Pod, direction: str, rules: str, word: str, port: int, protocol: str
) -> bool:
    if not pod.namespace:
        return True
    policies = [
        node["spec"]
        for node in nodes
        if node["kind"] == "NetworkPolicy"
        and node["metadata"]["namespace"] == pod.namespace
        and _selects(node["spec"]["podSelector"], pod.labels)
        and direction in node["spec"]["policyTypes"]
    ]
    return not policies or any(
        _has(rule, port, protocol) and (word not in rule or any(_is(each, peer, pod.namespace) for each in rule[word]))
        for policy in policies
        for rule in policy.get(rules, ())
    )


def _has(rule: Any, port: int, protocol: str) -> bool:
    return "ports" not in rule or any(
        (each["port"], each.get("protocol", "TCP")) == (port, protocol) for each in rule["ports"]
    )


def _is(chosen: Any, peer: Pod, home: str) -> bool:
    if "ipBlock" in chosen:
        return bool(peer.address) and within(chosen["ipBlock"], peer.address)
    if not peer.namespace:
        return False
    if "namespaceSelector" not in chosen and peer.namespace != home:
        return False
    return _selects(chosen.get("namespaceSelector", {}), {_NAME: peer.namespace}) and _selects(
        chosen.get("podSelector", {}), peer.labels
    )


def _selects(selector: Any, labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, "another kind of selector is not evaluated here"
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def within(block: Any, address: str) -> bool:
    """Whether a NetworkPolicy's block has an address in it."""
    wanted = ipaddress.ip_address(address)
    return wanted in ipaddress.ip_network(block["cidr"]) and not any(
        wanted in ipaddress.ip_network(each) for each in block.get("except", ())
    )
