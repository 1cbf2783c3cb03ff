"""The secrets' port: contents of namespaces, kept so that whoever gets hold of the medium alone cannot read them.

When a write returns, it is on the disk. A secret is read and written under its namespace; there is no way to ask
without naming it, but for `all`, which tells no content.
"""

import abc
from collections.abc import Iterable

from dayfly.model.errors import Conflict, LimitExceeded, NotFound
from dayfly.model.names import NamespaceName
from dayfly.model.secret import MAX_NAMESPACE_SECRETS, KeyRotation, Secret, SecretContent, SecretMode


class SecretStore(abc.ABC):
    """Secrets of every namespace. All methods raise StoreUnavailable when the medium fails.

    Those that read or write a content raise SecretsLocked while the key is not there that it takes.
    """

    @abc.abstractmethod
    async def open(self) -> None:
        """Open; nothing happens when it is open already. A key that is missing is no reason not to."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Finish pending writes and close. Idempotent."""

    @abc.abstractmethod
    async def all(self) -> list[Secret]:
        """Return every secret of every namespace, ordered by namespace and name."""

    @abc.abstractmethod
    async def put(
        self, namespace: NamespaceName, name: str, content: bytes, *, mode: SecretMode, unix_ms: int
    ) -> Secret:
        """Keep the content under this name, in place of what was there; nothing changes when it is there already.

        Raises Conflict (create, and it exists), NotFound (update, and it does not), LimitExceeded beyond
        MAX_NAMESPACE_SECRETS, SecretsLocked.
        """

    @abc.abstractmethod
    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove the secret; it takes no key. Raises NotFound."""

    @abc.abstractmethod
    async def contents(self, namespace: NamespaceName, names: Iterable[str]) -> dict[str, SecretContent]:
        """Return what is in those of the named secrets that there are. Raises SecretsLocked."""

    @abc.abstractmethod
    async def rotate_key(self) -> KeyRotation:
        """Encrypt everything anew, under a new key, and forget the old one; finish a change that was interrupted.

        Everything can be read at every moment of it, also after it was broken off. Raises SecretsLocked, with nothing
        changed; NotSupported where somebody else encrypts.
        """


def check_mode(namespace: NamespaceName, name: str, mode: SecretMode, *, present: bool) -> None:
    """Refuse to create what there is and to update what there is not. Raises Conflict, NotFound."""
    if mode == "create" and present:
        raise Conflict(f"the secret {name} exists already in the namespace {namespace}; update it instead")
    if mode == "update" and not present:
        raise missing(namespace, name)


def check_room(namespace: NamespaceName, count: int) -> None:
    """Refuse one more beside so many. Raises LimitExceeded."""
    if count >= MAX_NAMESPACE_SECRETS:
        raise LimitExceeded(
            f"the namespace {namespace} has {count} secrets, and may have no more; remove one that nobody uses"
        )


def missing(namespace: NamespaceName, name: str) -> NotFound:
    """Return the refusal of what is asked about a secret that there is not."""
    return NotFound(f"there is no secret {name} in the namespace {namespace}")
