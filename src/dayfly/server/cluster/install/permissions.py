"""What may be done in the cluster, by whom, and why: each rule has its reason, which docs/kubernetes.md repeats.

The control plane alone has rights. Gateways, the queue and the pods that run functions have none, and no token either.
Functions may be in any namespace, so what is theirs it may read and write in all; pods it may make in one only.
"""

from collections.abc import Sequence

import msgspec

from dayfly.providers.kubernetes import pool
from dayfly.server.cluster.install.choices import Node
from dayfly.server.cluster.names import LEASE

_READ = ("get", "list", "watch")
GROUP = "dayfly.dev"
_RBAC = "rbac.authorization.k8s.io"


_WRITTEN_ONCE = ("revisions",)
_NOT_PEOPLES = ("budgets", "revisions", "tenants")
"""What is ours to write, and what bounds a namespace: who may work in it is not to raise its quota or its budget."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done with some resources, and why."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()
    """Of the only objects that are meant; empty for all."""

    @property
    def line(self) -> str:
        """The rule in one line, as the page of documentation has it."""
        named = f" named {', '.join(self.names)}" if self.names else ""
        return f"{', '.join(self.verbs)} {', '.join(self.resources)}{f' in {self.group}' if self.group else ''}{named}"

    @property
    def node(self) -> Node:
        """The rule as RBAC has it."""
        rule: dict[str, Node] = {"apiGroups": [self.group], "resources": list(self.resources)}
        if self.names:
            rule["resourceNames"] = list(self.names)
        return {**rule, "verbs": list(self.verbs)}


def in_the_cluster(kinds: Sequence[str]) -> tuple[Rule, ...]:
    """Return what the control plane may do everywhere, where functions may be; `kinds` are the plurals of ours."""
    return (*with_functions(kinds), *about_the_cluster(kinds))


def with_functions(kinds: Sequence[str]) -> tuple[Rule, ...]:
    """Return what the control plane may do in a namespace of functions."""
    lasting = tuple(kind for kind in kinds if kind not in _WRITTEN_ONCE)
    once = tuple(kind for kind in kinds if kind in _WRITTEN_ONCE)
    return (
        Rule(
            group=GROUP,
            resources=lasting,
            verbs=(*_READ, "create", "update", "delete"),
            why="they are the platform's state: what the HTTP API is told is kept in them, and what they say is done",
        ),
        Rule(
            group=GROUP,
            resources=tuple(f"{kind}/status" for kind in lasting),
            verbs=("update",),
            why="what became of a wish is told in its status",
        ),
        *(
            Rule(
                group=GROUP,
                resources=(kind,),
                verbs=("get", "list", "create", "delete"),
                why="each deployed state of a function is one, written once and never changed",
            )
            for kind in once
        ),
        *(
            Rule(
                group=GROUP,
                resources=(f"{kind}/status",),
                verbs=("patch",),
                why="which image a tag was found to mean is noted there",
            )
            for kind in once
        ),
        Rule(
            group="",
            resources=("secrets",),
            verbs=("get", "list", "create", "update", "delete"),
            why="functions' secrets are Secrets of their namespaces; RBAC knows no labels, so it could read others too",
        ),
    )


def about_the_cluster(kinds: Sequence[str]) -> tuple[Rule, ...]:
    """Return what the control plane may do with what is in no namespace."""
    return (
        Rule(
            group="",
            resources=("namespaces",),
            verbs=("get", "create", "delete"),
            why="`dayfly namespace create` makes one where there is none, and removes no other than those",
        ),
        Rule(
            group="",
            resources=("nodes",),
            verbs=("list",),
            why="`dayfly machine` shows what nodes there are and what they have; without it, those with pods of ours",
        ),
        Rule(
            group="metrics.k8s.io",
            resources=("nodes",),
            verbs=("list",),
            why="`dayfly machine` and the page show what each node uses, where a metrics server says it",
        ),
        Rule(
            group="apiextensions.k8s.io",
            resources=("customresourcedefinitions",),
            verbs=("get",),
            names=tuple(f"{kind}.{GROUP}" for kind in kinds),
            why="it is checked at the start that ours are there, in the versions that this control plane writes",
        ),
    )


def for_pods() -> tuple[Rule, ...]:
    """Return what the control plane may do in the namespace of functions' pods."""
    return (
        Rule(
            group="",
            resources=("pods",),
            verbs=("list", "watch", "create", "patch", "delete"),
            why="a waiting pod is claimed by changing its labels, and ends with its replica; larger ones are made",
        ),
        Rule(
            group="",
            resources=("pods/log",),
            verbs=("get",),
            why="what functions print is kept for `dayfly logs`, and a waiting pod prints its public key",
        ),
        Rule(
            group="metrics.k8s.io",
            resources=("pods",),
            verbs=("list",),
            why="`dayfly machine` and the page show what each pod of functions uses, where a metrics server says it",
        ),
        Rule(
            group="apps",
            resources=("deployments",),
            verbs=("get", "list", "create", "delete"),
            why="an image's revision is a Deployment, made once; the pool's says what its pods are",
        ),
        Rule(
            group="apps",
            resources=("deployments/scale",),
            verbs=("patch",),
            why="its number of pods follows the calls",
        ),
        Rule(
            group="",
            resources=("secrets",),
            verbs=("get", "create", "patch", "delete"),
            why="an image's pods mount one, which its Deployment owns; logins at registries are read",
        ),
        Rule(
            group="",
            resources=("configmaps",),
            verbs=("create",),
            why="the control plane's public key is put beside the pool (RBAC cannot bind `create` to a name)",
        ),
        Rule(
            group="",
            resources=("configmaps",),
            verbs=("patch",),
            names=(pool.NAME,),
            why="the same, where it is there already",
        ),
    )


def in_our_namespace() -> tuple[Rule, ...]:
    """Return what the control plane may do in its own namespace."""
    return (
        Rule(
            group="coordination.k8s.io",
            resources=("leases",),
            verbs=("create",),
            why="the Lease is made by the first control plane (RBAC cannot bind `create` to a name)",
        ),
        Rule(
            group="coordination.k8s.io",
            resources=("leases",),
            verbs=("get", "update"),
            names=(LEASE,),
            why="the control plane that holds it is the one that works",
        ),
        Rule(
            group="",
            resources=("pods",),
            verbs=("get", "list", "patch"),
            why="the one that works marks its own pod, which its Service looks for; `dayfly machine` shows ours",
        ),
        Rule(
            group="",
            resources=("pods/log",),
            verbs=("get",),
            why="`dayfly machine logs` and the page show what the platform's own pods say, to its administrators",
        ),
        Rule(
            group="metrics.k8s.io",
            resources=("pods",),
            verbs=("list",),
            why="the same of what the platform's own pods use",
        ),
        Rule(
            group="",
            resources=("configmaps",),
            verbs=("get", "list", "create", "update", "patch", "deletecollection"),
            why="what belongs to no object of a kind of ours is kept in them: versions given out, hosts claimed",
        ),
        Rule(
            group="",
            resources=("secrets",),
            verbs=("list", "create", "patch", "delete", "deletecollection"),
            why="access tokens are Secrets here; a namespace's go with it",
        ),
    )


def for_people(kinds: Sequence[str]) -> dict[str, tuple[Rule, ...]]:
    """Return what is added to the cluster's own roles `view` and `edit`, by role."""
    return {
        "view": (
            Rule(
                group=GROUP,
                resources=tuple(kinds),
                verbs=_READ,
                why="who may see Deployments in a namespace may see its functions",
            ),
        ),
        "edit": (
            Rule(
                group=GROUP,
                resources=tuple(kind for kind in kinds if kind not in _NOT_PEOPLES),
                verbs=("create", "update", "patch", "delete", "deletecollection"),
                why="who may create Deployments in a namespace may deploy functions there",
            ),
            Rule(
                group=GROUP,
                resources=("functions/scale",),
                verbs=("get", "update", "patch"),
                why="`kubectl scale function/NAME --replicas=3`",
            ),
        ),
    }


def all_rules(kinds: Sequence[str]) -> tuple[Rule, ...]:
    """Return every rule there is."""
    people = for_people(kinds)
    return (
        *in_the_cluster(kinds),
        *for_pods(),
        *in_our_namespace(),
        *(rule for rules in people.values() for rule in rules),
    )


def rows(kinds: Sequence[str]) -> list[str]:
    """Return every rule and its reason, as the page of documentation has them in its tables."""
    return [f"| `{rule.line}` | {rule.why} |" for rule in all_rules(kinds)]


def role(kind: str, metadata: Node, rules: Sequence[Rule]) -> Node:
    """Return a Role or ClusterRole."""
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": [rule.node for rule in rules]}


def binding(kind: str, metadata: Node, role_kind: str, role_name: str, account: str, namespace: str) -> Node:
    """Return a RoleBinding or ClusterRoleBinding for a service account."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": role_kind, "name": role_name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
