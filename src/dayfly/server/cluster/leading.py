"""The label by which the Service finds the control plane that works, and no other."""

import contextlib

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import POD, name_of
from dayfly.model.errors import DayflyError
from dayfly.server.cluster.names import LEADER_LABEL


async def lead(api: Connection, namespace: str, pod: str) -> None:
    """Have this pod be found, and none that worked before: one on a lost node cannot say that it works no more.

    Raises StoreUnavailable.
    """
    marked = await api.list(POD, namespace, labels=f"{LEADER_LABEL}=true")
    for name in map(name_of, marked.items):
        if name != pod:
            with contextlib.suppress(DayflyError):  # it went meanwhile, or Kubernetes finds out by itself
                await _mark(api, namespace, name, None)
    await _mark(api, namespace, pod, "true")


async def resign(api: Connection, namespace: str, pod: str) -> None:
    """Have this pod be found no more, if that can be said; the Service forgets a pod that ends, too."""
    with contextlib.suppress(DayflyError):
        await _mark(api, namespace, pod, None)


async def _mark(api: Connection, namespace: str, pod: str, value: str | None) -> None:
    await api.patch(POD, pod, {"metadata": {"labels": {LEADER_LABEL: value}}}, namespace)
