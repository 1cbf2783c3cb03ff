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
from typing import NamedTuple

from dayfly.control.clock import Clock
from dayfly.decide.cron import TOPIC, CronPlan
from dayfly.decide.timetable import Timetable
from dayfly.events.firing import Fire, Firing
from dayfly.model.errors import DayflyError, InvalidSpec
from dayfly.model.function import Function
from dayfly.model.names import FunctionKey

LOOK_S = 1.0
AGAIN_S, LONGEST_AGAIN_S = 1.0, 30.0
"""The wait before a call is offered to the queue again, and what it grows to."""
GIVE_UP_S = 3600.0
_log = logging.getLogger("dayfly.events")


class _Known(NamedTuple):
    """A function as it was when somebody looked, and its timetable if it has one."""

    function: Function
    table: Timetable | None


class Cron:
    """Calls functions when they are due; `functions` gives those there are now."""

    def __init__(self, functions: Callable[[], Iterable[Function]], fire: Fire, clock: Clock) -> None:
        self._functions = functions
        self._fire = fire
        self._clock = clock
        self._known: dict[FunctionKey, _Known] = {}
        self._last: list[Function] = []
        self._scheduled: list[tuple[Function, Timetable]] = []
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
        wait_s, functions = LOOK_S, list(self._functions())
        # Lists of the same objects are compared at 10 ns an object; to find what is known of each costs fifty times as
        # much, and nearly always nothing has changed.
        if functions != self._last:
            self._follow(functions, now)
        for function, table in self._scheduled:
            due = table.due(now)
            if due is not None:
                self._begin(function, due)
            if table.next is not None:
                wait_s = min(wait_s, (table.next - now).total_seconds())
        return max(wait_s, 0.0)

    def _follow(self, functions: list[Function], now: datetime) -> None:
        """Take over what there is now."""
        tables = [self._table(function, now) for function in functions]
        for key in self._known.keys() - {function.key for function in functions}:
            del self._known[key]
        self._scheduled = [(each, table) for each, table in zip(functions, tables, strict=True) if table is not None]
        self._last = functions

    def _table(self, function: Function, now: datetime) -> Timetable | None:
        known = self._known.get(function.key)
        if known is not None and known.function.revision is function.revision:
            return known.table
        plan = _plan(function)
        table = known.table if known is not None else None
        if plan is None:
            table = None
        elif table is not None:
            table.follow(plan, now)
        else:
            asked = datetime.fromtimestamp(function.revision.created_unix_ms / 1000, UTC)
            table = Timetable(plan, asked, now)
        self._known[function.key] = _Known(function, table)
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
