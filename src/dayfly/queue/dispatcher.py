"""The dispatcher: tries calls when it is their turn, and sees to it that what came of them is kept.

Every step is decided by `decide.queueing` and kept by the store before it is acted on: a call is claimed before it is
sent, and its result is kept before the call is let go. So whatever is killed, the next life finds each call where it
stood. A call that another life has claimed is left to it for as long as it lives.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable

from dayfly.decide import queueing
from dayfly.decide.queueing import Misstep
from dayfly.model.errors import Unavailable
from dayfly.model.queued import Request, Result, Standing
from dayfly.queue.answering import Answering
from dayfly.queue.callback import Deliver
from dayfly.queue.clock import Clock
from dayfly.queue.invocation import Attempt, Invoke, result_of
from dayfly.queue.ledger import Ledger
from dayfly.queue.limits import QueueLimits
from dayfly.queue.port import Kept, Outrun, QueueStore
from dayfly.queue.steps import AGAIN_S, Steps
from dayfly.queue.turns import Turn, Turns

_LOOK_S = 1.0
"""How often other lives' calls are looked at."""
_FRESH_BYTES = 16 * 2**20
"""What may be kept in memory of requests that were just accepted, so that they are not read back."""
_BUSY = 429
"""What a direct call's caller is told at once, as the caller of any other call is; queued ones have time."""
_log = logging.getLogger("dayfly.queue")


class Dispatcher:
    """Works on the calls of a ledger in the name of `owner`."""

    def __init__(
        self,
        store: QueueStore,
        ledger: Ledger,
        limits: QueueLimits,
        *,
        owner: str,
        invoke: Invoke,
        deliver: Deliver,
        is_alive: Callable[[str], bool],
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.owner = owner
        self.clock = clock or Clock()
        self._store = store
        self._ledger = ledger
        self._invoke = invoke
        self._answering = Answering(store, ledger, deliver, owner=owner, clock=self.clock, jitter=jitter)
        self._is_alive = is_alive
        self._jitter = jitter
        self._steps = Steps(store, ledger)
        self._turns = Turns(limits)
        self._working: dict[str, asyncio.Task[None]] = {}
        self._fresh: dict[str, Request] = {}
        self._fresh_bytes = 0
        self._wake = asyncio.Event()

    async def load(self) -> None:
        """Take in what the store keeps. Raises Unavailable."""
        for kept in await self._store.kept():
            if kept.standing.phase in queueing.OVER:
                await self._end(kept)
            elif self._ledger.get(kept.call.id) is None:
                self._ledger.put(kept)
                self._wait(kept)

    async def run(self) -> None:
        """Try calls as they become due, until cancelled; what is under way then goes on."""
        looking = asyncio.create_task(self._look_after_others())
        try:
            while True:
                self._wake.clear()
                while (turn := self._turns.take(self.clock.now())) is not None:
                    self._working[turn.call_id] = asyncio.create_task(self._attend(turn))
                await self._nap()
        finally:
            looking.cancel()

    def under_way(self) -> Iterable[asyncio.Task[None]]:
        """Return what is being worked on now."""
        return tuple(self._working.values())

    async def finish(self, seconds: float) -> None:
        """Return when nothing is under way any more, or after so many seconds."""
        if self._working:
            await asyncio.wait(self.under_way(), timeout=seconds)

    def accepted(self, kept: Kept, request: Request) -> None:
        """Take in a call that was just accepted."""
        self._ledger.accepted(kept)
        if self._fresh_bytes + len(request.body) <= _FRESH_BYTES:
            self._fresh[kept.call.id] = request
            self._fresh_bytes += len(request.body)
        self._wait(kept)

    async def cancel(self, kept: Kept) -> None:
        """Let a call be over, and give up on it if it is running here. Raises Misstep, Outrun, Unavailable."""
        if kept.standing.owner not in ("", self.owner):
            raise Misstep("the process that ran before this one is about to finish it")
        standing = queueing.cancel(kept.standing)
        after = await self._steps.move(kept, standing)
        self._turns.discard(kept.call.id)
        task = self._working.get(kept.call.id)
        if task is not None:
            task.cancel()
        await self._end(after)

    async def redrive(self, kept: Kept) -> None:
        """Let a dead call begin anew. Raises Misstep, Outrun, Unavailable."""
        self._wait(await self._steps.move(kept, queueing.redrive(kept.standing, now_unix_ms=self.clock.unix_ms())))

    async def purge(self, kept: Kept) -> None:
        """Let go of a dead call. Raises Misstep, Unavailable."""
        if kept.standing.phase != "dead":
            raise Misstep(f"it is {kept.standing.state}")
        await self._store.forget(kept.call.id)
        self._forget(kept.call.id)

    # -- one call ----------------------------------------------------------------------------------------------------

    async def _attend(self, turn: Turn) -> None:
        call_id = turn.call_id
        try:
            kept = self._ledger.get(call_id)
            if kept is not None and call_id not in self._fresh and await self._steps.has_come_back(kept):
                await self._store.forget(call_id)
                self._forget(call_id)
            elif kept is not None:
                kept = await self._steps.move(kept, queueing.claim(kept.standing, self.owner))
                if kept.standing.phase == "answering":
                    await self._leave(kept, await self._answering.once(kept))
                else:
                    await self._try(kept)
        except (Outrun, Misstep) as other:
            _log.info("call has moved on id=%s reason=%s", call_id, other)
            await self._reread(call_id)
        except Unavailable as away:
            _log.warning("call is put off id=%s reason=%s", call_id, away)
            await asyncio.sleep(AGAIN_S)
            await self._reread(call_id)
        except Exception:
            # A bug of ours with one call must not keep it, or the others, from ever being made; the attempt counts.
            _log.exception("bug while working on a call id=%s", call_id)
            await self._reread(call_id, spent=True)
        finally:
            self._working.pop(call_id, None)
            self._turns.done(turn)
            self._wake.set()

    async def _try(self, kept: Kept) -> None:
        call = kept.call
        request = self._take_fresh(call.id) or await self._store.request(call.id)
        if request is None:
            await self._store.forget(call.id)
            self._forget(call.id)
            return
        began = self.clock.now()
        attempt = await self._invoke(call, request)
        seconds, now = self.clock.now() - began, self.clock.unix_ms()
        if attempt.reached or (call.direct and attempt.outcome.status == _BUSY):
            standing = queueing.conclude(
                kept.standing, self.owner, call, attempt.outcome, now_unix_ms=now, jitter=self._jitter()
            )
        else:
            wait_s = attempt.outcome.retry_after_s * (1 + self._jitter())
            why = attempt.outcome.reason if attempt.hold_s else ""
            standing = queueing.release(kept.standing, self.owner, now_unix_ms=now, wait_s=wait_s, reason=why)
            if attempt.hold_s:
                self._turns.hold(call.function, self.clock.now() + attempt.hold_s)
        if standing.phase != "queued":
            result = result_of(Kept(call, standing, kept.revision), attempt, seconds, self.clock.unix_ms())
            await self._keep_result(result)
        await self._leave(kept, standing)

    async def _leave(self, kept: Kept, standing: Standing) -> None:
        """Let the call stand there, and go from it."""
        if standing.phase == "done":
            await self._steps.surely(lambda: self._store.forget(kept.call.id))
            self._forget(kept.call.id, "done")
            return
        self._wait(await self._steps.move_surely(kept, standing))

    # -- what waits --------------------------------------------------------------------------------------------------

    def _wait(self, kept: Kept) -> None:
        """Let the call have its turn, if there is anything to do for it."""
        call, standing = kept.call, kept.standing
        if standing.owner or standing.phase not in ("queued", "answering"):
            return
        due_unix_ms = standing.due_unix_ms if standing.attempts else max(standing.due_unix_ms, call.due_unix_ms)
        due = self.clock.now() + max(0, due_unix_ms - self.clock.unix_ms()) / 1000
        self._turns.add(call, due)
        self._wake.set()

    async def _end(self, kept: Kept) -> None:
        """Let go of a call that is over without having answered, as a direct one may be that nobody dared to repeat."""
        if kept.standing.phase == "cancelled" or (kept.call.direct and not kept.standing.status):
            attempt = Attempt(outcome=queueing.Outcome(reason=kept.standing.reason))
            await self._keep_result(result_of(kept, attempt, 0.0, self.clock.unix_ms()))
        await self._steps.surely(lambda: self._store.forget(kept.call.id))
        self._forget(kept.call.id, kept.standing.phase)

    async def _reread(self, call_id: str, *, spent: bool = False) -> None:
        """Believe what the store says of a call."""
        found = await self._steps.surely(lambda: self._store.find(call_id))
        if found is None:
            self._forget(call_id)
            return
        if found.standing.owner == self.owner:
            # It was claimed for us without our hearing of it and never sent; or we failed, and the attempt is spent.
            now = self.clock.unix_ms()
            if spent:
                standing = await self._orphaned(found, self.owner, now + 1000)
            else:
                standing = queueing.release(found.standing, self.owner, now_unix_ms=now)
            found = await self._steps.move_surely(found, standing)
        self._ledger.put(found)
        self._wait(found)

    async def _look_after_others(self) -> None:
        """Take up what other lives leave behind."""
        while True:
            with contextlib.suppress(Unavailable):
                for kept in self._ledger:
                    if kept.standing.owner not in ("", self.owner):
                        await self.look_after(kept.call.id)
            await asyncio.sleep(_LOOK_S)

    async def look_after(self, call_id: str) -> None:
        """Take up a call that only the store knows, or that another life worked on. Raises Unavailable."""
        found = await self._store.find(call_id)
        if found is None:
            self._forget(call_id, "done")
            return
        owner = found.standing.owner
        if owner not in ("", self.owner):
            if self._is_alive(owner):
                return
            with contextlib.suppress(Outrun):
                found = await self._steps.move(found, await self._taken_up(found, owner))
        if found.standing.phase in queueing.OVER:
            await self._end(found)
            return
        self._ledger.put(found)
        self._wait(found)

    async def _taken_up(self, found: Kept, owner: str) -> Standing:
        standing = found.standing
        result = await self._store.result(found.call.id) if standing.phase == "queued" else None
        last = (standing.redriven, standing.attempts)
        if result is not None and (result.redriven, result.attempts) == last and result.state in ("done", "dead"):
            return queueing.recall(standing, owner, found.call, result.state, result.status)
        return await self._orphaned(found, owner, self.clock.unix_ms())

    async def _orphaned(self, found: Kept, owner: str, now_unix_ms: int) -> Standing:
        """Decide what becomes of a call whose owner is dead; its end is kept as any other's, and before it is told."""
        standing = queueing.orphan(found.standing, owner, found.call, now_unix_ms=now_unix_ms)
        if found.standing.phase == "queued" and standing.phase != "queued":
            attempt = Attempt(outcome=queueing.Outcome(reason=standing.reason))
            await self._keep_result(result_of(Kept(found.call, standing, found.revision), attempt, 0.0, now_unix_ms))
        return standing

    async def _keep_result(self, result: Result) -> None:
        await self._steps.surely(lambda: self._store.keep_result(result))
        self._ledger.result_kept()

    async def _nap(self) -> None:
        due = self._turns.next_due()
        left = None if due is None else max(0.0, due - self.clock.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._wake.wait()

    def _take_fresh(self, call_id: str) -> Request | None:
        request = self._fresh.pop(call_id, None)
        if request is not None:
            self._fresh_bytes -= len(request.body)
        return request

    def _forget(self, call_id: str, verdict: str = "") -> None:
        self._take_fresh(call_id)
        self._turns.discard(call_id)
        self._ledger.drop(call_id, verdict)
