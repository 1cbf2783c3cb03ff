"""A function's row in the routing table, as its lifecycle stands now.

While a rollout is under way, calls may go to either revision: they may take as long as the more patient of both allows,
and no replica gets more calls at a time than the stricter of both takes.
"""

from dayfly.decide.replicas import READY
from dayfly.decide.standing import Standing
from dayfly.model.table import Endpoint, Entry


def entry(machine: Standing) -> Entry:
    """Return what gateways should know of the function: every ready replica, or why there is none."""
    key, canary = machine.function.key, machine.canary
    split = machine.candidate is not None and canary is not None and machine.works
    return Entry(
        name=key.name,
        namespace=key.namespace,
        timeout_s=max(track.timeout_s for track in machine.tracks),
        max_inflight=min(filter(None, (track.revision.spec.max_inflight for track in machine.tracks)), default=0),
        endpoints=tuple(
            Endpoint(replica.id, replica.address, replica.revision) for replica in machine.replicas.within(READY)
        ),
        failing=_failing(machine),
        canary=machine.candidate.number if split and machine.candidate is not None else 0,
        canary_percent=canary.weight if split and canary is not None else 0,
    )


def _failing(machine: Standing) -> str:
    if not machine.failing or machine.serving.trouble is None:
        return ""
    return (
        f"{machine.serving.trouble.sentence}; it is tried again within a minute, and"
        f" `dayfly describe {machine.function.key.name}` tells its author more."
    )
