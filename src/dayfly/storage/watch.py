"""The port behind alerts and reports: small texts that are kept, by their kind, a namespace and a name.

Rules, silences, receivers and reports, and how far each got: what was found, and who was told. They are few and small,
and nobody but their owner reads them, so they are texts here. It keeps the state port's promise: when a write returns
it is on the disk, and reads see every write that returned before.
"""

import abc
from collections.abc import Mapping
from typing import Literal

WatchKind = Literal["rule", "silence", "receiver", "report", "found", "told", "reported"]
WatchKey = tuple[str, str]
"""A namespace, empty for the installation, and a name within it."""


class WatchStore(abc.ABC):
    """Texts; opened and closed with the state store beside it.

    All methods raise StoreUnavailable when the medium fails.
    """

    @abc.abstractmethod
    async def kept(self, kind: WatchKind) -> dict[WatchKey, str]:
        """Return every text of a kind, ordered by namespace and name."""

    @abc.abstractmethod
    async def keep(self, kind: WatchKind, texts: Mapping[WatchKey, str | None]) -> None:
        """Keep these texts beside the others, in place of what was there, and take away those that are None."""
