"""What `dayfly doctor --kubernetes` looks at: each part of an installation, and what is wrong with it in a sentence.

A question that the cluster does not let one ask leaves the others alone; what is not known is said, and is no fault.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from dayfly import __version__
from dayfly.cluster.kinds import OURS
from dayfly.cluster.schema import crds
from dayfly.model.errors import ConfigError, DayflyError
from dayfly.providers.kubernetes import pool
from dayfly.server.cluster.install import permissions, removing
from dayfly.server.cluster.install.applying import check_versions
from dayfly.server.cluster.install.kubectl import Kubectl
from dayfly.server.cluster.names import ADMIN_SECRET, CERT, CONTROL, GATEWAY, INTERNAL_SECRET, LEASE, OBSERVER, QUEUE
from dayfly.server.cluster.versions import VERSION
from dayfly.storage.certificate import expiry, issued

Mark = Literal["ok", "odd", "bad", "unknown"]
_SOON = timedelta(days=30)
_DEPRECATED = re.compile(r"^apiserver_requested_deprecated_apis\{([^}]*)\} [1-9]", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_RBAC = "rbac.authorization.k8s.io"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    part: str
    mark: Mark
    """ok; odd, which works; bad, which does not; unknown, when the cluster did not say."""
    text: str


class Examination:
    """One installation, looked at with one kubectl. `functions` is the namespace of functions' pods."""

    def __init__(self, kubectl: Kubectl, namespace: str, functions: str, now: datetime) -> None:
        self._kubectl = kubectl
        self._namespace = namespace
        self._functions = functions
        self._now = now

    def findings(self) -> list[Finding]:
        """Ask everything."""
        parts: dict[str, Callable[[], Iterator[Finding]]] = {
            "Kubernetes": self._versions,
            "Kinds": self._kinds,
            "Control Plane": lambda: self._workload("Control Plane", "deployment", CONTROL, self._namespace),
            "Lease": self._lease,
            "Gateways": lambda: self._workload("Gateways", "deployment", GATEWAY, self._namespace),
            "Queue": lambda: self._workload("Queue", "statefulset", QUEUE, self._namespace),
            "Pool": lambda: self._workload("Pool", "deployment", pool.NAME, self._functions),
            "Rights": self._rights,
            "You": self._you,
            "Certificate": self._certificate,
            "Records": self._records,
            "Old APIs": self._deprecated,
        }
        return [finding for part, look in parts.items() for finding in self._asked(part, look)]

    def _asked(self, part: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
        try:
            yield from look()
        except DayflyError as error:
            yield Finding(part, "unknown", error.message.replace("\n", " "))

    def _versions(self) -> Iterator[Finding]:
        found = self._kubectl.versions()
        told = f"cluster 1.{found.server}, kubectl 1.{found.client}"
        try:
            odd = check_versions(found)
        except ConfigError as error:
            yield Finding("Kubernetes", "bad", error.message)
            return
        yield Finding("Kubernetes", "odd" if odd else "ok", odd or told)

    def _kinds(self) -> Iterator[Finding]:
        wanted = {crd["metadata"]["name"]: crd for crd in crds()}
        found = {each["metadata"]["name"]: each for each in self._kubectl.list_objects("customresourcedefinitions")}
        for name, crd in wanted.items():
            if name not in found:
                yield Finding("Kinds", "bad", f"{name} is missing; `dayfly install` makes it")
                continue
            served = {each["name"] for each in found[name]["spec"]["versions"] if each["served"]}
            lacking = sorted({each["name"] for each in crd["spec"]["versions"]} - served)
            stored = set(found[name].get("status", {}).get("storedVersions", ())) - served
            if lacking:
                yield Finding(
                    "Kinds", "bad", f"{name} is not served as {', '.join(lacking)}; `dayfly install` changes it"
                )
            elif stored:
                yield Finding(
                    "Kinds", "bad", f"{name} has objects stored as {', '.join(sorted(stored))}, not served now"
                )
        good = len(set(wanted) & set(found))
        yield Finding("Kinds", "ok" if good == len(wanted) else "bad", f"{good} of {len(wanted)} are there")

    def _workload(self, part: str, kind: str, name: str, namespace: str) -> Iterator[Finding]:
        found = self._kubectl.find_object(kind, name, namespace)
        if found is None:
            yield Finding(part, "bad", f"there is no {kind} {name} in {namespace}; `dayfly install` makes it")
            return
        count, ready = found["spec"].get("replicas", 1), found.get("status", {}).get("readyReplicas", 0)
        told = f"{ready} of {count} are ready"
        yield Finding(part, "ok" if ready >= count else "odd" if ready else "bad", told)
        version = found["metadata"].get("labels", {}).get(VERSION, "")
        if version != __version__:
            yield Finding(part, "odd", f"it is of Dayfly {version or 'unknown'}, and this program of {__version__}")

    def _lease(self) -> Iterator[Finding]:
        lease = self._kubectl.find_object("lease", LEASE, self._namespace)
        holder = (lease or {}).get("spec", {}).get("holderIdentity", "")
        yield Finding("Lease", "ok" if holder else "bad", f"held by {holder}" if holder else "nobody holds it")

    def _rights(self) -> Iterator[Finding]:
        kinds = sorted(kind.plural for kind in OURS)
        wide = f"dayfly:{self._namespace}:control"
        bounds = removing.bounds_of(self._kubectl.find_object("deployment", CONTROL, self._namespace) or {})
        inside = [("role", CONTROL, each, permissions.with_functions(kinds)) for each in bounds]
        for kind, name, namespace, rules in (
            *(inside or [("clusterrole", wide, "", permissions.in_the_cluster(kinds))]),
            ("role", CONTROL, self._namespace, permissions.in_our_namespace()),
            ("role", CONTROL, self._functions, permissions.for_pods()),
        ):
            where = f"{kind} {name}{f' in {namespace}' if namespace else ''}"
            found = self._kubectl.find_object(f"{kind}.{_RBAC}", name, namespace)
            bound = self._kubectl.find_object(f"{kind}binding.{_RBAC}", name, namespace)
            if found is None or bound is None:
                yield Finding("Rights", "bad", f"{where} is missing or bound to nobody; `dayfly install` makes it")
                continue
            there = [_rule(each) for each in found.get("rules") or ()]
            lacking = [rule.line for rule in rules if _rule(rule.node) not in there]
            more = len(there) - (len(rules) - len(lacking))
            if lacking:
                yield Finding("Rights", "bad", f"{where} lacks: {'; '.join(lacking)}")
            elif more:
                yield Finding("Rights", "odd", f"{where} has {more} rules that the control plane does not need")
            else:
                yield Finding("Rights", "ok", f"{where} is as it should be")

    def _you(self) -> Iterator[Finding]:
        deploys = self._may("create", "functions", permissions.GROUP, "", "")
        reads = self._may("get", "secrets", "", self._namespace, ADMIN_SECRET)
        told = f"you may {'' if deploys else 'not '}create functions in every namespace"
        yield Finding("You", "ok", f"{told}, and {'' if reads else 'not '}read the administrator's password")

    def _may(self, verb: str, resource: str, group: str, namespace: str, name: str) -> bool:
        attributes = {"verb": verb, "resource": resource, "group": group, "namespace": namespace, "name": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        told = self._kubectl.run(
            "create", "--raw", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "-f", "-",
            stdin=json.dumps(review).encode(),
        )  # fmt: skip
        return bool(json.loads(told)["status"]["allowed"])

    def _certificate(self) -> Iterator[Finding]:
        secret = self._kubectl.find_object("secret", INTERNAL_SECRET, self._namespace)
        if secret is None or CERT not in secret.get("data", {}):
            yield Finding("Certificate", "bad", f"{INTERNAL_SECRET} holds none; `dayfly install` makes it")
        else:
            yield self._aged(secret, f"; delete the Secret {INTERNAL_SECRET} and install again to have a new one")
        gateway = self._kubectl.find_object("deployment", GATEWAY, self._namespace)
        for volume in gateway["spec"]["template"]["spec"].get("volumes", ()) if gateway is not None else ():
            if volume["name"] == "tls":
                name = volume["secret"]["secretName"]
                shown = self._kubectl.find_object("secret", name, self._namespace)
                if shown is None or CERT not in shown.get("data", {}):
                    yield Finding("Certificate", "bad", f"the gateways' Secret {name} holds none")
                else:
                    yield self._aged(shown, f"; have whoever keeps the Secret {name} renew it")

    def _aged(self, secret: Any, remedy: str) -> Finding:
        """Return how old a Secret's certificate is, and what to do where that is too old."""
        name = secret["metadata"]["name"]
        try:
            cert = base64.b64decode(secret["data"][CERT])
            since, until = issued(cert), expiry(cert)
        except ValueError:
            return Finding("Certificate", "bad", f"{CERT} of {name} is no certificate")
        left = until - self._now
        mark: Mark = "bad" if left <= timedelta(0) else "odd" if left < _SOON else "ok"
        told = f"{name}: {max(0, (self._now - since).days)} days old, good until {until:%Y-%m-%d}"
        return Finding("Certificate", mark, told + ("" if mark == "ok" else remedy))

    def _records(self) -> Iterator[Finding]:
        if self._kubectl.find_object("persistentvolumeclaim", OBSERVER, self._namespace) is not None:
            yield Finding("Records", "ok", f"calls, logs and figures are on the volume {OBSERVER}")
        else:
            told = "calls, logs and figures end with the control plane's pod; observer.storage keeps them"
            yield Finding("Records", "ok", told)

    def _deprecated(self) -> Iterator[Finding]:
        used = deprecated(self._kubectl.run("get", "--raw", "/metrics"))
        some = f"somebody asks for {', '.join(used)}; Dayfly does not"
        yield Finding("Old APIs", "odd" if used else "ok", some if used else "nobody asks for APIs that will go")


def examine(kubectl: Kubectl, namespace: str, functions: str) -> list[Finding]:
    """Return what there is to say of an installation now."""
    return Examination(kubectl, namespace, functions, datetime.now(UTC)).findings()


def deprecated(metrics: str) -> list[str]:
    """Return which APIs that will go are asked for, by the API server's own metrics."""
    used = set()
    for labels in _DEPRECATED.findall(metrics):
        told = dict(_LABEL.findall(labels))
        name = f"{told.get('resource', '')} of {told.get('group', '')}/{told.get('version', '')}"
        used.add(f"{name} (gone in {told.get('removed_release') or 'some later version'})")
    return sorted(used)


def _rule(node: Any) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(node.get(key) or ()) for key in ("apiGroups", "resources", "verbs", "resourceNames"))
