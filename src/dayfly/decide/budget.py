"""Budgets, decided: which day and month it is, what is left, what is told, and when calls stop.

A function may be bounded twice, by its own budget and by its namespace's. Calls stop as soon as one allowance is used
up, until its period ends or it is raised. A warning is told once for each allowance, period and threshold; one that was
raised begins anew.
"""

import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from dayfly.model.allowance import PERIODS, PREFIX, Allowance, Allowances, Period, Used
from dayfly.model.budget import State
from dayfly.model.names import FunctionKey
from dayfly.model.table import Allowed

THRESHOLDS: tuple[tuple[float, State], ...] = ((1.0, "used up"), (0.9, "over 90 %"), (0.75, "over 75 %"))


class Bounds(msgspec.Struct, frozen=True):
    """A period: its first millisecond since 1970, and that of the next one."""

    starts_unix_ms: int
    ends_unix_ms: int


class Verdict(msgspec.Struct, frozen=True):
    """What a function's budgets come to."""

    allowance: Allowance
    """The one that is used up, and for longest; else the one that will be first, by its share."""
    of_namespace: bool
    until_unix_ms: int
    is_open: bool
    calls_left: int | None
    """Calls that may still begin; None when no budget counts them."""
    shared_left: int | None
    """The same by the namespace's budget alone."""


def bounds(period: Period, unix_ms: int) -> Bounds:
    """Return the day or month of the calendar, in UTC, that a moment lies in."""
    day = datetime.fromtimestamp(unix_ms // 1000, UTC).replace(hour=0, minute=0, second=0)
    if period == "month":
        day = day.replace(day=1)
        after = (day + timedelta(days=32)).replace(day=1)
    else:
        after = day + timedelta(days=1)
    return Bounds(round(day.timestamp() * 1000), round(after.timestamp() * 1000))


def turn(unix_ms: int, *budgets: Allowances) -> int:
    """Return a number that is another for other budgets, and in another day or month."""
    periods = (str(bounds(each, unix_ms)) for each in PERIODS)
    return zlib.crc32("|".join((*(each.text for each in budgets), *periods)).encode())


def state_of(allowance: Allowance, used: Used) -> State:
    """Return how far an allowance is used."""
    amount = used.of(allowance.measure)
    return next((state for share, state in THRESHOLDS if amount >= share * allowance.amount), "within")


def judge(
    own: Allowances,
    shared: Allowances,
    own_used: Callable[[Period], Used],
    shared_used: Callable[[Period], Used],
    *,
    unix_ms: int,
    under_way: int = 0,
) -> Verdict | None:
    """Return what the budgets of a function and of its namespace come to; None without any.

    `under_way` are calls that began and are not counted as used yet.
    """
    bound = [
        *((each, own_used(each.period), False) for each in own.all),
        *((each, shared_used(each.period), True) for each in shared.all),
    ]
    if not bound:
        return None
    ends = {period: bounds(period, unix_ms).ends_unix_ms for period in {each.period for each, _, _ in bound}}
    spent = [item for item in bound if state_of(item[0], item[1]) == "used up"]
    if spent:
        allowance, _, of_namespace = max(spent, key=lambda item: ends[item[0].period])
    else:
        allowance, _, of_namespace = max(bound, key=lambda item: item[1].of(item[0].measure) / item[0].amount)
    calls = [(int(each.amount) - used.calls - under_way, of) for each, used, of in bound if each.measure == "calls"]
    left, shared_left = [left for left, _ in calls], [left for left, of_namespace in calls if of_namespace]
    return Verdict(
        allowance,
        of_namespace,
        ends[allowance.period],
        is_open=not spent,
        calls_left=max(0, min(left)) if left else None,
        shared_left=max(0, min(shared_left)) if shared_left else None,
    )


def allowed(key: FunctionKey, verdict: Verdict, all_turn: int, shared_turn: int) -> Allowed:
    """Return what gateways are told of a function with such budgets."""
    allowance, until_s = verdict.allowance, verdict.until_unix_ms // 1000
    amount, _, period = allowance.text.partition("/")
    what = allowance.measure.replace("cpu_", "CPU-").replace("gib_", "GiB-")
    what = what.removesuffix("s") if amount == "1" else what
    whose = f"the namespace {key.namespace}" if verdict.of_namespace else f"the function {key}"
    ends = datetime.fromtimestamp(until_s, UTC)
    where = f"the budget {allowance.budget}" if allowance.budget else f"{PREFIX}{allowance.measure}"
    detail = (
        f"The budget of {whose} is used up: {amount} {what} a {period} ({where})."
        f" It begins anew at {ends:%Y-%m-%d %H:%M} UTC."
    )
    left, shared_left = (-1 if each is None else each for each in (verdict.calls_left, verdict.shared_left))
    return Allowed(verdict.is_open, left, all_turn, until_s, detail, _hint(key, verdict), shared_left, shared_turn)


def _hint(key: FunctionKey, verdict: Verdict) -> str:
    each, of = verdict.allowance, verdict.allowance.budget
    example = f"{each.measure}=AMOUNT/{each.period}"
    if verdict.of_namespace:
        how = (
            f"dayfly budget put {of} {example} --namespace {key.namespace}"
            if of
            else f"dayfly namespace update {key.namespace} --budget {example}"
        )
        return f"The installation's administrator can raise it: `{how}`."
    how = f"put {of} {example} --function {key.name}" if of not in ("", key.name) else f"set {key.name} {example}"
    return f"Whoever deploys it can raise it: `dayfly budget {how}`."


class Warned:
    """What was told already of one owner's budget."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[Allowance, tuple[int, float]] = {}

    def news(
        self, bound: Allowances, used: Callable[[Period], Used], unix_ms: int
    ) -> Iterable[tuple[Allowance, State]]:
        """Yield each allowance that has passed a threshold since this was last asked, within its period."""
        self._told = {each: told for each, told in self._told.items() if each in bound.all}
        for allowance in bound.all:
            starts = bounds(allowance.period, unix_ms).starts_unix_ms
            before, told = self._told.get(allowance, (starts, 0.0))
            highest = told if before == starts else 0.0
            state = state_of(allowance, used(allowance.period))
            share = next((share for share, each in THRESHOLDS if each == state), 0.0)
            self._told[allowance] = (starts, max(share, highest))
            if share > highest:
                yield allowance, state
