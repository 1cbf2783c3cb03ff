"""Replicas apart: one of any revision that is kept, started for the platform's own calls and ended after them.

It is started by the order that starts any replica of its revision, and is in the books of its function and in its
namespace's quota. But no lifecycle knows it and no routing table names it, so that nobody else's call gets there. All
who ask for a revision share one, and the last to go leaves it waiting for the next for a moment: of a batch each call
is a question of its own. A control plane that finds one running has lost who asked for it, and ends it (`recovery`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

from msgspec.structs import replace

from dayfly.control.clock import Clock, Timer
from dayfly.control.ports import Preparer, Table
from dayfly.control.quotas import Quotas
from dayfly.control.reconciler import Reconciler
from dayfly.control.refusals import not_kept
from dayfly.control.secrets import Secrets
from dayfly.decide import events as ev
from dayfly.decide.endings import explain
from dayfly.decide.orders import start_order
from dayfly.decide.quotas import Need
from dayfly.decide.replicas import READY, START_LIMIT_S, STOP_AGAIN_S, Replica
from dayfly.decide.trouble import SENTENCES
from dayfly.model.apart import Apart
from dayfly.model.errors import DayflyError, FunctionFailed, QuotaExceeded, Unavailable
from dayfly.model.function import Revision
from dayfly.model.names import FunctionKey, ReplicaId, new_replica_id
from dayfly.model.replica import ReplicaEvent, ReplicaExited, ReplicaReady, StartOrder
from dayfly.model.table import Endpoint
from dayfly.storage.port import StateStore

LINGER_S = 5.0
"""How long one that nobody asks for waits: a command line's next call takes a second on a machine that is busy."""
_GRACE_S = 10.0
"""How long it may take to end: nobody waits for an answer of it."""


class _Lone:
    """One such replica, from when it is asked for until it is gone."""

    def __init__(self) -> None:
        self.users = 0
        self.order: StartOrder | None = None
        """Once it is ordered."""
        self.starting: asyncio.Task[Apart]
        self.word: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Its address, once it is ready; it fails with why it never will be."""
        self.stir = asyncio.Event()
        """Set when it is gone, and when it is time to look again whether it is."""
        self.timer: Timer | None = None


class ReplicasApart:
    """Those there are."""

    def __init__(
        self, store: StateStore, reconciler: Reconciler, preparer: Preparer, secrets: Secrets, quotas: Quotas,
        table: Table, clock: Clock,
    ) -> None:  # fmt: skip
        self._store = store
        self._reconciler = reconciler
        self._preparer = preparer
        self._secrets = secrets
        self._quotas = quotas
        self._table = table
        self._clock = clock
        self._asked: dict[tuple[FunctionKey, int], _Lone] = {}
        """The one to share, by function and revision."""
        self._ordered: dict[ReplicaId, _Lone] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._closed = False

    @contextlib.asynccontextmanager
    async def use(self, key: FunctionKey, number: int) -> AsyncIterator[Apart]:
        """Have a replica of the revision for as long as this is entered.

        Raises NotFound (with the revisions that are kept), QuotaExceeded, BuildFailed, FunctionFailed (it does not
        start), InvalidSpec (a secret is gone), SecretsLocked, Unavailable, StoreUnavailable.
        """
        kept = {revision.number: revision for revision in await self._store.revisions(key)}
        if number not in kept:
            raise not_kept(key, number, kept)
        if self._closed:
            raise _leaving()
        lone = self._of(kept[number])
        lone.users += 1
        try:
            yield await _ready(lone.starting)
        finally:
            lone.users -= 1
            if not lone.users:
                lone.timer = self._clock.call_at(self._clock.now() + LINGER_S, lambda: self._retire(lone))

    def on_word(self, event: ReplicaEvent) -> None:
        """Take in what is heard of any replica."""
        lone = self._ordered.get(event.replica)
        if lone is None or lone.order is None:
            return
        if isinstance(event, ReplicaReady):
            if not lone.word.done():
                lone.word.set_result(event.address)
            return
        del self._ordered[event.replica]
        self._forget(lone)
        lone.stir.set()
        if not lone.word.done():
            lone.word.set_exception(self._no_start(lone.order, event))
        elif event.reason != "stopped":
            order = lone.order
            ended = Replica(order.replica, order.revision, READY, 0.0, order.timeout_s, Need.of_order(order))
            self._table.ended(explain(ended, event.reason, event.detail))

    async def close(self) -> None:
        """Start none any more and end those there are, without waiting for it. Idempotent."""
        self._closed = True
        lones = {*self._asked.values(), *self._ordered.values()}
        tasks = [*(lone.starting for lone in lones), *self._endings]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lone in lones:
            if lone.timer is not None:
                lone.timer.cancel()
            if lone.order is not None:
                await self._reconciler.stop_replica(lone.order.key, lone.order.replica, _GRACE_S)

    def _of(self, revision: Revision) -> _Lone:
        place = revision.spec.key, revision.number
        lone = self._asked.get(place)
        if lone is not None and lone.order is not None and self._secrets.is_outdated(lone.order):
            self._forget(lone)
            if not lone.users:
                self._retire(lone)
            lone = None
        if lone is None:
            lone = self._asked[place] = _Lone()
            lone.starting = asyncio.get_running_loop().create_task(self._start(lone, revision))
            lone.starting.add_done_callback(partial(self._started, lone))
        if lone.timer is not None:
            lone.timer.cancel()
        return lone

    async def _start(self, lone: _Lone, revision: Revision) -> Apart:
        spec = revision.spec
        prepared = await self._preparer.prepare(spec, revision.number)
        budget = self._quotas.budget(spec.key.namespace)
        order = start_order(revision, prepared, new_replica_id(), budget)
        order = replace(await self._secrets.fill(order, spec.secrets), apart=True)
        if lack := budget.lack(Need.of_order(order)):
            told = f"quota: the namespace {spec.key.namespace} has no room for a replica of revision {revision.number}"
            raise QuotaExceeded(f"{told}: {lack}", hint="functions that nobody calls make room when they go to zero")
        self._quotas.hold(order)
        lone.order = order.without_contents()
        self._ordered[order.replica] = lone
        self._reconciler.begin(ev.StartReplica(order))
        limit = self._clock.call_at(self._clock.now() + START_LIMIT_S, lambda: self._give_up(lone, order))
        try:
            address = await lone.word
        finally:
            limit.cancel()
        return Apart(endpoint=Endpoint(order.replica, address, order.revision), timeout_s=order.timeout_s)

    def _no_start(self, order: StartOrder, event: ReplicaExited) -> DayflyError:
        if event.reason == "stopped":
            return Unavailable(f"the replica of revision {order.revision} was stopped before it was ready")
        summary = f"revision {order.revision} of {order.key.name} does not start: {SENTENCES[event.reason]}"
        self._reconciler.note(order.key, ev.Tell(summary, event.detail))
        last = event.detail.rstrip().rpartition("\n")[2]
        told = f"{summary} ({last})" if last else summary
        return FunctionFailed(told, hint=f"`dayfly logs {order.key.name}` has what it printed")

    def _give_up(self, lone: _Lone, order: StartOrder) -> None:
        if not lone.word.done():
            slow = f"revision {order.revision} of {order.key.name} is not ready {START_LIMIT_S:g} s after its start"
            lone.word.set_exception(FunctionFailed(slow))
        self._finish(lone)

    def _retire(self, lone: _Lone) -> None:
        lone.starting.cancel()
        self._finish(lone)

    def _finish(self, lone: _Lone) -> None:
        self._forget(lone)
        task = asyncio.get_running_loop().create_task(self._end(lone))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _end(self, lone: _Lone) -> None:
        """See to it that it is gone, however often the provider has to be asked."""
        order = lone.order
        while order is not None and order.replica in self._ordered:
            lone.stir.clear()
            await self._reconciler.stop_replica(order.key, order.replica, _GRACE_S)
            again = self._clock.call_at(self._clock.now() + _GRACE_S + STOP_AGAIN_S, lone.stir.set)
            await lone.stir.wait()
            again.cancel()

    def _started(self, lone: _Lone, starting: "asyncio.Task[Apart]") -> None:
        if not starting.cancelled() and starting.exception() is not None:
            self._forget(lone)

    def _forget(self, lone: _Lone) -> None:
        """Let nobody who asks from now on share it."""
        for place in [place for place, each in self._asked.items() if each is lone]:
            del self._asked[place]


async def _ready(starting: "asyncio.Task[Apart]") -> Apart:
    """Wait for it; whoever goes away leaves it to the others."""
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if starting.cancelled() and task is not None and not task.cancelling():
            raise _leaving() from None
        raise


def _leaving() -> Unavailable:
    return Unavailable("the control plane ends, and with it the replicas that it has started for itself")
