"""What our objects say of themselves: labels tell who they are, annotations what they were made from. Pure.

The labels are also what NetworkPolicies select: `network` is the function's own word, and `none` for a pod that waits.
"""

from collections.abc import Mapping

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.names import ReplicaId
from dayfly.model.replica import StartOrder

PREFIX = "dayfly.dev/"
INSTALLATION, ROLE, REPLICA = f"{PREFIX}installation", f"{PREFIX}role", f"{PREFIX}replica"
FUNCTION, NAMESPACE, REVISION = f"{PREFIX}function", f"{PREFIX}namespace", f"{PREFIX}revision"
NETWORK, RUNTIME = f"{PREFIX}network", f"{PREFIX}runtime"
DEPLOYMENT = f"{PREFIX}deployment"
"""Which of our Deployments a pod belongs to, by its name."""
ORDER = f"{PREFIX}order"
AGENT = f"{PREFIX}agent"
"""The public key of the agent in a claimed pod, and CONTAINER the life of its container that it was claimed in."""
CONTAINER = f"{PREFIX}container"
STOPPING = f"{PREFIX}stopping"
LOG_READ = f"{PREFIX}log-read"
"""Up to what time an image's output was read, in nanoseconds since 1970."""
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
POOL, OURS = "pool", "function"
MAX_ORDER_BYTES = 200_000
"""Kubernetes keeps 256 KiB of annotations with an object."""


def selector(installation: str, role: str = "") -> dict[str, str]:
    """Return the labels that all pods of an installation have, or those of one role."""
    return {INSTALLATION: installation} | ({ROLE: role} if role else {})


def labels(installation: str, order: StartOrder, *, replica: bool = True) -> dict[str, str]:
    """Return the labels of a function's pod; an image's gets its replica's id later."""
    found = {
        INSTALLATION: installation,
        ROLE: OURS,
        FUNCTION: order.key.name,
        NAMESPACE: order.key.namespace,
        REVISION: str(order.revision),
        NETWORK: order.network,
        RUNTIME: order.runtime,
        "app.kubernetes.io/name": order.key.name,
        "app.kubernetes.io/part-of": "dayfly",
    }
    return found | ({REPLICA: order.replica} if replica else {})


def order_text(order: StartOrder) -> str:
    """Return an order as an annotation holds it: without what is in its secrets. Raises InvalidSpec."""
    text = msgspec.json.encode(order.without_contents()).decode()
    if len(text) > MAX_ORDER_BYTES:
        raise InvalidSpec(
            f"env: with its variables the function's description has {len(text)} bytes; on Kubernetes it has at most"
            f" {MAX_ORDER_BYTES}, as it is kept with its pod"
        )
    return text


def order_in(annotations: Mapping[str, str], replica: str) -> StartOrder | None:
    """Return the order that a pod was made from, for this replica; None when there is none that can be read."""
    try:
        order = msgspec.json.decode(annotations[ORDER], type=StartOrder)
    except (KeyError, msgspec.DecodeError):
        return None
    return msgspec.structs.replace(order, replica=ReplicaId(replica))
