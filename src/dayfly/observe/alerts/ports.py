"""What alerts stand on that others provide."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from dayfly.model.names import NamespaceName


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since some moment in the past; never goes back."""

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the machine believes."""


class Vault(Protocol):
    """Keeps the secrets of receivers: a namespace's beside its others, the installation's where no namespace is.

    Methods raise SecretsLocked, StoreUnavailable.
    """

    async def keep(self, namespace: str, name: str, content: bytes) -> None:
        """Keep the content in place of what was there. Raises LimitExceeded."""
        ...

    async def read(self, namespace: str, name: str) -> bytes | None:
        """Return the content, None when there is none."""
        ...

    async def drop(self, namespace: str, name: str) -> None:
        """Remove it, if it is there."""
        ...


CheckOpen = Callable[[NamespaceName], None]
"""Refuses a namespace that is not there, or that takes nothing in."""
Namespaces = Callable[[], Iterable[NamespaceName]]
Wake = Callable[[], None]
Work = Callable[[], Awaitable[None]]
