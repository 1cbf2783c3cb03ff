"""Secrets as the cluster's own: a Secret object for each, in the namespace that it belongs to.

Whoever makes a Secret with the label `dayfly.dev/secret` by kubectl has made one of ours. What encrypts them where they
are stored is the cluster's business (EncryptionConfiguration of its API server), and so is a change of that key.

A version is counted up for each content; the numbers are taken from a shelf in blocks, so that none is given twice, by
whatever life, and few writes are needed.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import SECRET, Object, name_of, namespace_of
from dayfly.cluster.refusals import AlreadyThere, Changed
from dayfly.model.errors import Conflict, NotFound, NotSupported, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.model.secret import MAX_NAMESPACE_SECRETS, KeyRotation, Secret, SecretContent, SecretMode
from dayfly.storage.kubernetes.named import CREATED, UPDATED
from dayfly.storage.kubernetes.shelf import ATTEMPTS, Shelf, overtaken
from dayfly.storage.secrets.port import SecretStore, check_mode, check_room, missing

LABEL = "dayfly.dev/secret"
VERSION, NAME = "dayfly.dev/version", "dayfly.dev/name"
BLOCK = 100
"""Versions taken from the shelf at a time."""
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class KubernetesSecrets(SecretStore):
    """The cluster's Secrets that have our label; `home` is Dayfly's own namespace."""

    def __init__(self, connection: Connection, home: str) -> None:
        self._api = connection
        self._shelf = Shelf(connection, home, "secret-versions")
        self._left: dict[NamespaceName, range] = {}
        """Versions that are ours to give, by namespace."""
        self._counts: dict[NamespaceName, int] = {}
        """How many secrets each namespace has, so far as we know."""

    async def open(self) -> None:
        """Do nothing: what is missing is told when it is needed."""

    async def close(self) -> None:
        """Do nothing: every write that returned is in the cluster."""

    async def all(self) -> list[Secret]:
        """Return every secret of every namespace, ordered by namespace and name."""
        listing = await self._api.list(SECRET, labels=LABEL)
        return sorted((_secret(obj) for obj in listing.items), key=lambda secret: (secret.namespace, secret.name))

    async def put(
        self, namespace: NamespaceName, name: str, content: bytes, *, mode: SecretMode, unix_ms: int
    ) -> Secret:
        """Keep the content under this name. Raises Conflict, NotFound, LimitExceeded."""
        for _ in range(ATTEMPTS):
            found = await self._find(namespace, name)
            check_mode(namespace, name, mode, present=found is not None)
            if found is not None and _content(found) == content:
                return _secret(found)
            if found is None:
                check_room(namespace, await self._count(namespace))
            version = await self._version(namespace, _secret(found).version if found is not None else 0)
            obj = _written(found or _bare(namespace, name), content, version, unix_ms)
            try:
                kept = await (self._api.create(SECRET, obj) if found is None else self._api.replace(SECRET, obj))
            except (AlreadyThere, Changed, NotFound):
                if found is None and await self._is_foreign(namespace, name):
                    raise Conflict(
                        f"the namespace {namespace} has a Secret {_object_name(name)} that is not Dayfly's",
                        hint=f"take another name, or let Dayfly have it: kubectl label secret {_object_name(name)}"
                        f" -n {namespace} {LABEL}=true",
                    ) from None
                continue
            if found is None:
                self._counts[namespace] = self._counts.get(namespace, 0) + 1
            return _secret(kept)
        raise overtaken(f"the secret {name} of the namespace {namespace}")

    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove the secret. Raises NotFound."""
        found = await self._find(namespace, name)
        if found is None:
            raise missing(namespace, name)
        try:
            await self._api.delete(SECRET, name_of(found), namespace, uid=found["metadata"]["uid"])
        except (NotFound, Changed) as error:
            raise missing(namespace, name) from error
        self._counts.pop(namespace, None)

    async def contents(self, namespace: NamespaceName, names: Iterable[str]) -> dict[str, SecretContent]:
        """Return what is in those of the named secrets that there are."""
        found = {name: await self._find(namespace, name) for name in dict.fromkeys(names)}
        return {
            name: SecretContent(_secret(obj).version, _content(obj)) for name, obj in found.items() if obj is not None
        }

    async def rotate_key(self) -> KeyRotation:
        """Refuse: the cluster encrypts. Raises NotSupported."""
        raise NotSupported(
            "the cluster encrypts secrets, not Dayfly, and so changes the key",
            hint="change the key in the API server's EncryptionConfiguration, then have all Secrets written anew:"
            " kubectl get secrets -A -o json | kubectl replace -f -",
        )

    async def _find(self, namespace: NamespaceName, name: str) -> Object | None:
        try:
            obj = await self._api.get(SECRET, _object_name(name), namespace)
        except NotFound:
            return None
        return obj if LABEL in obj["metadata"].get("labels", {}) else None

    async def _is_foreign(self, namespace: NamespaceName, name: str) -> bool:
        try:
            obj = await self._api.get(SECRET, _object_name(name), namespace)
        except NotFound:
            return False
        return LABEL not in obj["metadata"].get("labels", {})

    async def _count(self, namespace: NamespaceName) -> int:
        """Return how many there are; they are counted anew where it matters."""
        if self._counts.get(namespace, MAX_NAMESPACE_SECRETS) >= MAX_NAMESPACE_SECRETS:
            self._counts[namespace] = len((await self._api.list(SECRET, namespace, labels=LABEL)).items)
        return self._counts[namespace]

    async def _version(self, namespace: NamespaceName, above: int) -> int:
        left = self._left.get(namespace, range(0))
        while not left or left.start <= above:
            if left:
                left = left[1:]
                continue
            first = 0

            def taken(texts: dict[str, str]) -> dict[str, str]:
                nonlocal first
                # Where the shelf was lost, what is there says from where on a version is new.
                first = max(int(texts.get(namespace, "0")), above - above % BLOCK)
                return texts | {namespace: str(first + BLOCK)}

            await self._shelf.change(taken)
            left = range(first + 1, first + BLOCK + 1)
        self._left[namespace] = left[1:]
        return left.start


def _object_name(name: str) -> str:
    """Return the object's name: the secret's own where Kubernetes takes it, else one that stands for it."""
    return name if _SUBDOMAIN.fullmatch(name) else f"dayfly-secret-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _bare(namespace: str, name: str) -> Object:
    meta = {"labels": {LABEL: "true"}, "annotations": {NAME: name}}
    return SECRET.object(_object_name(name), namespace, metadata=meta, type="Opaque")


def _written(obj: Object, content: bytes, version: int, unix_ms: int) -> Object:
    meta = obj["metadata"]
    annotations = meta.get("annotations", {})
    annotations = {CREATED: str(unix_ms)} | annotations | {VERSION: str(version), UPDATED: str(unix_ms)}
    data = {_name(obj): base64.b64encode(content).decode()}
    return {**obj, "metadata": {**meta, "annotations": annotations}, "data": data}


def _secret(obj: Object) -> Secret:
    meta = obj["metadata"]
    annotations = meta.get("annotations", {})
    made = int(datetime.fromisoformat(meta["creationTimestamp"]).timestamp() * 1000)
    try:
        return Secret(
            namespace=NamespaceName(namespace_of(obj)), name=_name(obj),
            version=int(annotations.get(VERSION, meta["resourceVersion"])),
            created_unix_ms=int(annotations.get(CREATED, made)), updated_unix_ms=int(annotations.get(UPDATED, made)),
        )  # fmt: skip
    except ValueError as error:
        raise StoreUnavailable(
            f"the annotations of the Secret {name_of(obj)} cannot be read: {error}", hint="write the secret anew"
        ) from error


def _name(obj: Object) -> str:
    return str(obj["metadata"].get("annotations", {}).get(NAME, name_of(obj)))


def _content(obj: Object) -> bytes:
    """Return the content: what goes by the secret's name or, where there is but one, that."""
    data = obj.get("data") or {}
    name = _name(obj)
    if name not in data and len(data) != 1:
        raise StoreUnavailable(
            f"the Secret {name_of(obj)} has {len(data)} entries, and none of them is called {name}",
            hint=f"make it anew: kubectl create secret generic {name} --from-literal {name}=…",
        )
    return base64.b64decode(data[name] if name in data else next(iter(data.values())))
