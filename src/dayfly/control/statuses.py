"""A function's status, from what its lifecycle knows and what was counted.

It speaks of the newest revision that stands, the candidate's while there is one: a deployment that does not come up is
`failing` even while the revision before it still serves, because that is what its author must know. `rollout` says how
far it got; `ready_replicas` counts everything that serves.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from dayfly.control.clock import Clock
from dayfly.decide import room
from dayfly.decide.canary import judge
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.replicas import READY, STARTING, Replica
from dayfly.decide.track import Track
from dayfly.model.budget import BudgetStatus
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, NamespaceName, ReplicaId
from dayfly.model.replica import ReplicaStats
from dayfly.model.rollout import RolloutStatus
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
    cpu_s: float,
    exits: Mapping[str, int],
    budgets: tuple[BudgetStatus, ...] = (),
    sandbox_tier: Tier | Literal[""] = "",
) -> FunctionStatus:
    """Return what is true of the function now."""
    function, track, now = machine.function, machine.tracks[-1], clock.now()
    replicas = tuple(_replica(r, clock, stats.get(r.id, _NO_STATS)) for r in machine.replicas)
    return FunctionStatus(
        spec=track.revision.spec,
        revision=track.number,
        state=state_of(machine, now),
        reason=track.trouble.account if track.trouble is not None else room.reason(machine),
        fault=track.trouble.reason if track.trouble is not None else "",
        desired_replicas=max(machine.scale.wanted, machine.share(track, now)),
        ready_replicas=machine.ready,
        invocations=invocations,
        created_unix_ms=function.created_unix_ms,
        updated_unix_ms=track.revision.created_unix_ms,
        url=url_of(function.key, gateway_url),
        exits=dict(exits),
        # A container is held in its box by its engine, not by us.
        sandbox_tier=sandbox_tier if track.revision.spec.runtime != "image" else "",
        pinned_image=track.prepared.image if track.prepared is not None else "",
        cpu_s=cpu_s,
        memory_bytes=sum(replica.memory_bytes for replica in replicas),
        replicas=replicas,
        rollout=None if machine.candidate is None else _rollout(machine, machine.candidate, clock),
        outcome=function.outcome,
        budgets=budgets,
    )


def those_of(
    machines: Mapping[FunctionKey, Lifecycle], namespace: NamespaceName, calls: Callable[[FunctionKey], int] | None
) -> list[Lifecycle]:
    """Return the namespace's functions ordered by name; with `calls` only those that have any, or replicas."""
    return [
        machine
        for key, machine in sorted(machines.items())
        if key.namespace == namespace
        and not machine.removed
        and (calls is None or machine.replicas or machine.scale.wanted or calls(key))
    ]


def state_of(machine: Lifecycle, now: float) -> FunctionState:
    """Return where the newest revision stands."""
    track = machine.tracks[-1]
    if machine.of(track, READY):
        return "ready"
    if track.is_blamed:
        return "failing"
    if track.preparing:
        return "building"
    return "starting" if machine.share(track, now) or machine.of(track, STARTING) else "idle"


def url_of(key: FunctionKey, gateway_url: str) -> str:
    """Return where the function is called; the default namespace goes without saying."""
    return f"{gateway_url.rstrip('/')}/function/{key.name if key.namespace == DEFAULT_NAMESPACE else key}"


def _rollout(machine: Lifecycle, track: Track, clock: Clock) -> RolloutStatus:
    now, canary, trial = clock.now(), machine.canary, track.trial
    state: Literal["building", "starting", "shifting", "canary", "failing"]
    reason, ends_unix_ms = "", 0
    if track.is_blamed and not machine.of(track, READY):
        state, reason = "failing", track.trouble.account if track.trouble is not None else ""
    elif canary is not None and trial is not None:
        state, reason = "canary", judge(canary, trial, now).reason
        ends_unix_ms = clock.unix_ms() + round((trial.began + canary.window_s - now) * 1000)
    elif machine.of(track, READY):
        state = "shifting"
    else:
        state = "building" if track.preparing else "starting"
    return RolloutStatus(
        revision=track.number,
        serving=machine.serving.number,
        state=state,
        reason=reason,
        fault=track.trouble.reason if state == "failing" and track.trouble is not None else "",
        canary=canary,
        ends_unix_ms=ends_unix_ms,
        sides=() if trial is None else (trial.candidate.side(track.number), trial.serving.side(machine.serving.number)),
    )


def _replica(replica: Replica, clock: Clock, stats: ReplicaStats) -> ReplicaStatus:
    return ReplicaStatus(
        id=replica.id,
        phase=replica.phase,
        revision=replica.revision,
        started_unix_ms=clock.unix_ms() - round((clock.now() - replica.started) * 1000),
        cpu_s=stats.cpu_s,
        memory_bytes=stats.memory_bytes,
    )
