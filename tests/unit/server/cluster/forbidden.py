"""What no manifest of ours may hold, as questions to an object; each returns what is wrong, if anything is."""

from collections.abc import Callable, Iterator
from typing import Any

from dayfly.server.cluster.install.choices import Node

_RISKY_VERBS = {"*", "escalate", "bind", "impersonate"}
_RISKY_RESOURCES = {"*", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes/proxy"}
_RISKY_RESOURCES |= {"serviceaccounts/token", "clusterroles", "roles", "rolebindings", "clusterrolebindings"}


def pods_of(node: Node) -> Iterator[dict[str, Any]]:
    """Yield the pod that an object makes, if it makes any."""
    if node["kind"] in ("Deployment", "StatefulSet"):
        yield node["spec"]["template"]["spec"]


def containers_of(node: Node) -> Iterator[dict[str, Any]]:
    """Yield the containers that an object makes."""
    for pod in pods_of(node):
        yield from pod["containers"]
        yield from pod.get("initContainers", ())


def of_the_host(node: Node) -> list[str]:
    """A pod that shares what is the machine's."""
    found = [key for pod in pods_of(node) for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    found += [f"volume {each['name']}" for pod in pods_of(node) for each in pod["volumes"] if "hostPath" in each]
    return found + [f"port {port}" for each in containers_of(node) for port in each["ports"] if "hostPort" in port]


def privileged(node: Node) -> list[str]:
    """A container that may more than a process that nobody trusts."""
    found = []
    for pod in pods_of(node):
        security = pod["securityContext"]
        if not security.get("runAsNonRoot") or not security.get("runAsUser"):
            found.append("may be root")
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            found.append("no seccomp")
    for each in containers_of(node):
        security = each.get("securityContext", {})
        if security.get("privileged") or security.get("allowPrivilegeEscalation") is not False:
            found.append("may become privileged")
        if security.get("capabilities") != {"drop": ["ALL"]}:
            found.append("has capabilities")
        if security.get("readOnlyRootFilesystem") is not True:
            found.append("writes to its image")
        if "runAsUser" in security or "seccompProfile" in security:
            found.append("says otherwise than its pod")
    return found


def unbounded(node: Node) -> list[str]:
    """A container without requests or a bound on its memory, or a folder in memory or on disk without one."""
    found = [
        "resources"
        for each in containers_of(node)
        if not {"cpu", "memory"} <= set(each["resources"].get("requests", ()))
        or "memory" not in each["resources"].get("limits", ())
    ]
    volumes = [each for pod in pods_of(node) for each in pod["volumes"]]
    return found + [each["name"] for each in volumes if "emptyDir" in each and not each["emptyDir"].get("sizeLimit")]


def unasked(node: Node) -> list[str]:
    """A container that nobody asks how it is."""
    return [
        probe
        for each in containers_of(node)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        if probe not in each
    ]


def too_powerful(node: Node) -> list[str]:
    """A rule that gives everything, or what leads to everything."""
    if node["kind"] not in ("Role", "ClusterRole"):
        return []
    found = []
    for rule in node["rules"]:
        risky = _RISKY_VERBS & set(rule["verbs"]) or _RISKY_RESOURCES & set(rule["resources"])
        if risky or "*" in rule["apiGroups"] or "nonResourceURLs" in rule:
            found.append(str(rule))
        everywhere = node["kind"] == "ClusterRole" and {"pods", "deployments", "configmaps"} & set(rule["resources"])
        if everywhere and not set(rule["verbs"]) <= {"get", "list", "watch"}:
            found.append(f"reaches further than it says: {rule}")
    return found


def with_a_token(node: Node) -> list[str]:
    """A pod that gets a token for the API server and is not the control plane; an account that gives one unasked."""
    if node["kind"] == "ServiceAccount":
        return [] if node.get("automountServiceAccountToken") is False else ["gives tokens"]
    name = node["metadata"]["name"]
    found = ["token" for pod in pods_of(node) if pod["automountServiceAccountToken"] and name != "dayfly-control"]
    return found + ["no account" for pod in pods_of(node) if pod.get("serviceAccountName", "default") == "default"]


def exposed(node: Node) -> list[str]:
    """A Service that is reached from outside of the cluster."""
    return ["exposed"] if node["kind"] == "Service" and node["spec"]["type"] != "ClusterIP" else []


def unspread(node: Node) -> list[str]:
    """Pods that are not kept apart, by node and by zone, from others of their own kind."""
    found = []
    for pod in pods_of(node):
        labels = node["spec"]["template"]["metadata"]["labels"]
        rules = {each["topologyKey"]: each for each in pod.get("topologySpreadConstraints", ())}
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone"):
            rule = rules.get(key, {})
            chosen = rule.get("labelSelector", {}).get("matchLabels", {})
            # A rule that selects other pods than its own, or nothing, spreads nothing.
            if rule.get("maxSkew") != 1 or not chosen or not chosen.items() <= labels.items():
                found.append(f"not spread by {key}")
            elif rule["whenUnsatisfiable"] != "ScheduleAnyway":
                found.append(f"does not start where {key} is the same everywhere")
    return found


QUESTIONS: tuple[Callable[[Node], list[str]], ...] = (
    of_the_host, privileged, unbounded, unasked, too_powerful, with_a_token, exposed, unspread,
)  # fmt: skip
