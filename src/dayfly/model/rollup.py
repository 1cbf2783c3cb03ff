"""Roll-ups: what the calls of a function came to in a minute or an hour."""

from typing import Literal

import msgspec

from dayfly.model.table import LATENCY_BUCKETS_S

Span = Literal["minute", "hour"]
SPANS_S: dict[Span, int] = {"minute": 60, "hour": 3600}


class Rollup(msgspec.Struct, frozen=True, kw_only=True):
    """One function's calls that ended within a span of time."""

    function: str
    namespace: str
    at_unix_s: int
    """When the span began."""
    calls: int
    failed: int
    """Those answered with 500 or more."""
    cold: int
    """Those that waited for a replica to start."""
    seconds: float
    """How long callers waited, in sum."""
    run_s: float
    """How long replicas worked, in sum."""
    request_bytes: int
    response_bytes: int
    latencies: tuple[int, ...]
    """Calls by how long they took: up to each of `bounds_s`, and longer."""

    def quantile_s(self, part: float) -> float:
        """Return the bound below which this part of the calls stayed; infinite beyond the highest."""
        left = part * sum(self.latencies)
        for bound, calls in zip((*LATENCY_BUCKETS_S, float("inf")), self.latencies, strict=True):
            left -= calls
            if left <= 0:
                return bound
        return 0.0
