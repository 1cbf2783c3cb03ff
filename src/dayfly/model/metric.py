"""Figures over time as the API answers with them: in the form of Prometheus' own."""

from typing import Literal

import msgspec

Pair = tuple[float, str]
"""Seconds since 1970, and a number as Prometheus writes it: NaN and +Inf are among them."""


class MetricSeries(msgspec.Struct, frozen=True, omit_defaults=True):
    """A series of an answer; `value` at one moment, `values` at several."""

    metric: dict[str, str]
    """Its labels; the metric's name is `__name__`."""
    value: Pair | None = None
    values: tuple[Pair, ...] = ()

    @property
    def numbers(self) -> list[float]:
        """The values as numbers."""
        pairs = [self.value] if self.value is not None else self.values
        return [float(text) for _, text in pairs]

    @property
    def name(self) -> str:
        """The series as PromQL writes it."""
        labels = ",".join(f'{name}="{value}"' for name, value in sorted(self.metric.items()) if name != "__name__")
        name = self.metric.get("__name__", "")
        return f"{name}{{{labels}}}" if labels or not name else name


class MetricAnswer(msgspec.Struct, frozen=True):
    """What a query came to: series, or of a scalar and of a string one pair."""

    kind: Literal["vector", "matrix", "scalar", "string"]
    series: tuple[MetricSeries, ...] = ()
    single: Pair | None = None


class Metric(msgspec.Struct, frozen=True):
    """What a metric is."""

    name: str
    type: str
    help: str
