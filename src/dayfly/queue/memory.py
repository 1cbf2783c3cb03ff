"""The queue's store in memory: what tests run against, held to the same contract as the real one."""

from dayfly.model.errors import Unavailable
from dayfly.model.queued import QueuedCall, Request, Result, Standing
from dayfly.queue.port import Kept, KeyClaim, Outrun, Taken


class MemoryQueueStore:
    """Keeps everything for as long as it lives. `away` makes every method raise Unavailable."""

    def __init__(self) -> None:
        self.away = False
        self._kept: dict[str, Kept] = {}
        self._requests: dict[str, Request] = {}
        self.results: dict[str, Result] = {}
        self._keys: dict[str, KeyClaim] = {}
        self._positions: dict[str, int] = {}
        self._last = 0

    async def accept(self, call: QueuedCall, request: Request) -> None:
        """Keep a new call. Raises Taken."""
        self._answer()
        if call.id in self._kept:
            raise Taken(call.id)
        self._kept[call.id] = Kept(call, Standing(due_unix_ms=call.due_unix_ms), 0)
        self._requests[call.id] = request

    async def move(self, call_id: str, standing: Standing, revision: int) -> int:
        """Let the call stand there. Raises Outrun."""
        self._answer()
        kept = self._kept.get(call_id)
        if kept is None or kept.revision != revision:
            raise Outrun(call_id)
        self._kept[call_id] = Kept(kept.call, standing, revision + 1)
        return revision + 1

    async def forget(self, call_id: str) -> None:
        """Let go of a call. Idempotent."""
        self._answer()
        self._kept.pop(call_id, None)
        self._requests.pop(call_id, None)

    async def kept(self) -> list[Kept]:
        """Return every call, in the order they were accepted."""
        self._answer()
        return list(self._kept.values())

    async def find(self, call_id: str) -> Kept | None:
        """Return the call as it stands now."""
        self._answer()
        return self._kept.get(call_id)

    async def request(self, call_id: str) -> Request | None:
        """Return what the function is to be sent."""
        self._answer()
        return self._requests.get(call_id)

    async def keep_result(self, result: Result) -> None:
        """Keep what came of a call."""
        self._answer()
        self.results[result.id] = result
        self._positions.pop(result.id, None)
        self._last += 1
        self._positions[result.id] = self._last

    async def result(self, call_id: str) -> Result | None:
        """Return what came of a call."""
        self._answer()
        return self.results.get(call_id)

    async def kept_after(self, position: int) -> tuple[int, Result] | None:
        """Return the first result that was kept after the position, and its own."""
        self._answer()
        after = position if position <= self._last else 0
        kept = [(at, self.results[call_id]) for call_id, at in self._positions.items() if call_id in self.results]
        later = (each for each in kept if each[0] > after)
        return next(later, None)

    async def first_position(self) -> int:
        """Return the position before which no result is kept any more."""
        self._answer()
        return min((at for call_id, at in self._positions.items() if call_id in self.results), default=0)

    async def claim_key(self, key: str, claim: KeyClaim) -> KeyClaim:
        """Return what the key stands for."""
        self._answer()
        return self._keys.setdefault(key, claim)

    async def settle_key(self, key: str, claim: KeyClaim) -> None:
        """Let the key stand for this."""
        self._answer()
        self._keys[key] = claim

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("the queue's store is away")
