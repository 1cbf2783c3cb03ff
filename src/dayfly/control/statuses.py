"""A function's status, from what its lifecycle knows and what was counted.

The state speaks of the current revision: a deployment that does not come up is `failing` even while the revision before
it still serves, because that is what its author must know; `ready_replicas` counts everything that serves.
"""

from collections.abc import Mapping
from typing import Literal

from dayfly.control.clock import Clock
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.replicas import READY, STARTING, Replica
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, ReplicaId
from dayfly.model.replica import ReplicaStats
from dayfly.model.sandbox import Tier
from dayfly.model.status import FunctionState, FunctionStatus, ReplicaStatus

_NO_STATS = ReplicaStats(cpu_s=0.0, memory_bytes=0)


def status_of(
    machine: Lifecycle,
    *,
    clock: Clock,
    gateway_url: str,
    invocations: int,
    stats: Mapping[ReplicaId, ReplicaStats],
    sandbox_tier: Tier | Literal[""] = "",
) -> FunctionStatus:
    """Return what is true of the function now."""
    function = machine.function
    return FunctionStatus(
        spec=function.revision.spec,
        revision=function.revision.number,
        state=state_of(machine),
        reason=machine.trouble.account if machine.trouble is not None else "",
        desired_replicas=machine.scale.wanted,
        ready_replicas=machine.ready,
        invocations=invocations,
        created_unix_ms=function.created_unix_ms,
        updated_unix_ms=function.revision.created_unix_ms,
        url=url_of(function.key, gateway_url),
        sandbox_tier=sandbox_tier,
        replicas=tuple(_replica(r, clock, stats.get(r.id, _NO_STATS)) for r in machine.replicas),
    )


def state_of(machine: Lifecycle) -> FunctionState:
    """Return where the current revision stands."""
    if machine.current(READY):
        return "ready"
    if machine.trouble is not None and not machine.trouble.hold:
        return "failing"
    if machine.preparing:
        return "building"
    return "starting" if machine.scale.wanted or machine.current(STARTING) else "idle"


def url_of(key: FunctionKey, gateway_url: str) -> str:
    """Return where the function is called; the default namespace goes without saying."""
    return f"{gateway_url.rstrip('/')}/function/{key.name if key.namespace == DEFAULT_NAMESPACE else key}"


def _replica(replica: Replica, clock: Clock, stats: ReplicaStats) -> ReplicaStatus:
    return ReplicaStatus(
        id=replica.id,
        phase=replica.phase,
        revision=replica.revision,
        started_unix_ms=clock.unix_ms() - round((clock.now() - replica.started) * 1000),
        cpu_s=stats.cpu_s,
        memory_bytes=stats.memory_bytes,
    )
