"""One run under way: decide, write down, do; and the same again with every piece of news.

What was decided is in the log before anything of it is done. The log is written from here alone, one writer at a time,
so an entry's number is known beforehand; a log that holds more than was thought is read again, and so is everything
after a failure of the disk. A run that waits for long lets go of all it holds but its name.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from dayfly.control.clock import Clock
from dayfly.decide.flow_plan import Order, Plan
from dayfly.decide.flow_records import Records
from dayfly.events.flows.calls import Calls
from dayfly.events.pause import pause
from dayfly.model.errors import Conflict, DayflyError, LimitExceeded, Unavailable
from dayfly.model.flow_run import Ended, Entry, Failed, Finished, FlowError, FlowRun, Signalled
from dayfly.storage.flow_runs import Outrun, RunLog

Decide = Callable[[FlowRun, Records, int], Awaitable[Plan]]
"""Says what is to be done for a run, and takes the entries of its plan into the records."""
MAX_LOG_BYTES = 16 * 2**20
"""What the log of one run may hold."""
AGAIN_S, LONGEST_AGAIN_S, PARK_S = 0.5, 30.0, 60.0
_LONGEST_PAUSE_S = 3600.0
_log = logging.getLogger("dayfly.events")
Place = tuple[str, int]


class _Call:
    def __init__(self, task: "asyncio.Task[None]") -> None:
        self.task = task
        self.call_id = ""


class OpenRun:
    """A run that is not over; `drive` goes on with it until it is."""

    def __init__(self, run: FlowRun, log: RunLog, calls: Calls, decide: Decide, clock: Clock) -> None:
        self.id, self.namespace, self.flow = run.id, run.namespace, run.flow
        self.over = asyncio.Event()
        self.finished: Finished | None = None
        self._log = log
        self._calls = calls
        self._decide = decide
        self._clock = clock
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._run: FlowRun | None = run
        self._records: Records | None = None
        self._bytes = 0
        self._under_way: dict[Place, _Call] = {}
        self._letting_go: set[asyncio.Task[None]] = set()

    async def drive(self) -> None:
        """Go on until the run is over."""
        wait_s = AGAIN_S
        try:
            while self.finished is None:
                try:
                    wake_unix_ms = await self._take_turn()
                    wait_s = AGAIN_S
                except Outrun:
                    self._park()
                    continue
                except DayflyError as error:
                    _log.warning("a run waits run=%s flow=%s.%s reason=%s", self.id, self.flow, self.namespace, error)
                    self._park()
                    await pause(self._clock, wait_s)
                    wait_s = min(2 * wait_s, LONGEST_AGAIN_S)
                    continue
                await self._wait(wake_unix_ms)
        finally:
            for call in self._under_way.values():
                call.task.cancel()
            self.over.set()

    async def tell(self, make: Callable[[FlowRun, Records], Entry | None]) -> None:
        """Write what has happened outside, which `make` judges by the records; return once it is in the log.

        None stands for what is known already.

        Raises Conflict for a run that is over, LimitExceeded, what `make` raises, StoreUnavailable.
        """
        async with self._turn:
            run, records = await self._known()
            if records.finished is not None:
                raise Conflict(f"the run {self.id} is over: {records.finished.state}")
            entry = make(run, records)
            if entry is None:
                return
            if isinstance(entry, Signalled) and self._bytes + len(msgspec.json.encode(entry)) > MAX_LOG_BYTES:
                raise LimitExceeded(f"The log of the run {self.id} would hold more than {MAX_LOG_BYTES} bytes")
            try:
                await self._write(records, [entry])
            except Outrun:
                self._park()
                raise Unavailable(f"the run {self.id} has changed meanwhile", retry_after_s=1) from None
        self._news.set()

    async def abandon(self) -> None:
        """Have every call that is under way cancelled, since nobody will go on with the run."""
        async with self._turn:
            for place in list(self._under_way):
                self._drop(place)
        await self.drained()

    async def _take_turn(self) -> int:
        async with self._turn:
            run, records = await self._known()
            before, now = records.number, self._clock.unix_ms()
            plan = await self._decided(run, records, now)
            if plan.entries:
                await self._keep(plan.entries, before, now)
            if self.finished is None and records.finished is not None:
                self.finished = records.finished
            self._see_to(run, plan.orders if self.finished is None else ())
            return plan.wake_unix_ms

    async def _decided(self, run: FlowRun, records: Records, now_unix_ms: int) -> Plan:
        try:
            return await self._decide(run, records, now_unix_ms)
        except DayflyError:
            raise
        except Exception:
            # What nobody foresaw is our bug; the run fails, so that it is not stuck for ever.
            _log.exception("bug in a flow's decision run=%s", run.id)
            error = FlowError(code="internal", message="The platform failed; its log says why.")
            end = Finished(state="failed", error=error)
            records.finished = end
            return Plan(entries=(end,))

    async def _keep(self, entries: Sequence[Entry], after: int, now_unix_ms: int) -> None:
        """Write entries that the records have taken already."""
        size, end = self._bytes, None
        for entry in entries:
            size += len(msgspec.json.encode(entry))
            if size > MAX_LOG_BYTES:
                text = f"Its log would hold more than {MAX_LOG_BYTES} bytes, which is what one run's may."
                end = Finished(state="failed", error=FlowError(code="limit", message=text))
                break
        self._bytes = await self._log.append(self.id, after, now_unix_ms, [end] if end else entries)
        self.finished = end

    async def _write(self, records: Records, entries: Sequence[Entry]) -> None:
        """Write entries, then take them into the records."""
        now = self._clock.unix_ms()
        self._bytes = await self._log.append(self.id, records.number, now, entries)
        for entry in entries:
            records.take(entry, now)

    async def _known(self) -> tuple[FlowRun, Records]:
        if self._run is None:
            self._run = await self._log.get(self.id)
        if self._records is None:
            self._records = Records(await self._log.log(self.id))
            self._bytes = await self._log.size(self.id)
            self.finished = self._records.finished
        return self._run, self._records

    def _park(self) -> None:
        self._run = self._records = None

    async def _wait(self, wake_unix_ms: int) -> None:
        """Return when there is news, or it is time."""
        wait_s = max(0.0, (wake_unix_ms - self._clock.unix_ms()) / 1000) if wake_unix_ms else _LONGEST_PAUSE_S
        if self.finished is not None:
            return
        if wait_s > PARK_S and not self._under_way and not self._news.is_set():
            self._park()
        await pause(self._clock, min(wait_s, _LONGEST_PAUSE_S), self._news)
        self._news.clear()

    def _see_to(self, run: FlowRun, orders: Sequence[Order]) -> None:
        """Have just the ordered calls under way."""
        wanted = {(order.path, order.attempt): order for order in orders}
        for place in self._under_way.keys() - wanted.keys():
            self._drop(place)
        for place, order in wanted.items():
            if place not in self._under_way:
                task = asyncio.get_running_loop().create_task(self._call(run, order))
                self._under_way[place] = _Call(task)

    def _drop(self, place: Place) -> None:
        call = self._under_way.pop(place)
        call.task.cancel()
        if call.call_id:
            self._let_go(self._calls.cancel(call.call_id))

    async def _call(self, run: FlowRun, order: Order) -> None:
        place = (order.path, order.attempt)

        def accepted(call_id: str) -> None:
            self._under_way[place].call_id = call_id

        try:
            entry = await self._calls.make(run, order, accepted)
        except Exception:
            # What nobody foresaw is our bug; the step fails, so that the run is not stuck for ever.
            _log.exception("bug in a flow's call run=%s step=%s", self.id, order.path)
            error = FlowError(code="internal", message="The platform failed; its log says why.", step=order.path)
            entry = Failed(path=order.path, attempt=order.attempt, error=error)
        wait_s = AGAIN_S
        while not await self._settled(entry):
            await pause(self._clock, wait_s)
            wait_s = min(2 * wait_s, LONGEST_AGAIN_S)
        call = self._under_way.pop(place)
        if isinstance(entry, Failed) and call.call_id:
            self._let_go(self._calls.release(call.call_id))
        self._news.set()

    async def _settled(self, entry: Ended | Failed) -> bool:
        """Write what a call came to, unless nobody waits for it any more; return whether that is done with."""
        async with self._turn:
            try:
                _, records = await self._known()
                record = records.of(entry.path)
                if records.finished is None and record.is_open and record.attempt == entry.attempt:
                    await self._write(records, [entry])
            except (DayflyError, Outrun) as error:
                _log.warning("a call's result waits run=%s step=%s reason=%s", self.id, entry.path, error)
                self._park()
                return False
        return True

    def _let_go(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._letting_go.add(task)
        task.add_done_callback(self._letting_go.discard)

    async def drained(self) -> None:
        """Return once what was let go of is gone."""
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._letting_go, return_exceptions=True)
