"""The queue as something that is inside a namespace: its calls keep the namespace from being removed, or go with it.

Otherwise whoever is given the name next would find another's dead letters under it.
"""

from dayfly.model.errors import Conflict, NotFound, NotSupported
from dayfly.model.names import NamespaceName
from dayfly.queue.remote import RemoteQueue

_BATCH = 1000


class QueuedCalls:
    """The calls of a namespace, dead letters included."""

    kind = "queued calls"

    def __init__(self, queue: RemoteQueue) -> None:
        self._queue = queue

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return the ids of the namespace's calls, up to a thousand. Raises Unavailable while nobody can tell."""
        try:
            return [call.id for call in await self._queue.listed([namespace], limit=_BATCH)]
        except NotSupported:
            return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Cancel what waits or runs, and let go of what is dead. Raises Unavailable."""
        while ids := await self.inside(namespace):
            gone = await self._queue.purge(ids)
            for call_id in ids:
                try:
                    await self._queue.cancel(call_id)
                except (Conflict, NotFound):
                    continue  # it was dead, is over by itself, or has only its callback left to make
                gone += 1
            if not gone:
                return
