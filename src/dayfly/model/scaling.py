"""How many replicas a function may and should have, read from OpenFaaS's labels.

| label `com.openfaas.scale.` | default | meaning |
|---|---|---|
| min | 1 | replicas kept while the function is awake, and the number a deployment starts with |
| max | 20 | replicas at most |
| type | capacity | what is measured: `capacity` calls in flight, `rps` calls a second, `cpu` thousandths of a core |
| target | 10, 50, 500 | how much of that one replica is meant to carry, by type; `max_inflight` where 10 is more |
| target-proportion | 0.90 | the part of the target that is aimed at; the rest is headroom |
| down.window | 1m | how long less must have been needed before there are fewer replicas; 5m at most, 0s not to wait |
| zero | true | whether an idle function goes to no replica at all |
| zero-duration | 15m | how long it must have been idle for that |
| factor | 10 | the step of OpenFaaS's alert handler in percent of `max`; 0 leaves alerts without effect |

Scale to zero is on by default, unlike OpenFaaS: waking takes milliseconds here. `min` equal to `max` fixes the number.

The label `com.dayfly.scale` with the value `openfaas` has other defaults: one replica for five calls a second, where
OpenFaaS's own rule begins to want more, and fewer ten seconds after fewer are enough. Its dialect sets the label where
a deployment bounds the replicas and does not say by what it wants to be scaled.
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import format_duration, parse_duration

PREFIX = "com.openfaas.scale."
MAX_REPLICAS = 1000
MAX_TARGET = 1_000_000
MAX_DOWN_WINDOW_S = 300.0

Signal = Literal["capacity", "rps", "cpu"]
"""What scaling measures: calls in flight, calls begun a second, or processor time in thousandths of a core."""
DEFAULT_TARGETS: dict[Signal, int] = {"capacity": 10, "rps": 50, "cpu": 500}
LIKE_LABEL, LIKE_OPENFAAS = "com.dayfly.scale", "openfaas"


def asks_for_openfaas(labels: Mapping[str, str]) -> bool:
    """Whether the labels bound the replicas, but do not say what is measured or how much one is meant to carry."""
    return PREFIX + "max" in labels and not {PREFIX + "type", PREFIX + "target"} & labels.keys()


class ScalingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds and the target of one function's scaling."""

    minimum: int = 1
    maximum: int = 20
    signal: Signal = "capacity"
    target: int = 10
    """In the signal's unit."""
    proportion: float = 0.9
    """More than 0, at most 1."""
    down_window_s: float = 60.0
    to_zero: bool = True
    idle_s: float = 900.0
    factor: int = 10
    """Percent, 0 to 100."""

    @property
    def share(self) -> float:
        """How much one replica is meant to carry, in the signal's unit, its headroom left out."""
        return self.target * self.proportion

    @classmethod
    def from_labels(cls, labels: Mapping[str, str], *, inflight: int = 0) -> "ScalingPolicy":
        """Return the policy that the labels state; by default a replica carries no more calls than it takes at a time.

        `inflight` is how many those are, 0 for no limit. Raises InvalidSpec for what is no number or contradicts
        itself.
        """
        default = OPENFAAS if labels.get(LIKE_LABEL) == LIKE_OPENFAAS else ScalingPolicy()
        minimum = _number(labels, "min", 1, lowest=0)
        maximum = _number(labels, "max", max(20, minimum), lowest=1)
        if minimum > maximum:
            raise InvalidSpec(f"{PREFIX}min is {minimum}, more than {PREFIX}max, which is {maximum}")
        fixed = minimum == maximum
        signal = _signal(labels, default.signal)
        target = default.target if signal == default.signal else DEFAULT_TARGETS[signal]
        if signal == "capacity":
            target = min(target, inflight or target)
        return cls(
            minimum=minimum,
            maximum=maximum,
            signal=signal,
            target=_number(labels, "target", target, lowest=1, highest=MAX_TARGET),
            proportion=_proportion(labels, default.proportion),
            down_window_s=_down_window(labels, default.down_window_s),
            to_zero=_truth(labels, "zero", default=not fixed),
            idle_s=_span(labels, "zero-duration", ScalingPolicy().idle_s),
            factor=_number(labels, "factor", 10, lowest=0, highest=100),
        )


OPENFAAS = ScalingPolicy(signal="rps", target=5, proportion=1.0, down_window_s=10.0)
"""The defaults of functions that are scaled as OpenFaaS would: its rule looks at calls begun in ten seconds."""


def _number(labels: Mapping[str, str], key: str, default: int, *, lowest: int, highest: int = MAX_REPLICAS) -> int:
    text = labels.get(PREFIX + key, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not lowest <= int(text[:9]) <= highest:
        raise InvalidSpec(f"{PREFIX}{key}: {text[:40]!r} must be a whole number from {lowest} to {highest}")
    return int(text)


def _truth(labels: Mapping[str, str], key: str, *, default: bool) -> bool:
    text = labels.get(PREFIX + key, "").lower()
    if text in ("true", "false", "1", "0", ""):
        return default if not text else text in ("true", "1")
    raise InvalidSpec(f"{PREFIX}{key}: {text[:40]!r} must be true or false")


def _signal(labels: Mapping[str, str], default: Signal) -> Signal:
    text = labels.get(PREFIX + "type", "") or default
    for signal in DEFAULT_TARGETS:
        if text == signal:
            return signal
    raise InvalidSpec(
        f"{PREFIX}type: {text[:40]!r} is not measured here; write capacity (calls in flight),"
        " rps (calls a second) or cpu (thousandths of a core)"
    )


def _proportion(labels: Mapping[str, str], default: float) -> float:
    text = labels.get(PREFIX + "target-proportion", "")
    if not text:
        return default
    if not re.fullmatch(r"[01](\.[0-9]{1,6})?", text, re.ASCII) or not 0.01 <= float(text) <= 1:
        raise InvalidSpec(f"{PREFIX}target-proportion: {text[:40]!r} must be a number from 0.01 to 1, for example 0.9")
    return float(text)


def _down_window(labels: Mapping[str, str], default_s: float) -> float:
    window_s = _span(labels, "down.window", default_s)
    if window_s > MAX_DOWN_WINDOW_S:
        raise InvalidSpec(f"{PREFIX}down.window must be at most {format_duration(MAX_DOWN_WINDOW_S)}")
    return window_s


def _span(labels: Mapping[str, str], key: str, default_s: float) -> float:
    text = labels.get(PREFIX + key, "")
    try:
        return parse_duration(text) if text else default_s
    except InvalidSpec as error:
        raise InvalidSpec(f"{PREFIX}{key}: {error}") from error
