"""Rights that the control plane is given in the double, and which of them nothing makes use of."""

from __future__ import annotations

from collections.abc import Iterable

from tests.cluster.access import Deed
from tests.cluster.server import Double

from dayfly.cluster.kinds import OURS
from dayfly.server.cluster.install import permissions
from dayfly.server.cluster.install.permissions import Rule

KINDS = sorted(kind.plural for kind in OURS)


def grant(double: Double, home: str, pods: Iterable[str], bounds: Iterable[str] = ()) -> str:
    """Give the control plane in `home` its rights, with functions' pods in these namespaces; return its token.

    With bounds functions are in these namespaces alone.
    """
    account = "control"
    subject = {"kind": "ServiceAccount", "name": account, "namespace": home}
    rules = {home: permissions.in_our_namespace()} | dict.fromkeys(pods, permissions.for_pods())
    for space, given in rules.items():
        double.create("roles", space, {"metadata": {"name": home}, "rules": [each.node for each in given]})
        double.create("rolebindings", space, {"metadata": {"name": home}, "subjects": [subject],
                                              "roleRef": {"kind": "Role", "name": home}})  # fmt: skip
    for space in bounds:
        inside = [each.node for each in permissions.with_functions(KINDS)]
        double.create("roles", space, {"metadata": {"name": "functions"}, "rules": inside})
        double.create("rolebindings", space, {"metadata": {"name": "functions"}, "subjects": [subject],
                                              "roleRef": {"kind": "Role", "name": "functions"}})  # fmt: skip
    if bounds:
        return double.token(home, account)
    cluster = [each.node for each in permissions.in_the_cluster(KINDS)]
    double.create("clusterroles", "", {"metadata": {"name": home}, "rules": cluster})
    double.create("clusterrolebindings", "", {"metadata": {"name": home}, "subjects": [subject],
                                              "roleRef": {"kind": "ClusterRole", "name": home}})  # fmt: skip
    return double.token(home, account)


def used(double: Double, home: str) -> set[Deed]:
    """Return what the control plane in `home` made use of."""
    return set(double.deeds.get(f"system:serviceaccount:{home}:control", set()))


def unused(rules: Iterable[Rule], deeds: Iterable[Deed], namespace: str = "") -> set[str]:
    """Return the verbs and resources of rules that none of the deeds, in a namespace where one is named, needs."""
    done = [each for each in deeds if not namespace or each.namespace == namespace]
    return {
        f"{verb} {resource}"
        for rule in rules
        for verb in rule.verbs
        for resource in rule.resources
        if not any(_needs(deed, rule, verb, resource) for deed in done)
    }


def _needs(deed: Deed, rule: Rule, verb: str, resource: str) -> bool:
    what = f"{deed.plural}/{deed.sub}" if deed.sub else deed.plural
    return (deed.verb, deed.group, what) == (verb, rule.group, resource) and (not rule.names or deed.name in rule.names)
