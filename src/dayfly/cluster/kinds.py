"""Kinds of objects: ours, in the group dayfly.dev, and those of Kubernetes that we use.

An object is a dictionary, as the API has it: fields that we do not know are passed on, not lost.
"""

from typing import Any

import msgspec

Object = dict[str, Any]
GROUP = "dayfly.dev"
STORED_VERSION = "v1"
OLDER_VERSIONS = ("v1alpha1",)
"""Served beside it, with the same fields."""
MANAGER = "dayfly"
"""Who we are to the API's field management."""


class Kind(msgspec.Struct, frozen=True):
    """A kind of objects, and where the API serves them."""

    group: str
    version: str
    name: str
    plural: str
    is_namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As objects write it: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", sub: str = "") -> str:
        """Return where objects of this kind are; without a namespace, those of all. `sub` is `status` or `scale`."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace else ""
        return root + inside + "".join(f"/{part}" for part in (self.plural, name, sub) if part)

    def object(self, name: str, namespace: str = "", **fields: Any) -> Object:
        """Return a new object of this kind; `metadata` among the fields is joined with its name."""
        meta = {"name": name, **({"namespace": namespace} if namespace else {}), **fields.pop("metadata", {})}
        return {"apiVersion": self.api_version, "kind": self.name, "metadata": meta, **fields}


def _ours(name: str, plural: str) -> Kind:
    return Kind(GROUP, STORED_VERSION, name, plural)


FUNCTION = _ours("Function", "functions")
REVISION = _ours("Revision", "revisions")
ROUTE = _ours("Route", "routes")
TRIGGER = _ours("Trigger", "triggers")
FLOW = _ours("Flow", "flows")
BUDGET = _ours("Budget", "budgets")
TENANT = _ours("Tenant", "tenants")
"""What Dayfly knows of a namespace: one object in each, named as it."""
OURS = (FUNCTION, REVISION, ROUTE, TRIGGER, FLOW, BUDGET, TENANT)

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", is_namespaced=False)
NODE = Kind("", "v1", "Node", "nodes", is_namespaced=False)
POD = Kind("", "v1", "Pod", "pods")
SECRET = Kind("", "v1", "Secret", "secrets")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SERVICE = Kind("", "v1", "Service", "services")
EVENT = Kind("", "v1", "Event", "events")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
NODE_METRICS = Kind("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", is_namespaced=False)
POD_METRICS = Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods")
CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", is_namespaced=False
)


def name_of(obj: Object) -> str:
    """Return the object's name."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Object) -> str:
    """Return the object's namespace; empty for what is in none."""
    return str(obj["metadata"].get("namespace", ""))


def version_of(obj: Object) -> str:
    """Return the object's resourceVersion."""
    return str(obj["metadata"]["resourceVersion"])


def owner_of(obj: Object, *, controls: bool = True) -> Object:
    """Return the reference that makes the object the owner of whatever has it."""
    reference = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": name_of(obj),
                 "uid": obj["metadata"]["uid"]}  # fmt: skip
    # Blocking the owner's deletion would take a right over its finalizers, in clusters that look at that.
    return {**reference, "controller": True} if controls else reference
