"""Functions that are called by the clock.

A look goes over the functions, reads the schedule of each that has changed, and calls what is due. It happens again
when the next is due, and each second to see what was deployed. Nothing is written down: a call carries the moment for
which it is made as its idempotency key, so that after a restart the last moment is simply called for again, and a queue
that has taken that call already takes it no second time.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from dayfly.control.clock import Clock
from dayfly.decide.cron import LATE, TOPIC, CronPlan
from dayfly.events.firing import Fire, Firing
from dayfly.model.errors import DayflyError, InvalidSpec
from dayfly.model.function import Function
from dayfly.model.names import FunctionKey

LOOK_S = 1.0
AGAIN_S, LONGEST_AGAIN_S = 1.0, 30.0
"""The wait before a call is offered to the queue again, and what it grows to."""
GIVE_UP_S = 3600.0
_log = logging.getLogger("dayfly.events")


class _Timetable:
    """One function's schedule, and up to when it has been called."""

    def __init__(self, function: Function, plan: CronPlan | None, seen: datetime) -> None:
        self.function = function
        self.plan = plan
        self.wind(seen)

    def wind(self, seen: datetime) -> None:
        """Go on from this moment."""
        self.seen = seen
        self.next = self.plan.schedule.next_after(seen) if self.plan is not None else None


class Cron:
    """Calls functions when they are due; `functions` gives those there are now."""

    def __init__(self, functions: Callable[[], Iterable[Function]], fire: Fire, clock: Clock) -> None:
        self._functions = functions
        self._fire = fire
        self._clock = clock
        self._tables: dict[FunctionKey, _Timetable] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look, until cancelled."""
        try:
            while True:
                await self._wait(self.look())
        finally:
            for call in self._calls:
                call.cancel()

    def look(self) -> float:
        """Begin to call what is due; return after how many seconds to look again."""
        now = datetime.fromtimestamp(self._clock.unix_ms() / 1000, UTC)
        wait_s, gone = LOOK_S, set(self._tables)
        for function in self._functions():
            gone.discard(function.key)
            table = self._table(function, now)
            if now < table.seen - LATE:  # The clock was put back, perhaps after it had been far ahead.
                table.wind(now)
            if table.plan is None or table.next is None or now < table.next:
                if table.next is not None:
                    wait_s = min(wait_s, (table.next - now).total_seconds())
                continue
            due = table.plan.due(table.seen, now)
            table.wind(now)
            if due is not None:
                self._begin(function, due)
        for key in gone:
            del self._tables[key]
        return max(wait_s, 0.0)

    def _table(self, function: Function, now: datetime) -> _Timetable:
        known = self._tables.get(function.key)
        if known is not None and known.function.revision is function.revision:
            return known
        plan = _plan(function)
        if known is not None and known.plan is not None and plan is not None:
            same = known.plan.schedule.text == plan.schedule.text
            seen = known.seen if same else now
        else:
            # What was due before somebody asked for it was not missed.
            asked = datetime.fromtimestamp(function.revision.created_unix_ms / 1000, UTC)
            seen = now if plan is None or plan.missed == "skip" else min(asked, now)
        table = self._tables[function.key] = _Timetable(function, plan, seen)
        return table

    def _begin(self, function: Function, due: datetime) -> None:
        moment = due.isoformat().replace("+00:00", "Z")
        headers = {
            "X-Topic": TOPIC, "X-Connector": "cron-connector", "X-Dayfly-Due": moment, "X-Dayfly-Trigger": "cron",
        }  # fmt: skip
        firing = Firing.of(function, headers, key=f"cron {moment}")
        call = asyncio.get_running_loop().create_task(self._call(firing))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, firing: Firing) -> None:
        """Offer the call to the queue until it takes it, or will not."""
        began, wait_s = self._clock.now(), AGAIN_S
        while True:
            try:
                await self._fire(firing)
                return
            except DayflyError as error:
                if not error.retryable or self._clock.now() - began >= GIVE_UP_S:
                    _log.warning("%s: not called function=%s reason=%s", firing.key, firing.function, error)
                    return
            await self._wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_AGAIN_S)

    async def _wait(self, seconds: float) -> None:
        woken = asyncio.Event()
        timer = self._clock.call_at(self._clock.now() + seconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()


def _plan(function: Function) -> CronPlan | None:
    try:
        return CronPlan.of(function.revision.spec.annotations)
    except InvalidSpec as error:  # deployed by a version that did not look, or where a time zone was known
        _log.warning("the schedule of %s cannot be read: %s", function.key, error)
        return None
