"""What functions use by the hour, kept over restarts, and what budgets of a day or a month make of it.

Calls are counted from the gateways' reports, as exactly as the meter counts them. Processor time and memory are seen by
looking at the replicas every LOOK_S seconds: what one uses after the last look at it is not seen. A crash of this
process costs what was seen in the last SAVE_S seconds, calls excepted, which the gateways tell again.

A gateway is told how many calls may still begin, and refuses the next one by itself. Where several gateways serve, or
the functions of a namespace share a budget, more calls than that may begin in the second before all have heard.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from dayfly.control.budgets import Budgets, Owner, owner_of
from dayfly.control.clock import Clock, Timer
from dayfly.control.ports import Meter, Table
from dayfly.control.spent import Spent
from dayfly.decide.budget import Warned, allowed, bounds, judge, state_of, turn
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.routing import entry
from dayfly.model.allowance import PERIODS, Allowances, Period, Used
from dayfly.model.budget import Budget, BudgetStanding, BudgetStatus
from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.table import Allowed
from dayfly.storage.ledger import HOUR_MS, Growth, Ledger

log = logging.getLogger("dayfly.control")

TICK_S = 0.5
LOOK_S = 5.0
SAVE_S = 10.0


class Spending:
    """Counts, keeps and judges, by what the budgets tell of each."""

    kind = "figures of use"

    def __init__(
        self,
        ledger: Ledger,
        meter: Meter,
        spent: Spent,
        machines: Mapping[FunctionKey, Lifecycle],
        budgets: Budgets,
        table: Table,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._meter = meter
        self._spent = spent
        self._machines = machines
        self._budgets = budgets
        self._table = table
        self._clock = clock
        self._sums: defaultdict[Owner, _Sums] = defaultdict(_Sums)
        self._marks: dict[str, int] = {}
        self._unsaved: dict[tuple[FunctionKey, int], Used] = {}
        self._unsaved_marks: dict[str, int] = {}
        self._seen: dict[FunctionKey, tuple[float, float]] = {}
        self._bounded: set[FunctionKey] = set()
        """Functions with a budget of their own, and those that gateways believe to have any."""
        self._shared: Mapping[NamespaceName, Allowances] = {}
        """Of namespaces that have any, as of the last tick."""
        self._warned: defaultdict[Owner, Warned] = defaultdict(Warned)
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._look_at, self._save_at = 0.0, 0.0
        self._failing = False

    async def start(self) -> None:
        """Take up what was kept, and begin. Raises StoreUnavailable."""
        await self._budgets.start()
        self._budgets.on_change = self._rebounded
        now, hour = self._clock.unix_ms(), self._hour()
        await self._ledger.open()
        await self._ledger.tidy(hour)
        for period in PERIODS:
            since = bounds(period, now).starts_unix_ms // HOUR_MS
            for key, used in (await self._ledger.used(since, hour + 1)).items():
                for owner in (key, key.namespace):
                    self._sums[owner].add(used, now, (period,))
        counted = {name: calls for name, calls in self._meter.totals().items() if "@" not in name}
        self._marks = counted | await self._ledger.marks()
        self._bounded.update(self._machines)
        self._tick()

    async def stop(self) -> None:
        """Keep what was used, and end. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()  # it may be waiting for a provider that does not answer
            await asyncio.wait([self._task])
        await self.save()
        await self._ledger.close()

    def counted(self, key: FunctionKey) -> None:
        """Gateways have told of calls."""
        name, ever = str(key), self._meter.invocations(key)
        mark = self._marks.get(name, 0)
        if ever != mark:
            self._marks[name] = self._unsaved_marks[name] = ever
            if ever > mark:
                self._add(key, Used(calls=ever - mark))
        self._judge(key)

    def changed(self, key: FunctionKey) -> None:
        """The function is another from now on, and may have another budget."""
        self._judge(key)

    def forgot(self, key: FunctionKey) -> None:
        """The function was removed, and the meter begins at zero with its name; what it used stays known."""
        self._marks[str(key)] = self._unsaved_marks[str(key)] = 0
        self._spent.forget(key)
        self._budgets.forget(key)
        self._seen.pop(key, None)

    def budgets(self, namespace: NamespaceName, key: FunctionKey | None = None) -> tuple[BudgetStatus, ...]:
        """Return how far what bounds the namespace, or one of its functions, is used."""
        if key is None:
            return self.used_of(namespace, self._budgets.of_namespace(namespace))
        machine = self._machines.get(key)
        return self.used_of(key, self._budgets.own(machine.function)) if machine is not None else ()

    def standing(self, budget: Budget) -> BudgetStanding:
        """Return how far one budget is used; that of a function also while there is no such function."""
        owner, trouble = owner_of(budget), ""
        if isinstance(owner, FunctionKey) and ((found := self._machines.get(owner)) is None or found.removed):
            trouble = f"there is no function {owner.name} in the namespace {owner.namespace}"
        allowances = self.used_of(owner, budget.spec.allowances)
        return BudgetStanding(**msgspec.structs.asdict(budget), trouble=trouble, allowances=allowances)

    def used_of(self, owner: Owner, bound: Allowances) -> tuple[BudgetStatus, ...]:
        """Return how far an owner has used what it may."""
        now, sums = self._clock.unix_ms(), self._sums[owner]
        return tuple(
            BudgetStatus(
                namespace=owner.namespace if isinstance(owner, FunctionKey) else owner,
                function=owner.name if isinstance(owner, FunctionKey) else "",
                measure=each.measure,
                period=each.period,
                amount=each.amount,
                used=sums.of(each.period, now).of(each.measure),
                state=state_of(each, sums.of(each.period, now)),
                ends_unix_ms=bounds(each.period, now).ends_unix_ms,
                budget=each.budget,
            )
            for each in bound.all
        )

    async def used(self, namespace: NamespaceName, since_hour: int, until_hour: int) -> dict[FunctionKey, Used]:
        """Return what the namespace's functions used between two hours. Raises StoreUnavailable."""
        await self._look()
        await self.save()
        return await self._ledger.used(since_hour, until_hour, namespace)

    async def inside(self, _namespace: NamespaceName) -> list[str]:
        """Return nothing: a record is no reason to keep what it tells of."""
        return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Let go of all that is known of the namespace. Raises StoreUnavailable."""
        self._unsaved = {at: used for at, used in self._unsaved.items() if at[0].namespace != namespace}
        for owner in [each for each in self._sums if namespace in (each, getattr(each, "namespace", None))]:
            del self._sums[owner]
            self._warned.pop(owner, None)
        await self._ledger.forget(namespace)

    async def save(self) -> None:
        """Keep what is not kept yet; a ledger that fails is tried again next time, and told of once."""
        (unsaved, self._unsaved), (marks, self._unsaved_marks) = (self._unsaved, {}), (self._unsaved_marks, {})
        if not unsaved and not marks:
            return
        try:
            await self._ledger.add([Growth(key, hour, used) for (key, hour), used in unsaved.items()], marks)
        except StoreUnavailable as error:
            for at, used in unsaved.items():
                self._unsaved[at] = self._unsaved.get(at, Used()).plus(used)
            self._unsaved_marks = marks | self._unsaved_marks
            if not self._failing:
                log.warning("what functions used could not be kept and will be tried again: %s", error)
            self._failing = True
        else:
            self._failing = False

    def _tick(self) -> None:
        now = self._clock.now()
        self._shared = self._budgets.shared()
        for namespace, budget in self._shared.items():
            self._warn(namespace, budget)
        sharing = {key for key in self._machines if key.namespace in self._shared} if self._shared else set()
        for key in self._bounded | sharing:
            self._judge(key)
        if now >= min(self._look_at, self._save_at) and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._work(now))
        self._timer = self._clock.call_at(now + TICK_S, self._tick)

    async def _work(self, now: float) -> None:
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            await self._look()
        if now >= self._save_at:
            self._save_at = now + SAVE_S
            await self.save()

    async def _look(self) -> None:
        if not any(len(machine.replicas) for machine in self._machines.values()):
            return
        await self._spent.look()
        for key, figures in self._spent.sums():
            cpu_s, gib_s = self._seen.get(key, (0.0, 0.0))
            self._seen[key] = figures
            if figures > (cpu_s, gib_s):
                self._add(key, Used(cpu_seconds=figures[0] - cpu_s, gib_seconds=figures[1] - gib_s))

    def _add(self, key: FunctionKey, used: Used) -> None:
        at, now = (key, self._hour()), self._clock.unix_ms()
        self._unsaved[at] = self._unsaved.get(at, Used()).plus(used)
        for owner in (key, key.namespace):
            self._sums[owner].add(used, now)

    def _judge(self, key: FunctionKey) -> None:
        machine, shared = self._machines.get(key), self._shared.get(key.namespace, Allowances())
        if machine is None or machine.removed:
            self._bounded.discard(key)
            return
        own, now = self._budgets.own(machine.function), self._clock.unix_ms()
        if not (own.all or shared.all or machine.allowed):
            self._bounded.discard(key)
            return
        self._bounded.add(key)
        self._warn(key, own)
        verdict = judge(
            own, shared, lambda period: self._sums[key].of(period, now),
            lambda period: self._sums[key.namespace].of(period, now), unix_ms=now,
            under_way=self._meter.inflight(key) + self._meter.waiting(key),
        )  # fmt: skip
        turns = turn(now, own, shared), turn(now, shared)
        before, machine.allowed = machine.allowed, allowed(key, verdict, *turns) if verdict is not None else None
        if _gist(before) != _gist(machine.allowed):
            self._table.changed(entry(machine))

    def _warn(self, owner: Owner, budget: Allowances) -> None:
        now, sums = self._clock.unix_ms(), self._sums[owner]
        what = "function" if isinstance(owner, FunctionKey) else "namespace"
        for allowance, state in self._warned[owner].news(budget, lambda period: sums.of(period, now), now):
            used = sums.of(allowance.period, now).of(allowance.measure)
            text = "the budget of the %s %s is %s: %.2f of %s=%s"
            log.warning(text, what, owner, state, used, allowance.measure, allowance.text)

    def _rebounded(self, owner: Owner) -> None:
        self._shared = self._budgets.shared()
        keys = [owner] if isinstance(owner, FunctionKey) else [key for key in self._machines if key.namespace == owner]
        for key in keys:
            self._judge(key)

    def _hour(self) -> int:
        return self._clock.unix_ms() // HOUR_MS


class _Sums:
    """What one owner used in the present day and month."""

    __slots__ = ("_by_period",)

    def __init__(self) -> None:
        self._by_period: dict[Period, tuple[int, Used]] = {}

    def add(self, used: Used, unix_ms: int, periods: tuple[Period, ...] = PERIODS) -> None:
        """Add what was used now."""
        for period in periods:
            self._by_period[period] = bounds(period, unix_ms).starts_unix_ms, self.of(period, unix_ms).plus(used)

    def of(self, period: Period, unix_ms: int) -> Used:
        """Return what was used in the day or month that this moment lies in."""
        starts, used = self._by_period.get(period, (0, Used()))
        return used if starts == bounds(period, unix_ms).starts_unix_ms else Used()


def _gist(allowed: Allowed | None) -> tuple[object, ...]:
    """Return what gateways must hear of at once."""
    return () if allowed is None else (allowed.is_open, allowed.turn)
