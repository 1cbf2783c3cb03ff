"""What can be asked of secrets: write, list and remove them, and put them into the orders that start replicas.

Which secrets there are, in which version, is held in memory; what is in them is read for each start and kept nowhere.
A secret that is written anew reaches the functions that use it in two ways: replicas that start from then on hold it,
and those that run are replaced, in steps and without a failed call. One that is removed stays with the replicas that
hold it, and whatever would need it to start fails and says so.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from dayfly.control.clock import Clock
from dayfly.control.reconciler import Reconciler
from dayfly.control.sequence import Sequence
from dayfly.decide import events as ev
from dayfly.model.errors import Conflict, InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, NamespaceName
from dayfly.model.replica import StartOrder
from dayfly.model.secret import MAX_FUNCTION_BYTES, KeyRotation, Secret, SecretMode, SecretStatus, check_secret
from dayfly.storage.secrets.port import SecretStore, missing


class Secrets:
    """The secrets of all namespaces, and who uses them; `check_open` refuses a namespace that takes nothing in."""

    kind = "secrets"
    """What they are called among the things that lie in namespaces."""

    def __init__(
        self, store: SecretStore, changes: Sequence, check_open: Callable[[NamespaceName], None], clock: Clock
    ) -> None:
        self._store = store
        self._changes = changes
        self._check_open = check_open
        self._clock = clock
        self._known: dict[NamespaceName, dict[str, Secret]] = {}
        self._reconciler: Reconciler
        self.users: list[Callable[[NamespaceName, str], list[str]]] = []
        """Each tells who uses a secret besides functions."""
        self.on_change: list[Callable[[NamespaceName, str], None]] = []
        """Each is told of a secret that was written or removed."""

    async def start(self, reconciler: Reconciler) -> None:
        """Read which secrets there are; `reconciler` has the functions. Raises StoreUnavailable."""
        self._reconciler = reconciler
        await self._store.open()
        self._known.clear()
        for secret in await self._store.all():
            self._known.setdefault(secret.namespace, {})[secret.name] = secret

    async def stop(self) -> None:
        """Close the store. Idempotent."""
        await self._store.close()

    def in_namespace(self, namespace: NamespaceName) -> list[SecretStatus]:
        """Return the namespace's secrets, ordered by name; none of an unknown namespace."""
        users = self._users(namespace)
        return [_status(secret, users) for _, secret in sorted(self._known.get(namespace, {}).items())]

    async def put(
        self, namespace: NamespaceName, name: str, content: bytes, *, mode: SecretMode = "upsert"
    ) -> tuple[SecretStatus, Literal["created", "updated"]]:
        """Keep the content, and have it reach the functions that use it; one that is there already changes nothing.

        Raises InvalidName, InvalidRequest, PayloadTooLarge, Conflict (create, and it exists), NotFound (update, and it
        does not; no such namespace), LimitExceeded, SecretsLocked, StoreUnavailable.
        """
        check_secret(name, content)
        return await self._changes.run(("secrets", namespace), self._put(namespace, name, content, mode))

    async def remove(self, namespace: NamespaceName, name: str, *, force: bool) -> None:
        """Remove the secret. Raises NotFound, Conflict while a function uses it unless forced, StoreUnavailable."""
        await self._changes.run(("secrets", namespace), self._remove(namespace, name, force=force))

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return the names of the namespace's secrets, once those that are being written are known."""
        return await self._changes.run(("secrets", namespace), self._names(namespace))

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of the namespace's secrets. Raises StoreUnavailable."""
        await self._changes.run(("secrets", namespace), self._clear(namespace))

    async def rotate_key(self) -> KeyRotation:
        """Encrypt all secrets anew under a new key. Raises SecretsLocked, NotSupported, StoreUnavailable."""
        return await self._changes.run(("secrets",), self._store.rotate_key())

    def check(self, spec: FunctionSpec) -> None:
        """Refuse a deployment that names a secret which is not there. Raises InvalidSpec."""
        self._present(spec.key.namespace, spec.secrets)

    async def fill(self, order: StartOrder, names: Iterable[str]) -> StartOrder:
        """Return the order with what is in these secrets. Raises InvalidSpec, SecretsLocked, StoreUnavailable."""
        namespace, names = order.key.namespace, tuple(names)
        self._present(namespace, names)
        found = await self._store.contents(namespace, names)
        self._all_there(namespace, names, found)
        total = sum(len(content.data) for content in found.values())
        if total > MAX_FUNCTION_BYTES:
            raise InvalidSpec(
                f"secrets: those of {order.key.name} have {total} bytes, more than the {MAX_FUNCTION_BYTES} that all"
                " secrets of one function may have"
            )
        return msgspec.structs.replace(
            order,
            secrets={name: content.data for name, content in found.items()},
            secret_versions={name: content.version for name, content in found.items()},
        )

    def is_outdated(self, order: StartOrder) -> bool:
        """Whether a replica started by this order holds what was replaced meanwhile; one removed is not replaced."""
        known = self._known.get(order.key.namespace, {})
        return any(name in known and known[name].version != held for name, held in order.secret_versions.items())

    async def _put(
        self, namespace: NamespaceName, name: str, content: bytes, mode: SecretMode
    ) -> tuple[SecretStatus, Literal["created", "updated"]]:
        self._check_open(namespace)
        secret = await self._store.put(namespace, name, content, mode=mode, unix_ms=self._clock.unix_ms())
        known = self._known.setdefault(namespace, {})
        before, known[name] = known.get(name), secret
        users = self._users(namespace)
        if secret != before:
            for key in users.get(name, ()):
                self._reconciler.tell(key, ev.SecretChanged(name))
            self._tell(namespace, name)
        return _status(secret, users), "updated" if before is not None else "created"

    async def _remove(self, namespace: NamespaceName, name: str, *, force: bool) -> None:
        users = [key.name for key in self._users(namespace).get(name, ())]
        if users and not force and name in self._known.get(namespace, {}):
            raise Conflict(
                f"the secret {name} is used by {', '.join(users)}; without it no replica of them can be started",
                hint="deploy them without it first, or remove it by force",
            )
        others = [other for ask in self.users for other in ask(namespace, name)]
        if others and not force and name in self._known.get(namespace, {}):
            raise Conflict(
                f"the secret {name} is used by {', '.join(others)}; without it nobody gets through",
                hint="change or remove them first, or remove it by force",
            )
        await self._store.delete(namespace, name)
        self._known.get(namespace, {}).pop(name, None)
        self._tell(namespace, name)

    def _tell(self, namespace: NamespaceName, name: str) -> None:
        for tell in self.on_change:
            tell(namespace, name)

    async def _names(self, namespace: NamespaceName) -> list[str]:
        return sorted(self._known.get(namespace, ()))

    async def _clear(self, namespace: NamespaceName) -> None:
        for name in await self._names(namespace):
            await self._remove(namespace, name, force=True)

    def _users(self, namespace: NamespaceName) -> dict[str, list[FunctionKey]]:
        """Return the functions that use each of the namespace's secrets."""
        users: dict[str, list[FunctionKey]] = {}
        for key, machine in sorted(self._reconciler.machines.items()):
            if key.namespace == namespace and not machine.removed:
                for name in {name for track in machine.tracks for name in track.revision.spec.secrets}:
                    users.setdefault(name, []).append(key)
        return users

    def _present(self, namespace: NamespaceName, names: Iterable[str]) -> None:
        self._all_there(namespace, names, self._known.get(namespace, {}))

    def _all_there(self, namespace: NamespaceName, names: Iterable[str], found: Mapping[str, object]) -> None:
        for name in names:
            if name not in found:
                where = "" if namespace == DEFAULT_NAMESPACE else f" --namespace {namespace}"
                raise InvalidSpec(
                    f"secrets: {missing(namespace, name)}; create it with `dayfly secret create {name}{where}`"
                )


def _status(secret: Secret, users: Mapping[str, list[FunctionKey]]) -> SecretStatus:
    functions = tuple(key.name for key in users.get(secret.name, ()))
    return SecretStatus(**msgspec.structs.asdict(secret), functions=functions)
