"""The order for one replica, made from what the author asked for and what was prepared."""

from dayfly.decide.quotas import Budget
from dayfly.model.function import Revision
from dayfly.model.image import health_path, runs_as_root
from dayfly.model.names import ReplicaId
from dayfly.model.replica import Prepared, StartOrder


def start_order(revision: Revision, prepared: Prepared, replica: ReplicaId, budget: Budget) -> StartOrder:
    """Return the order that starts `replica` for the revision, within what its namespace allows."""
    spec = revision.spec
    is_image = spec.runtime == "image"
    return StartOrder(
        replica=replica,
        key=spec.key,
        revision=revision.number,
        lang=spec.lang,
        runtime=spec.runtime,
        dialect=spec.dialect,
        handler=spec.handler,
        process=spec.process,
        image=(prepared.image or spec.image) if is_image else "",
        as_root=is_image and runs_as_root(spec.annotations),
        health_path=health_path(spec.annotations) if is_image else "",
        code_dir=prepared.code_dir,
        layer_dirs=prepared.layer_dirs,
        interpreter=prepared.interpreter,
        env=spec.env,
        timeout_s=spec.timeout_s,
        max_inflight=spec.inflight,
        concurrency=spec.concurrency,
        memory_bytes=spec.limits.memory_bytes if spec.limits else 0,
        cpu_millicores=spec.limits.cpu_millicores if spec.limits else 0,
        memory_request_bytes=spec.requests.memory_bytes if spec.requests else 0,
        cpu_request_millicores=spec.requests.cpu_millicores if spec.requests else 0,
        constraints=spec.constraints,
        read_only=spec.read_only_root_filesystem,
        log_rate_bytes=min(filter(None, (spec.max_log_rate_bytes, budget.log_rate_bytes))),
        network=spec.network,
        allow=spec.allow,
        debug=spec.debug,
    )
