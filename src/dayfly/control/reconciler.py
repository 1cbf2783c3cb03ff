"""Carries out what the lifecycles decide, and feeds back what came of it.

There is no task for a function: its lifecycle is a small object that is called when something happens, so that ten
thousand idle functions cost memory only. Every event is handled at once, in the callback that brought it, and the
instructions are carried out in order: a routing entry goes out to the gateways before anything is awaited, and an order
to start a replica is one task away from the provider. Only what waits for others (starting, stopping, preparing) is a
task, and each failure of one becomes an event again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from msgspec.structs import replace

from dayfly.control.clock import Clock, Timer
from dayfly.control.ports import Fill, LogSink, Preparer, Table
from dayfly.control.quotas import Quotas
from dayfly.control.refusals import missing
from dayfly.control.tails import Tails
from dayfly.decide import events as ev
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.routing import entry
from dayfly.model.errors import DayflyError, InternalError
from dayfly.model.function import Function
from dayfly.model.log import LogLine
from dayfly.model.names import FunctionKey, ReplicaId, new_replica_id
from dayfly.model.replica import Ceilings, ReplicaEvent, ReplicaExited, ReplicaReady, StartOrder
from dayfly.providers.port import Provider

log = logging.getLogger("dayfly.control")


class Reconciler:
    """All lifecycles, and the world they act upon. `record` writes down what they decide."""

    def __init__(
        self, *, provider: Provider, preparer: Preparer, logs: LogSink, clock: Clock, table: Table,
        machines: dict[FunctionKey, Lifecycle], record: Callable[[Lifecycle], None], fill: Fill, ceilings: Ceilings,
        quotas: Quotas,
    ) -> None:  # fmt: skip
        self.machines = machines
        self._record = record
        self._fill = fill
        self._ceilings = ceilings
        self._quotas = quotas
        self._provider = provider
        self._preparer = preparer
        self._logs = logs
        self._clock = clock
        self._table = table
        self.owners: dict[ReplicaId, tuple[FunctionKey, int]] = {}
        """The function and the revision of each replica that is not gone."""
        self.on_word: Callable[[ReplicaEvent], None] = lambda _event: None
        """Told of all that is heard of replicas, before anything comes of it."""
        self._tails = Tails()
        self._timers: dict[FunctionKey, Timer] = {}
        self.exits: dict[FunctionKey, Counter[str]] = {}
        """How often replicas ended that nobody had stopped, by function and reason."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._starts: dict[ReplicaId, asyncio.Task[None]] = {}
        self._prepares: dict[tuple[FunctionKey, int], asyncio.Task[None]] = {}
        self._halted = False
        self._empty = asyncio.Event()

    def add(self, function: Function) -> Lifecycle:
        """Begin a lifecycle for the function; nothing happens until its first event."""
        budget = self._quotas.budget(function.key.namespace)
        machine = self.machines[function.key] = Lifecycle(function, new_replica_id, budget)
        return machine

    def machine(self, key: FunctionKey) -> Lifecycle:
        """Return the lifecycle of a function that is wanted. Raises NotFound."""
        machine = self.machines.get(key)
        if machine is None or machine.removed:
            raise missing(key)
        return machine

    def living(self, key: FunctionKey) -> list[int]:
        """Return the revisions of the function's replicas that are not gone, wanted or not."""
        return [revision for owner, revision in self.owners.values() if owner == key]

    def own(self, order: StartOrder) -> None:
        """Take in a replica that runs, or is about to."""
        self.owners[order.replica] = (order.key, order.revision)

    def tell(self, key: FunctionKey, event: ev.Event) -> None:
        """Let the function's lifecycle handle the event, and do what it says. Unknown functions hear nothing."""
        machine = self.machines.get(key)
        if machine is None or self._halted:
            return
        try:
            for instruction in machine.handle(event, self._clock.now()):
                _CARRIERS[type(instruction)](self, machine, instruction)
        except InternalError:
            # A bug in one function's lifecycle must not cut off the gateway or provider that brought the event.
            log.exception("%s: the lifecycle broke; deploy the function anew, and report this", key)

    def look_again(self, key: FunctionKey) -> None:
        """What the function's namespace may use has changed."""
        self.tell(key, ev.Tick())
        machine = self.machines.get(key)
        if machine is not None and not machine.removed:
            self._table.changed(entry(machine))

    def on_event(self, event: ReplicaEvent) -> None:
        """Take in what a provider tells of a replica."""
        self.on_word(event)
        if event.replica not in self.owners:
            log.debug("word of the unknown replica %s: %s", event.replica, event)
        elif isinstance(event, ReplicaReady):
            key, _ = self.owners[event.replica]
            self.tell(key, ev.Ready(event.replica, event.address))
        else:
            self._gone(event)

    def on_log(self, line: LogLine) -> None:
        """Keep a line that a replica printed."""
        if line.replica in self.owners:
            self._tails.add(line)
        self._logs.write(line)

    async def stop_replica(self, key: FunctionKey, replica: ReplicaId, grace_s: float) -> None:
        """Ask the provider to stop the replica, after its start was taken on if that is still under way."""
        start = self._starts.get(replica)
        if start is not None:
            # A stop that overtook the start would name a replica nobody knows, and leave it running for ever.
            await asyncio.wait([start])
        if replica not in self.owners:
            return
        try:
            await self._provider.stop(replica, grace_s=grace_s)
        except Exception as error:
            # Whatever the provider raises, the replica still runs, and asking again is the only remedy.
            log.warning("%s: replica %s could not be stopped and will be asked again: %s", key, replica, error)
            self.tell(key, ev.StopFailed(replica))

    def halt(self) -> None:
        """Act no more: replicas stay as they are, and events only keep the books."""
        self._halted = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def close(self) -> None:
        """Halt, and end the tasks under way. Idempotent."""
        self.halt()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop_all(self, grace_s: float) -> None:
        """Halt, and stop every replica; returns once all have ended or `grace_s` seconds and a little have passed."""
        self.halt()
        self._empty.clear()
        owned = list(self.owners.items())
        await asyncio.gather(*(self.stop_replica(key, replica, grace_s) for replica, (key, _) in owned))
        if self.owners:
            timer = self._clock.call_at(self._clock.now() + grace_s + 2.0, self._empty.set)
            await self._empty.wait()
            timer.cancel()
        if self.owners:
            log.warning("%d replicas did not end in time and are left to their provider", len(self.owners))

    def _gone(self, event: ReplicaExited) -> None:
        key, _ = self.owners.pop(event.replica)
        if not self.owners:
            self._empty.set()
        lines = self._tails.take(event.replica)
        if event.reason != "stopped":
            self.exits.setdefault(key, Counter())[event.reason] += 1
        self.tell(key, ev.Exited(event.replica, event.reason, event.detail, lines))
        if self._quotas.release(event.replica):
            for waiting in self._quotas.in_line(key.namespace):
                self.tell(waiting, ev.Tick())

    # -- instructions ------------------------------------------------------------------------------------------------

    def begin(self, instruction: ev.StartReplica) -> None:
        """Have a replica started; events tell what comes of it."""
        self.own(instruction.order)
        self._starts[instruction.order.replica] = self._spawn(self._start(instruction))

    async def _start(self, instruction: ev.StartReplica) -> None:
        order = instruction.order
        replica = order.replica
        try:
            if instruction.secrets:
                order = await self._fill(order, instruction.secrets)
            await self._provider.start(replace(order, ceilings=self._ceilings))
        except DayflyError as error:
            self.on_event(ReplicaExited(replica, "start_failed", str(error)))
        except Exception as error:
            # A bug in the provider must show as a function that fails, with its reason, and not as a call that hangs.
            log.exception("%s: the provider broke while starting %s", order.key, replica)
            self.on_event(ReplicaExited(replica, "start_failed", f"{type(error).__name__}: {error}"))
        finally:
            del self._starts[replica]

    def _carry_stop(self, machine: Lifecycle, instruction: ev.StopReplica) -> None:
        self._spawn(self.stop_replica(machine.function.key, instruction.replica, instruction.grace_s))

    def _carry_prepare(self, machine: Lifecycle, instruction: ev.Prepare) -> None:
        key = machine.function.key
        self._prepares[key, instruction.revision] = self._spawn(self._prepare(key, instruction))

    async def _prepare(self, key: FunctionKey, instruction: ev.Prepare) -> None:
        event: ev.PrepareDone | ev.PrepareFailed
        try:
            event = ev.PrepareDone(
                instruction.revision, await self._preparer.prepare(instruction.spec, instruction.revision)
            )
        except DayflyError as error:
            event = ev.PrepareFailed(instruction.revision, str(error))
        except Exception as error:
            # A bug in preparing must show as a function that fails, with its reason, not as one that builds for ever.
            log.exception("%s: preparing revision %d broke", key, instruction.revision)
            event = ev.PrepareFailed(instruction.revision, f"{type(error).__name__}: {error}")
        # A function that was removed and deployed again meanwhile may carry the same number and other code.
        if self._prepares.get((key, instruction.revision)) is asyncio.current_task():
            del self._prepares[key, instruction.revision]
            self.tell(key, event)

    def _carry_publish(self, machine: Lifecycle, _instruction: ev.Publish) -> None:
        self._table.changed(entry(machine))

    def _carry_record(self, machine: Lifecycle, _instruction: ev.Record) -> None:
        self._record(machine)

    def _carry_explain(self, _machine: Lifecycle, instruction: ev.Explain) -> None:
        self._table.ended(instruction.ended)

    def _carry_retract(self, machine: Lifecycle, _instruction: ev.Retract) -> None:
        self._table.removed(machine.function.key)

    def _carry_wake(self, machine: Lifecycle, instruction: ev.WakeAt) -> None:
        key = machine.function.key
        earlier = self._timers.get(key)
        if earlier is not None:
            earlier.cancel()
        self._timers[key] = self._clock.call_at(instruction.at, partial(self._wake, key))

    def _wake(self, key: FunctionKey) -> None:
        self._timers.pop(key, None)
        self.tell(key, ev.Tick())

    def note(self, key: FunctionKey, instruction: ev.Tell) -> None:
        """Put what went wrong into our log and the function's."""
        log.warning("%s: %s", key, instruction.summary)
        unix_ns = self._clock.unix_ms() * 1_000_000
        for text in (instruction.summary, *instruction.detail.splitlines()):
            self._logs.write(LogLine(unix_ns, key, ReplicaId(""), "platform", "", text))

    def _carry_ask_for_room(self, machine: Lifecycle, _instruction: ev.AskForRoom) -> None:
        for key in self._quotas.to_rest(machine, self._clock.now()):
            self.tell(key, ev.Rest())

    def _carry_room_made(self, machine: Lifecycle, _instruction: ev.RoomMade) -> None:
        for key in self._quotas.in_line(machine.function.key.namespace):
            if key != machine.function.key:
                self.tell(key, ev.Tick())

    def _carry_forget(self, machine: Lifecycle, _instruction: ev.Forget) -> None:
        key = machine.function.key
        self.machines.pop(key, None)
        self.exits.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a background step of the control plane broke", exc_info=task.exception())


_CARRIERS: dict[type[ev.Instruction], Callable[[Reconciler, Lifecycle, Any], None]] = {
    ev.Prepare: Reconciler._carry_prepare,
    ev.StartReplica: lambda reconciler, _machine, instruction: reconciler.begin(instruction),
    ev.StopReplica: Reconciler._carry_stop,
    ev.Publish: Reconciler._carry_publish,
    ev.Record: Reconciler._carry_record,
    ev.Explain: Reconciler._carry_explain,
    ev.Retract: Reconciler._carry_retract,
    ev.WakeAt: Reconciler._carry_wake,
    ev.Tell: lambda reconciler, machine, instruction: reconciler.note(machine.function.key, instruction),
    ev.AskForRoom: Reconciler._carry_ask_for_room,
    ev.RoomMade: Reconciler._carry_room_made,
    ev.Forget: Reconciler._carry_forget,
}
