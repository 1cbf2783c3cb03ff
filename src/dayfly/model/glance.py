"""What a list shows of a function, and what changed in such a list: small enough to be sent each second."""

import msgspec

from dayfly.model.status import FunctionState

SPARK_MINUTES = 30


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of functions."""

    name: str
    namespace: str
    state: FunctionState
    reason: str
    """Why it is not ready, where there is something to say."""
    replicas: int
    """Those that serve."""
    desired_replicas: int
    calls_total: int
    """Calls ever finished."""
    error_rate: float | None
    """Share of the calls of the minutes in `spark` that ended with 500 or more; None where there was none."""
    spark: tuple[int, ...]
    """Calls in each of the last 30 minutes, the present one last; empty where there was none."""
    updated_unix_ms: int
    """When its newest revision was deployed."""
    canary: bool = False
    """Whether a rollout is under way."""


class GlanceNews(msgspec.Struct, frozen=True, kw_only=True):
    """What is new in a list since the event before; the first event of an answer tells the whole of it."""

    namespaces: tuple[str, ...]
    """All that the credential is good for."""
    functions: tuple[Glance, ...] = ()
    """Those that are new or look different now."""
    gone: tuple[tuple[str, str], ...] = ()
    """Namespace and name of those that are no more."""
