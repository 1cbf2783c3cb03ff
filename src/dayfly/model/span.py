"""Spans: what tracing tells of a call or of a flow's run, before any library sees it.

Ids are made of what a span is about, so that whoever tells of a call tells the same, whichever process it is.
"""

import hashlib
from typing import Literal

import msgspec

SpanKind = Literal["internal", "server", "client", "consumer"]
Value = str | int | float | bool


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work. Times are nanoseconds since 1970."""

    name: str
    trace: str
    """32 digits."""
    id: str
    """16 digits."""
    parent: str = ""
    """Empty where it began the trace."""
    kind: SpanKind = "internal"
    start_ns: int
    end_ns: int
    attributes: dict[str, Value] = {}
    error: str = ""
    """Why it failed; empty when it did not."""


def span_id(*about: str) -> str:
    """Return the same id for the same thing."""
    digits = hashlib.sha256("\n".join(about).encode()).hexdigest()[:16]
    return digits if digits.strip("0") else "1".zfill(16)


def trace_id(*about: str) -> str:
    """Return the same trace for the same thing."""
    return hashlib.sha256("\n".join(("trace", *about)).encode()).hexdigest()[:32]
