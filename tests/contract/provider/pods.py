"""Orders for images on the double of a cluster, and what becomes of them there."""

import sys
from pathlib import Path
from typing import Any

from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes import marks

STANDIN = "registry.test/standin:1"


def image_order(stage: Any, **changes: Any) -> StartOrder:
    stage.cluster.kubelet.images[STANDIN] = [sys.executable, str(Path(__file__).parents[2] / "cluster/standin.py")]
    found: StartOrder = stage.order("", lang="image", runtime="image", image=STANDIN, code_dir="", **changes)
    return found


def counts(stage: Any) -> dict[str, int]:
    found = stage.cluster.double.objects("deployments", stage.cluster.NAMESPACE)
    pool = stage.cluster.pool.name
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in found if each["metadata"]["name"] != pool}


def pod_of(stage: Any, order: StartOrder) -> Any:
    pods = stage.cluster.double.objects("pods", stage.cluster.NAMESPACE)
    return next((pod for pod in pods if pod["metadata"]["labels"].get(marks.REPLICA) == order.replica), None)


async def served(provider: Any, audience: Any, order: StartOrder) -> str:
    await provider.start(order)
    return str((await audience.ready(order.replica)).address)


async def ended(provider: Any, audience: Any, order: StartOrder, *, grace_s: float = 5) -> Any:
    await provider.stop(order.replica, grace_s=grace_s)
    return await audience.exited(order.replica)
