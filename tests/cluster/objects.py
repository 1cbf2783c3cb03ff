"""What the API server does with one object before it keeps it, and how a scale shows one."""

from __future__ import annotations

import base64
import re

import msgspec
from tests.cluster import schemas
from tests.cluster.resources import MAX_OBJECT_BYTES, MAX_SECRET_BYTES, Object, Refused, Resource, at

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RBAC_NAME = re.compile(r"[^/%]+")
_LABEL_NAME = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_MAX_ANNOTATIONS = 256 * 1024


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


_DECODER = msgspec.json.Decoder(float_hook=_number)


def copied(obj: Object) -> Object:
    """Return a copy that shares nothing with the object, and in which 1.0 is 1, as the API server writes it."""
    return dict(_DECODER.decode(msgspec.json.encode(obj)))


def checked(resource: Resource, obj: Object, before: Object | None = None) -> Object:
    """Return the object as it is kept. Raises Refused."""
    name = obj["metadata"].get("name", "")
    causes = list(_meta_faults(resource, obj["metadata"]))
    if resource.custom:
        outer = {key: obj[key] for key in ("apiVersion", "kind", "metadata")}
        obj = {**schemas.completed(resource.schema, obj), **outer}
        causes += schemas.faults(resource.schema, {key: obj[key] for key in obj if key != "metadata"})
    if resource.name == "secrets":
        obj = _secret(obj)
        if sum(len(base64.b64decode(each)) for each in obj.get("data", {}).values()) > MAX_SECRET_BYTES:
            causes.append(f"data: Too long: may not be more than {MAX_SECRET_BYTES} bytes")
        if before and (before.get("immutable") and obj.get("data") != before.get("data")):
            causes.append("data: Forbidden: field is immutable when `immutable` is set")
        if before and obj["type"] != before["type"]:
            causes.append(f'type: Invalid value: "{obj["type"]}": field is immutable')
    if resource.name == "configmaps" and len(msgspec.json.encode(obj.get("data", {}))) > MAX_SECRET_BYTES + 65_536:
        causes.append(f"[]: Too long: may not be more than {MAX_SECRET_BYTES} bytes")
    if resource.plural == "customresourcedefinitions":
        for version in obj["spec"]["versions"]:
            causes += schemas.structural_faults(
                version["schema"]["openAPIV3Schema"], f"spec.versions[{version['name']}]"
            )
        obj["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    if resource.group == "apps" and before and obj["spec"].get("selector") != before["spec"].get("selector"):
        causes.append("spec.selector: Invalid value: field is immutable")
    if resource.name in ("pods", "namespaces") and "status" not in obj:
        obj["status"] = {"phase": "Pending" if resource.name == "pods" else "Active"}
    if resource.group == "apps" and resource.scale:
        obj["spec"].setdefault("replicas", 1)
    if causes:
        raise resource.invalid(name, causes)
    if len(msgspec.json.encode(obj)) > MAX_OBJECT_BYTES:
        raise Refused(500, "", "etcdserver: request is too large")
    return obj


def _meta_faults(resource: Resource, meta: Object) -> list[str]:
    name, causes = meta.get("name", ""), []
    if not name:
        causes.append("metadata.name: Required value: name or generateName is required")
    elif not (_RBAC_NAME if resource.group.startswith("rbac") else _NAME).fullmatch(name) or len(name) > 253:
        rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
        causes.append(f'metadata.name: Invalid value: "{name}": {rule}')
    for key, value in (meta.get("labels") or {}).items():
        if not _LABEL_NAME.fullmatch(key) or not isinstance(value, str) or not _LABEL.fullmatch(value):
            causes.append(f'metadata.labels: Invalid value: "{key}={value}": a valid label must be an empty string or'
                          " consist of alphanumeric characters, '-', '_' or '.'")  # fmt: skip
    annotations = meta.get("annotations") or {}
    if sum(len(key) + len(value) for key, value in annotations.items()) > _MAX_ANNOTATIONS:
        causes.append(f"metadata.annotations: Too long: may not be more than {_MAX_ANNOTATIONS} bytes")
    causes += [f'metadata.annotations: Invalid value: "{key}"' for key in annotations if not _LABEL_NAME.fullmatch(key)]
    return causes


def _secret(obj: Object) -> Object:
    obj = {"type": "Opaque", **obj}
    for name, text in (obj.pop("stringData", None) or {}).items():
        obj.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()
    return obj


def without(obj: Object) -> Object:
    """Return what of the object counts for its generation."""
    return {name: value for name, value in obj.items() if name not in ("metadata", "status", "apiVersion")}


def scale_of(resource: Resource, obj: Object, *, lenient: bool = False) -> Object:
    """Return the object's scale; one that says nothing of replicas has none, unless `lenient`. Raises Refused."""
    path = resource.scale["specReplicasPath"]
    wanted = at(obj, path)
    if wanted is None and not lenient:
        why = f'Internal error occurred: the spec replicas field "{path}" does not exist'
        raise Refused(500, "InternalError", why)
    path = resource.scale.get("labelSelectorPath", "")
    selector = at(obj, path) if resource.custom and path else None
    if not resource.custom:
        labels = at(obj, ".spec.selector.matchLabels") or {}
        selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status = {"replicas": at(obj, resource.scale["statusReplicasPath"]) or 0}
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in kept if name in meta},
        "spec": {"replicas": wanted or 0}, "status": status | ({"selector": selector} if selector else {}),
    }  # fmt: skip


def with_scale(resource: Resource, obj: Object, scale: Object) -> Object:
    """Return the object with the replicas that a scale asks for."""
    result = copied(obj)
    *parents, last = resource.scale["specReplicasPath"].strip(".").split(".")
    place = result
    for part in parents:
        place = place.setdefault(part, {})
    place[last] = scale.get("spec", {}).get("replicas", 0)
    return result
