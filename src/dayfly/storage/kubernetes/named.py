"""Routes, triggers and flows in a cluster: an object for each, whose `spec` has the fields of the HTTP API's struct.

Anybody whom the cluster lets write such an object may; so one that cannot be read is left out of what is read, says so
in its status, and does not keep the others from working. What can be read but was never taken over as it is now is left
out too, until it is: whether it may be so (another namespace's host, a broker out of reach) is not known here.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import Kind, Object, name_of, namespace_of
from dayfly.cluster.records import Condition
from dayfly.cluster.refusals import AlreadyThere, Changed
from dayfly.model.errors import DayflyError, InvalidSpec, NotFound
from dayfly.model.names import NamespaceName
from dayfly.storage.kubernetes.conditions import READY, accept, is_accepted, refuse, tell
from dayfly.storage.kubernetes.seen import OwnWrites
from dayfly.storage.kubernetes.shelf import ATTEMPTS, overtaken

log = logging.getLogger("dayfly.storage")
CREATED, UPDATED = "dayfly.dev/created-unix-ms", "dayfly.dev/updated-unix-ms"
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Looked(Generic[Thing]):
    """An object, and what it says or why that is nothing."""

    object: Object
    thing: Thing | None
    error: InvalidSpec | None


class Named(Generic[Thing]):
    """Objects of a kind as things of a struct that has `spec`, `created_unix_ms` and `updated_unix_ms`."""

    def __init__(self, connection: Connection, kind: Kind, struct: type[Thing]) -> None:
        self._api = connection
        self._kind = kind
        self._struct = struct
        self.own = OwnWrites()

    async def all(self) -> list[Thing]:
        """Return those of every namespace that were taken over, ordered by namespace and name."""
        listing = await self._api.list(self._kind)
        found: list[Thing] = []
        for obj in sorted(listing.items, key=lambda each: (namespace_of(each), name_of(each))):
            try:
                thing = self._read(obj)
            except DayflyError as error:
                await refuse(self._api, self._kind, obj, error)
            else:
                found += [thing] if is_accepted(obj) else []
        return found

    async def look(self, namespace: str, name: str) -> "Looked[Thing] | None":
        """Return what is there now; None where there is no such object. Raises StoreUnavailable."""
        try:
            obj = await self._api.get(self._kind, name, namespace)
        except NotFound:
            return None
        try:
            return Looked(obj, self._read(obj), None)
        except InvalidSpec as error:
            return Looked(obj, None, error)

    async def judged(self, looked: "Looked[Thing]", error: DayflyError | None) -> None:
        """Tell of what was looked at that it is taken over, or why it is not. Raises StoreUnavailable."""
        if error is None:
            await accept(self._api, self._kind, looked.object)
        else:
            await refuse(self._api, self._kind, looked.object, error)

    async def told(self, namespace: str, name: str, trouble: str) -> None:
        """Tell whether it does what it is for: an empty `trouble` says that it does. Raises StoreUnavailable."""
        try:
            obj = await self._api.get(self._kind, name, namespace)
        except NotFound:
            return
        status, reason = ("False", "Trouble") if trouble else ("True", "Working")
        news = Condition(type=READY, status=status, reason=reason, message=trouble)  # type: ignore[arg-type]  # it is one of both
        await tell(self._api, self._kind, obj, news)

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
                    written = await self._api.create(self._kind, obj)
                else:
                    annotations = found["metadata"].get("annotations", {}) | meta["annotations"]
                    kept = {**found["metadata"], "annotations": annotations}
                    written = await self._api.replace(self._kind, {**found, "metadata": kept, "spec": spec})
                self.own.wrote(written)
                await accept(self._api, self._kind, written)
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
        self.own.removed((namespace, name))

    @property
    def _what(self) -> str:
        return self._kind.name.lower()

    def _read(self, obj: Object) -> Thing:
        meta = obj["metadata"]
        made = made_unix_ms(obj)
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


def made_unix_ms(obj: Object) -> int:
    """Return when an object was made, as the API server has it."""
    return int(datetime.fromisoformat(obj["metadata"]["creationTimestamp"]).timestamp() * 1000)


def _plain(struct: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(struct))
