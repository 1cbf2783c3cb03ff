"""The secret store in memory: the port's executable specification. Nothing in it is encrypted, or outlives us."""

from collections import Counter
from collections.abc import Iterable

from dayfly.model.errors import SecretsLocked
from dayfly.model.names import NamespaceName
from dayfly.model.secret import KeyRotation, Secret, SecretContent, SecretMode
from dayfly.storage.secrets.port import SecretStore, check_mode, check_room, missing


class MemorySecrets(SecretStore):
    """Secrets in a dictionary. `locked`, when set, is why no content can be read or written, for tests."""

    def __init__(self) -> None:
        self.locked = ""
        self._kept: dict[tuple[NamespaceName, str], tuple[Secret, bytes]] = {}
        self._versions: Counter[NamespaceName] = Counter()
        self._keys = 1

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Keep everything, so that a test can open the same store again."""

    async def all(self) -> list[Secret]:
        """Return every secret of every namespace, ordered by namespace and name."""
        return [self._kept[place][0] for place in sorted(self._kept)]

    async def put(
        self, namespace: NamespaceName, name: str, content: bytes, *, mode: SecretMode, unix_ms: int
    ) -> Secret:
        """Keep the content under this name. Raises Conflict, NotFound, LimitExceeded, SecretsLocked."""
        self._check()
        before, held = self._kept.get((namespace, name), (None, b""))
        check_mode(namespace, name, mode, present=before is not None)
        if before is not None and held == content:
            return before
        if before is None:
            check_room(namespace, sum(place[0] == namespace for place in self._kept))
        self._versions[namespace] += 1
        secret = Secret(
            namespace=namespace,
            name=name,
            version=self._versions[namespace],
            created_unix_ms=before.created_unix_ms if before is not None else unix_ms,
            updated_unix_ms=unix_ms,
        )
        self._kept[namespace, name] = secret, content
        return secret

    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove the secret. Raises NotFound."""
        if self._kept.pop((namespace, name), None) is None:
            raise missing(namespace, name)

    async def contents(self, namespace: NamespaceName, names: Iterable[str]) -> dict[str, SecretContent]:
        """Return what is in those of the named secrets that there are. Raises SecretsLocked."""
        self._check()
        found = {name: self._kept[namespace, name] for name in names if (namespace, name) in self._kept}
        return {name: SecretContent(secret.version, data) for name, (secret, data) in found.items()}

    async def rotate_key(self) -> KeyRotation:
        """Count up. Raises SecretsLocked."""
        self._check()
        self._keys += 1
        return KeyRotation(key=f"key-{self._keys}", retired=(f"key-{self._keys - 1}",), secrets=len(self._kept))

    def _check(self) -> None:
        if self.locked:
            raise SecretsLocked(self.locked)
