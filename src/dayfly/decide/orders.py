"""The order for one replica, made from what the author asked for and what was prepared."""

from dayfly.model.function import Revision
from dayfly.model.names import ReplicaId
from dayfly.model.replica import Prepared, StartOrder


def start_order(revision: Revision, prepared: Prepared, replica: ReplicaId) -> StartOrder:
    """Return the order that starts `replica` for the revision."""
    spec = revision.spec
    return StartOrder(
        replica=replica,
        key=spec.key,
        revision=revision.number,
        lang=spec.lang,
        dialect=spec.dialect,
        handler=spec.handler,
        code_dir=prepared.code_dir,
        layer_dirs=prepared.layer_dirs,
        env=spec.env,
        timeout_s=spec.timeout_s,
        max_inflight=spec.max_inflight,
        concurrency=spec.concurrency,
        memory_bytes=spec.limits.memory_bytes if spec.limits else 0,
        cpu_millicores=spec.limits.cpu_millicores if spec.limits else 0,
        network=spec.network,
        allow=spec.allow,
    )
