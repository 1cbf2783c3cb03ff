"""What functions do and use, as numbers that only ever grow: two looks, and the time between them, make rates.

Whoever looks does the arithmetic, so that many may look at once and none disturbs another. Counts begin anew when a
gateway does; a rate made across such a moment is none.
"""

import msgspec

from dayfly.model.status import FunctionState, ReplicaStatus


class FunctionUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One function's share."""

    name: str
    namespace: str
    revision: int
    """The newest that was asked for and still stands."""
    state: FunctionState
    desired_replicas: int
    ready_replicas: int
    inflight: int
    """Calls being worked on now."""
    waiting: int
    """Calls that wait for a replica now."""
    calls: int
    """Calls finished."""
    failed: int
    """Those of them that were answered with 500 or more."""
    latencies: tuple[int, ...]
    """Calls finished by how long they took: up to each of `Usage.bounds_s`, and longer."""
    exits: dict[str, int] = {}
    """How often a replica ended that nobody had stopped, by reason."""
    cpu_s: float
    """Processor time, in seconds, of its replicas, also of those that are gone."""
    memory_bytes: int
    """Resident memory of its replicas; a page that several share counts in each."""
    replicas: tuple[ReplicaStatus, ...] = ()


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace at one moment."""

    at_s: float
    """When, on a clock of the platform's that only runs forward."""
    bounds_s: tuple[float, ...]
    """Upper bounds of `FunctionUsage.latencies`, but for its last."""
    functions: tuple[FunctionUsage, ...]
    """Ordered by name."""
