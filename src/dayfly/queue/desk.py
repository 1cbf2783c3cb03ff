"""The desk: what callers and operators ask of the queue."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import msgspec

from dayfly.decide.queueing import OVER, Misstep
from dayfly.model.errors import Conflict, KeyReused, LimitExceeded, NotFound
from dayfly.model.names import new_call_id
from dayfly.model.queued import CallStatus, QueuedCall, QueueFigures, Request, Result, Standing
from dayfly.queue.dispatcher import Dispatcher
from dayfly.queue.ledger import ANY, Ledger, status_of, status_of_result
from dayfly.queue.limits import QueueLimits
from dayfly.queue.port import Kept, KeyClaim, Outrun, QueueStore, Taken
from dayfly.queue.questions import Ending

MAX_WAIT_S = 60.0
MAX_LISTED = 1000
MAX_ENDED = 50
LOOK_S = 2.0
"""How often it is looked for results that another life of this process kept."""
_TRIES = 3
_UNHEARD_S = 5.0
"""How long a direct call may be unheard of that another process has accepted just now."""


class Desk:
    """The queue, for those who use it. Every method raises Unavailable while the store is away."""

    def __init__(
        self,
        store: QueueStore,
        ledger: Ledger,
        dispatcher: Dispatcher,
        limits: QueueLimits,
        health: Callable[[], tuple[bool, int]] = lambda: (True, 0),
    ) -> None:
        self.health = health
        """Tells whether the store is there, and how often the connection to it was made anew."""
        self._store = store
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._limits = limits
        self._submitting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def submit(self, call: QueuedCall, request: Request, key: str = "", digest: str = "") -> str:
        """Accept a call and return its id, which is another one when its own is taken.

        With a `key`, which says whom it is good for, it is accepted once, and the id is that of the first time. Raises
        LimitExceeded, KeyReused.
        """
        self._make_room(call)
        if key:
            return (await self._submit_once(call, request, key, digest))[0]
        for _ in range(_TRIES):
            with contextlib.suppress(Taken):
                return await self._accept(call, request)
            call = msgspec.structs.replace(call, id=new_call_id())
        raise Conflict(f"No id could be found for the call of {call.function}")

    async def nobodys(self, call: QueuedCall) -> QueuedCall:
        """Return the call with an id that no other has had, whose answer it would be taken for."""
        if self._ledger.get(call.id) is None and await self._store.result(call.id) is None:
            return call
        return msgspec.structs.replace(call, id=new_call_id())

    async def answer(self, call: QueuedCall, request: Request, key: str, digest: str) -> tuple[Result, bool]:
        """Make a direct call, once for its key, and return what came of it, and whether another had begun it.

        Raises LimitExceeded, KeyReused, and Conflict when the answer is gone already.
        """
        self._make_room(call)
        call_id, is_first = await self._submit_once(call, request, key, digest)
        give_up = self._dispatcher.clock.now() + _UNHEARD_S
        with self._ledger.listening(call_id) as news:
            while True:
                if self._ledger.get(call_id) is None:
                    result = await self._store.result(call_id)
                    if result is not None:
                        return result, not is_first
                    if self._dispatcher.clock.now() >= give_up and await self._store.find(call_id) is None:
                        raise Conflict(
                            f"The call {call_id} with this Idempotency-Key has run; its answer is not kept any more"
                        )
                await news.come(_UNHEARD_S / 5)

    async def status(self, call_id: str, wait_s: float = 0.0) -> CallStatus:
        """Return how a call stands, after waiting for its end for up to MAX_WAIT_S. Raises NotFound."""
        give_up = self._dispatcher.clock.now() + min(wait_s, MAX_WAIT_S)
        with self._ledger.listening(call_id) as news:
            while True:
                status = await self._status(call_id)
                left_s = give_up - self._dispatcher.clock.now()
                if left_s <= 0 or status.state in OVER or status.state == "dead":
                    return status
                await news.come(left_s)

    async def changed(self, call_id: str, seen: CallStatus, wait_s: float) -> CallStatus:
        """Return how a call stands once that is not what was seen any more, or after `wait_s`. Raises NotFound."""
        give_up = self._dispatcher.clock.now() + min(wait_s, MAX_WAIT_S)
        with self._ledger.listening(call_id) as news:
            while True:
                status = await self._status(call_id)
                left_s = give_up - self._dispatcher.clock.now()
                if left_s <= 0 or (status.state, status.attempts) != (seen.state, seen.attempts):
                    return status
                await news.come(left_s)

    async def cancel(self, call_id: str) -> CallStatus:
        """Let a call be over. Raises NotFound, Conflict when it is over or has run, which says how it ended."""
        kept = self._ledger.get(call_id)
        if kept is None or kept.standing.phase == "dead":
            raise _too_late(await self._status(call_id))
        try:
            await self._dispatcher.cancel(kept)
        except (Misstep, Outrun) as why:
            raise Conflict(f"The call {call_id} cannot be cancelled: {why}") from None
        return await self._status(call_id)

    def listed(self, namespaces: Iterable[str] | None, state: str, function: str, limit: int) -> list[CallStatus]:
        """Return calls in the queue without their answers, the oldest first: those of the namespaces, or all."""
        seen = None if namespaces is None else set(namespaces)
        found: list[CallStatus] = []
        for kept in self._ledger:
            call, standing = kept.call, kept.standing
            if seen is not None and call.namespace not in seen:
                continue
            if (state and standing.state != state) or (function and call.function != function):
                continue
            found.append(status_of(kept))
            if len(found) >= min(limit, MAX_LISTED):
                break
        return found

    async def redrive(self, call_ids: Iterable[str]) -> int:
        """Let these dead calls begin anew; return how many did."""
        return await self._each(call_ids, again=True)

    async def purge(self, call_ids: Iterable[str]) -> int:
        """Let go of these dead calls; return how many went."""
        return await self._each(call_ids, again=False)

    async def ended(self, position: int, wait_s: float, body_bytes: int) -> list[Ending]:
        """Return what came of calls since the position, once there is anything or after `wait_s`.

        Answers of more than `body_bytes` are left out, and counted as dropped.
        """
        give_up = self._dispatcher.clock.now() + min(wait_s, MAX_WAIT_S)
        with self._ledger.listening(ANY) as news:
            while True:
                found = await self._ended(position, body_bytes)
                left_s = give_up - self._dispatcher.clock.now()
                if found or left_s <= 0:
                    return found
                await news.come(min(left_s, LOOK_S))

    def figures(self) -> list[QueueFigures]:
        """Return the figures of every function that has any."""
        return self._ledger.figures()

    async def _ended(self, position: int, body_bytes: int) -> list[Ending]:
        found: list[Ending] = []
        while len(found) < MAX_ENDED:
            after = found[-1].position if found else position
            kept = await self._store.kept_after(after)
            if kept is None:
                break
            result = kept[1]
            if len(result.body) > body_bytes:
                result = msgspec.structs.replace(result, body=b"", dropped_bytes=len(result.body))
            found.append(Ending(kept[0], result, await self._missed(after, kept[0])))
        return found

    async def _missed(self, after: int, position: int) -> int:
        """Return how many results that were kept between the positions went before they were read."""
        if position <= after + 1:
            return 0
        first = await self._store.first_position()  # what was only replaced leaves a gap after it, not before
        return max(0, min(first, position) - after - 1)

    async def _each(self, call_ids: Iterable[str], *, again: bool) -> int:
        done = 0
        for call_id in call_ids:
            kept = self._ledger.get(call_id)
            try:
                if kept is not None:
                    await (self._dispatcher.redrive(kept) if again else self._dispatcher.purge(kept))
                    done += 1
            except (Misstep, Outrun):
                continue
            await asyncio.sleep(0)
        return done

    def _make_room(self, call: QueuedCall) -> None:
        limits, ledger = self._limits, self._ledger
        if len(ledger) >= limits.calls:
            raise _full(f"holds {limits.calls} calls already (queue limit calls)")
        if ledger.size_bytes + call.size_bytes > limits.store_bytes:
            raise _full(f"holds {ledger.size_bytes} bytes already (queue limit store_bytes)")
        if ledger.of(call.function) >= limits.calls_of_one:
            raise _full(f"holds {limits.calls_of_one} calls of {call.function} already, half of what it takes at all")
        taken = ledger.bytes_of(call.function)
        if taken and taken + call.size_bytes > limits.store_bytes_of_one:
            raise _full(f"holds {taken} bytes of {call.function} already, half of what it takes at all is the most")

    async def _submit_once(self, call: QueuedCall, request: Request, key: str, digest: str) -> tuple[str, bool]:
        """Accept a call unless its key's was accepted before; return that one's id, and whether this is it.

        One at a time for each key: the store knows a call as taken only until it is over.
        """
        lock = self._submitting.setdefault(key, asyncio.Lock())
        async with lock:
            return await self._submit_claimed(call, request, key, digest)

    async def _submit_claimed(self, call: QueuedCall, request: Request, key: str, digest: str) -> tuple[str, bool]:
        claim = await self._store.claim_key(key, KeyClaim(call.id, digest))
        if claim.digest != digest:
            raise KeyReused("The Idempotency-Key came with another request before", hint="Use a key for one call.")
        if (claim.accepted or claim.call_id != call.id) and not await self._may_begin(claim):
            return claim.call_id, False
        call = msgspec.structs.replace(call, id=claim.call_id)
        try:
            await self._accept(call, request)
        except Taken:
            if self._ledger.get(call.id) is None:  # the acknowledgement was lost, and the call with it for us
                await self._dispatcher.look_after(call.id)
            return call.id, False
        if not claim.accepted:
            await self._store.settle_key(key, msgspec.structs.replace(claim, accepted=True))
        return call.id, True

    async def _may_begin(self, claim: KeyClaim) -> bool:
        """Whether the key's call was never accepted, or came to its end without having reached its function."""
        if self._ledger.get(claim.call_id) is not None:
            return False
        result = await self._store.result(claim.call_id)
        return not claim.accepted if result is None else not result.ran

    async def _accept(self, call: QueuedCall, request: Request) -> str:
        await self._store.accept(call, request)
        self._dispatcher.accepted(Kept(call, Standing(due_unix_ms=call.due_unix_ms), 0), request)
        return call.id

    async def _status(self, call_id: str) -> CallStatus:
        kept = self._ledger.get(call_id)
        if kept is not None:
            has_run = kept.standing.phase in ("answering", "dead")
            return status_of(kept, await self._store.result(call_id) if has_run else None)
        result = await self._store.result(call_id)
        if result is None and await self._store.find(call_id) is not None:  # another life has accepted it
            await self._dispatcher.look_after(call_id)
            kept = self._ledger.get(call_id) or await self._store.find(call_id)
            if kept is not None:
                return status_of(kept)
        result = result or await self._store.result(call_id)
        if result is None:
            raise NotFound(
                f"There is no call {call_id[:80]}; what came of a call is kept for a day, or until newer results need "
                "the room"
            )
        return status_of_result(result)


def _too_late(status: CallStatus) -> Conflict:
    how = f"{status.state} after {status.attempts} attempt{'s'[: status.attempts != 1]}"
    how += f", the last answered {status.status}" if status.status else ""
    when = (
        f" at {datetime.fromtimestamp(status.finished_unix_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
        if status.finished_unix_ms
        else ""
    )
    hint = "`dayfly queue purge` lets go of dead calls." if status.state == "dead" else ""
    return Conflict(f"The call {status.id} is over: it was {how}{when}.", hint=hint)


def _full(why: str) -> LimitExceeded:
    return LimitExceeded(
        f"The queue {why}", hint="Try again once some are done; purge dead letters, or raise DAYFLY_QUEUE_LIMITS.",
        retry_after_s=1,
    )  # fmt: skip
