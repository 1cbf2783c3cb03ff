"""Secrets: small confidential contents of a namespace, which the functions of it that name them find as files.

What is in one is written and never read back: all that is told of a secret is here, and its content is not. A version
is a number that no other content in the namespace ever had, nor one that was removed, so that the versions a replica
was started with tell whether it holds what is current.
"""

from typing import Literal

import msgspec

from dayfly.model.errors import InvalidRequest, PayloadTooLarge
from dayfly.model.names import NamespaceName, parse_secret_name

MAX_SECRET_BYTES = 1024 * 1024
"""As Kubernetes has it, so that what one provider takes the others take too; a chain of certificates is a hundredth."""
MAX_FUNCTION_BYTES = 8 * 1024 * 1024
"""All secrets of one function: they are held in its memory, of which it may have as little as 64 MiB."""
MAX_FUNCTION_SECRETS = 100
MAX_NAMESPACE_SECRETS = 1000
"""Secrets of one namespace: a change of keys writes all of them anew in one step."""

SecretMode = Literal["create", "update", "upsert"]


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as it is known without being read."""

    namespace: NamespaceName
    name: str
    version: int
    """Grows with every write, not by one."""
    created_unix_ms: int
    updated_unix_ms: int


class SecretStatus(Secret, frozen=True, kw_only=True):
    """A secret, and who uses it."""

    functions: tuple[str, ...] = ()
    """Functions of the namespace whose serving revision or candidate names it, ordered."""


class SecretContent(msgspec.Struct, frozen=True):
    """What is in a secret. Nothing that prints this shows it."""

    version: int
    data: bytes

    def __repr__(self) -> str:
        """Say which it is and not what is in it."""
        return f"SecretContent(version={self.version})"


class KeyRotation(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of the key that encrypts secrets came to. Keys are named by their fingerprints."""

    key: str
    """The key from now on."""
    retired: tuple[str, ...] = ()
    """Those that nothing needs any more and that were removed."""
    left: tuple[str, ...] = ()
    """Those that nothing needs any more, in a file that only its owner can change."""
    secrets: int = 0
    """Secrets that were encrypted anew."""


def check_secret(name: str, content: bytes) -> None:
    """Refuse what cannot be kept. Raises InvalidName, InvalidRequest, PayloadTooLarge; none shows the content."""
    parse_secret_name(name)
    if not content:
        raise InvalidRequest(
            f"the secret {name} is empty; a function that finds an empty password may well take it for none"
        )
    if len(content) > MAX_SECRET_BYTES:
        raise PayloadTooLarge(
            f"the secret {name} has {len(content)} bytes, more than the {MAX_SECRET_BYTES} a secret may have",
            hint="what is as large as that belongs into the function's code or into object storage, encrypted",
        )
