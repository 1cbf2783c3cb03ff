"""A function's row in the routing table, as its lifecycle stands now.

While a rollout is under way, calls may go to either revision: they may take as long as the more patient of both allows,
and no replica gets more calls at a time, nor larger bodies, than the stricter of both takes.
"""

from dayfly.decide.replicas import READY
from dayfly.decide.standing import Standing
from dayfly.model.callback_hosts import CallbackHosts
from dayfly.model.depth import told_depth
from dayfly.model.payload import told_payloads
from dayfly.model.retry import told_of
from dayfly.model.table import Endpoint, Entry


def entry(machine: Standing) -> Entry:
    """Return what gateways should know of the function: every ready replica, or why there is none."""
    key, canary = machine.function.key, machine.canary
    retry, queue_concurrency = told_of(machine.serving.revision.spec.annotations)
    split = machine.candidate is not None and canary is not None and machine.works
    max_inflight = min(filter(None, (track.revision.spec.inflight for track in machine.tracks)), default=0)
    return Entry(
        name=key.name,
        namespace=key.namespace,
        timeout_s=max(track.timeout_s for track in machine.tracks),
        max_inflight=max_inflight,
        turns_away=any(track.revision.spec.turns_away for track in machine.tracks),
        body_bytes=min(
            filter(None, (machine.budget.body_bytes, *(track.body_bytes for track in machine.tracks))), default=0
        ),
        endpoints=tuple(
            Endpoint(replica.id, replica.address, replica.revision) for replica in machine.replicas.within(READY)
        ),
        failing=_failing(machine),
        canary=machine.candidate.number if split and machine.candidate is not None else 0,
        canary_percent=canary.weight if split and canary is not None else 0,
        max_depth=min(
            filter(None, (told_depth(track.revision.spec.annotations) for track in machine.tracks)), default=0
        ),
        allowed=machine.allowed,
        payloads=told_payloads(machine.serving.revision.spec.annotations),
        retry=retry,
        callback_hosts=CallbackHosts.told(machine.serving.revision.spec.annotations).listed,
        # More than all of its replicas take would only wait at the gateways, in the place of others'.
        queue_concurrency=queue_concurrency or max_inflight * machine.serving.revision.spec.scaling.maximum,
    )


def _failing(machine: Standing) -> str:
    if not machine.failing or machine.serving.trouble is None:
        return ""
    return (
        f"{machine.serving.trouble.sentence}; it is tried again within a minute, and"
        f" `dayfly describe {machine.function.key.name}` tells its author more."
    )
