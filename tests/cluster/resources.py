"""What the double knows of Kubernetes' kinds, and how it refuses: the same words that the real API server uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
MAX_BODY_BYTES = 3 * 1024 * 1024
MAX_OBJECT_BYTES = 1_572_864
"""What etcd takes at most."""
MAX_SECRET_BYTES = 1024 * 1024


class Refused(Exception):
    """What the API server says no with."""

    def __init__(self, code: int, reason: str, message: str, *, retry_after_s: int = 0, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.text = ""
        """What is answered in plain words instead of a Status."""
        self.retry_after_s = retry_after_s
        self.status: Object = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "details": details, "code": code,
        }  # fmt: skip


@dataclass(frozen=True)
class Resource:
    """One kind, as one of its versions serves it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    subresources: frozenset[str] = frozenset()
    singular: str = ""
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    custom: bool = False
    schema: Any = None
    scale: Any = None
    columns: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """`pods`, `functions.dayfly.dev`: the same for all versions."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def counts_generations(self) -> bool:
        """Whether a change of what is wanted is counted."""
        return self.custom or "status" in self.subresources

    def missing(self, name: str) -> Refused:
        """Return what is said of an object that is not there."""
        return Refused(404, "NotFound", f'{self.name} "{name}" not found', name=name, kind=self.plural)

    def conflict(self, name: str, why: str = "") -> Refused:
        """Return what is said of a write that rests on what is gone."""
        why = why or "the object has been modified; please apply your changes to the latest version and try again"
        text = f'Operation cannot be fulfilled on {self.name} "{name}": {why}'
        return Refused(409, "Conflict", text, name=name, kind=self.plural)

    def invalid(self, name: str, causes: list[str]) -> Refused:
        """Return what is said of an object that breaks its rules."""
        shown = causes[0] if len(causes) == 1 else f"[{', '.join(causes)}]"
        full = f"{self.kind}.{self.group}" if self.group else self.kind
        told = [{"field": each.partition(": ")[0], "message": each.partition(": ")[2]} for each in causes]
        text = f'{full} "{name}" is invalid: {shown}'
        return Refused(422, "Invalid", text, name=name, group=self.group, kind=self.kind, causes=told)


_STATUS, _SCALED = frozenset({"status"}), frozenset({"status", "scale"})
_SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
_RBAC = "rbac.authorization.k8s.io"

BUILT_IN: tuple[Resource, ...] = (
    Resource("", "v1", "Namespace", "namespaces", False, _STATUS, short=("ns",)),
    Resource("", "v1", "Node", "nodes", False, _STATUS),
    Resource("", "v1", "Pod", "pods", True, _STATUS, short=("po",), categories=("all",)),
    Resource("", "v1", "Secret", "secrets"),
    Resource("", "v1", "ConfigMap", "configmaps", short=("cm",)),
    Resource("", "v1", "Service", "services", True, _STATUS, short=("svc",), categories=("all",)),
    Resource("", "v1", "ServiceAccount", "serviceaccounts", short=("sa",)),
    Resource("", "v1", "Event", "events"),
    Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", True, _STATUS),
    Resource("", "v1", "ResourceQuota", "resourcequotas", True, _STATUS),
    Resource("", "v1", "LimitRange", "limitranges"),
    Resource("apps", "v1", "Deployment", "deployments", True, _SCALED, short=("deploy",), scale=_SCALE),
    Resource("apps", "v1", "ReplicaSet", "replicasets", True, _SCALED, short=("rs",), scale=_SCALE),
    Resource("apps", "v1", "StatefulSet", "statefulsets", True, _SCALED, short=("sts",), scale=_SCALE),
    Resource("apps", "v1", "DaemonSet", "daemonsets", True, _STATUS),
    Resource("batch", "v1", "Job", "jobs", True, _STATUS),
    Resource("batch", "v1", "CronJob", "cronjobs", True, _STATUS),
    Resource("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", True, _STATUS),
    Resource("coordination.k8s.io", "v1", "Lease", "leases"),
    Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    Resource("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Resource("networking.k8s.io", "v1", "Ingress", "ingresses", True, _STATUS),
    Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", True, _STATUS),
    Resource("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", False),
    Resource(_RBAC, "v1", "Role", "roles"),
    Resource(_RBAC, "v1", "RoleBinding", "rolebindings"),
    Resource(_RBAC, "v1", "ClusterRole", "clusterroles", False),
    Resource(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False, _STATUS,
             short=("crd",)),
)  # fmt: skip


METRICS = (
    Resource("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", False),
    Resource("metrics.k8s.io", "v1beta1", "PodMetrics", "pods"),
)
"""What a metrics server serves; it is no part of every cluster."""


def served_by(definition: Object) -> list[Resource]:
    """Return the kinds, one a served version, that a CustomResourceDefinition makes."""
    spec = definition["spec"]
    names = spec["names"]
    return [
        Resource(
            group=spec["group"], version=version["name"], kind=names["kind"], plural=names["plural"],
            namespaced=spec["scope"] == "Namespaced", subresources=frozenset(version.get("subresources", {})),
            singular=names.get("singular", ""), short=tuple(names.get("shortNames", ())),
            categories=tuple(names.get("categories", ())), custom=True, schema=version["schema"]["openAPIV3Schema"],
            scale=version.get("subresources", {}).get("scale"),
            columns=tuple(version.get("additionalPrinterColumns", ())),
        )
        for version in spec["versions"]
        if version["served"]
    ]  # fmt: skip


def at(obj: Any, path: str) -> Any:
    """Return what is at `.spec.replicas`; None where nothing is."""
    for part in filter(None, path.split(".")):
        obj = obj.get(part) if isinstance(obj, dict) else None
    return obj


def no_such_path() -> Refused:
    """Return what is said of a path that stands for no kind."""
    refused = Refused(404, "NotFound", "404 page not found")
    refused.text = "404 page not found\n"
    return refused


_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_TERM = re.compile(
    r"\s*(?:(?P<not>!)\s*(?P<none>[^\s,!=<>()]+)"
    r"|(?P<key>[^\s,!=<>()]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[^,]*)|(?P<in>in|notin)\s*\((?P<set>[^)]*)\)"
    r"|(?P<than>[<>])\s*(?P<number>[0-9]+))?)\s*(?:,|$)"
)


def labels_match(selector: str, labels: dict[str, str]) -> bool:
    """Whether the labels meet a selector as kubectl's -l writes it. Raises Refused for one that is none."""
    position, holds_all = 0, True
    if selector.rstrip().endswith(","):
        raise Refused(400, "BadRequest", f"found '', expected: identifier after ',' in {selector!r}")
    while position < len(selector):
        term = _TERM.match(selector, position)
        if term is None or term.end() == position:
            raise Refused(400, "BadRequest", f"unable to parse requirement: found {selector!r}")
        values = [each.strip() for each in (term["value"] or term["set"] or "").split(",")]
        if not _KEY.fullmatch(term["none"] or term["key"]) or not all(map(_VALUE.fullmatch, values)):
            raise Refused(400, "BadRequest", f"unable to parse requirement: invalid label in {selector!r}")
        position = term.end()
        if term["not"]:
            holds = term["none"] not in labels
        elif term["op"]:
            equal = labels.get(term["key"]) == term["value"].strip()
            holds = equal != (term["op"] == "!=")
        elif term["than"]:
            value = labels.get(term["key"], "")
            holds = value.isdecimal() and (int(value) > int(term["number"])) == (term["than"] == ">")
            holds = holds and value != term["number"]
        elif term["in"]:
            among = labels.get(term["key"]) in [each.strip() for each in term["set"].split(",")]
            holds = among == (term["in"] == "in")
        else:
            holds = term["key"] in labels
        holds_all = holds_all and holds
    return holds_all


_FIELDS = {"metadata.name", "metadata.namespace"}
_MORE_FIELDS = {
    "pods": {"spec.nodeName", "status.phase", "status.podIP", "spec.serviceAccountName", "spec.restartPolicy"},
    "secrets": {"type"},
    "events": {"reason", "type", "involvedObject.name", "involvedObject.kind", "involvedObject.uid"},
    "namespaces": {"status.phase"},
}


def fields_match(selector: str, obj: Object, resource: Resource) -> bool:
    """Whether the fields meet a selector. Raises Refused for a field that the kind cannot be selected by."""
    for term in filter(None, selector.split(",")):
        name, operator, value = next(
            (parts for parts in (term.partition("!="), term.partition("==")) if parts[1]), term.partition("=")
        )
        if name not in _FIELDS | _MORE_FIELDS.get(resource.name, set()):
            raise Refused(400, "BadRequest", f"field label not supported: {name}")
        if ((at(obj, name) or "") == value) == (operator == "!="):
            return False
    return True
