"""Budgets: bounds that somebody set for a function, or for all functions of a namespace together.

A budget stands beside what annotations state, and what several budgets state: a call needs room in each of them. It
stays when its function is removed, and counts again for one of that name.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from dayfly.model.allowance import MEASURES, PERIODS, Allowance, Allowances, Measure, Period
from dayfly.model.errors import InvalidSpec
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName, parse_budget_name, parse_function_name, parse_namespace

MAX_AMOUNT = 999_999_999_999
"""The most that can be written down."""
MAX_NAMESPACE_BUDGETS = 2000
State = Literal["within", "over 75 %", "over 90 %", "used up"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Counts(_Part, frozen=True, kw_only=True):
    """So many within a day of the calendar, a month, or both, in UTC."""

    day: int | None = None
    month: int | None = None


class Amounts(_Part, frozen=True, kw_only=True):
    """So much within a day of the calendar, a month, or both, in UTC."""

    day: float | None = None
    month: float | None = None


class BudgetSpec(_Part, frozen=True, kw_only=True):
    """What somebody wants a budget to be; the measures are those of `allowance`."""

    name: str
    namespace: str = DEFAULT_NAMESPACE
    function: str = ""
    """The function that it bounds; empty for all of the namespace together."""
    calls: Counts | None = None
    cpu_seconds: Amounts | None = None
    gib_seconds: Amounts | None = None

    @classmethod
    def of(cls, allowances: Iterable[Allowance], name: str, namespace: str, function: str = "") -> "BudgetSpec":
        """Return the budget of this name that states these."""
        given: dict[Measure, dict[Period, float]] = {}
        for each in allowances:
            given.setdefault(each.measure, {})[each.period] = each.amount
        calls = {period: int(amount) for period, amount in given.pop("calls", {}).items()}
        return cls(
            name=name, namespace=namespace, function=function, calls=Counts(**calls) if calls else None,
            **{measure: Amounts(**amounts) for measure, amounts in given.items()},
        )  # fmt: skip

    @property
    def allowances(self) -> Allowances:
        """What it states."""
        found = ((measure, getattr(self, measure), period) for measure in MEASURES for period in PERIODS)
        stated = ((measure, getattr(amounts, period, None), period) for measure, amounts, period in found)
        return Allowances(
            tuple(
                Allowance(measure, float(amount), period, self.name)
                for measure, amount, period in stated
                if amount is not None
            )
        )

    def check(self) -> None:
        """Refuse what cannot be kept. Raises InvalidName, InvalidSpec with the field in the text."""
        parse_budget_name(self.name)
        parse_namespace(self.namespace)
        if self.function:
            parse_function_name(self.function)
        for measure in MEASURES:
            amounts = getattr(self, measure)
            if amounts is not None and amounts.day is None and amounts.month is None:
                raise InvalidSpec(f"{measure}: say how much a day, a month, or both")
        if not self.allowances.all:
            raise InvalidSpec(
                f"the budget {self.name} bounds nothing: name one of {', '.join(MEASURES)}",
                hint=f"`dayfly budget remove {self.name}` takes it away",
            )
        for each in self.allowances.all:
            if not 0 <= each.amount <= MAX_AMOUNT:
                raise InvalidSpec(f"{each.measure}.{each.period}: {each.amount:g} must be from 0 to {MAX_AMOUNT}")


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A budget as it is kept."""

    spec: BudgetSpec
    created_unix_ms: int
    updated_unix_ms: int

    @property
    def key(self) -> tuple[NamespaceName, str]:
        """Its identity."""
        return NamespaceName(self.spec.namespace), self.spec.name


class BudgetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One allowance and how much of it is used."""

    namespace: str
    function: str = ""
    """Empty for the namespace's own."""
    measure: Measure
    period: Period
    amount: float
    used: float
    state: State
    ends_unix_ms: int
    """When the period ends, and the count begins anew."""
    budget: str = ""
    """The budget that states it; empty for an annotation."""

    @property
    def left(self) -> float:
        """How much may still be used."""
        return max(0.0, self.amount - self.used)

    @property
    def share(self) -> float:
        """How much of it is used; 1 is all."""
        return self.used / self.amount if self.amount else 1.0


class BudgetStanding(Budget, frozen=True, kw_only=True):
    """A budget, what keeps it from counting, and how far it is used."""

    trouble: str = ""
    """Why nothing is counted; empty when nothing is wrong."""
    allowances: tuple[BudgetStatus, ...] = ()


class BudgetChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to change in a function's budget, as `Allowances.changed` reads it."""

    budget: tuple[str, ...]
