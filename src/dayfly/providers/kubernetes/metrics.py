"""What nodes and pods use at the moment, from the cluster's metrics API (metrics.k8s.io), where one is served.

It is an API of its own beside the API server, which a cluster may have (metrics-server) or not. The other source, the
kubelets' own figures by way of the API server, is not used: the right to them is the right to run commands in any pod.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import NODE_METRICS, POD_METRICS, Kind, Object, name_of
from dayfly.cluster.refusals import NotAllowed
from dayfly.model.errors import NotFound, StoreUnavailable

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?", re.ASCII)
_UNITS = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)},
}  # fmt: skip


class Use(NamedTuple):
    """What something uses."""

    cores: float
    memory_bytes: int


class Uses(NamedTuple):
    """What is used, by name, as far as it is known."""

    nodes: Mapping[str, Use] = {}
    functions: Mapping[str, Use] = {}
    """Pods in the namespace where functions run."""
    own: Mapping[str, Use] = {}
    """Pods in the platform's own namespace."""
    notes: tuple[str, ...] = ()
    """Why nothing is known."""


async def uses(connection: Connection, functions: str, own: str) -> Uses:
    """Return what the nodes, and the pods of two namespaces, use."""
    asked = [(NODE_METRICS, ""), (POD_METRICS, functions), *([(POD_METRICS, own)] if own else [])]
    try:
        nodes, pods, *ours = await asyncio.gather(*(_listed(connection, *each) for each in asked))
    except NotFound:
        return Uses(notes=("no metrics server is in the cluster, so what nodes and pods use is not known",))
    except StoreUnavailable as error:
        return Uses(notes=(f"the cluster's metrics server does not answer: {error.message}",))
    return Uses(_of_nodes(nodes), _of_pods(pods), _of_pods(ours[0]) if ours else {})


async def _listed(connection: Connection, kind: Kind, namespace: str) -> list[Object]:
    try:
        return (await connection.list(kind, namespace)).items
    except NotAllowed:  # an installation whose rights are bounded to some namespaces may not ask for nodes
        return []


def _of_nodes(items: Iterable[Object]) -> dict[str, Use]:
    return {name_of(item): use for item in items if (use := _sum([item])) is not None}


def _of_pods(items: Iterable[Object]) -> dict[str, Use]:
    return {name_of(item): use for item in items if (use := _sum(item.get("containers") or ())) is not None}


def _sum(things: Iterable[Object]) -> Use | None:
    """Return what all of them use together; None where that is said of none, or cannot be read."""
    cores, memory, count = 0.0, 0.0, 0
    for thing in things:
        used = thing.get("usage") or {}
        each = quantity(used.get("cpu", "")), quantity(used.get("memory", ""))
        if each[0] is None or each[1] is None:
            return None
        cores, memory, count = cores + each[0], memory + each[1], count + 1
    return Use(round(cores, 6), int(memory)) if count else None


def quantity(text: str) -> float | None:
    """Return the number that Kubernetes writes as `156340551n`, `250m`, `1059508Ki` or `1e3`; None for what is none."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    unit = found[2] or ""
    return float(found[1]) * (_UNITS[unit] if unit in _UNITS else float(f"1{unit}"))
