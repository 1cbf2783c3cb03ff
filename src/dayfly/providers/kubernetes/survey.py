"""The pods of this installation and the nodes they are on, as a person wants to see them. Pure."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from dayfly.model.machine import Container, Node, Surroundings
from dayfly.providers.kubernetes import marks
from dayfly.providers.kubernetes.pods import Pod


def survey(pods: Iterable[Pod]) -> Surroundings:
    """Return what is known of pods; of nodes it is what pods tell, since nothing else may be read of them."""
    found = sorted(pods, key=lambda pod: pod.name)
    on = Counter(pod.spec.node_name for pod in found if pod.spec.node_name)
    return Surroundings(
        nodes=tuple(Node(name=name, pods=count) for name, count in sorted(on.items())),
        containers=tuple(_container(pod) for pod in found),
    )


def _container(pod: Pod) -> Container:
    waits = "pool" if pod.role == marks.POOL else "starting"
    return Container(
        id=pod.metadata.uid,
        name=pod.name,
        image=pod.container.image,
        state="leaving" if pod.is_leaving else "running" if pod.is_ready and pod.replica else waits,
        replica=pod.replica,
        node=pod.spec.node_name,
        created_unix_ms=_unix_ms(pod.metadata.creation_timestamp),
    )


def _unix_ms(text: str) -> int:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0
