"""Taking up again after the control plane was away.

Replicas outlive it. Those whose function is still wanted are adopted with whatever calls they are working on: of the
revision that serves and of its candidate to stay, of an older one to serve until these do. The rest is stopped, also
those of a candidate that was returned, and those apart, whose calls were ours. A revision's number is never given a
second time while a replica of its first bearer lives, so that number and name are proof enough. Those that hold a
secret which was written anew meanwhile are replaced.
"""

import asyncio
import logging
from collections.abc import Callable

from msgspec.structs import replace

from dayfly.control.quotas import Quotas
from dayfly.control.reconciler import Reconciler
from dayfly.decide import events as ev
from dayfly.model.function import Function
from dayfly.model.names import FunctionKey
from dayfly.model.replica import RecoveredReplica, StartOrder

log = logging.getLogger("dayfly.control")


def adopt(
    reconciler: Reconciler,
    quotas: Quotas,
    functions: list[Function],
    found: list[RecoveredReplica],
    is_outdated: Callable[[StartOrder], bool],
) -> list[RecoveredReplica]:
    """Begin every function's lifecycle with the replicas that still run; return those that nobody wants.

    All that runs is counted before the first of them can start anything. `is_outdated` says whether what a replica was
    given has changed.
    """
    by_key: dict[FunctionKey, list[RecoveredReplica]] = {}
    for each in found:
        replica = replace(each, stale=each.stale or is_outdated(each.order))
        reconciler.own(replica.order)
        quotas.hold(replica.order)
        by_key.setdefault(replica.order.key, []).append(replica)
    for function in functions:
        reconciler.add(function)
    unwanted = [replica for key in by_key.keys() - reconciler.machines.keys() for replica in by_key[key]]
    for function in functions:
        wanted: list[RecoveredReplica] = []
        for replica in by_key.get(function.key, ()):
            (wanted if _may_serve(function, replica.order) else unwanted).append(replica)
        for replica in wanted:
            quotas.release(replica.order.replica)
        reconciler.tell(function.key, ev.Recovered(tuple(wanted)))
    if found:
        log.info("%d replicas found running: %d adopted", len(found), len(found) - len(unwanted))
    return unwanted


def _may_serve(function: Function, order: StartOrder) -> bool:
    revision = order.revision
    if order.apart:
        return False
    if revision in (function.revision.number, function.newest.number):
        return True
    outcome = function.outcome
    is_bad = outcome is not None and outcome.verdict == "returned" and outcome.revision == revision
    return revision < max(function.revision.number, function.newest.number) and not is_bad


async def dismiss(reconciler: Reconciler, unwanted: list[RecoveredReplica]) -> None:
    """Stop replicas that nobody wants; they may finish their calls."""
    orders = [replica.order for replica in unwanted]
    await asyncio.gather(*(reconciler.stop_replica(o.key, o.replica, o.timeout_s) for o in orders))
