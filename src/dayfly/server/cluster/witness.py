"""What others change in the cluster, in the audit log: who writes with kubectl goes past the HTTP API, not past this.

A change is noted before it is taken over and told once it is, as one over HTTP. What is known of it is what the object
says: what it is now, and which program wrote it when. Who ran that program is in the API server's own audit log.
"""

import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from dayfly.cluster.kinds import TENANT, Kind, Object
from dayfly.control.plane import ControlPlane
from dayfly.decide.audit_chain import differences
from dayfly.model.audit import KUBERNETES, AuditDraft, Begun, Change
from dayfly.model.errors import DayflyError, NotFound, StoreUnavailable
from dayfly.model.names import FunctionKey
from dayfly.observe.audit import AuditLog
from dayfly.storage.kubernetes.seen import Key, OwnWrites, SeenObjects, author_of
from dayfly.storage.kubernetes.wishes import Wish


class Witness:
    """Tells the audit log of one kind's objects; `own` are the writes that the log has from elsewhere."""

    def __init__(self, audit: AuditLog, kind: Kind, seen: SeenObjects, own: OwnWrites) -> None:
        self._audit = audit
        self._noun = "namespace" if kind == TENANT else kind.name.lower()
        self._seen = seen
        self._own = own
        self._begun: dict[Key, tuple[Begun, Object | None]] = {}
        """What was noted and is not told yet, and what each name stood for before."""

    async def open(self) -> None:
        """Take up what was seen before. Raises StoreUnavailable."""
        await self._seen.open()

    async def began(self, there: Iterable[Key]) -> set[Key]:
        """Everything that is there was told; return what was there and is not any more. Raises StoreUnavailable."""
        await self._seen.begin()
        return self._seen.keys() - set(there)

    async def note(self, key: Key, obj: Object | None) -> None:
        """Note that the name stands for this, or nothing, now, where that is news and not by us.

        Raises StoreUnavailable: it must not be taken over then.
        """
        if key in self._begun or not self._is_news(key, obj) or self._own.is_ours(key, obj):
            return
        verb, by = ("put", author_of(obj)) if obj is not None else ("remove", "")
        target = "" if self._noun == "namespace" else key[1]
        begun = await self._audit.begin(_draft(f"{self._noun}.{verb}", key[0], target, by))
        before = self._seen.get(key)
        self._begun[key] = begun, before.spec if before is not None else None

    async def took(self, key: Key, obj: Object | None, refusal: DayflyError | None) -> None:
        """Keep that this was seen, and tell what became of it where it was noted. Raises StoreUnavailable."""
        # In this order: a control plane that ends in between leaves its note, and the next one tells nothing anew.
        await self._seen.put(key, obj)
        begun, before = self._begun.pop(key, (None, None))
        if begun is not None:
            changes = differences(before, obj.get("spec") if obj is not None else None)
            await _end(self._audit, begun, _status(refusal), changes)

    def _is_news(self, key: Key, obj: Object | None) -> bool:
        if not self._seen.has_begun:
            return False
        return not self._seen.is_known(obj) if obj is not None else self._seen.get(key) is not None


class FunctionWitness:
    """Tells the audit log of Functions: of what the plane made of them, as their objects hold their code, too."""

    def __init__(self, audit: AuditLog, plane: ControlPlane) -> None:
        self._audit = audit
        self._plane = plane

    async def note(self, wish: Wish) -> tuple[Begun, Any]:
        """Note a deployment or a number of replicas, with how it stood. Raises StoreUnavailable."""
        key, verb = wish.key, "scale" if wish.spec is None else "put"
        begun = await self._audit.begin(_draft(f"function.{verb}", key.namespace, key.name, wish.author))
        return begun, self.standing(key)

    async def took(self, noted: tuple[Begun, Any], wish: Wish, refusal: DayflyError | None) -> None:
        """Tell what became of what was noted."""
        await _end(self._audit, noted[0], _status(refusal), differences(noted[1], self.standing(wish.key)))

    async def removed(self, key: FunctionKey, before: Any) -> None:
        """Tell of a function that went with its object; who deleted that is nowhere in the cluster's state."""
        draft = _draft("function.remove", key.namespace, key.name, "")
        await self._audit.note(replace(draft, status=200, changes=differences(before, None)))

    def standing(self, key: FunctionKey) -> Any:
        """Return what is wanted of the function; None where there is none."""
        try:
            function = self._plane.newest(key)
        except NotFound:
            return None
        replicas = next((each.replicas for each in self._plane.functions() if each.key == key), None)
        return msgspec.to_builtins({"spec": function.spec, "replicas": replicas})


def _draft(action: str, namespace: str, target: str, author: str) -> AuditDraft:
    return AuditDraft(who=KUBERNETES, address=author[:100], action=action, namespace=namespace, target=target)


def _status(refusal: DayflyError | None) -> int:
    return refusal.status if refusal is not None else 200


async def _end(audit: AuditLog, begun: Begun, status: int, changes: tuple[Change, ...]) -> None:
    with contextlib.suppress(StoreUnavailable):  # the log keeps it, writes it with the next, and has told why
        await audit.end(begun, status, changes)
