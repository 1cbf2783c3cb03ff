"""What the double tells of itself: version, health, kinds; and tables, which are what kubectl shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster.resources import Object, Resource, at

if TYPE_CHECKING:
    from tests.cluster.server import Double

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def discovered(double: Double, path: str) -> Object | None:
    """Return what is at one of the paths that belong to no object, None for all others."""
    parts = path.strip("/").split("/")
    match parts:
        case ["version"]:
            return dict(double.version)
        case ["healthz" | "readyz" | "livez"]:
            return {}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            groups: dict[str, list[str]] = {}
            for each in double.registry.resources():
                if each.group and each.version not in groups.setdefault(each.group, []):
                    groups[each.group].append(each.version)
            return {"kind": "APIGroupList", "apiVersion": "v1",
                    "groups": [_group(name, versions) for name, versions in groups.items()]}  # fmt: skip
        case ["api", version] | ["apis", _, version]:
            group = parts[1] if parts[0] == "apis" else ""
            kinds = [each for each in double.registry.resources() if (each.group, each.version) == (group, version)]
            listed = [_described(each) for each in kinds]
            listed += [{"name": f"{each.plural}/{sub}", "singularName": "", "kind": each.kind,
                        "namespaced": each.namespaced, "verbs": ["get", "patch", "update"]}
                       for each in kinds for sub in sorted(each.subresources)]  # fmt: skip
            full = f"{group}/{version}" if group else version
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": full, "resources": listed}
    return None


def _group(name: str, versions: list[str]) -> Object:
    told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": told, "preferredVersion": told[0]}


def _described(resource: Resource) -> Object:
    return {
        "name": resource.plural, "singularName": resource.singular or resource.kind.lower(), "kind": resource.kind,
        "namespaced": resource.namespaced, "verbs": _VERBS, "shortNames": list(resource.short),
        "categories": list(resource.categories),
    }  # fmt: skip


def table(resource: Resource, result: Object) -> Object:
    """Return the object or list as a table with the columns that its kind asks for."""
    items = result.get("items", [result])
    columns = [{"name": "Name", "type": "string", "format": "name", "jsonPath": ".metadata.name"}, *resource.columns]
    return {
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {**result["metadata"]},
        "columnDefinitions": [
            {"name": each["name"], "type": each["type"], "format": each.get("format", ""),
             "description": each.get("description", ""), "priority": each.get("priority", 0)}
            for each in columns
        ],
        "rows": [
            {"cells": [_cell(each, column["jsonPath"]) for column in columns],
             "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": each["metadata"]}}
            for each in items
        ],
    }  # fmt: skip


def _cell(obj: Object, path: str) -> Any:
    """Return what a column shows: a path, of which one part may be `conditions[?(@.type=="Ready")]`."""
    head, bracket, rest = path.partition('[?(@.type=="')
    value = at(obj, head)
    if bracket:
        wanted, _, tail = rest.partition('")]')
        value = next((at(each, tail) for each in value or () if each.get("type") == wanted), None)
    return value
