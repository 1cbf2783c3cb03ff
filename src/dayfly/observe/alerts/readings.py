"""Looks: what each kind of rule looks at, taken from what the control plane knows or asked of the history.

The kinds with a name are probes of our own counters, so that they work with nothing installed and after a restart:
calls are summed from the roll-ups by the minute. A window of five minutes is the last five whole minutes and what there
is of this one. Only `promql` asks the history. A figure that several rules look at is taken once in a round.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from dayfly.decide.alerting import Reading, Readings
from dayfly.model.alert import AlertRule
from dayfly.model.budget import BudgetStatus
from dayfly.model.errors import NotSupported
from dayfly.model.function import Function
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.model.rollup import Rollup
from dayfly.model.status import FunctionStatus
from dayfly.observe.alerts.restarts import Restarts
from dayfly.observe.rollup_sums import RollupSums
from dayfly.queue.questions import Figures

LONGEST_MINUTES_S = 6 * 3600
"""Windows beyond it are summed from the roll-ups by the hour."""


class Element(msgspec.Struct, frozen=True):
    """One element of a vector of PromQL."""

    labels: dict[str, str]
    value: float


class History(Protocol):
    """Answers expressions of PromQL."""

    def check(self, expr: str, namespace: str = "") -> None:
        """Refuse an expression that cannot be asked. Raises InvalidRequest."""
        ...

    async def instant(self, expr: str, namespace: str = "") -> list[Element]:
        """Return the vector that an expression is now, made of the namespace's series alone if one is given.

        Raises InvalidRequest for one that cannot be read, StoreUnavailable.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where figures come from."""

    functions: Callable[[], Iterable[Function]]
    namespaces: Callable[[], list[NamespaceName]]
    statuses: Callable[[NamespaceName], Awaitable[list[FunctionStatus]]]
    exits: Callable[[], Mapping[FunctionKey, int]]
    """How many replicas ended by themselves, ever in this life."""
    budgets: Callable[[], Iterable[BudgetStatus]]
    queue: Callable[[], Awaitable[Figures]]
    sums: Callable[[RollupSums], Awaitable[list[Rollup]]]
    disk: Callable[[], float]
    """The part of the disk that is used. Blocks."""
    certificates: Callable[[], Mapping[str, float]]
    """How many days each certificate has left. Blocks."""
    history: History | None = None


class Looks:
    """Takes readings for rules. `unix_ms` is the wall clock, `now` one that never goes back."""

    def __init__(self, sources: Sources, unix_ms: Callable[[], int], now: Callable[[], float]) -> None:
        self._of = sources
        self._unix_ms = unix_ms
        self._restarts = Restarts(now)

    def begin(self) -> "Round":
        """Return a round of looks, in which figures are taken once."""
        self._restarts.note(self._of.exits())
        return Round(self._of, self._restarts, self._unix_ms())


class Round:
    """One round."""

    def __init__(self, sources: Sources, restarts: Restarts, unix_ms: int) -> None:
        self._of = sources
        self._restarts = restarts
        self._unix_ms = unix_ms
        self._queue: Figures | None = None
        self._sums: dict[tuple[str, int], list[Rollup]] = {}

    async def take(self, rule: AlertRule) -> Readings:
        """Return what the rule finds. Raises what its source raises, NotSupported without a history."""
        match rule.kind:
            case "error_rate" | "latency" | "cold_starts":
                return _readings(rule, await self._of_calls(rule))
            case "no_traffic":
                return _readings(rule, await self._silent(rule))
            case "replicas":
                return _readings(rule, await self._replicas(rule))
            case "restarts":
                found = self._restarts.within(rule.window_s)
                readings = _readings(rule, {key: float(count) for key, count in found.items()})
                return msgspec.structs.replace(readings, is_complete=self._restarts.knows(rule.window_s))
            case "queue_depth" | "dead_letters":
                return await self._queued(rule)
            case "budget":
                return Readings(tuple(each for each in map(_budget, self._of.budgets()) if _is_in(rule, each)))
            case "disk":
                return Readings((Reading({"disk": "data folder"}, await asyncio.to_thread(self._of.disk)),))
            case "certificate":
                found_days = await asyncio.to_thread(self._of.certificates)
                return Readings(tuple(Reading({"certificate": name}, left) for name, left in found_days.items()))
        if self._of.history is None:
            raise NotSupported("this installation keeps no history that answers PromQL")
        vector = await self._of.history.instant(rule.expr, rule.namespace)
        return Readings(tuple(Reading(_named(each.labels), each.value) for each in vector))

    async def _of_calls(self, rule: AlertRule) -> dict[FunctionKey, float]:
        found: dict[FunctionKey, float] = {}
        for each in await self._summed(rule):
            key = FunctionKey(NamespaceName(each.namespace), FunctionName(each.function))
            if rule.kind == "cold_starts":
                found[key] = each.cold
            elif each.calls:
                found[key] = each.failed / each.calls if rule.kind == "error_rate" else each.quantile_s(rule.quantile)
        there = {each.key for each in self._of.functions()}
        return {key: value for key, value in found.items() if key in there}

    async def _silent(self, rule: AlertRule) -> dict[FunctionKey, float]:
        calls = {(each.namespace, each.function): each.calls for each in await self._summed(rule)}
        begun = self._unix_ms - rule.window_s * 1000
        # One that was deployed within the window has not had all of it to be called in.
        old = [each.key for each in self._of.functions() if each.created_unix_ms <= begun]
        return {key: float(calls.get((key.namespace, key.name), 0)) for key in old}

    async def _summed(self, rule: AlertRule) -> list[Rollup]:
        window = round(rule.window_s)
        at = (rule.namespace, window)
        if at not in self._sums:
            until = self._unix_ms // 1000 + 1
            span_s = 60 if window <= LONGEST_MINUTES_S else 3600
            since = (until - window) // span_s * span_s
            query = RollupSums(
                span="minute" if span_s == 60 else "hour", since_unix_s=since, until_unix_s=until,
                namespace=rule.namespace,
            )  # fmt: skip
            self._sums[at] = await self._of.sums(query)
        return self._sums[at]

    async def _replicas(self, rule: AlertRule) -> dict[FunctionKey, float]:
        names = [NamespaceName(rule.namespace)] if rule.namespace else self._of.namespaces()
        found = [each for name in names for each in await self._of.statuses(name)]
        return {each.spec.key: float(each.ready_replicas) for each in found}

    async def _queued(self, rule: AlertRule) -> Readings:
        if self._queue is None:
            self._queue = await self._of.queue()
        if not self._queue.is_up:  # nobody knows then, which is no sign that all is well
            return Readings(is_complete=False)
        found: dict[FunctionKey, float] = {}
        for each in self._queue.functions:
            name, _, namespace = each.function.rpartition(".")
            key = FunctionKey(NamespaceName(namespace), FunctionName(name))
            found[key] = float(each.pending if rule.kind == "queue_depth" else each.dead)
        return _readings(rule, found)


def _readings(rule: AlertRule, found: Mapping[FunctionKey, float]) -> Readings:
    readings = (Reading({"namespace": key.namespace, "function": key.name}, value) for key, value in found.items())
    return Readings(tuple(each for each in readings if _is_in(rule, each)))


def _is_in(rule: AlertRule, reading: Reading) -> bool:
    inside = rule.namespace in ("", reading.labels.get("namespace"))
    return inside and rule.function in ("", reading.labels.get("function"))


def _budget(each: BudgetStatus) -> Reading:
    labels = {"namespace": each.namespace, "measure": each.measure, "period": each.period}
    labels |= {name: text for name, text in (("function", each.function), ("budget", each.budget)) if text}
    return Reading(labels, each.used / each.amount if each.amount else 1.0)


def _named(labels: dict[str, str]) -> dict[str, str]:
    """Return the labels with the function's namespace among them, where a series is a function's."""
    name, dot, namespace = labels.get("function_name", "").rpartition(".")
    return labels | {"function": name, "namespace": namespace} if dot and "namespace" not in labels else labels
