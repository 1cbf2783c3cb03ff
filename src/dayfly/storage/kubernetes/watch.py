"""What watches, in a cluster: on shelves of Dayfly's own namespace, one for each kind.

They are no custom resources: an alert rule needs no controller but ours, and what was found and who was told changes
too often, and means too little to anybody else, to be objects.
"""

from collections.abc import Mapping
from typing import get_args

from dayfly.cluster.connection import Connection
from dayfly.storage.kubernetes.shelf import Shelf
from dayfly.storage.watch import WatchKey, WatchKind, WatchStore

BOARDS = 8
"""ConfigMaps of one kind: each holds a megabyte."""


class KubernetesWatch(WatchStore):
    """Texts in ConfigMaps of the namespace `home`."""

    def __init__(self, connection: Connection, home: str) -> None:
        kinds: tuple[WatchKind, ...] = get_args(WatchKind)
        self._shelves = {kind: Shelf(connection, home, "watch", BOARDS, part=kind) for kind in kinds}

    async def kept(self, kind: WatchKind) -> dict[WatchKey, str]:
        """Return every text of a kind, ordered by namespace and name."""
        found = await self._shelves[kind].all()
        return dict(sorted((_key(name), text) for name, text in found.items()))

    async def keep(self, kind: WatchKind, texts: Mapping[WatchKey, str | None]) -> None:
        """Keep these texts beside the others, and take away those that are None."""
        await self._shelves[kind].put({f"{namespace} {name}": text for (namespace, name), text in texts.items()})


def _key(name: str) -> WatchKey:
    """Neither a namespace nor a name holds a space."""
    namespace, _, rest = name.partition(" ")
    return namespace, rest
