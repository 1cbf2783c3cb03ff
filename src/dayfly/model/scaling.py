"""How many replicas a function may and should have, read from OpenFaaS's labels.

| label | default | meaning |
|---|---|---|
| com.openfaas.scale.min | 1 | replicas kept while the function is awake, and the number a deployment starts with |
| com.openfaas.scale.max | 20 | replicas at most |
| com.openfaas.scale.target | 10 | calls in flight that one replica is meant to carry |
| com.openfaas.scale.zero | true | whether an idle function goes to no replica at all |
| com.openfaas.scale.zero-duration | 15m | how long it must have been idle for that |

Scale to zero is on by default, unlike OpenFaaS: waking takes milliseconds here. `min` equal to `max` fixes the number.
"""

from collections.abc import Mapping

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_duration

PREFIX = "com.openfaas.scale."
MAX_REPLICAS = 1000


class ScalingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds and the target of one function's scaling."""

    minimum: int = 1
    maximum: int = 20
    target: int = 10
    to_zero: bool = True
    idle_s: float = 900.0

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> "ScalingPolicy":
        """Return the policy that the labels state. Raises InvalidSpec for what is no number or contradicts itself."""
        minimum = _number(labels, "min", 1, lowest=0)
        maximum = _number(labels, "max", max(20, minimum), lowest=1)
        if minimum > maximum:
            raise InvalidSpec(f"{PREFIX}min is {minimum}, more than {PREFIX}max, which is {maximum}")
        fixed = minimum == maximum
        return cls(
            minimum=minimum,
            maximum=maximum,
            target=_number(labels, "target", 10, lowest=1),
            to_zero=_truth(labels, "zero", default=not fixed),
            idle_s=_idle(labels),
        )


def _number(labels: Mapping[str, str], key: str, default: int, *, lowest: int) -> int:
    text = labels.get(PREFIX + key, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not lowest <= int(text[:9]) <= MAX_REPLICAS:
        raise InvalidSpec(f"{PREFIX}{key}: {text[:40]!r} must be a whole number from {lowest} to {MAX_REPLICAS}")
    return int(text)


def _truth(labels: Mapping[str, str], key: str, *, default: bool) -> bool:
    text = labels.get(PREFIX + key, "").lower()
    if text in ("true", "false", "1", "0", ""):
        return default if not text else text in ("true", "1")
    raise InvalidSpec(f"{PREFIX}{key}: {text[:40]!r} must be true or false")


def _idle(labels: Mapping[str, str]) -> float:
    text = labels.get(PREFIX + "zero-duration", "")
    return parse_duration(text) if text else ScalingPolicy().idle_s
