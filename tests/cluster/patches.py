"""The four ways in which an object is patched: JSON patch, merge patch, strategic merge patch, server-side apply."""

from __future__ import annotations

import copy
from typing import Any

from tests.cluster.resources import Object, Refused, Resource

JSON, MERGE, STRATEGIC, APPLY = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_MERGE_KEYS = {
    "containers": "name", "initContainers": "name", "env": "name", "volumes": "name", "ports": "containerPort",
    "volumeMounts": "mountPath", "conditions": "type", "ownerReferences": "uid",
}  # fmt: skip
"""Lists of built-in kinds whose items are told apart by one field."""
Path = tuple[str, ...]
Owned = dict[str, set[Path]]
"""The leaves that each manager applied last."""


def patched(resource: Resource, before: Object, kind: str, patch: Any) -> Object:
    """Return the object with the patch. Raises Refused."""
    if kind == MERGE:
        return dict(merged(before, patch))
    if kind == STRATEGIC and not resource.custom:
        return dict(merged(before, patch, keyed=True))
    if kind == JSON:
        return _json(before, patch)
    raise Refused(
        415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join((JSON, MERGE, APPLY) if resource.custom else (JSON, MERGE, STRATEGIC, APPLY)),
    )  # fmt: skip


def merged(before: Any, patch: Any, *, keyed: bool = False) -> Any:
    """Return what RFC 7386 makes of both; `keyed`, lists that Kubernetes merges by a key are merged by it."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif keyed and name in _MERGE_KEYS and isinstance(value, list):
            result[name] = _merged_list(result.get(name) or [], value, _MERGE_KEYS[name])
        elif not name.startswith("$"):
            result[name] = merged(result.get(name), value, keyed=keyed)
    return result


def _merged_list(before: list[Any], patch: list[Any], key: str) -> list[Any]:
    result = {each.get(key): each for each in before}
    for each in patch:
        if each.get("$patch") == "delete":
            result.pop(each.get(key), None)
        else:
            result[each.get(key)] = merged(result.get(each.get(key)), each, keyed=True)
    return list(result.values())


def _json(before: Object, patch: list[Object]) -> Object:
    result = copy.deepcopy(before)
    for step in patch:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        place: Any = result
        try:
            for part in parents:
                place = place[int(part)] if isinstance(place, list) else place[part]
            key: Any = last if isinstance(place, dict) else len(place) if last == "-" else int(last)
            if step["op"] == "test":
                if place[key] != step["value"]:
                    raise KeyError(last)
            elif step["op"] == "remove":
                del place[key]
            elif step["op"] == "add" and isinstance(place, list):
                place.insert(key, step["value"])
            else:
                _ = step["op"] == "replace" and place[key]
                place[key] = step["value"]
        except (KeyError, IndexError, ValueError, TypeError):
            text = f"the server rejected our request due to an error in our request: {step['op']} {step['path']}"
            raise Refused(422, "Invalid", text) from None
    return result


_WRITES = "update "


def writer(manager: str) -> str:
    """Return who owns what a manager writes without applying it."""
    return _WRITES + manager


def wrote(before: Object, after: Object, by: str, owned: Owned) -> None:
    """Note that who wrote the object owns what differs, and nobody else does."""
    was, now = dict(_leaves(_mine(before))), dict(_leaves(_mine(after)))
    changed = {path for path in was.keys() | now.keys() if was.get(path) != now.get(path)}
    for paths in owned.values():
        paths -= changed
    if written := changed & now.keys():
        owned.setdefault(by, set()).update(written)


def applied(before: Object, patch: Object, manager: str, owned: Owned, *, force: bool, version: str) -> Object:
    """Return the object as the manager wants its fields, and note that they are its own. Raises Refused."""
    wanted = dict(_leaves(_mine(patch)))
    conflicts = [
        (other, path)
        for path, value in wanted.items()
        for other, paths in owned.items()
        if other != manager and path in paths and _at(before, path) != value
    ]
    if conflicts and not force:
        told = [
            (f'conflict with "{other.removeprefix(_WRITES)}"' + f" using {version}" * other.startswith(_WRITES),
             f".{'.'.join(path)}")
            for other, path in conflicts
        ]  # fmt: skip
        count = f"{len(told)} conflict{'s' * (len(told) > 1)}"
        text = f"Apply failed with {count}: {', '.join(f'{who}: {where}' for who, where in told)}"
        causes = [{"reason": "FieldManagerConflict", "message": who, "field": where} for who, where in told]
        raise Refused(409, "Conflict", text, causes=causes)
    for other, path in conflicts:
        owned[other].discard(path)
    result: Object = merged(before, _mine(patch))
    for path in owned.get(manager, set()) - wanted.keys():
        if not any(path in paths for other, paths in owned.items() if other != manager):
            _remove(result, path)
    owned[manager] = set(wanted)
    return result


def _mine(patch: Object) -> Object:
    """Return what of an object is its manager's to decide."""
    kept = {name: value for name, value in patch.items() if name not in ("apiVersion", "kind")}
    outer = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields")
    kept["metadata"] = {name: value for name, value in patch.get("metadata", {}).items() if name not in outer}
    return kept


def _leaves(value: Any, path: Path = ()) -> Any:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(each, (*path, name))
    elif path and value != {}:
        yield path, value


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _remove(value: Any, path: Path) -> None:
    for part in path[:-1]:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value.pop(path[-1], None)
