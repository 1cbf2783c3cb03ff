"""Allowances: what functions may use within a day or a month, as their annotations and budgets state it.

| annotation `com.dayfly.budget.` | counts |
|---|---|
| calls | calls that began |
| cpu_seconds | processor time of its replicas |
| gib_seconds | resident memory of its replicas, a GiB for a second |

Each is `AMOUNT/day` or `AMOUNT/month`, or both, separated by a comma: `10000/day,200000/month`. They are annotations of
a function, so that they are versioned with it, or of a namespace, for all its functions together; or budgets of their
own (`budget.py`) state them. Days and months are those of the calendar, in UTC.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import msgspec

from dayfly.model.errors import InvalidSpec

Measure = Literal["calls", "cpu_seconds", "gib_seconds"]
Period = Literal["day", "month"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
PERIODS: tuple[Period, ...] = get_args(Period)
PREFIX = "com.dayfly.budget."
_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


class Used(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was used in some time."""

    calls: int = 0
    cpu_seconds: float = 0.0
    gib_seconds: float = 0.0

    def plus(self, other: "Used") -> "Used":
        """The sum of both."""
        return Used(
            calls=self.calls + other.calls,
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            gib_seconds=self.gib_seconds + other.gib_seconds,
        )

    def of(self, measure: Measure) -> float:
        """Return how much of one kind."""
        return float(getattr(self, measure))


class Allowance(msgspec.Struct, frozen=True):
    """So much of one kind within one day or month."""

    measure: Measure
    amount: float
    period: Period
    budget: str = ""
    """The budget that states it; empty for an annotation."""

    @property
    def text(self) -> str:
        """As it is written: `10000/day`."""
        return f"{self.amount:.6f}".rstrip("0").rstrip(".") + f"/{self.period}"


class Allowances(msgspec.Struct, frozen=True):
    """All that a function, or a namespace's functions together, may use."""

    all: tuple[Allowance, ...] = ()

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> "Allowances":
        """Return what annotations state. Raises InvalidSpec."""
        for name in annotations:
            if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in MEASURES:
                raise InvalidSpec(f"{name}: a budget is of {', '.join(MEASURES)}")
        return cls(
            tuple(each for measure in MEASURES for each in _read(measure, annotations.get(PREFIX + measure, "")))
        )

    @classmethod
    def told(cls, annotations: Mapping[str, str]) -> "Allowances":
        """Return the same of what exists: what cannot be read is no budget. There may be older annotations."""
        try:
            return cls.of(annotations)
        except InvalidSpec:
            return cls()

    def changed(self, parts: Iterable[str]) -> "Allowances":
        """Return these with what `calls=10000/day` says instead of theirs; `calls=none` takes away.

        A measure that is named several times has several periods. Raises InvalidSpec.
        """
        given: dict[Measure, list[str]] = {}
        for part in parts:
            name, equals, value = (text.strip() for text in part.partition("="))
            if name not in MEASURES or not equals or not value:
                raise InvalidSpec(
                    f"budget: {part[:60]!r} is not NAME=AMOUNT/PERIOD with one of {', '.join(MEASURES)}",
                    hint="write for example calls=10000/day or cpu_seconds=3600/month",
                )
            given.setdefault(name, []).append("" if value == "none" else value)
        kept = [each for each in self.all if each.measure not in given]
        new = [each for name, texts in given.items() for each in _read(name, ",".join(filter(None, texts)))]
        return Allowances(tuple(sorted((*kept, *new), key=lambda each: (MEASURES.index(each.measure), each.period))))

    def written(self, annotations: Mapping[str, str]) -> dict[str, str]:
        """Return the annotations with these in place of theirs."""
        rest = {name: text for name, text in annotations.items() if not name.startswith(PREFIX)}
        for measure in MEASURES:
            texts = [each.text for each in self.all if each.measure == measure]
            if texts:
                rest[PREFIX + measure] = ",".join(texts)
        return rest

    @property
    def text(self) -> str:
        """All of them in one line; empty without any."""
        return " ".join(f"{each.measure}={each.text}" for each in self.all)


def amount_text(amount: float) -> str:
    """Return an amount, with what of it is not whole to the hundredth."""
    return f"{amount:.2f}".rstrip("0").rstrip(".")


def _read(measure: Measure, text: str) -> list[Allowance]:
    found: dict[Period, Allowance] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        amount, _, period = (each.strip() for each in part.partition("/"))
        if not _AMOUNT.fullmatch(amount) or period not in PERIODS or (measure == "calls" and "." in amount):
            kind = "a whole number" if measure == "calls" else "a number"
            raise InvalidSpec(f"{PREFIX}{measure}: {part[:40]!r} must be {kind} and /day or /month, as 10000/day")
        if period in found:
            raise InvalidSpec(f"{PREFIX}{measure}: two amounts a {period}: {text[:60]!r}")
        found[period] = Allowance(measure, float(amount), period)
    return list(found.values())
