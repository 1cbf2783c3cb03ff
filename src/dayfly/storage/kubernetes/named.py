"""Routes, triggers and flows in a cluster: an object for each, whose `spec` has the fields of the HTTP API's struct.

Anybody whom the cluster lets write such an object may; so one that cannot be read is left out of what is read, and said
so of in its status, and does not keep the others from working.
"""

import logging
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import Kind, Object, name_of, namespace_of
from dayfly.cluster.refusals import AlreadyThere, Changed
from dayfly.model.errors import DayflyError, InvalidSpec, NotFound
from dayfly.model.names import NamespaceName
from dayfly.storage.kubernetes.conditions import refuse
from dayfly.storage.kubernetes.shelf import ATTEMPTS, overtaken

log = logging.getLogger("dayfly.storage")
CREATED, UPDATED = "dayfly.dev/created-unix-ms", "dayfly.dev/updated-unix-ms"
Thing = TypeVar("Thing")


class Named(Generic[Thing]):
    """Objects of a kind as things of a struct that has `spec`, `created_unix_ms` and `updated_unix_ms`."""

    def __init__(self, connection: Connection, kind: Kind, struct: type[Thing]) -> None:
        self._api = connection
        self._kind = kind
        self._struct = struct

    async def all(self) -> list[Thing]:
        """Return those of every namespace that can be read, ordered by namespace and name."""
        listing = await self._api.list(self._kind)
        found: list[Thing] = []
        for obj in sorted(listing.items, key=lambda each: (namespace_of(each), name_of(each))):
            try:
                found.append(self._read(obj))
            except DayflyError as error:
                await refuse(self._api, self._kind, obj, error)
        return found

    async def put(self, thing: Any) -> None:
        """Create or replace it."""
        spec = {name: value for name, value in _plain(thing.spec).items() if name not in ("name", "namespace")}
        meta = {"annotations": {CREATED: str(thing.created_unix_ms), UPDATED: str(thing.updated_unix_ms)}}
        obj = self._kind.object(thing.spec.name, thing.spec.namespace, metadata=meta, spec=spec)
        for _ in range(ATTEMPTS):
            try:
                found = await self._api.get(self._kind, thing.spec.name, thing.spec.namespace)
            except NotFound:
                found = None
            try:
                if found is None:
                    await self._api.create(self._kind, obj)
                else:
                    annotations = found["metadata"].get("annotations", {}) | meta["annotations"]
                    kept = {**found["metadata"], "annotations": annotations}
                    await self._api.replace(self._kind, {**found, "metadata": kept, "spec": spec})
            except (Changed, AlreadyThere):
                continue
            except NotFound:
                if found is None:  # its namespace is not there
                    raise
                continue
            return
        raise overtaken(f"the {self._what} {thing.spec.name} of the namespace {thing.spec.namespace}")

    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove it. Raises NotFound."""
        try:
            await self._api.delete(self._kind, name, namespace)
        except NotFound as error:
            raise NotFound(f"there is no {self._what} {name} in the namespace {namespace}") from error

    @property
    def _what(self) -> str:
        return self._kind.name.lower()

    def _read(self, obj: Object) -> Thing:
        meta = obj["metadata"]
        made = int(datetime.fromisoformat(meta["creationTimestamp"]).timestamp() * 1000)
        annotations = meta.get("annotations", {})
        try:
            return msgspec.convert(
                {"spec": obj.get("spec", {}) | {"name": name_of(obj), "namespace": namespace_of(obj)},
                 "created_unix_ms": int(annotations.get(CREATED, made)),
                 "updated_unix_ms": int(annotations.get(UPDATED, made))},
                self._struct,
            )  # fmt: skip
        except (msgspec.ValidationError, ValueError) as error:
            raise InvalidSpec(f"{error}") from error


def _plain(struct: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(struct))
