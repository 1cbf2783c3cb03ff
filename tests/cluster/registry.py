"""The double's memory: objects with their versions, what changed, and who goes with whom.

It does what the API server does with an object, without HTTP: names and identities, resourceVersion and generation,
subresources, schemas of custom resources, finalizers, owners, limits. One lock guards it, so that a test may look at it
and change it while the server runs. Deleting an owner deletes what it owns at once, unless `collects` is off.
"""

from __future__ import annotations

import random
import string
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.cluster import patches
from tests.cluster.objects import checked, copied, scale_of, with_scale, without
from tests.cluster.resources import BUILT_IN, Object, Refused, Resource, at, no_such_path, served_by

_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
Key = tuple[str, str, str]
"""`functions.dayfly.dev`, namespace, name."""


@dataclass(frozen=True)
class Change:
    """Something that happened to an object, as watches tell of it."""

    version: int
    type: str
    key: Key
    after: Object
    before: Object | None


class Registry:
    """All objects. `now` is what the double takes for the time; a test may replace it."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.collects = True
        self.history: list[Change] = []
        self.floor = 0
        """The oldest version that a watch may still begin at."""
        self.listeners: list[Callable[[], None]] = []
        self.version = 1
        self._objects: dict[Key, Object] = {}
        self._owned: dict[Key, patches.Owned] = {}
        self.aggregated: tuple[Resource, ...] = ()
        """What other servers behind the API server serve, as a metrics server does."""
        self._served: tuple[list[str], list[Resource]] = ([], list(BUILT_IN))
        self._random = random.Random(7)  # noqa: S311
        for name in ("default", "kube-system"):
            self.create(self.find("", "v1", "namespaces"), "", {"metadata": {"name": name}})

    def resources(self) -> list[Resource]:
        """Return every kind that is served, in each of its versions."""
        with self.lock:
            crds = [value for key, value in self._objects.items() if key[0] == _CRDS]
            marks = [each["metadata"]["resourceVersion"] for each in crds]
            if marks != self._served[0]:
                kinds = [*BUILT_IN, *(each for definition in crds for each in served_by(definition))]
                self._served = marks, kinds
            return [*self._served[1], *self.aggregated]

    def find(self, group: str, version: str, plural: str) -> Resource:
        """Return the kind. Raises Refused."""
        for each in self.resources():
            if (each.group, each.version, each.plural) == (group, version, plural):
                return each
        raise no_such_path()

    def _kind(self, name: str) -> Resource:
        return next(each for each in self.resources() if each.name == name)

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Return the object as this version of its kind shows it. Raises Refused."""
        with self.lock:
            if (found := self._objects.get((resource.name, namespace, name))) is None:
                raise resource.missing(name)
            return {**copied(found), "apiVersion": resource.api_version}

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Return the objects of one namespace or, with none named, of all, in the order of their names."""
        with self.lock:
            keys = sorted(key for key in self._objects if key[0] == resource.name and namespace in ("", key[1]))
            return [self.get(resource, key[1], key[2]) for key in keys]

    def create(
        self, resource: Resource, namespace: str, given: Object, *, manager: str = "somebody", dry: bool = False,
        applied: bool = False,
    ) -> Object:  # fmt: skip
        """Keep a new object and return it. Raises Refused."""
        with self.lock:
            obj = copied(given)
            meta: Object = obj.setdefault("metadata", {})
            if not meta.get("name") and meta.get("generateName"):
                meta["name"] = meta["generateName"] + "".join(self._random.choices(string.ascii_lowercase, k=5))
            name = meta.get("name", "")
            if meta.get("resourceVersion"):
                raise Refused(500, "", "resourceVersion should not be set on objects to be created")
            if meta.setdefault("namespace", namespace) != namespace:
                text = "the namespace of the provided object does not match the namespace sent on the request"
                raise Refused(400, "BadRequest", text)
            if namespace:
                self._check_namespace(resource, namespace, name)
            else:
                del meta["namespace"]
            key = (resource.name, namespace, name)
            if key in self._objects:
                text = f'{resource.name} "{name}" already exists'
                raise Refused(409, "AlreadyExists", text, name=name, kind=resource.plural)
            for each in ("deletionTimestamp", "managedFields", "generation", "selfLink"):
                meta.pop(each, None)
            now = self.stamp()
            meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": now, "managedFields": [_managed(manager, now)]}
            if resource.counts_generations:
                meta["generation"] = 1
            if "status" in resource.subresources:
                obj.pop("status", None)
            obj |= {"apiVersion": resource.api_version, "kind": resource.kind}
            obj = checked(resource, obj)
            if not dry and not applied:
                patches.wrote({}, obj, patches.writer(manager), self._owned.setdefault(key, {}))
            return obj if dry else self._keep("ADDED", key, obj)

    def update(
        self, resource: Resource, namespace: str, given: Object, sub: str = "", *, manager: str = "somebody",
        dry: bool = False, by: str | None = "",
    ) -> Object:  # fmt: skip
        """Replace the object, or its `status` or `scale`, and return it. Raises Refused."""
        by = patches.writer(manager) if by == "" else by
        with self.lock:
            meta = given.get("metadata", {})
            name = meta.get("name", "")
            before = self.get(resource, namespace, name)
            if meta.get("uid", before["metadata"]["uid"]) != before["metadata"]["uid"]:
                text = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: "
                raise resource.conflict(name, text + before["metadata"]["uid"])
            if not (version := meta.get("resourceVersion")) and not sub and (
                resource.custom or resource.plural == "leases"
            ):  # fmt: skip
                raise resource.invalid(
                    name, ["metadata.resourceVersion: Invalid value: 0: must be specified for an update"]
                )
            if version and version != before["metadata"]["resourceVersion"]:
                raise resource.conflict(name)
            if sub == "scale":
                after = with_scale(resource, before, given)
                if (replicas := at(given, "spec.replicas") or 0) < 0:
                    where = resource.scale["specReplicasPath"]
                    raise resource.invalid(
                        name, [f"{where}: Invalid value: {replicas}: should be a non-negative integer"]
                    )
            elif sub == "status":
                after = {**before, "status": copied(given.get("status", {}))}
            else:
                after = copied(given)
                if "status" in resource.subresources:
                    after.pop("status", None)
                    after |= {"status": before["status"]} if "status" in before else {}
            changed = self._changed(resource, before, after)
            if changed != before:
                ours = _managed(manager, self.stamp(), sub)
                known = changed["metadata"]["managedFields"]
                others = [each for each in known if {**each, "time": ours["time"]} != ours]
                changed["metadata"] = {**changed["metadata"], "managedFields": [*others, ours]}
                if by is not None and not dry:
                    patches.wrote(before, changed, by, self._owned.setdefault((resource.name, namespace, name), {}))
            result = changed if dry else self._settle(resource, before, changed)
            return scale_of(resource, result) if sub == "scale" else result

    def patch(
        self, resource: Resource, namespace: str, name: str, kind: str, patch: Any, sub: str = "", *,
        manager: str = "", force: bool = False, dry: bool = False,
    ) -> Object:  # fmt: skip
        """Change the object and return it; what is applied and not there is created. Raises Refused."""
        with self.lock:
            key = (resource.name, namespace, name)
            if kind == patches.APPLY:
                if key not in self._objects:
                    given = {**patch, "metadata": {**patch.get("metadata", {}), "name": name}}
                    given["metadata"].pop("resourceVersion", None)
                    made = self.create(resource, namespace, given, manager=manager, dry=dry, applied=True)
                    patches.applied({}, patch, manager, self._owned.setdefault(key, {}), force=True, version="")
                    return made
                owned = copied(self._owned.get(key, {})) if dry else self._owned.setdefault(key, {})
                before = self.get(resource, namespace, name)
                after = patches.applied(before, patch, manager, owned, force=force, version=resource.api_version)
            else:
                before = self.get(resource, namespace, name)
                shown = scale_of(resource, before, lenient=True) if sub == "scale" else before
                after = patches.patched(resource, shown, kind, patch)
            if "resourceVersion" not in (patch.get("metadata", {}) if isinstance(patch, dict) else {}):
                after["metadata"] = {**after.get("metadata", {}), **_version_of(before)}
            elif kind == patches.APPLY:
                after["metadata"] = {**after["metadata"], "resourceVersion": patch["metadata"]["resourceVersion"]}
            by = None if kind == patches.APPLY else patches.writer(manager or "somebody")
            return self.update(resource, namespace, after, sub, manager=manager or "somebody", dry=dry, by=by)

    def delete(self, resource: Resource, namespace: str, name: str, options: Object | None = None) -> Object:
        """Delete the object, or mark it where somebody must act first; return it. Raises Refused."""
        with self.lock:
            options = options or {}
            obj = self.get(resource, namespace, name)
            meta = obj["metadata"]
            for what, wanted in (options.get("preconditions") or {}).items():
                if meta.get(what) != wanted:
                    label = "UID" if what == "uid" else "ResourceVersion"
                    text = f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: "
                    raise resource.conflict(name, text + meta[what])
            grace = options.get("gracePeriodSeconds")
            if resource.name == "pods" and at(obj, "spec.nodeName"):
                grace = at(obj, "spec.terminationGracePeriodSeconds") or 30 if grace is None else grace
            else:
                grace = 0
            if options.get("propagationPolicy") == "Orphan":
                self._orphan(meta["uid"])
            if not grace and not meta.get("finalizers"):
                return self._remove((resource.name, namespace, name), obj)
            if "deletionTimestamp" not in meta:
                meta |= {"deletionTimestamp": self.stamp(), "deletionGracePeriodSeconds": grace}
                if "generation" in meta:
                    meta["generation"] += 1
                return self._keep("MODIFIED", (resource.name, namespace, name), obj)
            return obj

    def wipe(self) -> None:
        """Forget every object but namespaces and kinds, without a word to anybody."""
        with self.lock:
            kept = ("namespaces", _CRDS)
            self._objects = {key: obj for key, obj in self._objects.items() if key[0] in kept}
            self._owned.clear()
            self.history.clear()

    def expire(self) -> None:
        """Forget what changed: whoever wants to resume a watch at any version before this one is told 410."""
        with self.lock:
            self.floor = self.version
            self.history.clear()

    def stamp(self) -> str:
        """Return the time as objects have it."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _changed(self, resource: Resource, before: Object, after: Object) -> Object:
        kept = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                "generation", "resourceVersion", "managedFields")  # fmt: skip
        meta = {name: value for name, value in after.get("metadata", {}).items() if name not in kept and value != {}}
        meta |= {name: before["metadata"][name] for name in kept if name in before["metadata"]}
        after = {**after, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
        after = checked(resource, after, before)
        if resource.counts_generations and without(after) != without(before):
            meta["generation"] = before["metadata"]["generation"] + 1
        return {**after, "metadata": meta}

    def _settle(self, resource: Resource, before: Object, after: Object) -> Object:
        key = (resource.name, before["metadata"].get("namespace", ""), before["metadata"]["name"])
        if "deletionTimestamp" in after["metadata"] and not after["metadata"].get("finalizers") and not (
            after["metadata"].get("deletionGracePeriodSeconds")
        ):  # fmt: skip
            return self._remove(key, after)
        return before if after == before else self._keep("MODIFIED", key, after)

    def _keep(self, type_: str, key: Key, obj: Object) -> Object:
        self.version += 1
        before = self._objects.get(key)
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        self._objects[key] = obj
        self._tell(Change(self.version, type_, key, copied(obj), before))
        return copied(obj)

    def _remove(self, key: Key, obj: Object) -> Object:
        self.version += 1
        before = self._objects.pop(key)
        self._owned.pop(key, None)
        last = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        self._tell(Change(self.version, "DELETED", key, last, before))
        if self.collects:
            self.collect()
        inside = {"namespaces": 1, _CRDS: 0}.get(key[0], -1)
        for each in list(self._objects) if inside >= 0 else ():
            if each[inside] == key[2] and each in self._objects:
                self._remove(each, self._objects[each])
        return copied(last)

    def collect(self) -> None:
        """Delete what had owners of which none is left."""
        with self.lock:
            living = {obj["metadata"]["uid"] for obj in self._objects.values()}
            for key, obj in list(self._objects.items()):
                owners = obj["metadata"].get("ownerReferences")
                if owners and not any(owner["uid"] in living for owner in owners) and key in self._objects:
                    self.delete(self._kind(key[0]), key[1], key[2])

    def _orphan(self, uid: str) -> None:
        for key, obj in list(self._objects.items()):
            owners = obj["metadata"].get("ownerReferences", [])
            left = [owner for owner in owners if owner["uid"] != uid]
            if left != owners:
                self._keep("MODIFIED", key, {**obj, "metadata": {**obj["metadata"], "ownerReferences": left}})

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        found = self._objects.get(("namespaces", "", namespace))
        if found is None:
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found', name=namespace, kind="namespaces")
        if "deletionTimestamp" in found["metadata"]:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise Refused(403, "Forbidden", f'{resource.name} "{name}" is forbidden: {why}')

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        for listener in self.listeners:
            listener()


def _managed(manager: str, time: str, sub: str = "") -> Object:
    fields = {"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {}, "time": time}
    return fields | ({"subresource": sub} if sub else {})


def _version_of(obj: Object) -> Object:
    return {"resourceVersion": obj["metadata"]["resourceVersion"]}
