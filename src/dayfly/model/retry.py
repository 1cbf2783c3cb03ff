"""Retries of queued calls, read from OpenFaaS's annotations.

| annotation `com.openfaas.retry.` | default | meaning |
|---|---|---|
| attempts | 10 | how often a call is tried at most, the first time included |
| codes | 408,429,500,502,503,504 | the answers after which it is tried again; any other answer is final |
| min_wait | 1s | the wait after the first attempt; it doubles with every further one |
| max_wait | 2m | the longest such wait |

`com.dayfly.queue.concurrency` bounds how many queued calls of the function run at a time.
"""

from collections.abc import Mapping

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_duration

PREFIX = "com.openfaas.retry."
CONCURRENCY = "com.dayfly.queue.concurrency"
MAX_ATTEMPTS = 1000
MAX_WAIT_S = 86_400.0
MAX_CONCURRENCY = 10_000


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often, after which answers and after which waits a queued call is tried again."""

    attempts: int = 10
    codes: tuple[int, ...] = (408, 429, 500, 502, 503, 504)
    min_wait_s: float = 1.0
    max_wait_s: float = 120.0

    @classmethod
    def from_annotations(cls, annotations: Mapping[str, str]) -> "RetryPolicy":
        """Return the policy that the annotations state. Raises InvalidSpec."""
        default = cls()
        min_wait_s = _span(annotations, "min_wait", default.min_wait_s)
        max_wait_s = _span(annotations, "max_wait", max(default.max_wait_s, min_wait_s))
        if min_wait_s > max_wait_s:
            raise InvalidSpec(f"{PREFIX}min_wait is {min_wait_s:g}s, more than {PREFIX}max_wait, {max_wait_s:g}s")
        attempts = _number(annotations, PREFIX + "attempts", default.attempts, MAX_ATTEMPTS)
        return cls(attempts=attempts, codes=_codes(annotations), min_wait_s=min_wait_s, max_wait_s=max_wait_s)


def concurrency_of(annotations: Mapping[str, str]) -> int:
    """Return how many queued calls of a function may run at a time; 0 when its author says nothing.

    Raises InvalidSpec.
    """
    return _number(annotations, CONCURRENCY, 0, MAX_CONCURRENCY)


def told_of(annotations: Mapping[str, str]) -> tuple[RetryPolicy, int]:
    """Return policy and concurrency of a function that is deployed: what cannot be read means the default.

    Deployments with such annotations are refused; there may be older ones.
    """
    try:
        return RetryPolicy.from_annotations(annotations), concurrency_of(annotations)
    except InvalidSpec:
        return RetryPolicy(), 0


def _number(annotations: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = annotations.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= highest:
        raise InvalidSpec(f"{name}: {text[:40]!r} must be a whole number from 1 to {highest}")
    return int(text)


def _codes(annotations: Mapping[str, str]) -> tuple[int, ...]:
    text = annotations.get(PREFIX + "codes", "")
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        return RetryPolicy().codes
    if not all(part.isascii() and part.isdigit() and 100 <= int(part[:9]) <= 599 for part in parts):
        raise InvalidSpec(f"{PREFIX}codes: {text[:80]!r} must be statuses from 100 to 599, separated by commas")
    return tuple(sorted({int(part) for part in parts}))


def _span(annotations: Mapping[str, str], key: str, default_s: float) -> float:
    text = annotations.get(PREFIX + key, "").strip()
    try:
        span_s = parse_duration(text) if text else default_s
    except InvalidSpec as error:
        raise InvalidSpec(f"{PREFIX}{key}: {error}") from error
    if not 0 < span_s <= MAX_WAIT_S:
        raise InvalidSpec(f"{PREFIX}{key}: {text[:40]!r} must be more than 0s and at most 24h")
    return span_s
