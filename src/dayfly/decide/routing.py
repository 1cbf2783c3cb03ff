"""A function's row in the routing table, as its lifecycle stands now."""

from dayfly.decide.lifecycle import Lifecycle
from dayfly.model.replica import ReplicaPhase
from dayfly.model.table import Endpoint, Entry


def entry(machine: Lifecycle) -> Entry:
    """Return what gateways should know of the function: every ready replica, or why there is none."""
    key, spec = machine.function.key, machine.function.revision.spec
    return Entry(
        name=key.name,
        namespace=key.namespace,
        timeout_s=machine.timeout_s,
        max_inflight=spec.max_inflight,
        endpoints=tuple(
            Endpoint(replica.id, replica.address, replica.revision)
            for replica in machine.replicas.within(ReplicaPhase.READY)
        ),
        failing=_failing(machine),
    )


def _failing(machine: Lifecycle) -> str:
    if not machine.failing or machine.trouble is None:
        return ""
    return (
        f"{machine.trouble.sentence}; it is tried again within a minute, and"
        f" `dayfly describe {machine.function.key.name}` tells its author more."
    )
